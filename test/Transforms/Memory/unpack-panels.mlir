// RUN: smelt-opt %s --split-input-file -smelt-unpack-panels=rows=40 | FileCheck %s
// RUN: smelt-opt %s --split-input-file -smelt-unpack-panels | FileCheck %s --check-prefix=TARGET

#tile = affine_map<()[s0, s1] -> (6, s1 - s0)>
!rows = memref<?x96xi8, strided<[96, 1], offset: ?>>
!units = memref<?x3xf32, strided<[3, 1], offset: ?>>
!sums = memref<?x3xi32, strided<[3, 1], offset: ?>>
!panel = memref<1x1216xi8, strided<[1216, 1], offset: ?>>
!out = memref<?x16xf32, strided<[64, 1], offset: ?>>

module attributes {llm.target = "avx2"} {
// The panel is the same for all tiles of rows: few of them read it as it is
// stored.
// CHECK-LABEL: func.func @panels(
// CHECK-SAME: %[[M:[a-z0-9]+]]: index)
// CHECK: scf.for %[[P:.+]] =
// CHECK:   %[[W:.+]] = memref.subview %{{.+}}[%[[P]], 0] [1, 1216]
// CHECK:   %[[COUNT:.+]] = arith.subi %[[M]], %c0
// CHECK:   %[[LEAST:.+]] = arith.constant 40 : index
// TARGET:  arith.constant 48 : index
// CHECK:   %[[FEW:.+]] = arith.cmpi slt, %[[COUNT]], %[[LEAST]] : index
// CHECK:   scf.if %[[FEW]] {
// CHECK:     scf.for
// CHECK:       kernel.matmul ins(%{{.+}}, %[[W]] :
// CHECK-NOT:   unpacked
// CHECK:   } else {
// CHECK:     %[[U:.+]] = memref.alloc() {alignment = 64 : i64} : memref<1x2240xi8>
// CHECK:     kernel.unpack ins(%[[W]] : {{.+}}) outs(%[[U]] : memref<1x2240xi8>) {format = #llm.format<int4_g32>}
// CHECK:     scf.for
// CHECK:       kernel.matmul ins(%{{.+}}, %[[U]] : {{.+}}unpacked}
// CHECK:   }
func.func @panels(%q: memref<?x96xi8>, %s: memref<?x3xf32>, %t: memref<?x3xi32>, %w: memref<4x1216xi8>, %y: memref<?x64xf32>, %m: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %c6 = arith.constant 6 : index
  %c16 = arith.constant 16 : index
  scf.for %p = %c0 to %c4 step %c1 {
    scf.for %i = %c0 to %m step %c6 {
      %n = affine.min #tile()[%i, %m]
      %column = arith.muli %p, %c16 : index
      %rows = memref.subview %q[%i, 0] [%n, 96] [1, 1] : memref<?x96xi8> to !rows
      %panel = memref.subview %w[%p, 0] [1, 1216] [1, 1] : memref<4x1216xi8> to !panel
      %scales = memref.subview %s[%i, 0] [%n, 3] [1, 1] : memref<?x3xf32> to !units
      %sums = memref.subview %t[%i, 0] [%n, 3] [1, 1] : memref<?x3xi32> to !sums
      %out = memref.subview %y[%i, %column] [%n, 16] [1, 1] : memref<?x64xf32> to !out
      kernel.matmul ins(%rows, %panel : !rows, !panel) rows(%scales, %sums : !units, !sums)
          outs(%out : !out) {activation = #llm.activation<int8_g32>, format = #llm.format<int4_g32>}
    }
  }
  return
}

// A panel that changes with the tile of rows is read once.
// CHECK-LABEL: func.func @each_its_own(
// CHECK-NOT: kernel.unpack
func.func @each_its_own(%q: memref<?x96xi8>, %s: memref<?x3xf32>, %t: memref<?x3xi32>, %w: memref<4x1216xi8>, %y: memref<?x16xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  scf.for %p = %c0 to %c4 step %c1 {
    %panel = memref.subview %w[%p, 0] [1, 1216] [1, 1] : memref<4x1216xi8> to !panel
    kernel.matmul ins(%q, %panel : memref<?x96xi8>, !panel) rows(%s, %t : memref<?x3xf32>, memref<?x3xi32>)
        outs(%y : memref<?x16xf32>) {activation = #llm.activation<int8_g32>, format = #llm.format<int4_g32>}
  }
  return
}

// Neither 8 bits nor rows of floats gain.
// CHECK-LABEL: func.func @others(
// CHECK-NOT: kernel.unpack
// CHECK-NOT: scf.if
func.func @others(%q: memref<6x32xi8>, %s: memref<6x1xf32>, %t: memref<6x1xi32>, %x: memref<6x32xf32>, %w8: memref<1x1152xi8>, %w4: memref<1x640xi8>, %y: memref<6x16xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  scf.for %p = %c0 to %c4 step %c1 {
    kernel.matmul ins(%q, %w8 : memref<6x32xi8>, memref<1x1152xi8>) rows(%s, %t : memref<6x1xf32>, memref<6x1xi32>)
        outs(%y : memref<6x16xf32>) {activation = #llm.activation<int8_g32>, format = #llm.format<int8_g32>}
    kernel.matmul ins(%x, %w4 : memref<6x32xf32>, memref<1x640xi8>)
        outs(%y : memref<6x16xf32>) {format = #llm.format<int4_g32>}
  }
  return
}
}
