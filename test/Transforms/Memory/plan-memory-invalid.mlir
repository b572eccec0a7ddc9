// RUN: smelt-opt %s -split-input-file -smelt-plan-memory -verify-diagnostics

func.func @negative_product(%x: memref<?x16xf32>) {
  %c0 = arith.constant 0 : index
  %m = memref.dim %x, %c0 : memref<?x16xf32>
  %mm = arith.muli %m, %m : index
  // expected-error @+1 {{expects a size that is linear in the number of tokens}}
  %a = memref.alloc(%mm) : memref<?xf32>
  return
}

// -----

func.func @negative_context(%table: memref<?x?xi32> {llm.input = "block_table"}) {
  %c0 = arith.constant 0 : index
  %slots = memref.dim %table, %c0 : memref<?x?xi32>
  // expected-error @+1 {{expects a size that is linear in the number of tokens}}
  %a = memref.alloc(%slots) : memref<?xf32>
  return
}

// -----

func.func @negative_huge() {
  // expected-error @+1 {{expects a size that is linear in the number of tokens}}
  %a = memref.alloc() : memref<4611686018427387904x2xf32>
  return
}

// -----

func.func @negative_two_dynamic(%x: memref<?x16xf32>) {
  %c0 = arith.constant 0 : index
  %m = memref.dim %x, %c0 : memref<?x16xf32>
  // expected-error @+1 {{expects at most one dynamic dimension, got 'memref<?x?xf32>'}}
  %a = memref.alloc(%m, %m) : memref<?x?xf32>
  return
}

// -----

func.func @negative_layout() {
  // expected-error @+1 {{expects identity layout in the default memory space}}
  %a = memref.alloc() : memref<4x4xf32, strided<[8, 1]>>
  return
}

// -----

func.func @negative_alignment() {
  // expected-error @+1 {{expects an alignment of at most 64 bytes, got 128}}
  %a = memref.alloc() {alignment = 128 : i64} : memref<4xf32>
  return
}

// -----

func.func @negative_escapes_iteration(%n: index, %x: memref<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-note @+1 {{the loop is here}}
  %last = scf.for %i = %c0 to %n step %c1 iter_args(%v = %x) -> memref<4xf32> {
    // expected-error @+1 {{outlives the iteration of the loop that allocates it; allocate it before the loop}}
    %a = memref.alloc() : memref<4xf32>
    scf.yield %a : memref<4xf32>
  }
  return
}

// -----

func.func private @even(%x: memref<4xf32>) {
  call @odd(%x) : (memref<4xf32>) -> ()
  return
}
func.func private @odd(%x: memref<4xf32>) {
  // expected-error @+1 {{expects no recursion}}
  call @even(%x) : (memref<4xf32>) -> ()
  return
}

// -----

func.func private @f(%x: memref<4xf32>) {
  return
}
func.func @negative_call_in_forall(%x: memref<4xf32>) {
  %n = kernel.num_threads
  scf.forall (%t) in (%n) {
    // expected-error @+1 {{expects to stand outside of scf.forall}}
    func.call @f(%x) : (memref<4xf32>) -> ()
  }
  return
}

// -----

func.func private @external(%x: memref<4xf32>)
func.func @negative_external(%x: memref<4xf32>) {
  // expected-error @+1 {{expects a function with a body, got @external}}
  call @external(%x) : (memref<4xf32>) -> ()
  return
}
