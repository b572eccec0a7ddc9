// RUN: smelt-opt %s --convert-llm-to-linalg | FileCheck %s

// A row's sum of squares, its factor, and the product; the weight is a column's.
// CHECK-LABEL: func.func @rms_norm
// CHECK: linalg.fill
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "reduction"]
// CHECK: math.fma
// CHECK: math.rsqrt
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel"]
// CHECK: arith.mulf
func.func @rms_norm(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = llm.rms_norm %x {eps = 1.0e-6 : f32} : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// A vector of length 0 isn't divided by 0.
// CHECK-LABEL: func.func @normalize
// CHECK: iterator_types = ["parallel", "reduction"]
// CHECK: math.sqrt
// CHECK-NOT: llm.normalize
func.func @normalize(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = llm.normalize %x : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
