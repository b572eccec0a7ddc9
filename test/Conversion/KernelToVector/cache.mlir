// RUN: smelt-opt %s --pass-pipeline='builtin.module(func.func(convert-kernel-to-vector))' | FileCheck %s

module attributes {llm.target = "avx2"} {
// Eight keys of a sequence in one block are transposed in three turns of eight
// exchanges; others are scattered. Rows of values are padded: no masks.
// CHECK-LABEL: func.func @append
// CHECK: scf.while
// CHECK: scf.if
// CHECK-COUNT-24: vector.shuffle
// CHECK-NOT: vector.shuffle
// CHECK-COUNT-8: vector.store %{{.+}} : memref<2x?x2x8x64xbf16>, vector<8xbf16>
// CHECK: else
// CHECK-COUNT-8: memref.store %{{.+}} : memref<2x?x2x8x64xbf16>
// CHECK-NOT: vector.maskedstore
// CHECK: vector.store %{{.+}} : memref<2x?x2x64x16xbf16>, vector<8xbf16>
func.func @append(%k: memref<?x16xf32>, %i: memref<?xi32>, %kp: memref<2x?x2x8x64xbf16>, %vp: memref<2x?x2x64x16xbf16>, %l: index, %t: memref<?x?xi32>) {
  kernel.kv_append %k, %k at %i, %i into %kp, %vp[%l] by %t : memref<?x16xf32>, memref<?x16xf32>, memref<?xi32>, memref<2x?x2x8x64xbf16>, memref<2x?x2x64x16xbf16>, memref<?x?xi32>
  return
}

// The scale of a row is known before its integers are made.
// CHECK-LABEL: func.func @append_integers
// CHECK: vector.reduction <maxsi>
// CHECK: memref.store %{{.+}} : memref<2x?x2x64xf32>
// CHECK: arith.trunci %{{.+}} : vector<8xi32> to vector<8xi8>
func.func @append_integers(%k: memref<?x16xf32>, %i: memref<?xi32>, %kp: memref<2x?x2x8x64xi8>, %vp: memref<2x?x2x64x16xi8>, %l: index, %t: memref<?x?xi32>, %s: memref<2x?x2x64xf32>) {
  kernel.kv_append %k, %k at %i, %i into %kp, %vp[%l] by %t scaled(%s, %s : memref<2x?x2x64xf32>, memref<2x?x2x64xf32>) : memref<?x16xf32>, memref<?x16xf32>, memref<?xi32>, memref<2x?x2x8x64xi8>, memref<2x?x2x64x16xi8>, memref<?x?xi32>
  return
}
}
