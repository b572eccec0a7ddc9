// RUN: smelt-opt %s --split-input-file --convert-kernel-to-llvm | FileCheck %s

// CHECK-LABEL: func.func @dots
func.func @dots(%a4: vector<4xi32>, %b16: vector<16xi8>, %a8: vector<8xi32>, %b32: vector<32xi8>, %a16: vector<16xi32>, %b64: vector<64xi8>) {
  // CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.128"
  %0 = kernel.dot_bytes %a4, %b16, %b16 : vector<4xi32>, vector<16xi8>
  // CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.256"
  %1 = kernel.dot_bytes %a8, %b32, %b32 : vector<8xi32>, vector<32xi8>
  // CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
  %2 = kernel.dot_bytes %a16, %b64, %b64 : vector<16xi32>, vector<64xi8>
  return
}

// CHECK-LABEL: func.func @bytes
func.func @bytes(%b16: vector<16xi8>, %b32: vector<32xi8>, %b64: vector<64xi8>) {
  // CHECK: llvm.call_intrinsic "llvm.x86.ssse3.pmadd.ub.sw.128"
  %0 = kernel.multiply_add %b16, %b16 : vector<16xi8> -> vector<8xi16>
  // CHECK: llvm.call_intrinsic "llvm.x86.avx2.pmadd.ub.sw"
  %1 = kernel.multiply_add %b32, %b32 : vector<32xi8> -> vector<16xi16>
  // CHECK: llvm.call_intrinsic "llvm.x86.avx512.pmaddubs.w.512"
  %2 = kernel.multiply_add %b64, %b64 : vector<64xi8> -> vector<32xi16>
  return
}

// CHECK-LABEL: func.func @words
func.func @words(%w8: vector<8xi16>, %w16: vector<16xi16>, %w32: vector<32xi16>) {
  // CHECK: llvm.call_intrinsic "llvm.x86.sse2.pmadd.wd"
  %0 = kernel.multiply_add %w8, %w8 : vector<8xi16> -> vector<4xi32>
  // CHECK: llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"
  %1 = kernel.multiply_add %w16, %w16 : vector<16xi16> -> vector<8xi32>
  // CHECK: llvm.call_intrinsic "llvm.x86.avx512.pmaddw.d.512"
  %2 = kernel.multiply_add %w32, %w32 : vector<32xi16> -> vector<16xi32>
  return
}

// CHECK-LABEL: func.func @signs
func.func @signs(%b16: vector<16xi8>, %b32: vector<32xi8>) {
  // CHECK: llvm.call_intrinsic "llvm.x86.ssse3.psign.b.128"
  %0 = kernel.apply_sign %b16, %b16 : vector<16xi8>
  // CHECK: llvm.call_intrinsic "llvm.x86.avx2.psign.b"
  %1 = kernel.apply_sign %b32, %b32 : vector<32xi8>
  return
}
// -----

module attributes {llm.target = "neon-i8mm"} {
// CHECK-LABEL: func.func @neon
func.func @neon(%a: vector<4xi32>, %b: vector<16xi8>) {
  // CHECK: llvm.call_intrinsic "llvm.aarch64.neon.usdot.v4i32.v16i8"
  %0 = kernel.dot_bytes %a, %b, %b : vector<4xi32>, vector<16xi8>
  // CHECK: llvm.call_intrinsic "llvm.aarch64.neon.sdot.v4i32.v16i8"
  %1 = kernel.dot_bytes signed %a, %b, %b : vector<4xi32>, vector<16xi8>
  return
}
}
