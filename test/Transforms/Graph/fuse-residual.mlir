// RUN: smelt-opt %s -llm-fuse-residual | FileCheck %s

// CHECK-LABEL: @fuse_residual
// CHECK: %[[Y:.+]] = llm.linear %arg1, %arg2 residual %arg0 {compute = f32}
// CHECK-NOT: llm.add
// CHECK: return %[[Y]]
func.func @fuse_residual(%x: tensor<?x8xf32>, %h: tensor<?x16xf32>, %w: tensor<8x16xf32>) -> tensor<?x8xf32> {
  %d = llm.linear %h, %w {compute = f32} : tensor<?x16xf32>, tensor<8x16xf32>
  %y = llm.add %x, %d : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// The residual may be computed after the linear.
// CHECK-LABEL: @fuse_residual_parallel
// CHECK: %[[A:.+]] = llm.relu %arg0
// CHECK: llm.linear %arg1, %arg2 residual %[[A]]
func.func @fuse_residual_parallel(%x: tensor<?x8xf32>, %h: tensor<?x16xf32>, %w: tensor<8x16xf32>) -> tensor<?x8xf32> {
  %d = llm.linear %h, %w {compute = f32} : tensor<?x16xf32>, tensor<8x16xf32>
  %a = llm.relu %x : tensor<?x8xf32>
  %y = llm.add %d, %a : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// [doc:negative-test]
// CHECK-LABEL: @negative_fuse_residual_sum_and_linear_are_read
// CHECK: llm.add
func.func @negative_fuse_residual_sum_and_linear_are_read(%x: tensor<?x8xf32>, %h: tensor<?x16xf32>, %w: tensor<8x16xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %d = llm.linear %h, %w {compute = f32} : tensor<?x16xf32>, tensor<8x16xf32>
  %y = llm.add %x, %d : tensor<?x8xf32>
  return %y, %d : tensor<?x8xf32>, tensor<?x8xf32>
}
// [/doc:negative-test]

// CHECK-LABEL: @negative_fuse_residual_twice
// CHECK: %[[Y:.+]] = llm.linear %arg1, %arg2 residual %arg0
// CHECK: llm.add %arg0, %[[Y]]
func.func @negative_fuse_residual_twice(%x: tensor<?x8xf32>, %h: tensor<?x16xf32>, %w: tensor<8x16xf32>) -> tensor<?x8xf32> {
  %d = llm.linear %h, %w residual %x {compute = f32} : tensor<?x16xf32>, tensor<8x16xf32> residual tensor<?x8xf32>
  %y = llm.add %x, %d : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// One linear takes the other as its residual.
// CHECK-LABEL: @fuse_residual_sum_of_linears
// CHECK: %[[A:.+]] = llm.linear %arg0, %arg1 {
// CHECK: %[[Y:.+]] = llm.linear %arg0, %arg2 residual %[[A]]
// CHECK: return %[[Y]]
func.func @fuse_residual_sum_of_linears(%h: tensor<?x16xf32>, %w: tensor<8x16xf32>, %v: tensor<8x16xf32>) -> tensor<?x8xf32> {
  %c = llm.linear %h, %w {compute = f32} : tensor<?x16xf32>, tensor<8x16xf32>
  %d = llm.linear %h, %v {compute = f32} : tensor<?x16xf32>, tensor<8x16xf32>
  %y = llm.add %c, %d : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
