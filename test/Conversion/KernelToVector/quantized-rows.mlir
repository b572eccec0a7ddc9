// RUN: smelt-opt %s --pass-pipeline='builtin.module(func.func(convert-kernel-to-vector),cse,canonicalize)' | FileCheck %s

module attributes {llm.target = "avx2"} {
// CHECK-LABEL: func.func @quantize
// CHECK: vector.reduction <maxsi>
// CHECK: arith.trunci %{{.+}} : vector<32xi32> to vector<32xi8>
// CHECK: vector.store %{{.+}} : memref<?x96xi8>, vector<32xi8>
// CHECK: vector.reduction <add>
// Of the last 32, 6 are read.
// CHECK: vector.maskedload
func.func @quantize(%x: memref<?x70xf32>, %q: memref<?x96xi8>, %s: memref<?x3xf32>, %t: memref<?x3xi32>) {
  kernel.quantize ins(%x : memref<?x70xf32>) outs(%q, %s, %t : memref<?x96xi8>, memref<?x3xf32>, memref<?x3xi32>) {activation = #llm.activation<int8_g32>}
  return
}

// Of 8 bits and a scale for 32: four columns lie side by side, two are left.
// CHECK-LABEL: func.func @gather
// CHECK:       scf.for
// CHECK:         vector.load %{{.+}} : memref<3x2240xi8>, vector<4xi8>
// CHECK:         vector.load %{{.+}} : memref<3x2240xi8>, vector<2xi8>
// CHECK:         arith.extf %{{.+}} : f16 to f32
// CHECK:         arith.sitofp %{{.+}} : vector<4xi32> to vector<4xf32>
// CHECK:         arith.mulf
// CHECK:         vector.store %{{.+}} : memref<?x70xf32>, vector<4xf32>
// CHECK:       vector.store %{{.+}} : memref<?x70xf32>, vector<2xf32>
func.func @gather(%i: memref<?xi32>, %t: memref<3x2240xi8>, %o: memref<?x70xf32>) {
  kernel.gather ins(%i, %t : memref<?xi32>, memref<3x2240xi8>) outs(%o : memref<?x70xf32>) {format = #llm.format<int8_g32>}
  return
}
}
