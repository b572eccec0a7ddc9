// RUN: smelt-opt %s -split-input-file -smelt-check-buffers -verify-diagnostics

memref.global "private" constant @table : memref<2xf32> = dense<[1.0, 2.0]>
func.func @allowed(%x: memref<?xf32>) {
  %n = kernel.num_threads
  %a = memref.alloc() {smelt.offset = array<i64: 0, 0>} : memref<4xf32>
  %c = memref.get_global @table : memref<2xf32>
  scf.forall (%t) in (%n) {
    %tile = memref.alloca() : memref<256xvector<16xf32>>
    %b = memref.alloc() {smelt.offset = array<i64: 0, 0>, smelt.private} : memref<4xf32>
  }
  return
}

// -----

func.func @negative_alloc() {
  // expected-error @+2 {{has no place in the memory plan}}
  // expected-note @+1 {{run smelt-plan-memory after the last pass that allocates}}
  %a = memref.alloc() : memref<4xf32>
  return
}

// -----

func.func @negative_alloca_outside() {
  // expected-error @+2 {{is a stack buffer outside of scf.forall}}
  // expected-note @+1 {{use memref.alloc}}
  %a = memref.alloca() : memref<4xf32>
  return
}

// -----

func.func @negative_alloca(%m: index) {
  %n = kernel.num_threads
  scf.forall (%t) in (%n) {
    // expected-error @+2 {{is a stack buffer of 16448 bytes, expected at most 16384}}
    // expected-note @+1 {{use memref.alloc}}
    %a = memref.alloca() : memref<257xvector<16xf32>>
    // expected-error @+2 {{is a stack buffer of dynamic size}}
    // expected-note @+1 {{give it a static shape, or use memref.alloc}}
    %b = memref.alloca(%m) : memref<?xf32>
  }
  return
}

// -----

func.func @negative_copy(%x: memref<4xf32>, %y: memref<4xf32>) {
  // expected-error @+2 {{copies a buffer}}
  // expected-note @+1 {{write the result in place}}
  memref.copy %x, %y : memref<4xf32> to memref<4xf32>
  // expected-error @+2 {{copies a buffer}}
  // expected-note @+1 {{write the result in place}}
  linalg.copy ins(%x : memref<4xf32>) outs(%y : memref<4xf32>)
  return
}

// -----

memref.global "private" @counter : memref<1xi32> = dense<0>
func.func @negative_global() {
  // expected-error @+2 {{expects a constant global with a value}}
  // expected-note @+1 {{steps keep no state between them}}
  %a = memref.get_global @counter : memref<1xi32>
  return
}

// -----

func.func @negative_bufferization(%x: memref<4xf32>) {
  // expected-error @+2 {{is left over from bufferization}}
  // expected-note @+1 {{bufferize its producer and its consumers}}
  %a = bufferization.clone %x : memref<4xf32> to memref<4xf32>
  return
}
