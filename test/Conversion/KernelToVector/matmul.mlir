// RUN: smelt-opt %s --pass-pipeline='builtin.module(func.func(convert-kernel-to-vector))' -split-input-file | FileCheck %s

module attributes {llm.target = "avx2"} {
// Two rows of one panel: four vectors of columns each, over k in fours.
// CHECK-LABEL: func.func @matmul_f32
// 128 bytes a k: the lines 16 further on are asked for.
// CHECK: scf.for {{.+}} -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>)
// CHECK: arith.addi %{{.+}}, %c16
// CHECK-COUNT-2: memref.prefetch %{{.+}}, read, locality<3>, data : memref<1x10x32xf32>
// CHECK: vector.load %{{.+}} : memref<1x10x32xf32>, vector<8xf32>
// CHECK: math.fma
// CHECK: vector.store
// CHECK-NOT: kernel.matmul
func.func @matmul_f32(%a: memref<2x10xf32>, %w: memref<1x10x32x1xf32>, %c: memref<2x32xf32>) {
  kernel.matmul ins(%a, %w : memref<2x10xf32>, memref<1x10x32x1xf32>) outs(%c : memref<2x32xf32>) {format = #llm.format<f32>}
  return
}

// Pairs of bf16 are words: shifted for the even k, masked for the odd.
// CHECK-LABEL: func.func @matmul_bf16
// CHECK: vector.load %{{.+}} : memref<1x5x64xbf16>, vector<16xbf16>
// CHECK: vector.bitcast %{{.+}} : vector<16xbf16> to vector<8xi32>
// CHECK: arith.shli
// CHECK: arith.andi
func.func @matmul_bf16(%a: memref<1x9xf32>, %w: memref<1x5x32x2xbf16>, %c: memref<1x32xf32>) {
  kernel.matmul ins(%a, %w : memref<1x9xf32>, memref<1x5x32x2xbf16>) outs(%c : memref<1x32xf32>) {format = #llm.format<bf16>}
  return
}

// A tile of one to six rows, of which each has two vectors of columns at a time;
// the last panel is stored under a mask.
// CHECK-LABEL: func.func @matmul_ragged
// CHECK: scf.index_switch
// CHECK-NEXT: case 1 {
// CHECK: vector.maskedstore
// CHECK: case 5 {
// CHECK-COUNT-10: math.fma
// CHECK: vector.maskedstore
// CHECK: case 6 {
// CHECK-COUNT-12: math.fma
// CHECK: vector.maskedstore
// CHECK: default {
func.func @matmul_ragged(%a: memref<?x10xf32>, %w: memref<1x10x32x1xf32>, %c: memref<?x?xf32>) {
  kernel.matmul ins(%a, %w : memref<?x10xf32>, memref<1x10x32x1xf32>) outs(%c : memref<?x?xf32>) {format = #llm.format<f32>}
  return
}
}

// -----

module attributes {llm.target = "avx512-bf16"} {
// Words of a row against vectors of words; the ninth k is a pair with zero.
// CHECK-LABEL: func.func @matmul_dot
// CHECK: vector.load %{{.+}} : memref<1x5x64xbf16>, vector<32xbf16>
// CHECK: vector.load %{{.+}} : memref<1x9xbf16>, vector<2xbf16>
// CHECK: x86vector.avx512.dot %{{.+}} : vector<32xbf16> -> vector<16xf32>
// CHECK: arith.extui %{{.+}} : i16 to i32
// CHECK: x86vector.avx512.dot
// CHECK-NOT: math.fma
func.func @matmul_dot(%a: memref<1x9xbf16>, %w: memref<1x5x32x2xbf16>, %c: memref<1x32xf32>) {
  kernel.matmul ins(%a, %w : memref<1x9xbf16>, memref<1x5x32x2xbf16>) outs(%c : memref<1x32xf32>) {format = #llm.format<bf16>}
  return
}

// Two panels: a tile of six rows has columns of both, fewer rows go through one
// panel after another.
// CHECK-LABEL: func.func @matmul_panels
// CHECK: scf.index_switch
// CHECK: case 2 {
// CHECK: scf.for %[[PANEL:.+]] = %{{.+}} to %c2{{.*}} step
// CHECK: %[[FIRST:.+]] = arith.muli %[[PANEL]], %c1
// CHECK: memref.subview %{{.+}}[%[[FIRST]], 0, 0] [1, 2, 64] [1, 1, 1]
// CHECK-COUNT-8: x86vector.avx512.dot
// CHECK-NOT: x86vector.avx512.dot
// CHECK: case 3 {
// CHECK: case 6 {
// CHECK-NOT: scf.for %{{.+}} = %{{.+}} to %c2{{.*}} step
// CHECK-COUNT-48: x86vector.avx512.dot
// CHECK-NOT: x86vector.avx512.dot
// CHECK: default {
func.func @matmul_panels(%a: memref<?x4xbf16>, %w: memref<2x2x32x2xbf16>, %c: memref<?x64xf32>) {
  kernel.matmul ins(%a, %w : memref<?x4xbf16>, memref<2x2x32x2xbf16>) outs(%c : memref<?x64xf32>) {format = #llm.format<bf16>}
  return
}

// Rows of f32 aren't rounded: the general claimer.
// CHECK-LABEL: func.func @matmul_dot_not_f32
// CHECK-NOT: x86vector
// CHECK: math.fma
func.func @matmul_dot_not_f32(%a: memref<1x9xf32>, %w: memref<1x5x32x2xbf16>, %c: memref<1x32xf32>) {
  kernel.matmul ins(%a, %w : memref<1x9xf32>, memref<1x5x32x2xbf16>) outs(%c : memref<1x32xf32>) {format = #llm.format<bf16>}
  return
}
}

// -----

module attributes {llm.target = "amx"} {
// Whole tiles of 32 k in tile registers; then, row by row, the five that are
// left as words.
// CHECK-LABEL: func.func @matmul_tiles
// CHECK: %[[SUMS:.+]] = memref.alloca() {alignment = 64 : i64} : memref<32x32xf32>
// CHECK: %[[ROWS:.+]] = memref.subview %{{.+}}[%{{.+}}, 0] [32, 64] [1, 1] : memref<32x69xbf16> to memref<32x64xbf16
// CHECK: memref.subview %{{.+}}[{{.+}}, {{.+}}, {{.+}}] [1, 32, 32] [1, 1, 1] : memref<1x35x64xbf16> to memref<1x32x32xbf16
// CHECK: %[[LEFT:.+]] = memref.collapse_shape {{.*}} into memref<32x32xbf16
// CHECK: memref.subview %{{.+}}[{{.+}}] [1, 32, 32] [1, 1, 1] : memref<1x35x64xbf16> to memref<1x32x32xbf16, strided<[2240, 64, 1], offset: 32>>
// CHECK: %[[RIGHT:.+]] = memref.collapse_shape {{.*}} into memref<32x32xbf16
// CHECK: kernel.tile_dot ins(%[[ROWS]], %[[LEFT]], %[[RIGHT]] : {{.*}}) outs({{.*}} : memref<32x32xf32
// CHECK: scf.for %[[R:.+]] = %c0{{.*}} to %c32
// CHECK: vector.load %[[SUMS]][%[[R]], %{{.+}}] : memref<32x32xf32>, vector<16xf32>
// CHECK: vector.load %[[SUMS]][%[[R]], %{{.+}}] : memref<32x32xf32>, vector<16xf32>
// CHECK-COUNT-6: x86vector.avx512.dot
// CHECK-COUNT-2: vector.store {{.*}} memref<32x32xf32>, vector<16xf32>
// CHECK-NOT: kernel.tile_dot
// CHECK-NOT: x86vector.avx512.dot
func.func @matmul_tiles(%a: memref<32x69xbf16>, %w: memref<1x35x32x2xbf16>, %c: memref<32x32xf32>) {
  kernel.matmul ins(%a, %w : memref<32x69xbf16>, memref<1x35x32x2xbf16>) outs(%c : memref<32x32xf32>) {format = #llm.format<bf16>}
  return
}

// Few rows without tile registers, in the same order: even and odd k of 32
// apart, then both are added to the sums.
// CHECK-LABEL: func.func @matmul_apart
// CHECK-NOT: kernel.tile_dot
// CHECK: scf.for %{{.+}} = %c0{{.*}} to %c32{{.*}} step %c16{{.*}} iter_args
// CHECK:   scf.for %{{.+}} = %c0{{.*}} to %c16{{.*}} step %c4{{.*}} iter_args(%[[EVEN:.+]] = %{{.+}}, %{{.+}} = %{{.+}}, %[[ODD:.+]] = %{{.+}}, %{{.+}} = %{{.+}})
// CHECK:     math.fma %{{.+}}, %{{.+}}, %[[EVEN]] : vector<16xf32>
// CHECK:     math.fma %{{.+}}, %{{.+}}, %[[ODD]] : vector<16xf32>
// CHECK:   arith.addf
// CHECK: x86vector.avx512.dot
func.func @matmul_apart(%a: memref<1x69xbf16>, %w: memref<1x35x32x2xbf16>, %c: memref<1x32xf32>) {
  kernel.matmul ins(%a, %w : memref<1x69xbf16>, memref<1x35x32x2xbf16>) outs(%c : memref<1x32xf32>) {format = #llm.format<bf16>}
  return
}
}
