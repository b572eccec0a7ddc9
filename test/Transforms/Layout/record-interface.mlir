// RUN: smelt-opt %s --llm-record-interface | FileCheck %s

// Two layers of 2 * 9 * 4 operations, and for rows a head of 2 * 5 * 9; the table costs
// one row of 8 bytes, the weights 2 * 144 and 180. A block of the cache has
// 2 layers * 3 heads * 64 positions * (20 + 32) * 2 bytes.
// CHECK: llm.interface = {arithmetic = "f32", flops_per_row = 90 : i64,
// CHECK-SAME: flops_per_token = 144 : i64,
// CHECK-SAME: inputs = ["ids", "rows"],
// CHECK-SAME: kv_block_bytes = 39936 : i64,
// CHECK-SAME: outputs = [{name = "logits", rows = "rows", width = 5 : i64}, {name = "embedding", rows = "sequences", width = 9 : i64}],
// CHECK-SAME: step_bytes = 476 : i64}
module {
  llm.param @table : tensor<3x4xbf16> from [[#llm.source<"t", file = "m", offset = 0, type = tensor<3x4xbf16>>]] format <bf16>
  llm.param @layers.w : tensor<9x4xf32> from [[#llm.source<"0", file = "m", offset = 0, type = tensor<9x4xf32>>], [#llm.source<"1", file = "m", offset = 0, type = tensor<9x4xf32>>]] format <f32>
  llm.param @head : tensor<5x9xf32> from [[#llm.source<"h", file = "m", offset = 0, type = tensor<5x9xf32>>]] format <f32>
  func.func private @layer(%layer: index, %x: tensor<?x4xf32>) -> tensor<?x9xf32> {
    %w = llm.get_param @layers.w[%layer] : tensor<9x4xf32>
    %y = llm.linear %x, %w {compute = f32} : tensor<?x4xf32>, tensor<9x4xf32>
    return %y : tensor<?x9xf32>
  }
  func.func @step(%ids: tensor<?xi32> {llm.input = "ids"}, %rows: tensor<?xi32> {llm.input = "rows"},
                  %kv: !llm.kv<layers = 2, heads = 3, size = 20, type = bf16> {llm.input = "kv"})
      -> (tensor<?x5xf32> {llm.output = "logits"}, tensor<?x9xf32> {llm.output = "embedding"}) {
    %c0 = arith.constant 0 : index
    %table = llm.get_param @table : tensor<3x4xbf16>
    %x = llm.embedding %ids, %table : tensor<?xi32>, tensor<3x4xbf16>
    %y = func.call @layer(%c0, %x) : (index, tensor<?x4xf32>) -> tensor<?x9xf32>
    %h = llm.get_param @head : tensor<5x9xf32>
    %g = llm.gather_rows %y, %rows : tensor<?x9xf32>, tensor<?xi32>
    %z = llm.linear %g, %h {compute = f32} : tensor<?x9xf32>, tensor<5x9xf32>
    return %z, %y : tensor<?x5xf32>, tensor<?x9xf32>
  }
}
