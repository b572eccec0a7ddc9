// RUN: smelt-opt %s --split-input-file --smelt-expand-conversions=missing | FileCheck %s

// What the target has an instruction for stays.
module attributes {llm.target = "avx512-bf16"} {
// CHECK-LABEL: func.func @avx512_bf16
// CHECK-NOT: arith.extf {{.*}}bf16
// CHECK: arith.truncf %{{.+}} : vector<16xf32> to vector<16xbf16>
// CHECK: arith.extf %{{.+}} : vector<16xf16> to vector<16xf32>
func.func @avx512_bf16(%x: vector<16xbf16>, %z: vector<16xf16>) -> (vector<16xbf16>, vector<16xf32>) {
  %0 = arith.extf %x : vector<16xbf16> to vector<16xf32>
  %1 = arith.addf %0, %0 : vector<16xf32>
  %2 = arith.truncf %1 : vector<16xf32> to vector<16xbf16>
  %3 = arith.extf %z : vector<16xf16> to vector<16xf32>
  return %2, %3 : vector<16xbf16>, vector<16xf32>
}
}

// -----

module attributes {llm.target = "avx2"} {
// CHECK-LABEL: func.func @avx2
// CHECK-NOT: arith.truncf
// CHECK: arith.extf %{{.+}} : vector<8xf16> to vector<8xf32>
func.func @avx2(%x: vector<8xf32>, %z: vector<8xf16>) -> (vector<8xbf16>, vector<8xf32>) {
  %0 = arith.truncf %x : vector<8xf32> to vector<8xbf16>
  %1 = arith.extf %z : vector<8xf16> to vector<8xf32>
  return %0, %1 : vector<8xbf16>, vector<8xf32>
}
}

// -----

module attributes {llm.target = "generic"} {
// CHECK-LABEL: func.func @generic
// CHECK-NOT: arith.{{extf|truncf}}
func.func @generic(%x: vector<4xf32>, %z: vector<4xf16>) -> (vector<4xbf16>, vector<4xf32>) {
  %0 = arith.truncf %x : vector<4xf32> to vector<4xbf16>
  %1 = arith.extf %z : vector<4xf16> to vector<4xf32>
  return %0, %1 : vector<4xbf16>, vector<4xf32>
}
}
