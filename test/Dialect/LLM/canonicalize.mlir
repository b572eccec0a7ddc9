// RUN: smelt-opt %s -canonicalize -cse -symbol-dce | FileCheck %s

// A param goes with its last reader.
// CHECK: llm.param @read
// CHECK-NOT: llm.param @unread
llm.param @read : tensor<8xf32> from [[#llm.source<"a", file = "m", offset = 0, type = tensor<8xf32>>]]
llm.param @unread : tensor<8xf32> from [[#llm.source<"b", file = "m", offset = 32, type = tensor<8xf32>>]]

// CHECK-LABEL: @get_param_once
// CHECK: %[[G:.+]] = llm.get_param @read
// CHECK-NOT: llm.get_param
// CHECK: return %[[G]], %[[G]]
func.func @get_param_once() -> (tensor<8xf32>, tensor<8xf32>) {
  %a = llm.get_param @read : tensor<8xf32>
  %b = llm.get_param @read : tensor<8xf32>
  %c = llm.get_param @unread : tensor<8xf32>
  return %a, %b : tensor<8xf32>, tensor<8xf32>
}

// CHECK-LABEL: @add_commutes
// CHECK: %[[S:.+]] = llm.add
// CHECK-NOT: llm.add
// CHECK: llm.mul %[[S]], %[[S]]
func.func @add_commutes(%x: tensor<?x8xf32>, %y: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %a = llm.add %x, %y : tensor<?x8xf32>
  %b = llm.add %y, %x : tensor<?x8xf32>
  %c = llm.mul %a, %b : tensor<?x8xf32>
  return %c : tensor<?x8xf32>
}

// CHECK-LABEL: @relu_is_idempotent
// CHECK: %[[R:.+]] = llm.relu %arg0
// CHECK-NOT: llm.relu
// CHECK: return %[[R]]
func.func @relu_is_idempotent(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %a = llm.relu %x : tensor<?x8xf32>
  %b = llm.relu %a : tensor<?x8xf32>
  return %b : tensor<?x8xf32>
}

// A row shorter than 1e-12 isn't of length 1 after the first.
// CHECK-LABEL: @negative_normalize_twice
// CHECK-COUNT-2: llm.normalize
func.func @negative_normalize_twice(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %a = llm.normalize %x : tensor<?x8xf32>
  %b = llm.normalize %a : tensor<?x8xf32>
  return %b : tensor<?x8xf32>
}

// The append is for the cache, the attention reads it: neither goes, nor does
// the second take the place of the first.
// CHECK-LABEL: @negative_kv_effects
// CHECK-COUNT-2: llm.kv_append
func.func @negative_kv_effects(%kv: !llm.kv<layers = 1, heads = 2, size = 4, type = f32>, %k: tensor<?x8xf32>, %s: tensor<?xi32>) {
  %c0 = arith.constant 0 : index
  llm.kv_append %kv[%c0], %k, %k at %s, %s : !llm.kv<layers = 1, heads = 2, size = 4, type = f32>, tensor<?x8xf32>, tensor<?xi32>
  llm.kv_append %kv[%c0], %k, %k at %s, %s : !llm.kv<layers = 1, heads = 2, size = 4, type = f32>, tensor<?x8xf32>, tensor<?xi32>
  return
}
