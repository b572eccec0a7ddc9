// RUN: smelt-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(convert-kernel-to-vector))' | FileCheck %s

module attributes {llm.target = "avx2"} {
// Tokens of one sequence share a block, whose keys are transposed for them, in
// tiles of six rows or one. Positions that a row doesn't see are -inf before the
// maximum is taken.
// CHECK-LABEL: func.func @attention
// CHECK-DAG: memref.alloca() {{.*}} : memref<6x64xf32>
// CHECK-DAG: memref.alloca() {{.*}} : memref<4x96xf32>
// CHECK-DAG: %[[KEYS:.+]] = memref.alloca() {{.*}} : memref<12x64xf32>
// CHECK: scf.for %[[D:.+]] = %c0{{.*}} to %c12
// CHECK: vector.store %{{.+}}, %[[KEYS]][%[[D]], %{{.+}}]
// CHECK: scf.while
// CHECK-COUNT-8: vector.load %{{.+}} : memref<?x24xf32>, vector<8xf32>
// CHECK-COUNT-24: vector.shuffle
// CHECK-COUNT-8: vector.store %{{.+}}, %[[KEYS]][%{{.+}}] : memref<12x64xf32>, vector<8xf32>
// CHECK-COUNT-8: vector.maskedload %{{.+}} : memref<?x24xf32>
// CHECK-COUNT-24: vector.shuffle
// CHECK-COUNT-4: vector.store %{{.+}}, %[[KEYS]][%{{.+}}] : memref<12x64xf32>, vector<8xf32>
// CHECK: vector.load %[[KEYS]]
// CHECK: math.exp2
// CHECK: else
// CHECK: arith.select %{{.+}}, %{{.+}}, %{{.+}} : vector<8xi1>, vector<8xf32>
// CHECK: math.exp2
// CHECK: arith.divf %{{.+}}, %{{.+}} : f32
func.func @attention(%q: memref<?x24xf32>, %k: memref<?x24xf32>, %v: memref<?x24xf32>, %b: memref<?xi32>, %e: memref<?xi32>, %o: memref<?x24xf32>) {
  kernel.attention ins(%q, %k, %v, %b, %e : memref<?x24xf32>, memref<?x24xf32>, memref<?x24xf32>, memref<?xi32>) outs(%o : memref<?x24xf32>) {group = 1 : i64, size = 12 : i64, scale = 0.5 : f32, compute = f32}
  return
}

// Integers become floats where they are read; scales multiply scores and weights.
// CHECK-LABEL: func.func @integers
// CHECK: vector.load %{{.+}} : memref<2x?x1x16x64xi8>, vector<8xi8>
// CHECK: arith.sitofp %{{.+}} : vector<8xi8> to vector<8xf32>
// CHECK: vector.load %{{.+}} : memref<2x?x1x64xf32>, vector<8xf32>
// CHECK: vector.load %{{.+}} : memref<2x?x1x64x16xi8>, vector<8xi8>
func.func @integers(%q: memref<?x112xf32>, %i: memref<?xi32>, %k: memref<2x?x1x16x64xi8>, %v: memref<2x?x1x64x16xi8>, %l: index, %t: memref<?x?xi32>, %s: memref<2x?x1x64xf32>, %o: memref<?x112xf32>) {
  %c0 = arith.constant 0 : index
  kernel.cached_attention ins(%q, %i, %i : memref<?x112xf32>, memref<?xi32>) over %k, %v[%l, %c0] by %t : memref<2x?x1x16x64xi8>, memref<2x?x1x64x16xi8>, memref<?x?xi32>
      scaled(%s, %s : memref<2x?x1x64xf32>, memref<2x?x1x64xf32>) outs(%o : memref<?x112xf32>) {group = 7 : i64, scale = 0.25 : f32}
  return
}
}

// -----

// Four heads of a token read a block of 8 KiB of keys, 64 positions at a time,
// and of values: two lines of values are asked for with each head dimension, two
// of the next block's keys with each position, so that all of them are.
module attributes {llm.target = "avx512"} {
// CHECK-LABEL: func.func @ahead
// CHECK:         memref.prefetch %arg3[
// CHECK-NOT:     vector.load %arg2[
// CHECK:         memref.prefetch %arg3[
// CHECK-NOT:     memref.prefetch
// CHECK-COUNT-4: vector.load %arg2[
// CHECK:         memref.prefetch %arg2[
// CHECK-NOT:     vector.load %arg3[
// CHECK:         memref.prefetch %arg2[
// CHECK-NOT:     memref.prefetch
// CHECK-COUNT-4: vector.load %arg3[
func.func @ahead(%q: memref<?x256xf32>, %i: memref<?xi32>, %k: memref<2x?x1x64x64xbf16>, %v: memref<2x?x1x64x64xbf16>, %l: index, %t: memref<?x?xi32>, %o: memref<?x256xf32>) {
  %c0 = arith.constant 0 : index
  kernel.cached_attention ins(%q, %i, %i : memref<?x256xf32>, memref<?xi32>) over %k, %v[%l, %c0] by %t : memref<2x?x1x64x64xbf16>, memref<2x?x1x64x64xbf16>, memref<?x?xi32>
    outs(%o : memref<?x256xf32>) {group = 4 : i64, scale = 0.25 : f32}
  return
}
}

// -----

// Without tile registers, six rows and the four panels of keys as dot products
// of pairs, then the one of values; rows that are left, one by one.
module attributes {llm.target = "avx512-bf16"} {
// CHECK-LABEL: func.func @pairs
// CHECK-DAG: %[[KEYS:.+]] = memref.alloca() {{.*}} : memref<64x32xbf16>
// CHECK-DAG: %[[VALUES:.+]] = memref.alloca() {{.*}} : memref<32x32xbf16>
// CHECK-DAG: %[[QUERIES:.+]] = memref.alloca() {{.*}} : memref<132x32xbf16>
// CHECK-DAG: %[[WEIGHTS:.+]] = memref.alloca() {{.*}} : memref<6x64xbf16>
// CHECK-DAG: %[[SCORES:.+]] = memref.alloca() {{.*}} : memref<6x64xf32>
// CHECK: vector.store %{{.+}}, %[[QUERIES]]
// CHECK: vector.store %{{.+}}, %[[KEYS]]
// CHECK: vector.store %{{.+}}, %[[VALUES]]
// CHECK: %[[S:.+]]:24 = scf.for
// CHECK-COUNT-4: vector.load %[[KEYS]]{{.*}} : memref<64x32xbf16>, vector<32xbf16>
// CHECK-NOT: vector.load %[[KEYS]]
// CHECK: vector.load %[[QUERIES]]{{.*}} : memref<132x32xbf16>, vector<2xbf16>
// CHECK-COUNT-24: x86vector.avx512.dot
// CHECK: vector.load %[[KEYS]]
// CHECK: vector.store %{{.+}}, %[[SCORES]]
// CHECK: math.exp2
// CHECK: arith.truncf %{{.+}} : vector<16xf32> to vector<16xbf16>
// CHECK: vector.store %{{.+}}, %[[WEIGHTS]]
// CHECK: %{{.+}}:6 = scf.for
// CHECK: vector.load %[[VALUES]]{{.*}} : memref<32x32xbf16>, vector<32xbf16>
// CHECK: vector.load %[[WEIGHTS]]{{.*}} : memref<6x64xbf16>, vector<2xbf16>
// CHECK-COUNT-6: x86vector.avx512.dot
// CHECK: scf.yield
// CHECK: %{{.+}}:4 = scf.for
// CHECK: return
func.func @pairs(%q: memref<?x24xbf16>, %k: memref<?x24xbf16>, %v: memref<?x24xbf16>, %b: memref<?xi32>, %e: memref<?xi32>, %o: memref<?x24xbf16>) {
  kernel.attention ins(%q, %k, %v, %b, %e : memref<?x24xbf16>, memref<?x24xbf16>, memref<?x24xbf16>, memref<?xi32>) outs(%o : memref<?x24xbf16>) {group = 1 : i64, size = 12 : i64, scale = 0.5 : f32, compute = bf16}
  return
}
}

// -----

// Four heads and a cache of bf16: two rows of keys, or of values, by turns. The
// second of a pair is no position that the tile doesn't see.
module attributes {llm.target = "avx512-bf16"} {
// CHECK-LABEL: func.func @cached_pairs
// CHECK: %{{.+}}:16 = scf.for
// CHECK: %[[LOW:.+]] = vector.load %arg2{{.*}} : memref<2x?x1x64x64xbf16>, vector<16xbf16>
// CHECK: %[[HIGH:.+]] = vector.load %arg2{{.*}} : memref<2x?x1x64x64xbf16>, vector<16xbf16>
// CHECK: %[[PAIRS:.+]] = vector.shuffle %[[LOW]], %[[HIGH]] [0, 16, 1, 17, 2, 18,
// CHECK: x86vector.avx512.dot %{{.+}}, %{{.+}}, %[[PAIRS]]
// CHECK: %{{.+}}:16 = scf.for %[[P:.+]] = %{{.+}} to %{{.+}} step
// CHECK: %[[NEXT:.+]] = arith.addi %[[P]]
// CHECK: %[[IN:.+]] = arith.minsi %[[NEXT]], %{{.+}} : index
// CHECK: %[[LOW:.+]] = vector.load %arg3[{{.*}}, %[[P]], %{{.+}}]
// CHECK: %[[HIGH:.+]] = vector.load %arg3[{{.*}}, %[[IN]], %{{.+}}]
// CHECK: %[[PAIRS:.+]] = vector.shuffle %[[LOW]], %[[HIGH]] [0, 16, 1, 17, 2, 18,
// CHECK: x86vector.avx512.dot %{{.+}}, %{{.+}}, %[[PAIRS]]
// CHECK: return
func.func @cached_pairs(%q: memref<?x256xf32>, %i: memref<?xi32>, %k: memref<2x?x1x64x64xbf16>, %v: memref<2x?x1x64x64xbf16>, %l: index, %t: memref<?x?xi32>, %o: memref<?x256xf32>) {
  %c0 = arith.constant 0 : index
  kernel.cached_attention ins(%q, %i, %i : memref<?x256xf32>, memref<?xi32>) over %k, %v[%l, %c0] by %t : memref<2x?x1x64x64xbf16>, memref<2x?x1x64x64xbf16>, memref<?x?xi32>
    outs(%o : memref<?x256xf32>) {group = 4 : i64, scale = 0.25 : f32}
  return
}

// Keys of an odd number of dimensions are no pairs.
// CHECK-LABEL: func.func @negative_pairs
// CHECK-NOT: x86vector
// CHECK: return
func.func @negative_pairs(%q: memref<?x28xf32>, %i: memref<?xi32>, %k: memref<2x?x1x7x64xbf16>, %v: memref<2x?x1x64x16xbf16>, %l: index, %t: memref<?x?xi32>, %o: memref<?x28xf32>) {
  %c0 = arith.constant 0 : index
  kernel.cached_attention ins(%q, %i, %i : memref<?x28xf32>, memref<?xi32>) over %k, %v[%l, %c0] by %t : memref<2x?x1x7x64xbf16>, memref<2x?x1x64x16xbf16>, memref<?x?xi32>
    outs(%o : memref<?x28xf32>) {group = 4 : i64, scale = 0.25 : f32}
  return
}
}

// -----

// Up to 32 rows in tile registers, of a block whose keys and values became panels
// of pairs; weights are rounded, and so is the result.
module attributes {llm.target = "amx"} {
// CHECK-LABEL: func.func @tiles
// CHECK-DAG: %[[KEYS:.+]] = memref.alloca() {{.*}} : memref<64x32xbf16>
// CHECK-DAG: %[[VALUES:.+]] = memref.alloca() {{.*}} : memref<32x32xbf16>
// CHECK-DAG: %[[QUERIES:.+]] = memref.alloca() {{.*}} : memref<128x32xbf16>
// CHECK-DAG: %[[WEIGHTS:.+]] = memref.alloca() {{.*}} : memref<32x64xbf16>
// CHECK-DAG: %[[SCORES:.+]] = memref.alloca() {{.*}} : memref<32x64xf32>
// CHECK: vector.maskedload %{{.+}} : memref<?x24xbf16>
// CHECK-NOT: arith.truncf
// CHECK: vector.store %{{.+}}, %[[QUERIES]]
// CHECK: vector.shuffle %{{.+}} : vector<16xi32>, vector<16xi32>
// CHECK: vector.store %{{.+}}, %[[KEYS]]
// CHECK: vector.shuffle %{{.+}}, %{{.+}} [0, 16, 1, 17, 2, 18,
// CHECK: vector.store %{{.+}}, %[[VALUES]]
// CHECK-DAG: %[[Q:.+]] = memref.subview %[[QUERIES]][%{{.+}}, 0] [32, 32] [1, 1]
// CHECK-DAG: %[[K0:.+]] = memref.subview %[[KEYS]][0, 0] [16, 32] [1, 1]
// CHECK-DAG: %[[K1:.+]] = memref.subview %[[KEYS]][16, 0] [16, 32] [1, 1]
// CHECK-DAG: %[[S:.+]] = memref.subview %[[SCORES]][0, 0] [32, 32] [1, 1]
// CHECK: kernel.tile_dot ins(%[[Q]], %[[K0]], %[[K1]] :
// CHECK: kernel.tile_dot
// CHECK: math.exp2
// CHECK: arith.truncf %{{.+}} : vector<16xf32> to vector<16xbf16>
// CHECK: vector.store %{{.+}}, %[[WEIGHTS]]
// CHECK: kernel.tile_dot ins(%{{.+}}, %[[V:.+]] : memref<32x64xbf16
// CHECK: else
// CHECK: memref.subview %[[QUERIES]][%{{.+}}, 0] [16, 32] [1, 1]
// CHECK: arith.truncf %{{.+}} : vector<16xf32> to vector<16xbf16>
// CHECK: vector.maskedstore %{{.+}} : memref<?x24xbf16>
func.func @tiles(%q: memref<?x24xbf16>, %k: memref<?x24xbf16>, %v: memref<?x24xbf16>, %b: memref<?xi32>, %e: memref<?xi32>, %o: memref<?x24xbf16>) {
  kernel.attention ins(%q, %k, %v, %b, %e : memref<?x24xbf16>, memref<?x24xbf16>, memref<?x24xbf16>, memref<?xi32>) outs(%o : memref<?x24xbf16>) {group = 1 : i64, size = 12 : i64, scale = 0.5 : f32, compute = bf16}
  return
}
}
