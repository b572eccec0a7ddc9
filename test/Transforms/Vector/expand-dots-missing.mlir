// RUN: smelt-opt %s --split-input-file --smelt-expand-dots=missing | FileCheck %s

// What the target has an instruction for stays.
module attributes {llm.target = "neon-dotprod"} {
// CHECK-LABEL: func.func @neon_dotprod
// CHECK-COUNT-4: arith.muli %{{.+}} : vector<4xi32>
// CHECK: kernel.dot_bytes signed
func.func @neon_dotprod(%acc: vector<4xi32>, %x: vector<16xi8>) -> vector<4xi32> {
  %0 = kernel.dot_bytes %acc, %x, %x : vector<4xi32>, vector<16xi8>
  %1 = kernel.dot_bytes signed %0, %x, %x : vector<4xi32>, vector<16xi8>
  return %1 : vector<4xi32>
}
}

// -----

module attributes {llm.target = "neon"} {
// CHECK-LABEL: func.func @neon
// CHECK-NOT: kernel.
func.func @neon(%x: vector<8xi16>) -> vector<4xi32> {
  %0 = kernel.multiply_add %x, %x : vector<8xi16> -> vector<4xi32>
  return %0 : vector<4xi32>
}
}

// -----

module attributes {llm.target = "avx2"} {
// CHECK-LABEL: func.func @avx2
// CHECK-COUNT-2: kernel.multiply_add
func.func @avx2(%b: vector<32xi8>, %w: vector<16xi16>) -> (vector<16xi16>, vector<8xi32>) {
  %0 = kernel.multiply_add %b, %b : vector<32xi8> -> vector<16xi16>
  %1 = kernel.multiply_add %w, %w : vector<16xi16> -> vector<8xi32>
  return %0, %1 : vector<16xi16>, vector<8xi32>
}
}
