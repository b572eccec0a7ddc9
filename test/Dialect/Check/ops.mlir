// RUN: smelt-opt %s | smelt-opt | FileCheck %s

// CHECK-LABEL: func @expect_eq
func.func @expect_eq(%i: index, %v: vector<4xi32>, %t: tensor<?x4xbf16>, %m: memref<2x?xf32>) {
  // CHECK: check.expect_eq %{{.*}}, %{{.*}} : index
  check.expect_eq %i, %i : index
  // CHECK: check.expect_eq %{{.*}}, %{{.*}} : vector<4xi32>
  check.expect_eq %v, %v : vector<4xi32>
  // CHECK: check.expect_eq %{{.*}}, %{{.*}} : tensor<?x4xbf16>
  check.expect_eq %t, %t : tensor<?x4xbf16>
  // CHECK: check.expect_eq %{{.*}}, %{{.*}} : memref<2x?xf32>
  check.expect_eq %m, %m : memref<2x?xf32>
  return
}

// CHECK-LABEL: func @expect_almost_eq
func.func @expect_almost_eq(%f: f64, %t: tensor<4xf16>) {
  // CHECK: check.expect_almost_eq %{{.*}}, %{{.*}} : f64
  check.expect_almost_eq %f, %f : f64
  // CHECK: check.expect_almost_eq %{{.*}}, %{{.*}} {absolute = 5.000000e-01 : f64, relative = 1.000000e-05 : f64} : tensor<4xf16>
  check.expect_almost_eq %t, %t {absolute = 0.5 : f64, relative = 1.0e-5 : f64} : tensor<4xf16>
  return
}
