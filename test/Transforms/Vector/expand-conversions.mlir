// RUN: smelt-opt %s --smelt-expand-conversions --canonicalize | FileCheck %s
// RUN: smelt-opt %s --smelt-expand-conversions=f16 --canonicalize | FileCheck %s --check-prefix=F16

// F16-NOT: arith.{{extf|truncf}} {{.*}} : vector

// CHECK-LABEL: func @extend_bf16
// CHECK-SAME:    %[[X:.*]]: vector<16xbf16>
// CHECK:         %[[C16:.*]] = arith.constant dense<16> : vector<16xi32>
// CHECK:         %[[BITS:.*]] = arith.bitcast %[[X]] : vector<16xbf16> to vector<16xi16>
// CHECK:         %[[WIDE:.*]] = arith.extui %[[BITS]] : vector<16xi16> to vector<16xi32>
// CHECK:         %[[SHIFTED:.*]] = arith.shli %[[WIDE]], %[[C16]] : vector<16xi32>
// CHECK:         %[[Y:.*]] = arith.bitcast %[[SHIFTED]] : vector<16xi32> to vector<16xf32>
// CHECK:         return %[[Y]]
func.func @extend_bf16(%x: vector<16xbf16>) -> vector<16xf32> {
  %y = arith.extf %x : vector<16xbf16> to vector<16xf32>
  return %y : vector<16xf32>
}

// CHECK-LABEL: func @truncate_bf16
// CHECK:         %[[NAN:.*]] = arith.cmpf uno
// CHECK:         arith.select %[[NAN]]
// CHECK:         %[[BITS:.*]] = arith.trunci {{.*}} : i32 to i16
// CHECK:         arith.bitcast %[[BITS]] : i16 to bf16
func.func @truncate_bf16(%x: f32) -> bf16 {
  %y = arith.truncf %x : f32 to bf16
  return %y : bf16
}

// CHECK-LABEL: func @f16
// CHECK:         arith.extf {{.*}} : vector<8xf16> to vector<8xf32>
// CHECK:         arith.truncf {{.*}} : vector<8xf32> to vector<8xf16>
func.func @f16(%x: vector<8xf16>) -> vector<8xf16> {
  %0 = arith.extf %x : vector<8xf16> to vector<8xf32>
  %1 = arith.addf %0, %0 : vector<8xf32>
  %2 = arith.truncf %1 : vector<8xf32> to vector<8xf16>
  return %2 : vector<8xf16>
}

// CHECK-LABEL: func @negative_other_rounding
// CHECK:         arith.truncf %{{.*}} toward_zero : f32 to bf16
func.func @negative_other_rounding(%x: f32) -> bf16 {
  %y = arith.truncf %x toward_zero : f32 to bf16
  return %y : bf16
}

// CHECK-LABEL: func @negative_f64
// CHECK:         arith.truncf {{.*}} : f64 to f32
func.func @negative_f64(%x: f64) -> f32 {
  %y = arith.truncf %x : f64 to f32
  return %y : f32
}
