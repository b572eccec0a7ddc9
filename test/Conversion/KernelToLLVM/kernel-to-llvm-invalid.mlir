// RUN: smelt-opt %s -convert-kernel-to-llvm --split-input-file -verify-diagnostics

func.func @negative_without_step() {
  // expected-error @+1 {{failed to legalize operation 'kernel.barrier'}}
  kernel.barrier
  return
}

// -----

module attributes {llm.target = "avx2"} {
func.func @negative_no_such_instruction(%a: vector<4xi32>, %b: vector<16xi8>) {
  // expected-error @+2 {{'kernel.dot_bytes' op expects vectors that x86_64 has an instruction for, got 'vector<4xi32>' (run smelt-expand-dots)}}
  // expected-error @+1 {{failed to legalize operation 'kernel.dot_bytes'}}
  %0 = kernel.dot_bytes signed %a, %b, %b : vector<4xi32>, vector<16xi8>
  return
}
}
