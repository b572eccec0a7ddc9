// RUN: smelt-opt %s --convert-llm-to-linalg -verify-diagnostics

llm.param @w : tensor<64x64xf32> from
    [[#llm.source<"w", file = "m.safetensors", offset = 0, type = tensor<64x64xf32>>]]

func.func private @negative_linear_without_layout(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  // expected-error @+1 {{expects its weights to be params with format and layout}}
  %w = llm.get_param @w : tensor<64x64xf32>
  %y = llm.linear %x, %w {compute = f32} : tensor<?x64xf32>, tensor<64x64xf32>
  return %y : tensor<?x64xf32>
}
