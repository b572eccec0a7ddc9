// RUN: smelt-opt %s --convert-check-to-scf | FileCheck %s

// CHECK: func.func private @exit(i32)

// CHECK-LABEL: func @expect_eq_tensor
// CHECK-SAME: %[[A:.*]]: tensor<4xi32>, %[[B:.*]]: tensor<4xi32>
func.func @expect_eq_tensor(%a: tensor<4xi32>, %b: tensor<4xi32>) {
  // CHECK: scf.for %[[I:.*]] =
  // CHECK: %[[X:.*]] = tensor.extract %[[A]][%[[I]]]
  // CHECK: %[[Y:.*]] = tensor.extract %[[B]][%[[I]]]
  // CHECK: %[[GOOD:.*]] = arith.cmpi eq, %[[X]], %[[Y]]
  // CHECK: %[[BAD:.*]] = arith.xori %[[GOOD]]
  // CHECK: scf.if %[[BAD]]
  // CHECK: call @exit
  // CHECK-NOT: check.expect
  check.expect_eq %a, %b : tensor<4xi32>
  return
}

// CHECK-LABEL: func @expect_almost_eq_scalar
func.func @expect_almost_eq_scalar(%a: f16, %b: f16) {
  // CHECK-NOT: scf.for
  // CHECK: arith.extf %{{.*}} : f16 to f64
  // CHECK: arith.cmpf ole
  // CHECK: scf.if
  check.expect_almost_eq %a, %b {absolute = 0.5 : f64} : f16
  return
}
