// RUN: smelt-opt %s --pass-pipeline='builtin.module(func.func(convert-kernel-to-amx),canonicalize)' | FileCheck %s

// 64 bytes of each row a turn, then the 32 that are left. Weights are unsigned.
// CHECK-LABEL: func.func @bytes
// CHECK: %[[ZERO:.+]] = amx.tile_zero : !amx.tile<16x16xi32>
// CHECK: %[[SUMS:.+]] = scf.for %[[I:.+]] = %c0 to %c3 step %c1 iter_args(%[[SUM:.+]] = %[[ZERO]])
// CHECK:   %[[K:.+]] = arith.muli %[[I]], %c64
// CHECK:   %[[LINE:.+]] = arith.muli %[[I]], %c16
// CHECK:   %[[Y:.+]] = amx.tile_load %{{.+}}[%[[LINE]], %c0] : memref<56x64xi8> into !amx.tile<16x64xi8>
// CHECK:   %[[X:.+]] = amx.tile_load %{{.+}}[%c0, %[[K]]] : memref<16x224xi8, strided<[512, 1], offset: ?>> into !amx.tile<16x64xi8>
// CHECK:   %[[NEXT:.+]] = amx.tile_muli %[[X]], %[[Y]] zext, %[[SUM]]
// CHECK:   scf.yield %[[NEXT]]
// CHECK: amx.tile_load %{{.+}}[%c48, %c0] {{.*}} into !amx.tile<8x64xi8>
// CHECK: amx.tile_load %{{.+}}[%c0, %c192] {{.*}} into !amx.tile<16x32xi8>
// CHECK: %[[ALL:.+]] = amx.tile_muli {{.*}} zext, %[[SUMS]]
// CHECK: amx.tile_store %{{.+}}[%c0, %c0], %[[ALL]] : memref<16x16xi32>
func.func @bytes(%a: memref<16x224xi8, strided<[512, 1], offset: ?>>, %b: memref<56x64xi8>, %c: memref<16x16xi32>) {
  kernel.tile_dot ins(%a, %b : memref<16x224xi8, strided<[512, 1], offset: ?>>, memref<56x64xi8>) outs(%c : memref<16x16xi32>)
  return
}

// Less than a tile's k: no loop.
// CHECK-LABEL: func.func @pairs
// CHECK-NOT: scf.for
// CHECK: amx.tile_load {{.*}} into !amx.tile<3x32xbf16>
// CHECK: amx.tile_load {{.*}} into !amx.tile<16x6xbf16>
// CHECK: amx.tile_mulf
// CHECK: amx.tile_store {{.*}} !amx.tile<16x16xf32>
func.func @pairs(%a: memref<16x6xbf16>, %b: memref<3x32xbf16, strided<[64, 1]>>, %c: memref<16x16xf32>) {
  kernel.tile_dot ins(%a, %b : memref<16x6xbf16>, memref<3x32xbf16, strided<[64, 1]>>) outs(%c : memref<16x16xf32>)
  return
}

// Fewer rows than a tile has: in and out through buffers, of which there is one
// of each type.
// CHECK-LABEL: func.func @few
// CHECK-DAG: %[[ROWS:.+]] = memref.alloca() {alignment = 64 : i64} : memref<16x64xi8>
// CHECK-DAG: %[[SUMS:.+]] = memref.alloca() {alignment = 64 : i64} : memref<16x16xi32>
// CHECK-NOT: memref.alloca
// CHECK: vector.load %{{.+}}[%c0, %c0] : memref<2x32xi8>, vector<32xi8>
// CHECK: vector.store %{{.+}}, %[[ROWS]][%c0, %c0]
// CHECK: vector.load %{{.+}}[%c1, %c0] : memref<2x32xi8>, vector<32xi8>
// CHECK: vector.store %{{.+}}, %[[ROWS]][%c1, %c0]
// CHECK: amx.tile_load %[[ROWS]][%c0, %c0] : memref<16x64xi8> into !amx.tile<16x32xi8>
// CHECK: amx.tile_store %[[SUMS]]
// CHECK: vector.load %[[SUMS]][%c1, %c0] : memref<16x16xi32>, vector<16xi32>
// CHECK: vector.store %{{.+}}, %{{.+}}[%c1, %c0] : memref<2x16xi32>
func.func @few(%a: memref<2x32xi8>, %b: memref<8x64xi8>, %c: memref<2x16xi32>) {
  kernel.tile_dot ins(%a, %b : memref<2x32xi8>, memref<8x64xi8>) outs(%c : memref<2x16xi32>)
  kernel.tile_dot ins(%a, %b : memref<2x32xi8>, memref<8x64xi8>) outs(%c : memref<2x16xi32>)
  return
}

// Two tiles of rows and two panels: four sums, and rows stay in their registers
// from one panel to the next.
// CHECK-LABEL: func.func @four
// CHECK-COUNT-4: amx.tile_zero : !amx.tile<16x16xf32>
// CHECK: scf.for %[[I:.+]] = %c0 to %c2 step %c1 iter_args(%[[S0:.+]] = %{{.+}}, %[[S1:.+]] = %{{.+}}, %[[S2:.+]] = %{{.+}}, %[[S3:.+]] = %{{.+}})
// CHECK:   %[[X0:.+]] = amx.tile_load %{{.+}}[%c0, %{{.+}}] : memref<32x64xbf16>
// CHECK:   %[[X1:.+]] = amx.tile_load %{{.+}}[%c16, %{{.+}}] : memref<32x64xbf16>
// CHECK:   %[[Y0:.+]] = amx.tile_load
// CHECK:   %[[N0:.+]] = amx.tile_mulf %[[X0]], %[[Y0]], %[[S0]]
// CHECK:   %[[N2:.+]] = amx.tile_mulf %[[X1]], %[[Y0]], %[[S2]]
// CHECK:   %[[Y1:.+]] = amx.tile_load
// CHECK:   %[[N1:.+]] = amx.tile_mulf %[[X0]], %[[Y1]], %[[S1]]
// CHECK:   %[[N3:.+]] = amx.tile_mulf %[[X1]], %[[Y1]], %[[S3]]
// CHECK:   scf.yield %[[N0]], %[[N1]], %[[N2]], %[[N3]]
// CHECK: amx.tile_store %{{.+}}[%c0, %c0]
// CHECK: amx.tile_store %{{.+}}[%c16, %c0]
// CHECK: amx.tile_store %{{.+}}[%c0, %c16]
// CHECK: amx.tile_store %{{.+}}[%c16, %c16]
func.func @four(%a: memref<32x64xbf16>, %b: memref<32x32xbf16>, %c: memref<32x32xf32>) {
  kernel.tile_dot ins(%a, %b, %b : memref<32x64xbf16>, memref<32x32xbf16>, memref<32x32xbf16>) outs(%c : memref<32x32xf32>)
  return
}

// Where another product needs registers of its own shape, rows are loaded again.
// CHECK-LABEL: func.func @mixed
// CHECK: amx.tile_load {{.*}} into !amx.tile<16x32xi8>
// CHECK: scf.for
// CHECK:   amx.tile_load {{.*}} : memref<32x64xi8>
// CHECK:   amx.tile_load {{.*}}[%c0, %{{.+}}] : memref<32x128xi8>
// CHECK:   amx.tile_load {{.*}}[%c16, %{{.+}}] : memref<32x128xi8>
// CHECK:   amx.tile_load {{.*}} : memref<32x64xi8>
// CHECK:   amx.tile_load {{.*}}[%c0, %{{.+}}] : memref<32x128xi8>
// CHECK:   amx.tile_load {{.*}}[%c16, %{{.+}}] : memref<32x128xi8>
func.func @mixed(%a: memref<32x128xi8>, %b: memref<32x64xi8>, %c: memref<32x32xi32>, %x: memref<16x32xi8>, %y: memref<8x64xi8>, %z: memref<16x16xi32>) {
  kernel.tile_dot ins(%x, %y : memref<16x32xi8>, memref<8x64xi8>) outs(%z : memref<16x16xi32>)
  kernel.tile_dot ins(%a, %b, %b : memref<32x128xi8>, memref<32x64xi8>, memref<32x64xi8>) outs(%c : memref<32x32xi32>)
  return
}
