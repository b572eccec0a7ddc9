// RUN: smelt-opt %s -split-input-file -smelt-derive-barriers -verify-diagnostics

func.func @negative_store_outside(%a: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  // expected-error @+1 {{writes memory outside of scf.forall}}
  memref.store %zero, %a[%c0] : memref<8xf32>
  return
}

// -----

func.func @negative_fill_outside(%a: memref<8xf32>) {
  %zero = arith.constant 0.0 : f32
  // expected-error @+1 {{writes memory outside of scf.forall}}
  linalg.fill ins(%zero : f32) outs(%a : memref<8xf32>)
  return
}

// -----

func.func @negative_unplanned() {
  %c0 = arith.constant 0 : index
  // expected-error @+1 {{expects a place in the arena (run smelt-plan-memory)}}
  %a = memref.alloc() : memref<8xf32>
  %v = memref.load %a[%c0] : memref<8xf32>
  return
}

// -----

// expected-note @+4 {{the buffer is here}}
llm.param @norm : tensor<8xf32> from
    [[#llm.source<"norm", file = "m.safetensors", offset = 0, type = tensor<8xf32>>]]
func.func @negative_read_only() {
  %w = kernel.param @norm : memref<8xf32>
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = kernel.num_threads
  scf.forall (%t) in (%n) {
    // expected-error @+1 {{writes a read-only buffer}}
    memref.store %zero, %w[%c0] : memref<8xf32>
  }
  return
}

// -----

func.func @negative_barrier_in_forall() {
  %n = kernel.num_threads
  scf.forall (%t) in (%n) {
    // expected-error @+1 {{expects to stand outside of scf.forall}}
    kernel.barrier
  }
  return
}

// -----

func.func @negative_while(%a: memref<1xi1>) {
  %c0 = arith.constant 0 : index
  // expected-error @+1 {{expects only scf.forall, scf.for, scf.if and scf.index_switch to have regions here}}
  scf.while : () -> () {
    %more = memref.load %a[%c0] : memref<1xi1>
    scf.condition(%more)
  } do {
    scf.yield
  }
  return
}
