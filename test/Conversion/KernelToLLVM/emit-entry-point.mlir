// RUN: smelt-opt %s -smelt-spmd -convert-func-to-llvm -smelt-emit-entry-point | FileCheck %s

// CHECK: llvm.func internal @helper
func.func private @helper() {
  return
}

// CHECK: llvm.func internal @step
func.func @step(%ids: memref<?xi32> {llm.input = "ids"},
                %k: memref<2x?x4x32x64xbf16> {llm.input = "kv.k"},
                %v: memref<2x?x4x64x48xbf16> {llm.input = "kv.v"},
                %table: memref<?x?xi32> {llm.input = "block_table"},
                %ks: memref<2x?x4x64xf32> {llm.input = "kv.k_scales"},
                %vs: memref<2x?x4x64xf32> {llm.input = "kv.v_scales"},
                %logits: memref<?x96xf32> {llm.output = "logits"}) {
  return
}

// CHECK: llvm.func @smelt_step(%[[STEP:.+]]: !llvm.ptr, %[[THREAD:.+]]: i64, %[[THREADS:.+]]: i64) {
// CHECK-DAG: %[[IDS_FIELD:.+]] = llvm.getelementptr %[[STEP]][24]
// CHECK-DAG: %[[IDS:.+]] = llvm.load %[[IDS_FIELD]] : !llvm.ptr -> !llvm.ptr
// The keys of a block: 2 layers of 4 heads of 32 x 64 elements of 2 bytes.
// CHECK: %[[KV_FIELD:.+]] = llvm.getelementptr %[[STEP]][16]
// CHECK: %[[KV:.+]] = llvm.load %[[KV_FIELD]] : !llvm.ptr -> !llvm.ptr
// CHECK: %[[BYTES:.+]] = llvm.mlir.constant(32768 : i64)
// CHECK: %[[SIZE:.+]] = llvm.mul %{{.+}}, %[[BYTES]]
// CHECK: llvm.getelementptr %{{.+}}[%[[SIZE]]]
// Scales lie behind keys and values, those of values behind those of keys.
// CHECK: %[[VALUES:.+]] = llvm.mlir.constant(49152 : i64)
// CHECK: llvm.mul %{{.+}}, %[[VALUES]]
// CHECK: %[[SCALES:.+]] = llvm.mlir.constant(2048 : i64)
// CHECK: llvm.mul %{{.+}}, %[[SCALES]]
// CHECK: llvm.intr.smax
// CHECK: llvm.intr.smax
// CHECK: llvm.call @step(%[[IDS]], %[[IDS]],
// CHECK-SAME: %[[THREAD]], %[[THREADS]], %[[STEP]]) :
// CHECK: llvm.return
