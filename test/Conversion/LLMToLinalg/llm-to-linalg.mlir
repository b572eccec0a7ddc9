// RUN: smelt-opt %s --convert-llm-to-linalg -verify-diagnostics

// What has no lowering is named.
func.func @negative_table_of_a_function(%ids: tensor<?xi32>, %table: tensor<8x4xf32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{expects its weights to be params with format and layout}}
  %x = llm.embedding %ids, %table : tensor<?xi32>, tensor<8x4xf32>
  return %x : tensor<?x4xf32>
}
