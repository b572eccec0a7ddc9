// RUN: smelt-opt %s --pass-pipeline='builtin.module(func.func(smelt-write-results))' | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>

// CHECK-LABEL: func.func @write_results
// CHECK-SAME: %[[OUT:[a-z0-9]+]]: tensor<?x8xf32> {bufferization.writable = true, llm.output = "y"}
// CHECK: linalg.generic {{.+}} outs(%[[OUT]] : tensor<?x8xf32>)
func.func @write_results(%x: tensor<?x8xf32>, %e: index) -> (tensor<?x8xf32> {llm.output = "y"}) {
  %t = tensor.empty(%e) : tensor<?x8xf32>
  %a = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<?x8xf32>) outs(%t : tensor<?x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = math.exp %in : f32
    linalg.yield %v : f32
  } -> tensor<?x8xf32>
  return %a : tensor<?x8xf32>
}

// A result that has a place of its own is copied.
// CHECK-LABEL: func.func @write_results_copy
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xf32>, %[[OUT:[a-z0-9]+]]: tensor<?x8xf32> {bufferization.writable = true, llm.output = "y"}
// CHECK: linalg.generic {{.+}} ins(%[[X]] : tensor<?x8xf32>) outs(%[[OUT]] : tensor<?x8xf32>)
func.func @write_results_copy(%x: tensor<?x8xf32>) -> (tensor<?x8xf32> {llm.output = "y"}) {
  return %x : tensor<?x8xf32>
}

// CHECK-LABEL: func.func private @negative_write_results_private
// CHECK-NOT: llm.output = "y"}, %
func.func private @negative_write_results_private(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  return %x : tensor<?x8xf32>
}
