// RUN: smelt-opt %s -llm-fold-rope -cse | FileCheck %s

// Both ropes share one table.
// CHECK-LABEL: @fold_rope
// CHECK: %[[F:.+]] = arith.constant dense<[1.000000e+00, 0.00999999977]> : tensor<2xf32>
// CHECK: %[[C:.+]], %[[S:.+]] = llm.rope_table %arg2, %[[F]]
// CHECK-NOT: llm.rope_table
// CHECK: llm.rotate %arg0, %[[C]], %[[S]] {heads = 2 : i64}
// CHECK: llm.rotate %arg1, %[[C]], %[[S]] {heads = 1 : i64}
// CHECK-NOT: llm.rope
func.func @fold_rope(%q: tensor<?x8xf32>, %k: tensor<?x4xf32>, %positions: tensor<?xi32>) -> (tensor<?x8xf32>, tensor<?x4xf32>) {
  %a = llm.rope %q, %positions {heads = 2 : i64, base = 1.0e4 : f64} : tensor<?x8xf32>, tensor<?xi32>
  %b = llm.rope %k, %positions {heads = 1 : i64, base = 1.0e4 : f64} : tensor<?x4xf32>, tensor<?xi32>
  return %a, %b : tensor<?x8xf32>, tensor<?x4xf32>
}

// CHECK-LABEL: @fold_rope_linear
// CHECK: dense<[2.500000e-01, 2.500000e-03]>
func.func @fold_rope_linear(%q: tensor<?x4xf32>, %positions: tensor<?xi32>) -> tensor<?x4xf32> {
  %a = llm.rope %q, %positions {heads = 1 : i64, base = 1.0e4 : f64, scaling = {type = "linear", factor = 4.0 : f64}} : tensor<?x4xf32>, tensor<?xi32>
  return %a : tensor<?x4xf32>
}

// Wavelengths 6.28, 62.8, 628, 6283 in a context of 1024: kept, kept (below
// 1024 / 4), between, stretched (above 1024 / 1).
// CHECK-LABEL: @fold_rope_llama3
// CHECK: dense<[1.000000e+00, 1.000000e-01, 0.00308676064, 1.250000e-04]>
func.func @fold_rope_llama3(%q: tensor<?x8xf32>, %positions: tensor<?xi32>) -> tensor<?x8xf32> {
  %a = llm.rope %q, %positions {heads = 1 : i64, base = 1.0e4 : f64, scaling = {
    type = "llama3", factor = 8.0 : f64, low_freq_factor = 1.0 : f64, high_freq_factor = 4.0 : f64,
    original_max_position_embeddings = 1024.0 : f64}} : tensor<?x8xf32>, tensor<?xi32>
  return %a : tensor<?x8xf32>
}

// Another base needs another table.
// CHECK-LABEL: @negative_fold_rope_shared
// CHECK-COUNT-2: llm.rope_table
func.func @negative_fold_rope_shared(%q: tensor<?x8xf32>, %k: tensor<?x8xf32>, %positions: tensor<?xi32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %a = llm.rope %q, %positions {heads = 2 : i64, base = 1.0e4 : f64} : tensor<?x8xf32>, tensor<?xi32>
  %b = llm.rope %k, %positions {heads = 2 : i64, base = 1.0e6 : f64} : tensor<?x8xf32>, tensor<?xi32>
  return %a, %b : tensor<?x8xf32>, tensor<?x8xf32>
}
