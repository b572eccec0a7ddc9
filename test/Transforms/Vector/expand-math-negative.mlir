// RUN: smelt-opt %s --smelt-expand-math | FileCheck %s

// CHECK-LABEL: func @negative_exp_f64
// CHECK:         math.exp {{.*}} : f64
func.func @negative_exp_f64(%x: f64) -> f64 {
  %y = math.exp %x : f64
  return %y : f64
}

// CHECK-LABEL: func @negative_instructions
// CHECK-NEXT:    math.absf
// CHECK-NEXT:    math.sqrt
// CHECK-NEXT:    math.copysign
// CHECK-NEXT:    math.fma
func.func @negative_instructions(%x: f32) -> f32 {
  %0 = math.absf %x : f32
  %1 = math.sqrt %0 : f32
  %2 = math.copysign %1, %x : f32
  %3 = math.fma %2, %2, %x : f32
  return %3 : f32
}
