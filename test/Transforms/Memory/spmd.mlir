// RUN: smelt-opt %s -split-input-file -smelt-spmd | FileCheck %s

module attributes {llm.memory = {bytes = 128 : i64, per_token = 64 : i64, per_thread = 256 : i64, per_token_thread = 192 : i64}} {

llm.param @norm : tensor<8xf32> from
    [[#llm.source<"norm", file = "m.safetensors", offset = 0, type = tensor<8xf32>>]]
    at 4096 stride 64
llm.param @layers.norm : tensor<8xf32> from
    [[#llm.source<"n0", file = "m.safetensors", offset = 0, type = tensor<8xf32>>],
     [#llm.source<"n1", file = "m.safetensors", offset = 32, type = tensor<8xf32>>]]
    at 8192 stride 320

// CHECK-LABEL: func.func private @layer(
// CHECK-SAME: %[[X:.+]]: memref<?xf32>, %[[LAYER:.+]]: index, %[[WEIGHTS:.+]]: memref<?xi8>, %[[ARENA:.+]]: memref<?xi8>,
// CHECK-SAME: %[[TOKENS:.+]]: index, %[[THREAD:.+]]: index, %[[THREADS:.+]]: index, %[[STEP:.+]]: !llvm.ptr)
// CHECK-NOT: smelt.signature
func.func private @layer(%x: memref<?xf32>, %layer: index) {
  %c0 = arith.constant 0 : index
  %m = memref.dim %x, %c0 : memref<?xf32>
  // CHECK-DAG: %[[OFFSET:.+]] = arith.constant 8192
  // CHECK-DAG: %[[STRIDE:.+]] = arith.constant 320
  // CHECK-DAG: %[[BEFORE:.+]] = arith.muli %[[LAYER]], %[[STRIDE]]
  // CHECK-DAG: %[[PLACE:.+]] = arith.addi %[[BEFORE]], %[[OFFSET]]
  // CHECK: %[[W:.+]] = memref.view %[[WEIGHTS]][%[[PLACE]]][] : memref<?xi8> to memref<8xf32>
  %w = kernel.param @layers.norm[%layer] : memref<8xf32>
  // CHECK: memref.view %[[WEIGHTS]][%{{.+}}][] : memref<?xi8> to memref<8xf32>
  %norm = kernel.param @norm : memref<8xf32>
  // CHECK-DAG: %[[C128:.+]] = arith.constant 128
  // CHECK-DAG: %[[C64:.+]] = arith.constant 64
  // CHECK-DAG: %[[SLOPE:.+]] = arith.muli %[[TOKENS]], %[[C64]]
  // CHECK: %[[SHARED:.+]] = arith.addi %[[SLOPE]], %[[C128]]
  // CHECK: %[[B:.+]] = memref.view %[[ARENA]][%[[SHARED]]][%{{.+}}] : memref<?xi8> to memref<?xf32>
  %b = memref.alloc(%m) {smelt.offset = array<i64: 64, 128>} : memref<?xf32>
  %n = kernel.num_threads
  // CHECK-NOT: scf.forall
  scf.forall (%t) in (%n) {
    %next = arith.addi %t, %n : index
    // CHECK: %[[PRIVATE:.+]] = memref.view %[[ARENA]]
    %p = memref.alloc() {smelt.offset = array<i64: 0, 64>, smelt.private} : memref<4xf32>
    // CHECK: %[[V:.+]] = memref.load %[[W]][%[[THREAD]]]
    %v = memref.load %w[%t] : memref<8xf32>
    memref.store %v, %b[%t] : memref<?xf32>
    memref.store %v, %p[%next] : memref<4xf32>
    // CHECK-NOT: scf.forall.in_parallel
  }
  // CHECK: %[[BEGIN:.+]] = kernel.clock
  // CHECK: kernel.barrier %[[THREAD]] of %[[STEP]]
  // CHECK: kernel.record 1 since %[[BEGIN]] by %[[THREAD]] of %[[STEP]]
  %begin = kernel.clock
  kernel.barrier
  kernel.record 1 since %begin
  return
}

// CHECK-LABEL: func.func @step
// CHECK-SAME: %[[IDS:.+]]: memref<?xf32> {llm.input = "ids"}, %[[WEIGHTS:[^:]+]]: memref<?xi8>, %[[ARENA:.+]]: memref<?xi8>,
// CHECK-SAME: %[[TOKENS:.+]]: index, %[[THREAD:.+]]: index, %[[THREADS:.+]]: index, %[[STEP:.+]]: !llvm.ptr)
// CHECK-SAME: smelt.signature = [{input = "ids", type = memref<?xf32>}]
func.func @step(%ids: memref<?xf32> {llm.input = "ids"}) {
  %c1 = arith.constant 1 : index
  // CHECK: call @layer(%[[IDS]], %{{.+}}, %[[WEIGHTS]], %[[ARENA]], %[[TOKENS]], %[[THREAD]], %[[THREADS]], %[[STEP]])
  call @layer(%ids, %c1) : (memref<?xf32>, index) -> ()
  return
}

// A stack buffer goes to the function's entry, out of the loop.
// CHECK-LABEL: func.func private @stack
func.func private @stack(%x: memref<?xf32>) {
  // CHECK-NEXT: memref.alloca() : memref<16xf32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = kernel.num_threads
  scf.forall (%t) in (%n) {
    // CHECK: scf.for
    scf.for %i = %c0 to %t step %c1 {
      // CHECK-NOT: memref.alloca
      %s = memref.alloca() : memref<16xf32>
      %v = memref.load %x[%i] : memref<?xf32>
      memref.store %v, %s[%c0] : memref<16xf32>
    }
  }
  return
}
}
