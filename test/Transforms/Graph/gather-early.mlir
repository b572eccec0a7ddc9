// RUN: smelt-opt %s -llm-gather-early | FileCheck %s

// CHECK-LABEL: @gather_early_head
// CHECK: %[[R:.+]] = llm.gather_rows %arg0, %arg1 : tensor<?x8xf32>, tensor<?xi32>
// CHECK: %[[N:.+]] = llm.rms_norm %[[R]] weight %arg2
// CHECK: %[[Y:.+]] = llm.linear %[[N]], %arg3
// CHECK-NOT: llm.gather_rows
// CHECK: return %[[Y]]
func.func @gather_early_head(%x: tensor<?x8xf32>, %rows: tensor<?xi32>, %g: tensor<8xf32>, %w: tensor<99x8xf32>) -> tensor<?x99xf32> {
  %n = llm.rms_norm %x weight %g {eps = 1.0e-5 : f32} : tensor<?x8xf32> weight tensor<8xf32>
  %h = llm.linear %n, %w {compute = f32} : tensor<?x8xf32>, tensor<99x8xf32>
  %y = llm.gather_rows %h, %rows : tensor<?x99xf32>, tensor<?xi32>
  return %y : tensor<?x99xf32>
}

// CHECK-LABEL: @gather_early_static_rows
// CHECK: llm.gather_rows %arg0, %arg1 : tensor<5x8xf32>, tensor<2xi32>
// CHECK: llm.glu %{{.+}} : tensor<2x8xf32>
// CHECK: llm.layer_norm
// CHECK-SAME: tensor<2x4xf32>
func.func @gather_early_static_rows(%x: tensor<5x8xf32>, %rows: tensor<2xi32>, %g: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<2x4xf32> {
  %u = llm.glu %x {activation = "relu"} : tensor<5x8xf32>
  %n = llm.layer_norm %u, %g, %b {eps = 1.0e-5 : f32} : tensor<5x4xf32>, tensor<4xf32>
  %y = llm.gather_rows %n, %rows : tensor<5x4xf32>, tensor<2xi32>
  return %y : tensor<2x4xf32>
}

// The last layer stays like the others.
// CHECK-LABEL: @negative_gather_early_residual
// CHECK: %[[L:.+]] = llm.linear
// CHECK: llm.gather_rows %[[L]]
func.func @negative_gather_early_residual(%x: tensor<?x8xf32>, %h: tensor<?x16xf32>, %w: tensor<8x16xf32>, %rows: tensor<?xi32>) -> tensor<?x8xf32> {
  %d = llm.linear %h, %w residual %x {compute = f32} : tensor<?x16xf32>, tensor<8x16xf32> residual tensor<?x8xf32>
  %y = llm.gather_rows %d, %rows : tensor<?x8xf32>, tensor<?xi32>
  return %y : tensor<?x8xf32>
}

// An encoder pools over all rows of the norm: computing some of them twice
// gains nothing.
// CHECK-LABEL: @negative_gather_early_all_rows_are_read
// CHECK: %[[N:.+]] = llm.layer_norm
// CHECK: llm.gather_rows %[[N]]
func.func @negative_gather_early_all_rows_are_read(%x: tensor<?x8xf32>, %g: tensor<8xf32>, %b: tensor<8xf32>, %rows: tensor<?xi32>, %begin: tensor<?xi32>, %end: tensor<?xi32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %n = llm.layer_norm %x, %g, %b {eps = 1.0e-5 : f32} : tensor<?x8xf32>, tensor<8xf32>
  %y = llm.gather_rows %n, %rows : tensor<?x8xf32>, tensor<?xi32>
  %p = llm.pool %n in %begin, %end {mode = "mean"} : tensor<?x8xf32>, tensor<?xi32>
  return %y, %p : tensor<?x8xf32>, tensor<?x8xf32>
}
