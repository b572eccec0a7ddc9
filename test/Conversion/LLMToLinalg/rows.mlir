// RUN: smelt-opt %s --convert-llm-to-linalg | FileCheck %s

// CHECK-LABEL: func.func @gather_rows
// CHECK: kernel.gather ins(%arg1, %arg0 : tensor<?xi32>, tensor<?x8xf32>)
func.func @gather_rows(%x: tensor<?x8xf32>, %rows: tensor<?xi32>) -> tensor<?x8xf32> {
  %y = llm.gather_rows %x, %rows : tensor<?x8xf32>, tensor<?xi32>
  return %y : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @rope_table
// CHECK: math.cos
// CHECK: math.sin
func.func @rope_table(%p: tensor<?xi32>, %f: tensor<4xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
  %c, %s = llm.rope_table %p, %f : tensor<?xi32>, tensor<4xf32>
  return %c, %s : tensor<?x4xf32>, tensor<?x4xf32>
}

// The first row of each sequence, or the mean of all.
// CHECK-LABEL: func.func @pool
// CHECK: kernel.pool ins(%arg0, %arg1, %arg2
// CHECK: kernel.gather ins(%arg1, %arg0
func.func @pool(%x: tensor<?x8xf32>, %b: tensor<?xi32>, %e: tensor<?xi32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %m = llm.pool %x in %b, %e {mode = "mean"} : tensor<?x8xf32>, tensor<?xi32>
  %c = llm.pool %x in %b, %e {mode = "cls"} : tensor<?x8xf32>, tensor<?xi32>
  return %m, %c : tensor<?x8xf32>, tensor<?x8xf32>
}
