// RUN: smelt-opt %s --convert-llm-to-linalg | FileCheck %s

// CHECK-LABEL: func.func @add
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel"]
// CHECK: arith.addf
func.func @add(%x: tensor<?x8xf32>, %y: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %z = llm.add %x, %y : tensor<?x8xf32>
  return %z : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @silu
// CHECK: arith.negf
// CHECK: math.exp
// CHECK: arith.divf
func.func @silu(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = llm.silu %x : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @gelu
// CHECK: math.erfc
func.func @gelu(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = llm.gelu %x : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
