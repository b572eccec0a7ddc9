// RUN: smelt-opt %s -split-input-file -verify-diagnostics

func.func @expect_almost_eq_c1_negative(%x: f32) {
  // expected-error @+1 {{'check.expect_almost_eq' op expects absolute to be finite and not negative, got -1}}
  check.expect_almost_eq %x, %x {absolute = -1.0 : f64} : f32
  return
}

// -----

func.func @expect_almost_eq_c1_not_finite(%x: f32) {
  // expected-error @+1 {{'check.expect_almost_eq' op expects relative to be finite and not negative, got INF}}
  check.expect_almost_eq %x, %x {relative = 0x7FF0000000000000 : f64} : f32
  return
}

// -----

func.func @expect_almost_eq_of_integers(%x: i32) {
  // expected-error @+1 {{'check.expect_almost_eq' op operand #0 must be}}
  check.expect_almost_eq %x, %x : i32
  return
}
