// RUN: smelt-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(convert-kernel-to-vector),cse,canonicalize)' | FileCheck %s

module attributes {llm.target = "avx512-vnni"} {
// A unit of 4 bits: a vector of 64 bytes for 8 columns, low halves first.
// One row reads memory as fast without prefetches here.
// CHECK-LABEL: func.func @dot_nibbles
// CHECK-NOT: memref.prefetch
// CHECK: scf.for
// CHECK:   memref.load %{{.+}} : memref<1x3xi32>
// CHECK:   arith.muli %{{.+}}, %c-8_i32 : i32
// CHECK:   vector.load %{{.+}} : memref<1216xi8, {{.*}}>, vector<64xi8>
// CHECK:   arith.andi %{{.+}} : vector<64xi8>
// CHECK:   vector.load %{{.+}} : memref<1x96xi8>, vector<4xi8>
// CHECK:   kernel.dot_bytes %{{.+}} : vector<16xi32>, vector<64xi8>
// CHECK:   arith.shrui %{{.+}} : vector<64xi8>
// CHECK-COUNT-7: kernel.dot_bytes
// CHECK:   arith.extf %{{.+}} : vector<16xf16> to vector<16xf32>
// CHECK:   math.fma
// CHECK:   scf.yield
// CHECK: vector.store %{{.+}} : memref<1x16xf32>, vector<16xf32>
func.func @dot_nibbles(%q: memref<1x96xi8>, %s: memref<1x3xf32>, %t: memref<1x3xi32>, %w: memref<1x1216xi8, strided<[1216, 1], offset: ?>>, %y: memref<1x16xf32>) {
  kernel.matmul ins(%q, %w : memref<1x96xi8>, memref<1x1216xi8, strided<[1216, 1], offset: ?>>) rows(%s, %t : memref<1x3xf32>, memref<1x3xi32>)
      outs(%y : memref<1x16xf32>) {activation = #llm.activation<int8_g32>, format = #llm.format<int4_g32>}
  return
}
}

// -----

module attributes {llm.target = "avx2"} {
// 8 bits: weights without their zero point, whose signs the row takes over, so
// that two products fit 16 bits.
// CHECK-LABEL: func.func @signs
// CHECK: scf.for
// CHECK: memref.prefetch %{{.+}}, read, locality<3>, data : memref<1664xi8>
// CHECK: arith.xori %{{.+}}, %{{.+}} : vector<32xi8>
// CHECK: math.absi %{{.+}} : vector<32xi8>
// CHECK: kernel.apply_sign %{{.+}} : vector<32xi8>
// CHECK: kernel.multiply_add %{{.+}} : vector<32xi8> -> vector<16xi16>
// CHECK: kernel.multiply_add %{{.+}} : vector<16xi16> -> vector<8xi32>
// One scale for row and weights: all of k is one sum, scaled at the end.
// CHECK: scf.yield {{.*}} : vector<8xi32>
// CHECK: arith.sitofp
func.func @signs(%q: memref<1x96xi8>, %s: memref<1x2xf32>, %t: memref<1x3xi32>, %w: memref<1x1664xi8>, %y: memref<1x16xf32>) {
  kernel.matmul ins(%q, %w : memref<1x96xi8>, memref<1x1664xi8>) rows(%s, %t : memref<1x2xf32>, memref<1x3xi32>)
      outs(%y : memref<1x16xf32>) {activation = #llm.activation<int8_token>, format = #llm.format<int8_channel>}
  return
}

// 7 bits: two products fit 16 bits as they are. What one scale serves is one
// sum: 128 columns, and the 32 that are left.
// CHECK-LABEL: func.func @seven_bits
// CHECK: arith.muli %{{.+}}, %c-64_i32 : i32
// CHECK: scf.for %{{.+}} = %c0 to %c16 step
// CHECK-NOT: kernel.apply_sign
// CHECK: kernel.multiply_add %{{.+}} : vector<32xi8> -> vector<16xi16>
// CHECK: kernel.multiply_add %{{.+}} : vector<16xi16> -> vector<8xi32>
// CHECK: scf.yield {{.*}} : vector<8xi32>
// CHECK: math.fma
// CHECK: scf.for %{{.+}} = %c0 to %c4 step
func.func @seven_bits(%q: memref<1x160xi8>, %s: memref<1x2xf32>, %t: memref<1x5xi32>, %w: memref<1x4288xi8>, %y: memref<1x16xf32>) {
  kernel.matmul ins(%q, %w : memref<1x160xi8>, memref<1x4288xi8>) rows(%s, %t : memref<1x2xf32>, memref<1x5xi32>)
      outs(%y : memref<1x16xf32>) {activation = #llm.activation<int8_token>, format = #llm.format<int7_g128>}
  return
}

// 4 bits: 8 products and half of the zero point's share fit 16 bits.
// CHECK-LABEL: func.func @halves
// CHECK: %[[FACTOR:.+]] = arith.constant dense<-4> : vector<16xi16>
// CHECK: arith.trunci %{{.+}} : i32 to i16
// CHECK: arith.muli %{{.+}}, %[[FACTOR]] : vector<16xi16>
// CHECK: scf.for
// CHECK: arith.andi %{{.+}} : vector<32xi8>
// CHECK: kernel.multiply_add %{{.+}} : vector<32xi8> -> vector<16xi16>
// CHECK: arith.addi %{{.+}} : vector<16xi16>
// CHECK: scf.yield
// CHECK: kernel.multiply_add %{{.+}} : vector<16xi16> -> vector<8xi32>
func.func @halves(%q: memref<1x96xi8>, %s: memref<1x3xf32>, %t: memref<1x3xi32>, %w: memref<1x1216xi8>, %y: memref<1x16xf32>) {
  kernel.matmul ins(%q, %w : memref<1x96xi8>, memref<1x1216xi8>) rows(%s, %t : memref<1x3xf32>, memref<1x3xi32>)
      outs(%y : memref<1x16xf32>) {activation = #llm.activation<int8_g32>, format = #llm.format<int4_g32>}
  return
}

// Rows of floats: weights become floats, one k after another.
// CHECK-LABEL: func.func @floats
// CHECK-NOT: kernel.
// CHECK: arith.subi %{{.+}} : vector<8xi32>
// CHECK: arith.sitofp %{{.+}} : vector<8xi32> to vector<8xf32>
// CHECK: math.fma
func.func @floats(%x: memref<1x70xf32>, %w: memref<1x1216xi8>, %y: memref<1x16xf32>) {
  kernel.matmul ins(%x, %w : memref<1x70xf32>, memref<1x1216xi8>) outs(%y : memref<1x16xf32>) {format = #llm.format<int4_g32>}
  return
}
}

// -----

module attributes {llm.target = "generic"} {
// Without products of bytes: even and odd ones as 16 bits.
// CHECK-LABEL: func.func @words
// CHECK-NOT: memref.prefetch
// CHECK-NOT: vector<16xi8> -> vector<8xi16>
// CHECK: kernel.multiply_add %{{.+}} : vector<8xi16> -> vector<4xi32>
// CHECK: arith.shrsi %{{.+}} : vector<4xi32>
func.func @words(%q: memref<1x96xi8>, %s: memref<1x2xf32>, %t: memref<1x3xi32>, %w: memref<1x1664xi8>, %y: memref<1x16xf32>) {
  kernel.matmul ins(%q, %w : memref<1x96xi8>, memref<1x1664xi8>) rows(%s, %t : memref<1x2xf32>, memref<1x3xi32>)
      outs(%y : memref<1x16xf32>) {activation = #llm.activation<int8_token>, format = #llm.format<int8_channel>}
  return
}
}

// -----

module attributes {llm.target = "neon-dotprod"} {
// Signed products: weights less 128 have no zero point left.
// CHECK-LABEL: func.func @signed_bytes
// CHECK-NOT: arith.muli %{{.+}} : i32
// CHECK: arith.xori %{{.+}} : vector<16xi8>
// CHECK: kernel.dot_bytes signed %{{.+}} : vector<4xi32>, vector<16xi8>
func.func @signed_bytes(%q: memref<1x96xi8>, %s: memref<1x2xf32>, %t: memref<1x3xi32>, %w: memref<1x1664xi8>, %y: memref<1x16xf32>) {
  kernel.matmul ins(%q, %w : memref<1x96xi8>, memref<1x1664xi8>) rows(%s, %t : memref<1x2xf32>, memref<1x3xi32>)
      outs(%y : memref<1x16xf32>) {activation = #llm.activation<int8_token>, format = #llm.format<int8_channel>}
  return
}

// Halves of bytes are as good signed as unsigned.
// CHECK-LABEL: func.func @signed_nibbles
// CHECK: arith.muli %{{.+}}, %c-8_i32 : i32
// CHECK-NOT: arith.xori
// CHECK: kernel.dot_bytes signed %{{.+}} : vector<4xi32>, vector<16xi8>
func.func @signed_nibbles(%q: memref<1x96xi8>, %s: memref<1x3xf32>, %t: memref<1x3xi32>, %w: memref<1x1216xi8>, %y: memref<1x16xf32>) {
  kernel.matmul ins(%q, %w : memref<1x96xi8>, memref<1x1216xi8>) rows(%s, %t : memref<1x3xf32>, memref<1x3xi32>)
      outs(%y : memref<1x16xf32>) {activation = #llm.activation<int8_g32>, format = #llm.format<int4_g32>}
  return
}
}

// -----

module attributes {llm.target = "neon-i8mm"} {
// CHECK-LABEL: func.func @unsigned_bytes
// CHECK: arith.muli %{{.+}}, %c-128_i32 : i32
// CHECK-NOT: arith.xori
// CHECK: kernel.dot_bytes %{{.+}} : vector<4xi32>, vector<16xi8>
func.func @unsigned_bytes(%q: memref<1x96xi8>, %s: memref<1x2xf32>, %t: memref<1x3xi32>, %w: memref<1x1664xi8>, %y: memref<1x16xf32>) {
  kernel.matmul ins(%q, %w : memref<1x96xi8>, memref<1x1664xi8>) rows(%s, %t : memref<1x2xf32>, memref<1x3xi32>)
      outs(%y : memref<1x16xf32>) {activation = #llm.activation<int8_token>, format = #llm.format<int8_channel>}
  return
}
}

// -----

module attributes {llm.target = "amx"} {
// Two tiles of 16 rows and two panels at a time, then 16 rows and 8; fewer
// without tiles. What is left of k is added row by row, and sums begin with the
// zero point's share.
// CHECK-LABEL: func.func @tiles
// CHECK: %[[SUMS:.+]] = memref.alloca() {alignment = 64 : i64} : memref<32x32xi32>
// CHECK: arith.cmpi eq, %{{.+}}, %c32{{.*}} : index
// CHECK: memref.expand_shape %{{.+}} : memref<1024xi8, {{.+}}> into memref<16x64xi8
// CHECK: memref.expand_shape %{{.+}} : memref<1024xi8, {{.+}}> into memref<16x64xi8
// CHECK: kernel.tile_dot ins({{.*}} : memref<32x64xi8, {{.+}}>, memref<16x64xi8, {{.+}}>, memref<16x64xi8, {{.+}}>) outs({{.*}} : memref<32x32xi32, {{.+}}>)
// CHECK: scf.for %[[R:.+]] = %c0{{.*}} to %c32
// CHECK:   kernel.dot_bytes
// CHECK:   vector.load %[[SUMS]][%[[R]], %{{.+}}] : memref<32x32xi32>, vector<16xi32>
// CHECK: kernel.tile_dot ins({{.*}} : memref<16x64xi8
// CHECK: kernel.tile_dot ins({{.*}} : memref<8x64xi8
// CHECK-NOT: kernel.tile_dot
func.func @tiles(%q: memref<?x96xi8>, %s: memref<?x2xf32>, %t: memref<?x3xi32>, %w: memref<2x1664xi8>, %y: memref<?x32xf32>) {
  kernel.matmul ins(%q, %w : memref<?x96xi8>, memref<2x1664xi8>) rows(%s, %t : memref<?x2xf32>, memref<?x3xi32>)
      outs(%y : memref<?x32xf32>) {activation = #llm.activation<int8_token>, format = #llm.format<int8_channel>}
  return
}

// Four panels, two at a time; a row's sum is read once for all of them.
// CHECK-LABEL: func.func @four_panels
// CHECK: %[[SUMS:.+]] = memref.alloca() {alignment = 64 : i64} : memref<32x64xi32>
// CHECK: memref.subview %[[SUMS]][0, 0] [32, 32]
// CHECK: kernel.tile_dot
// CHECK: memref.subview %[[SUMS]][0, 32] [32, 32]
// CHECK: kernel.tile_dot
// CHECK: scf.for %[[R:.+]] = %c0{{.*}} to %c32
// CHECK-COUNT-1: vector.reduction <add>
// CHECK-NOT: vector.reduction
// CHECK-COUNT-4: vector.load %[[SUMS]][%[[R]], %{{.+}}] : memref<32x64xi32>, vector<16xi32>
// CHECK-NOT: kernel.tile_dot
func.func @four_panels(%q: memref<32x64xi8>, %s: memref<32x2xf32>, %t: memref<32x2xi32>, %w: memref<4x1152xi8>, %y: memref<32x64xf32>) {
  kernel.matmul ins(%q, %w : memref<32x64xi8>, memref<4x1152xi8>) rows(%s, %t : memref<32x2xf32>, memref<32x2xi32>)
      outs(%y : memref<32x64xf32>) {activation = #llm.activation<int8_token>, format = #llm.format<int8_channel>}
  return
}

// A scale for each 128 columns: a tile of 16 rows and one panel for each; of the
// last 96, what doesn't fill a tile's rows is added without.
// CHECK-LABEL: func.func @groups
// CHECK: scf.for %{{.+}} = %c0{{.*}} to %c2{{.*}} step %c1
// CHECK: kernel.tile_dot ins({{.*}} : memref<16x128xi8, {{.+}}>, memref<32x64xi8, {{.+}}>) outs({{.*}} : memref<16x16xi32
// CHECK: kernel.tile_dot ins({{.*}} : memref<16x64xi8, {{.+}}>, memref<16x64xi8
// CHECK: kernel.dot_bytes
func.func @groups(%q: memref<32x224xi8>, %s: memref<32x2xf32>, %t: memref<32x7xi32>, %w: memref<1x4288xi8>, %y: memref<32x16xf32>) {
  kernel.matmul ins(%q, %w : memref<32x224xi8>, memref<1x4288xi8>) rows(%s, %t : memref<32x2xf32>, memref<32x7xi32>)
      outs(%y : memref<32x16xf32>) {activation = #llm.activation<int8_token>, format = #llm.format<int7_g128>}
  return
}

// Scales for each 32: no tiles.
// CHECK-LABEL: func.func @units
// CHECK-NOT: kernel.tile_dot
// CHECK: kernel.dot_bytes
func.func @units(%q: memref<6x96xi8>, %s: memref<6x3xf32>, %t: memref<6x3xi32>, %w: memref<1x1216xi8>, %y: memref<6x16xf32>) {
  kernel.matmul ins(%q, %w : memref<6x96xi8>, memref<1x1216xi8>) rows(%s, %t : memref<6x3xf32>, memref<6x3xi32>)
      outs(%y : memref<6x16xf32>) {activation = #llm.activation<int8_g32>, format = #llm.format<int4_g32>}
  return
}
}
