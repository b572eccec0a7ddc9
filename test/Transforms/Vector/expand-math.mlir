// RUN: smelt-opt %s --smelt-expand-math --canonicalize | FileCheck %s
// RUN: smelt-opt %s --smelt-expand-math="fma=false rounding=false" --canonicalize | FileCheck %s --check-prefix=GENERIC

// GENERIC-NOT: math.{{exp|tanh|erfc|sin|cos|log|rsqrt|fma|roundeven|floor|ceil|round|trunc}}

// CHECK-LABEL: func @rsqrt
// CHECK-SAME:    %[[X:.*]]: vector<16xf32>
// CHECK:         %[[ONE:.*]] = arith.constant dense<1.000000e+00> : vector<16xf32>
// CHECK:         %[[ROOT:.*]] = math.sqrt %[[X]] : vector<16xf32>
// CHECK:         %[[Y:.*]] = arith.divf %[[ONE]], %[[ROOT]] : vector<16xf32>
// CHECK:         return %[[Y]]
func.func @rsqrt(%x: vector<16xf32>) -> vector<16xf32> {
  %y = math.rsqrt %x : vector<16xf32>
  return %y : vector<16xf32>
}

// Scaled by a power of two in two steps, which keeps subnormal results.

// CHECK-LABEL: func @exp
// CHECK-NOT:     math.exp
// CHECK-COUNT-2: math.fma
// CHECK:         arith.shrsi
// CHECK:         %[[A:.*]] = arith.bitcast {{.*}} : i32 to f32
// CHECK:         %[[HALF:.*]] = arith.mulf %{{.*}}, %[[A]] : f32
// CHECK:         %[[B:.*]] = arith.bitcast {{.*}} : i32 to f32
// CHECK:         %[[Y:.*]] = arith.mulf %[[HALF]], %[[B]] : f32
// CHECK:         return %[[Y]]
func.func @exp(%x: f32) -> f32 {
  %y = math.exp %x : f32
  return %y : f32
}

// CHECK-LABEL: func @all_of_any_rank
// CHECK-NOT:     math.{{exp|tanh|erfc|sin|cos|log|rsqrt}}
// CHECK:         math.roundeven {{.*}} : vector<2x4xf32>
// CHECK:         math.fma {{.*}} : vector<2x4xf32>
func.func @all_of_any_rank(%x: vector<2x4xf32>) -> vector<2x4xf32> {
  %0 = math.exp %x : vector<2x4xf32>
  %1 = math.tanh %0 : vector<2x4xf32>
  %2 = math.erfc %1 : vector<2x4xf32>
  %3 = math.sin %2 : vector<2x4xf32>
  %4 = math.cos %3 : vector<2x4xf32>
  %5 = math.log %4 : vector<2x4xf32>
  %6 = math.roundeven %5 : vector<2x4xf32>
  %7 = math.floor %6 : vector<2x4xf32>
  %8 = math.ceil %7 : vector<2x4xf32>
  %9 = math.trunc %8 : vector<2x4xf32>
  %10 = math.round %9 : vector<2x4xf32>
  %11 = math.fma %10, %10, %x : vector<2x4xf32>
  return %11 : vector<2x4xf32>
}
