// RUN: smelt-opt %s --pass-pipeline='builtin.module(func.func(convert-kernel-to-amx),canonicalize)' | FileCheck %s

// 64 bytes of each row a turn, and a line of 64 bytes of each of the weights'
// rows is asked for two turns ahead. Weights are unsigned.
// CHECK-LABEL: func.func @bytes
// CHECK: %[[ZERO:.+]] = amx.tile_zero : !amx.tile<16x16xi32>
// CHECK: %[[SUMS:.+]] = scf.for %[[I:.+]] = %c0 to %c3 step %c1 iter_args(%[[SUM:.+]] = %[[ZERO]])
// CHECK:   %[[K:.+]] = arith.muli %[[I]], %c64
// CHECK:   %[[LINE:.+]] = arith.muli %[[I]], %c16
// CHECK:   %[[X:.+]] = amx.tile_load %{{.+}}[%c0, %[[K]]] : memref<16x192xi8, strided<[512, 1], offset: ?>> into !amx.tile<16x64xi8>
// CHECK:   %[[Y:.+]] = amx.tile_load %{{.+}}[%[[LINE]], %c0] : memref<48x64xi8> into !amx.tile<16x64xi8>
// CHECK:   %[[FIRST:.+]] = arith.addi %[[LINE]], %c32
// CHECK:   memref.prefetch %[[B:.+]][%[[FIRST]], %c0], read, locality<3>, data : memref<48x64xi8>
// CHECK-COUNT-14: memref.prefetch %[[B]]
// CHECK:   %[[LAST:.+]] = arith.addi %[[LINE]], %c47
// CHECK:   memref.prefetch %[[B]][%[[LAST]], %c0]
// CHECK-NOT: memref.prefetch
// CHECK:   %[[NEXT:.+]] = amx.tile_muli %[[X]], %[[Y]] zext, %[[SUM]]
// CHECK:   scf.yield %[[NEXT]]
// CHECK: amx.tile_store %{{.+}}[%c0, %c0], %[[SUMS]] : memref<16x16xi32>
func.func @bytes(%a: memref<16x192xi8, strided<[512, 1], offset: ?>>, %b: memref<48x64xi8>, %c: memref<16x16xi32>) {
  kernel.tile_dot ins(%a, %b : memref<16x192xi8, strided<[512, 1], offset: ?>>, memref<48x64xi8>) outs(%c : memref<16x16xi32>)
  return
}

// Fewer rows than a tile has: in and out through buffers, of which there is one
// of each type, and rows are copied once for all panels.
// CHECK-LABEL: func.func @few
// CHECK-DAG: %[[ROWS:.+]] = memref.alloca() {alignment = 64 : i64} : memref<16x64xi8>
// CHECK-DAG: %[[SUMS:.+]] = memref.alloca() {alignment = 64 : i64} : memref<16x16xi32>
// CHECK-NOT: memref.alloca
// CHECK: vector.load %{{.+}}[%c0, %c0] : memref<2x64xi8>, vector<64xi8>
// CHECK: vector.store %{{.+}}, %[[ROWS]][%c0, %c0]
// CHECK: vector.load %{{.+}}[%c1, %c0] : memref<2x64xi8>, vector<64xi8>
// CHECK: vector.store %{{.+}}, %[[ROWS]][%c1, %c0]
// CHECK-NOT: vector.load
// CHECK-COUNT-2: amx.tile_muli
// CHECK: amx.tile_store %[[SUMS]]
// CHECK: vector.load %[[SUMS]][%c1, %c0] : memref<16x16xi32>, vector<16xi32>
// CHECK: vector.store %{{.+}}, %{{.+}}[%c1, %c0] : memref<2x32xi32>
// CHECK: amx.tile_store %[[SUMS]]
// CHECK: vector.store %{{.+}}, %{{.+}}[%c1, %c16] : memref<2x32xi32>
func.func @few(%a: memref<2x64xi8>, %b: memref<16x64xi8>, %c: memref<2x32xi32>) {
  kernel.tile_dot ins(%a, %b, %b : memref<2x64xi8>, memref<16x64xi8>, memref<16x64xi8>) outs(%c : memref<2x32xi32>)
  return
}

// Two tiles of rows and two panels: four sums, and rows stay in their registers
// from one panel to the next.
// CHECK-LABEL: func.func @four
// CHECK-COUNT-4: amx.tile_zero : !amx.tile<16x16xf32>
// CHECK: scf.for %[[I:.+]] = %c0 to %c4 step %c1 iter_args(%[[S0:.+]] = %{{.+}}, %[[S1:.+]] = %{{.+}}, %[[S2:.+]] = %{{.+}}, %[[S3:.+]] = %{{.+}})
// CHECK:   %[[X0:.+]] = amx.tile_load %{{.+}}[%c0, %{{.+}}] : memref<32x128xbf16>
// CHECK:   %[[X1:.+]] = amx.tile_load %{{.+}}[%c16, %{{.+}}] : memref<32x128xbf16>
// CHECK:   %[[Y0:.+]] = amx.tile_load
// CHECK:   %[[N0:.+]] = amx.tile_mulf %[[X0]], %[[Y0]], %[[S0]]
// CHECK:   %[[N2:.+]] = amx.tile_mulf %[[X1]], %[[Y0]], %[[S2]]
// CHECK:   %[[Y1:.+]] = amx.tile_load
// CHECK:   %[[N1:.+]] = amx.tile_mulf %[[X0]], %[[Y1]], %[[S1]]
// CHECK:   %[[N3:.+]] = amx.tile_mulf %[[X1]], %[[Y1]], %[[S3]]
// CHECK:   scf.yield %[[N0]], %[[N1]], %[[N2]], %[[N3]]
// CHECK: amx.tile_store %{{.+}}[%c0, %c0]
// CHECK: amx.tile_store %{{.+}}[%c0, %c16]
// CHECK: amx.tile_store %{{.+}}[%c16, %c0]
// CHECK: amx.tile_store %{{.+}}[%c16, %c16]
func.func @four(%a: memref<32x128xbf16>, %b: memref<64x32xbf16>, %c: memref<32x32xf32>) {
  kernel.tile_dot ins(%a, %b, %b : memref<32x128xbf16>, memref<64x32xbf16>, memref<64x32xbf16>) outs(%c : memref<32x32xf32>)
  return
}

// Few turns stand one after another, and ask for nothing.
// CHECK-LABEL: func.func @short
// CHECK-NOT: scf.for
// CHECK-NOT: memref.prefetch
// CHECK: %[[ZERO:.+]] = amx.tile_zero
// CHECK: %[[X0:.+]] = amx.tile_load %{{.+}}[%c0, %c0] : memref<16x64xbf16>
// CHECK: %[[Y0:.+]] = amx.tile_load %{{.+}}[%c0, %c0] : memref<32x32xbf16>
// CHECK: %[[S0:.+]] = amx.tile_mulf %[[X0]], %[[Y0]], %[[ZERO]]
// CHECK: %[[X1:.+]] = amx.tile_load %{{.+}}[%c0, %c32] : memref<16x64xbf16>
// CHECK: %[[Y1:.+]] = amx.tile_load %{{.+}}[%c16, %c0] : memref<32x32xbf16>
// CHECK: %[[S1:.+]] = amx.tile_mulf %[[X1]], %[[Y1]], %[[S0]]
// CHECK: amx.tile_store %{{.+}}[%c0, %c0], %[[S1]]
func.func @short(%a: memref<16x64xbf16>, %b: memref<32x32xbf16>, %c: memref<16x16xf32>) {
  kernel.tile_dot ins(%a, %b : memref<16x64xbf16>, memref<32x32xbf16>) outs(%c : memref<16x16xf32>)
  return
}
