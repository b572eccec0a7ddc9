// Experiments need no new pass: a transform script runs on any stage's output.
// RUN: smelt-opt %s --transform-interpreter | FileCheck %s

module attributes {transform.with_named_sequence} {
  // CHECK-LABEL: func @matmul_tiled
  // CHECK: scf.for
  // CHECK: linalg.matmul {{.*}} tensor<4x16xf32>
  func.func @matmul_tiled(%a: tensor<8x16xf32>, %b: tensor<16x16xf32>,
                          %c: tensor<8x16xf32>) -> tensor<8x16xf32> {
    %0 = linalg.matmul ins(%a, %b : tensor<8x16xf32>, tensor<16x16xf32>)
                       outs(%c : tensor<8x16xf32>) -> tensor<8x16xf32>
    return %0 : tensor<8x16xf32>
  }
  transform.named_sequence @__transform_main(%module: !transform.any_op) {
    %matmul = transform.structured.match ops{["linalg.matmul"]} in %module
        : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_for %matmul tile_sizes [4]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}
