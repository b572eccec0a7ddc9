// RUN: smelt-opt %s --pass-pipeline='builtin.module(func.func(convert-kernel-to-vector))' | FileCheck %s

module attributes {llm.target = "avx2"} {
// CHECK-LABEL: func.func @gather_panels
// CHECK: memref.load %{{.+}}[%{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}] : memref<3x5x32x2xbf16>
// CHECK: arith.extf
func.func @gather_panels(%i: memref<?xi32>, %t: memref<3x5x32x2xbf16>, %o: memref<?x9xf32>) {
  kernel.gather ins(%i, %t : memref<?xi32>, memref<3x5x32x2xbf16>) outs(%o : memref<?x9xf32>)
  return
}

// Halves of a head: x c - y s and y c + x s.
// CHECK-LABEL: func.func @rotate
// CHECK-COUNT-4: vector.load %{{.+}}, vector<8xf32>
// CHECK: arith.subf %{{.+}} : vector<8xf32>
// CHECK: arith.addf %{{.+}} : vector<8xf32>
// CHECK-COUNT-2: vector.store
// CHECK-NOT: kernel.rotate
func.func @rotate(%x: memref<?x32xf32>, %c: memref<?x8xf32>, %s: memref<?x8xf32>, %o: memref<?x32xf32>) {
  kernel.rotate ins(%x, %c, %s : memref<?x32xf32>, memref<?x8xf32>) outs(%o : memref<?x32xf32>)
  return
}

// The rest of a row is summed under a mask.
// CHECK-LABEL: func.func @pool
// CHECK: arith.maxsi
// CHECK: vector.load %{{.+}} : memref<?x12xf32>, vector<8xf32>
// CHECK: arith.divf
// CHECK: vector.maskedload %{{.+}} : memref<?x12xf32>
// CHECK: vector.maskedstore
func.func @pool(%x: memref<?x12xf32>, %b: memref<?xi32>, %e: memref<?xi32>, %o: memref<?x12xf32>) {
  kernel.pool ins(%x, %b, %e : memref<?x12xf32>, memref<?xi32>) outs(%o : memref<?x12xf32>)
  return
}
}
