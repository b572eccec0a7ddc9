// RUN: smelt-opt %s --convert-llm-to-linalg | FileCheck %s

// CHECK-LABEL: func.func @handle
// CHECK-SAME: memref<2x?x1x4x64xbf16> {llm.input = "kv.k"}
// CHECK-SAME: memref<2x?x1x64x16xbf16> {llm.input = "kv.v"}
// CHECK-SAME: memref<?x?xi32> {llm.input = "block_table"}
func.func @handle(%q: tensor<?x8xf32>, %i: tensor<?xi32>,
                  %kv: !llm.kv<layers = 2, heads = 1, size = 4, type = bf16> {llm.input = "kv"}) -> tensor<?x8xf32> {
  // CHECK: kernel.cached_attention {{.+}} {group = 2 : i64
  %c0 = arith.constant 0 : index
  %y = llm.cached_attention %q, %kv[%c0] at %i, %i {heads = 2 : i64, scale = 0.5 : f32} : tensor<?x8xf32>, !llm.kv<layers = 2, heads = 1, size = 4, type = bf16>, tensor<?xi32>
  return %y : tensor<?x8xf32>
}
