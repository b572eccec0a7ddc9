// RUN: smelt-opt %s --smelt-expand-dots | FileCheck %s

// Numbers are compared with those of the instructions in the unit tests.

// CHECK-LABEL: func.func @dot_bytes
// CHECK-NOT: kernel.
// CHECK: vector.bitcast %{{.+}} : vector<32xi8> to vector<8xi32>
// CHECK-COUNT-4: arith.muli %{{.+}} : vector<8xi32>
// CHECK-NOT: arith.muli
func.func @dot_bytes(%acc: vector<8xi32>, %u: vector<32xi8>) -> vector<8xi32> {
  %0 = kernel.dot_bytes %acc, %u, %u : vector<8xi32>, vector<32xi8>
  return %0 : vector<8xi32>
}

// Pairs of bf16: odd ones, in the upper halves of words, first.
// CHECK-LABEL: func.func @pairs
// CHECK-SAME: %[[ACC:.+]]: vector<16xf32>
// CHECK-NOT: x86vector
// CHECK: arith.andi %{{.+}} : vector<16xi32>
// CHECK: %[[ODD:.+]] = math.fma %{{.+}}, %{{.+}}, %[[ACC]] : vector<16xf32>
// CHECK: arith.shli %{{.+}} : vector<16xi32>
// CHECK: math.fma %{{.+}}, %{{.+}}, %[[ODD]] : vector<16xf32>
func.func @pairs(%acc: vector<16xf32>, %x: vector<32xbf16>, %y: vector<32xbf16>) -> vector<16xf32> {
  %0 = x86vector.avx512.dot %acc, %x, %y : vector<32xbf16> -> vector<16xf32>
  return %0 : vector<16xf32>
}

// CHECK-LABEL: func.func @bytes
// CHECK-NOT: kernel.
// CHECK-COUNT-2: arith.muli %{{.+}} : vector<16xi16>
// CHECK: arith.minsi %{{.+}} : vector<16xi32>
// CHECK: arith.maxsi %{{.+}} : vector<16xi32>
// CHECK: arith.trunci
func.func @bytes(%u: vector<32xi8>) -> vector<16xi16> {
  %0 = kernel.multiply_add %u, %u : vector<32xi8> -> vector<16xi16>
  return %0 : vector<16xi16>
}

// CHECK-LABEL: func.func @words
// CHECK-NOT: kernel.
// CHECK-COUNT-2: arith.muli %{{.+}} : vector<8xi32>
// CHECK-NOT: arith.minsi
func.func @words(%x: vector<16xi16>) -> vector<8xi32> {
  %0 = kernel.multiply_add %x, %x : vector<16xi16> -> vector<8xi32>
  return %0 : vector<8xi32>
}

// CHECK-LABEL: func.func @signs
// CHECK-NOT: kernel.
// CHECK: arith.minsi
// CHECK: arith.maxsi
// CHECK: arith.muli %{{.+}} : vector<32xi8>
func.func @signs(%x: vector<32xi8>) -> vector<32xi8> {
  %0 = kernel.apply_sign %x, %x : vector<32xi8>
  return %0 : vector<32xi8>
}

// Both signed: shifts that keep the sign.
// CHECK-LABEL: func.func @signed
// CHECK-NOT: arith.shrui
// CHECK-COUNT-4: arith.muli %{{.+}} : vector<4xi32>
func.func @signed(%acc: vector<4xi32>, %s: vector<16xi8>) -> vector<4xi32> {
  %0 = kernel.dot_bytes signed %acc, %s, %s : vector<4xi32>, vector<16xi8>
  return %0 : vector<4xi32>
}

// A loop over rows, and one for each panel over words of k whose lanes are
// columns.
// CHECK-LABEL: func.func @tile
// CHECK-NOT: kernel.
// CHECK: scf.for %[[R:.+]] = %{{.+}} to %c32
// CHECK: scf.for %[[G:.+]] = %{{.+}} to %c32{{.*}} iter_args
// CHECK: vector.load %{{.+}}[%[[R]], %{{.+}}] : memref<32x128xi8>, vector<4xi8>
// CHECK: vector.load %{{.+}}[%[[G]], %{{.+}}] : memref<32x64xi8>, vector<64xi8>
// CHECK-COUNT-4: arith.muli %{{.+}} : vector<16xi32>
// CHECK: vector.store %{{.+}}, %{{.+}}[%[[R]], %{{.+}}] : memref<32x32xi32>
// CHECK: scf.for %{{.+}} = %{{.+}} to %c32{{.*}} iter_args
// CHECK: vector.store %{{.+}}, %{{.+}}[%[[R]], %c16{{.*}}] : memref<32x32xi32>
func.func @tile(%a: memref<32x128xi8>, %b: memref<32x64xi8>, %c: memref<32x32xi32>) {
  kernel.tile_dot ins(%a, %b, %b : memref<32x128xi8>, memref<32x64xi8>, memref<32x64xi8>) outs(%c : memref<32x32xi32>)
  return
}

// Sixteen words a turn, even and odd k apart.
// CHECK-LABEL: func.func @tile_of_pairs
// CHECK: scf.for {{.*}} to %c2{{.*}} iter_args(%[[SUM:.+]] = %{{.+}})
// CHECK:   %[[HALVES:.+]]:2 = scf.for %[[I:.+]] = %{{.+}} to %c16{{.*}} iter_args(%[[EVEN:.+]] = %{{.+}}, %[[ODD:.+]] = %{{.+}})
// CHECK:     arith.shli
// CHECK:     math.fma %{{.+}}, %{{.+}}, %[[EVEN]] : vector<16xf32>
// CHECK:     arith.andi
// CHECK:     math.fma %{{.+}}, %{{.+}}, %[[ODD]] : vector<16xf32>
// CHECK:   %[[BOTH:.+]] = arith.addf %[[HALVES]]#0, %[[HALVES]]#1
// CHECK:   arith.addf %[[SUM]], %[[BOTH]]
// CHECK: vector.store %{{.+}}, %{{.+}}[%{{.+}}, %{{.+}}] : memref<5x16xf32>
func.func @tile_of_pairs(%a: memref<5x64xbf16>, %b: memref<32x32xbf16>, %c: memref<5x16xf32>) {
  kernel.tile_dot ins(%a, %b : memref<5x64xbf16>, memref<32x32xbf16>) outs(%c : memref<5x16xf32>)
  return
}
