// RUN: smelt-opt %s -split-input-file -smelt-plan-memory | FileCheck %s

func.func private @touch(%a: memref<?x16xf32>, %b: memref<?x16xf32>) {
  return
}

// Three buffers in a chain: the third takes the place of the first. Sixteen
// floats a token are 64 bytes.
// CHECK: module attributes {llm.memory = {bytes = 0 : i64, per_thread = 0 : i64, per_token = 128 : i64, per_token_thread = 0 : i64}}
// CHECK-LABEL: func.func @chain
func.func @chain(%ids: memref<?xi32>, %out: memref<?x16xf32>) {
  %c0 = arith.constant 0 : index
  %m = memref.dim %ids, %c0 : memref<?xi32>
  // CHECK: memref.alloc(%{{.+}}) {smelt.offset = array<i64: 0, 0>}
  %a = memref.alloc(%m) : memref<?x16xf32>
  // CHECK: memref.alloc(%{{.+}}) {smelt.offset = array<i64: 64, 0>}
  %b = memref.alloc(%m) : memref<?x16xf32>
  // CHECK: memref.alloc(%{{.+}}) {smelt.offset = array<i64: 0, 0>}
  %c = memref.alloc(%m) : memref<?x16xf32>
  // CHECK-NOT: memref.alloc
  // CHECK-NOT: memref.dealloc
  %unused = memref.alloc(%m) : memref<?x16xf32>
  call @touch(%a, %b) : (memref<?x16xf32>, memref<?x16xf32>) -> ()
  memref.dealloc %a : memref<?x16xf32>
  call @touch(%b, %c) : (memref<?x16xf32>, memref<?x16xf32>) -> ()
  call @touch(%c, %out) : (memref<?x16xf32>, memref<?x16xf32>) -> ()
  memref.dealloc %b : memref<?x16xf32>
  memref.dealloc %unused : memref<?x16xf32>
  return
}

// -----

func.func private @touch(%a: memref<?xf32>, %b: memref<?xf32>) {
  return
}

// A buffer that a loop reads lives as long as the loop, though its last use
// comes before the first of the other.
// CHECK-LABEL: func.func @loop
func.func @loop(%x: memref<?xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK: memref.alloc() {smelt.offset = array<i64: 0, 0>} : memref<64xf32>
  %a = memref.alloc() : memref<64xf32>
  %da = memref.cast %a : memref<64xf32> to memref<?xf32>
  call @touch(%x, %da) : (memref<?xf32>, memref<?xf32>) -> ()
  scf.for %i = %c0 to %n step %c1 {
    func.call @touch(%da, %x) : (memref<?xf32>, memref<?xf32>) -> ()
    // CHECK: memref.alloc() {smelt.offset = array<i64: 0, 256>} : memref<32xf32>
    %b = memref.alloc() : memref<32xf32>
    %db = memref.cast %b : memref<32xf32> to memref<?xf32>
    func.call @touch(%db, %x) : (memref<?xf32>, memref<?xf32>) -> ()
  }
  return
}

// -----

// Views keep a buffer alive: through a subview, a loop's carried value and a
// branch's result.
func.func private @touch(%a: memref<?xf32>) {
  return
}

// CHECK-LABEL: func.func @views
func.func @views(%n: index, %cond: i1) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // CHECK-DAG: memref.alloc() {smelt.offset = array<i64: 0, 0>} : memref<64xf32>
  %a = memref.alloc() : memref<64xf32>
  // CHECK-DAG: memref.alloc() {smelt.offset = array<i64: 0, 256>} : memref<48xf32>
  %b = memref.alloc() : memref<48xf32>
  // CHECK-DAG: memref.alloc() {smelt.offset = array<i64: 0, 448>} : memref<32xf32>
  %c = memref.alloc() : memref<32xf32>
  %va = memref.subview %a[0] [32] [1] : memref<64xf32> to memref<32xf32, strided<[1]>>
  %vb = memref.subview %b[0] [32] [1] : memref<48xf32> to memref<32xf32, strided<[1]>>
  %chosen = scf.if %cond -> memref<32xf32, strided<[1]>> {
    scf.yield %va : memref<32xf32, strided<[1]>>
  } else {
    scf.yield %vb : memref<32xf32, strided<[1]>>
  }
  %carried = scf.for %i = %c0 to %n step %c1
      iter_args(%v = %chosen) -> memref<32xf32, strided<[1]>> {
    scf.yield %v : memref<32xf32, strided<[1]>>
  }
  %dc = memref.cast %c : memref<32xf32> to memref<?xf32>
  call @touch(%dc) : (memref<?xf32>) -> ()
  %flat = memref.reinterpret_cast %carried to offset: [0], sizes: [32], strides: [1]
      : memref<32xf32, strided<[1]>> to memref<32xf32>
  %d = memref.cast %flat : memref<32xf32> to memref<?xf32>
  call @touch(%d) : (memref<?xf32>) -> ()
  return
}

// -----

// Threads don't proceed in step: one may write %b while another reads %a.
// CHECK-LABEL: func.func @forall
func.func @forall() {
  %c0 = arith.constant 0 : index
  %n = kernel.num_threads
  // CHECK: memref.alloc() {smelt.offset = array<i64: 0, 0>} : memref<16xf32>
  %a = memref.alloc() : memref<16xf32>
  // CHECK: memref.alloc() {smelt.offset = array<i64: 0, 64>} : memref<16xf32>
  %b = memref.alloc() : memref<16xf32>
  scf.forall (%t) in (%n) {
    %v = memref.load %a[%c0] : memref<16xf32>
    memref.store %v, %b[%t] : memref<16xf32>
  }
  return
}

// -----

// What threads allocate lies in their slices; every scf.forall starts anew.
// A dynamic size of at most 8 counts as 8. The slice is the least linear size
// that is at least 256 and at least 64 a token.
// CHECK: llm.memory = {bytes = 64 : i64, per_thread = 192 : i64, per_token = 0 : i64, per_token_thread = 64 : i64}
// CHECK-LABEL: func.func @threads
func.func @threads(%x: memref<?x16xf32>) {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant 0.0 : f32
  %m = memref.dim %x, %c0 : memref<?x16xf32>
  %n = kernel.num_threads
  // CHECK: memref.alloc() {smelt.offset = array<i64: 0, 0>} : memref<3xf32>
  %shared = memref.alloc() : memref<3xf32>
  scf.forall (%t) in (%n) {
    // CHECK: memref.alloc(%{{.+}}) {smelt.offset = array<i64: 0, 0>, smelt.private} : memref<?x5xf32>
    %few = arith.minsi %m, %c8 : index
    %p = memref.alloc(%few) : memref<?x5xf32>
    memref.store %zero, %p[%c0, %c0] : memref<?x5xf32>
    // CHECK: memref.alloc() {smelt.offset = array<i64: 0, 192>, smelt.private} : memref<16xf32>
    %q = memref.alloc() : memref<16xf32>
    memref.store %zero, %q[%c0] : memref<16xf32>
    memref.store %zero, %p[%c0, %c0] : memref<?x5xf32>
    memref.store %zero, %shared[%c0] : memref<3xf32>
  }
  scf.forall (%t) in (%n) {
    // CHECK: memref.alloc(%{{.+}}) {smelt.offset = array<i64: 0, 0>, smelt.private} : memref<?xf32>
    %r = memref.alloc(%m) : memref<?xf32>
    memref.store %zero, %r[%c0] : memref<?xf32>
    memref.store %zero, %shared[%c0] : memref<3xf32>
  }
  return
}

// -----

// The frame of a callee lies beyond those of all its callers.
// CHECK: llm.memory = {bytes = 768 : i64, per_thread = 0 : i64, per_token = 0 : i64, per_token_thread = 0 : i64}
// CHECK-LABEL: func.func private @leaf
func.func private @leaf(%x: memref<64xf32>) {
  %c0 = arith.constant 0 : index
  // CHECK: memref.alloc() {smelt.offset = array<i64: 0, 512>} : memref<64xf32>
  %a = memref.alloc() : memref<64xf32>
  %v = memref.load %a[%c0] : memref<64xf32>
  return
}
// CHECK-LABEL: func.func private @middle
func.func private @middle(%x: memref<64xf32>) {
  // CHECK: memref.alloc() {smelt.offset = array<i64: 0, 256>} : memref<64xf32>
  %a = memref.alloc() : memref<64xf32>
  call @leaf(%a) : (memref<64xf32>) -> ()
  return
}
// CHECK-LABEL: func.func @top
func.func @top() {
  // CHECK: memref.alloc() {smelt.offset = array<i64: 0, 0>} : memref<64xf32>
  %a = memref.alloc() : memref<64xf32>
  call @middle(%a) : (memref<64xf32>) -> ()
  call @leaf(%a) : (memref<64xf32>) -> ()
  return
}

// -----

// M + 3 rows of 64 bytes, M rounded up to 8 of 32, at most 1 of 64, twice M of 32.
// CHECK: llm.memory = {bytes = 512 : i64, per_thread = 0 : i64, per_token = 192 : i64, per_token_thread = 0 : i64}
// CHECK-LABEL: func.func @sizes
func.func @sizes(%x: memref<?x16xf32>) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %m = memref.dim %x, %c0 : memref<?x16xf32>
  %more = arith.addi %m, %c3 : index
  %padded = affine.apply affine_map<()[s0] -> (s0 ceildiv 8 * 8)>()[%m]
  %tail = affine.min affine_map<(d0) -> (1, d0 - 16)>(%m)
  %twice = arith.muli %m, %c2 : index
  %a = memref.alloc(%more) : memref<?x16xf32>
  %b = memref.alloc(%padded) : memref<?x16xbf16>
  %c = memref.alloc(%tail) : memref<?x16xf32>
  %d = memref.alloc(%twice) : memref<?x16xi16>
  // The four at once.
  %v0 = memref.load %a[%c0, %c0] : memref<?x16xf32>
  %v1 = memref.load %b[%c0, %c0] : memref<?x16xbf16>
  %v2 = memref.load %c[%c0, %c0] : memref<?x16xf32>
  %v3 = memref.load %d[%c0, %c0] : memref<?x16xi16>
  %w0 = memref.load %a[%c0, %c0] : memref<?x16xf32>
  %w1 = memref.load %b[%c0, %c0] : memref<?x16xbf16>
  %w2 = memref.load %c[%c0, %c0] : memref<?x16xf32>
  %w3 = memref.load %d[%c0, %c0] : memref<?x16xi16>
  return
}
