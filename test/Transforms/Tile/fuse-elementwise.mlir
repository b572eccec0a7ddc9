// RUN: smelt-opt %s --pass-pipeline='builtin.module(func.func(smelt-fuse-elementwise))' | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>

// CHECK-LABEL: func.func @fuse_elementwise_chain
// CHECK-COUNT-1: linalg.generic
// CHECK: math.exp
// CHECK: arith.addf
// CHECK-NOT: linalg.generic
func.func @fuse_elementwise_chain(%x: tensor<?x8xf32>, %e: index) -> tensor<?x8xf32> {
  %t = tensor.empty(%e) : tensor<?x8xf32>
  %a = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<?x8xf32>) outs(%t : tensor<?x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = math.exp %in : f32
    linalg.yield %v : f32
  } -> tensor<?x8xf32>
  %b = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<?x8xf32>) outs(%t : tensor<?x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = arith.addf %in, %in : f32
    linalg.yield %v : f32
  } -> tensor<?x8xf32>
  return %b : tensor<?x8xf32>
}

// A producer that updates a tensor in place is not merged.
// CHECK-LABEL: func.func @negative_fuse_elementwise_in_place
// CHECK-COUNT-2: linalg.generic
func.func @negative_fuse_elementwise_in_place(%x: tensor<?x8xf32>, %r: tensor<?x8xf32>, %e: index) -> tensor<?x8xf32> {
  %t = tensor.empty(%e) : tensor<?x8xf32>
  %a = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<?x8xf32>) outs(%r : tensor<?x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = arith.addf %in, %out : f32
    linalg.yield %v : f32
  } -> tensor<?x8xf32>
  %b = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<?x8xf32>) outs(%t : tensor<?x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = math.exp %in : f32
    linalg.yield %v : f32
  } -> tensor<?x8xf32>
  return %b : tensor<?x8xf32>
}
