// RUN: smelt-opt %s --pass-pipeline='builtin.module(func.func(convert-kernel-to-vector))' | FileCheck %s

module attributes {llm.target = "avx2"} {
// Six rows of one sequence together, else one. Positions that a row doesn't see
// are -inf before the maximum is taken.
// CHECK-LABEL: func.func @attention
// CHECK-DAG: memref.alloca() {{.*}} : memref<6x64xf32>
// CHECK-DAG: memref.alloca() {{.*}} : memref<6x4xf32>
// CHECK: scf.while
// CHECK: arith.select %{{.+}}, %{{.+}}, %{{.+}} : vector<8xi1>, vector<8xf32>
// CHECK: math.exp
// CHECK: arith.divf
// CHECK: else
func.func @attention(%q: memref<?x8xf32>, %kt: memref<8x?xf32>, %v: memref<?x8xf32>, %b: memref<?xi32>, %e: memref<?xi32>, %o: memref<?x8xf32>) {
  kernel.attention ins(%q, %kt, %v, %b, %e : memref<?x8xf32>, memref<8x?xf32>, memref<?x8xf32>, memref<?xi32>) outs(%o : memref<?x8xf32>) {group = 1 : i64, size = 4 : i64, scale = 0.5 : f32}
  return
}
}
