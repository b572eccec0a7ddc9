// RUN: smelt-opt %s --split-input-file --convert-llm-to-linalg | FileCheck %s

// Long sequences fold to spans, which threads may share: 16 of 512 positions and
// 8 of 1024 for 8 rows of 2 heads.
module attributes {llm.model = {context = 16384 : i64}} {
// CHECK-LABEL: func.func @spans
// CHECK: kernel.cached_attention {{.+}} spanned
// CHECK: %[[PARTIALS:.+]] = memref.alloc() {{.*}}: memref<384x32xf32>
// CHECK: kernel.attend_spans {{.+}} into %[[PARTIALS]] of %{{.+}}, %{{.+}} : memref<384x32xf32>
// CHECK: kernel.merge_spans {{.+}} from %[[PARTIALS]]
func.func @spans(%q: tensor<?x8xf32>, %i: tensor<?xi32>,
                 %kv: !llm.kv<layers = 2, heads = 1, size = 4, type = bf16> {llm.input = "kv"}) -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %y = llm.cached_attention %q, %kv[%c0] at %i, %i {heads = 2 : i64, scale = 0.5 : f32} : tensor<?x8xf32>, !llm.kv<layers = 2, heads = 1, size = 4, type = bf16>, tensor<?xi32>
  return %y : tensor<?x8xf32>
}
}
// -----
// Integers come with a scale for each head and position.
// CHECK-LABEL: func.func @integers
// CHECK-SAME: memref<2x?x3x20x64xi8> {llm.input = "kv.k"}
// CHECK-SAME: memref<2x?x3x64x32xi8> {llm.input = "kv.v"}
// CHECK-SAME: memref<?x?xi32> {llm.input = "block_table"}
// CHECK-SAME: memref<2x?x3x64xf32> {llm.input = "kv.k_scales"}
// CHECK-SAME: memref<2x?x3x64xf32> {llm.input = "kv.v_scales"}
func.func @integers(%k: tensor<?x60xf32>, %i: tensor<?xi32>,
                    %kv: !llm.kv<layers = 2, heads = 3, size = 20, type = int8> {llm.input = "kv"}) -> tensor<?x60xf32> {
  // CHECK: kernel.kv_append {{.+}} scaled(%{{.+}}, %{{.+}} : memref<2x?x3x64xf32>, memref<2x?x3x64xf32>)
  // CHECK: kernel.cached_attention {{.+}} scaled(
  %c0 = arith.constant 0 : index
  llm.kv_append %kv[%c0], %k, %k at %i, %i : !llm.kv<layers = 2, heads = 3, size = 20, type = int8>, tensor<?x60xf32>, tensor<?xi32>
  %y = llm.cached_attention %k, %kv[%c0] at %i, %i {heads = 3 : i64, scale = 0.5 : f32} : tensor<?x60xf32>, !llm.kv<layers = 2, heads = 3, size = 20, type = int8>, tensor<?xi32>
  return %y : tensor<?x60xf32>
}

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
