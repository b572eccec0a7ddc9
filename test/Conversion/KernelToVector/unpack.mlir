// RUN: smelt-opt %s --pass-pipeline='builtin.module(func.func(convert-kernel-to-vector),cse,canonicalize)' | FileCheck %s

module attributes {llm.target = "avx2"} {
// Each line of 64 bytes becomes two: a vector's lower halves in the first, its
// upper ones in the second. Scales and minima of a block, then the trailer, are
// copied.
// CHECK-LABEL: func.func @nibbles
// CHECK: scf.for {{.+}} to %c2
// CHECK:   scf.for {{.+}} to %c3
// CHECK:     scf.for {{.+}} to %c8
// CHECK:       memref.prefetch
// CHECK:       %[[BYTES:.+]] = vector.load %{{.+}} : memref<2x1984xi8>, vector<32xi8>
// CHECK:       %[[LOW:.+]] = arith.andi %[[BYTES]], %{{.+}} : vector<32xi8>
// CHECK:       vector.store %[[LOW]], %{{.+}} : memref<2x3520xi8>, vector<32xi8>
// CHECK:       %[[HIGH:.+]] = arith.shrui %[[BYTES]], %{{.+}} : vector<32xi8>
// CHECK:       vector.store %[[HIGH]], %{{.+}} : memref<2x3520xi8>, vector<32xi8>
// CHECK:       vector.load
// CHECK:     scf.for {{.+}} to %c2
// CHECK:       %[[SCALES:.+]] = vector.load
// CHECK:       vector.store %[[SCALES]]
// CHECK:   vector.load %{{.+}}, %c1920] : memref<2x1984xi8>
// CHECK:   vector.store %{{.+}}, %c3456] : memref<2x3520xi8>
func.func @nibbles(%w: memref<2x1984xi8>, %u: memref<2x3520xi8>) {
  kernel.unpack ins(%w : memref<2x1984xi8>) outs(%u : memref<2x3520xi8>) {format = #llm.format<uint4_g32>}
  return
}
}
