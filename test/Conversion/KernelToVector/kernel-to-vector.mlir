// RUN: smelt-opt %s --pass-pipeline='builtin.module(func.func(convert-kernel-to-vector))' -verify-diagnostics

module attributes {llm.target = "avx2"} {
func.func @negative_tensors(%x: tensor<?x8xf32>, %kt: tensor<8x?xf32>) -> tensor<8x?xf32> {
  // expected-error @+1 {{expects buffers: stage bufferize comes first}}
  %t = kernel.transpose ins(%x : tensor<?x8xf32>) outs(%kt : tensor<8x?xf32>) -> tensor<8x?xf32>
  return %t : tensor<8x?xf32>
}
}
