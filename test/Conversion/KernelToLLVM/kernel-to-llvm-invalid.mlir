// RUN: smelt-opt %s -convert-kernel-to-llvm -verify-diagnostics

func.func @negative_without_step() {
  // expected-error @+1 {{failed to legalize operation 'kernel.barrier'}}
  kernel.barrier
  return
}
