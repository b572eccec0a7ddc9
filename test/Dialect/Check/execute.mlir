// What holds runs to its end; what doesn't is printed and ends the program.
// RUN: split-file %s %t
// RUN: smelt-opt %t/holds.mlir %to-llvm | mlir-runner -e main -entry-point-result=void -shared-libs=%runnerlibs | FileCheck %t/holds.mlir
// RUN: smelt-opt %t/tensor.mlir %to-llvm | not mlir-runner -e main -entry-point-result=void -shared-libs=%runnerlibs | FileCheck %t/tensor.mlir
// RUN: smelt-opt %t/nan.mlir %to-llvm | not mlir-runner -e main -entry-point-result=void -shared-libs=%runnerlibs | FileCheck %t/nan.mlir
// RUN: smelt-opt %t/infinity.mlir %to-llvm | not mlir-runner -e main -entry-point-result=void -shared-libs=%runnerlibs | FileCheck %t/infinity.mlir
// RUN: smelt-opt %t/sizes.mlir %to-llvm | not mlir-runner -e main -entry-point-result=void -shared-libs=%runnerlibs | FileCheck %t/sizes.mlir
// RUN: smelt-opt %t/vector.mlir %to-llvm | not mlir-runner -e main -entry-point-result=void -shared-libs=%runnerlibs | FileCheck %t/vector.mlir

//--- holds.mlir
func.func @main() {
  %t = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %near = arith.constant dense<[[1.0, 2.0], [3.0, 4.000001]]> : tensor<2x2xf32>
  check.expect_eq %t, %t : tensor<2x2xf32>
  check.expect_almost_eq %near, %t {relative = 1.0e-6 : f64} : tensor<2x2xf32>
  %i = arith.constant 7 : i8
  check.expect_eq %i, %i : i8
  %inf = arith.constant 0x7F800000 : f32
  check.expect_almost_eq %inf, %inf : f32
  %v = arith.constant dense<[[1.0, -0.0]]> : vector<1x2xbf16>
  %w = arith.constant dense<[[1.0, 0.0]]> : vector<1x2xbf16>
  check.expect_eq %v, %w : vector<1x2xbf16>
  %m = memref.alloc() : memref<2xindex>
  %c0 = arith.constant 0 : index
  linalg.fill ins(%c0 : index) outs(%m : memref<2xindex>)
  check.expect_eq %m, %m : memref<2xindex>
  // CHECK: the end
  vector.print str "the end\n"
  return
}

//--- tensor.mlir
func.func @main() {
  %t = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %far = arith.constant dense<[[1.0, 2.0], [3.5, 4.0]]> : tensor<2x2xf32>
  check.expect_almost_eq %far, %t {absolute = 0.25 : f64} : tensor<2x2xf32>
  // CHECK: check.expect_almost_eq in line 4 failed: elements differ
  // CHECK-NEXT: index 1
  // CHECK-NEXT: index 0
  // CHECK-NEXT: actual 3.5
  // CHECK-NEXT: expected 3
  // CHECK-NOT: the end
  vector.print str "the end\n"
  return
}

//--- nan.mlir
func.func @main() {
  %nan = arith.constant 0x7FC00000 : f32
  check.expect_almost_eq %nan, %nan {absolute = 1.0e30 : f64} : f32
  // CHECK: actual nan
  // CHECK-NEXT: expected nan
  return
}

//--- infinity.mlir
func.func @main() {
  %inf = arith.constant 0x7F800000 : f32
  %one = arith.constant 1.0 : f32
  check.expect_almost_eq %one, %inf {relative = 1.0 : f64} : f32
  // CHECK: actual 1
  // CHECK-NEXT: expected inf
  return
}

//--- sizes.mlir
func.func @main() {
  %a = arith.constant dense<1> : tensor<3xi32>
  %b = arith.constant dense<1> : tensor<4xi32>
  %x = tensor.cast %a : tensor<3xi32> to tensor<?xi32>
  %y = tensor.cast %b : tensor<4xi32> to tensor<?xi32>
  check.expect_eq %x, %y : tensor<?xi32>
  // CHECK: check.expect_eq in line 6 failed: sizes differ in dimension 0
  // CHECK-NEXT: actual 3
  // CHECK-NEXT: expected 4
  return
}

//--- vector.mlir
func.func @main() {
  %a = arith.constant dense<[[1, 2], [3, 4]]> : vector<2x2xi16>
  %b = arith.constant dense<[[1, 2], [3, -4]]> : vector<2x2xi16>
  check.expect_eq %a, %b : vector<2x2xi16>
  // CHECK: elements differ
  // CHECK-NEXT: index 3
  // CHECK-NEXT: actual 4
  // CHECK-NEXT: expected -4
  return
}
