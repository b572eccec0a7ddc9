// RUN: smelt-opt %s --pass-pipeline='builtin.module(func.func(convert-kernel-to-vector))' -verify-diagnostics

module attributes {llm.target = "avx2"} {
func.func @negative_tensors(%x: tensor<?x8xf32>, %begin: tensor<?xi32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{expects buffers: stage bufferize comes first}}
  %m = kernel.pool ins(%x, %begin, %begin : tensor<?x8xf32>, tensor<?xi32>) outs(%x : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %m : tensor<?x8xf32>
}
}
