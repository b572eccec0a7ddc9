// RUN: smelt-opt %s -llm-fuse-gate-up -split-input-file | FileCheck %s

// CHECK-LABEL: module @fuse_gate_up
// CHECK: llm.param @layers.3.gate_up : tensor<32x8xf32>
// CHECK-SAME: "gate", {{.*}} #llm.source<"up"
// CHECK-SAME: recipe [#llm.concat<parts = 2>]
// CHECK-NOT: llm.param
// CHECK: %[[M:.+]] = llm.linear %arg0, %{{.+}} {compute = f32} : tensor<?x8xf32>, tensor<32x8xf32>
// CHECK: %[[Y:.+]] = llm.glu %[[M]] {activation = "silu"} : tensor<?x32xf32>
// CHECK: return %[[Y]]
module @fuse_gate_up {
  llm.param @layers.3.up : tensor<16x8xf32> from [[#llm.source<"up", file = "m", offset = 0, type = tensor<16x8xf32>>]]
  llm.param @layers.3.gate : tensor<16x8xf32> from [[#llm.source<"gate", file = "m", offset = 512, type = tensor<16x8xf32>>]]
  func.func @step(%x: tensor<?x8xf32>) -> tensor<?x16xf32> {
    %wg = llm.get_param @layers.3.gate : tensor<16x8xf32>
    %g = llm.linear %x, %wg {compute = f32} : tensor<?x8xf32>, tensor<16x8xf32>
    %a = llm.silu %g : tensor<?x16xf32>
    %wu = llm.get_param @layers.3.up : tensor<16x8xf32>
    %u = llm.linear %x, %wu {compute = f32} : tensor<?x8xf32>, tensor<16x8xf32>
    %y = llm.mul %a, %u : tensor<?x16xf32>
    return %y : tensor<?x16xf32>
  }
}

// -----

// The factors may stand in either order, with biases and any activation.
// CHECK-LABEL: module @fuse_gate_up_swapped
// CHECK: llm.linear %arg0, %{{.+}} bias %{{.+}} {compute = bf16}
// CHECK: llm.glu %{{.+}} {activation = "gelu_tanh"} : tensor<?x32xf32>
// CHECK-NOT: llm.mul
module @fuse_gate_up_swapped {
  llm.param @up : tensor<16x8xbf16> from [[#llm.source<"up", file = "m", offset = 0, type = tensor<16x8xbf16>>]]
  llm.param @gate : tensor<16x8xbf16> from [[#llm.source<"gate", file = "m", offset = 256, type = tensor<16x8xbf16>>]]
  llm.param @up.bias : tensor<16xf32> from [[#llm.source<"ub", file = "m", offset = 512, type = tensor<16xf32>>]]
  llm.param @gate.bias : tensor<16xf32> from [[#llm.source<"gb", file = "m", offset = 576, type = tensor<16xf32>>]]
  func.func @step(%x: tensor<?x8xf32>) -> tensor<?x16xf32> {
    %wg = llm.get_param @gate : tensor<16x8xbf16>
    %bg = llm.get_param @gate.bias : tensor<16xf32>
    %g = llm.linear %x, %wg bias %bg {compute = bf16} : tensor<?x8xf32>, tensor<16x8xbf16> bias tensor<16xf32>
    %a = llm.gelu_tanh %g : tensor<?x16xf32>
    %wu = llm.get_param @up : tensor<16x8xbf16>
    %bu = llm.get_param @up.bias : tensor<16xf32>
    %u = llm.linear %x, %wu bias %bu {compute = bf16} : tensor<?x8xf32>, tensor<16x8xbf16> bias tensor<16xf32>
    %y = llm.mul %u, %a : tensor<?x16xf32>
    return %y : tensor<?x16xf32>
  }
}

// -----

// CHECK-LABEL: module @negative_fuse_gate_up_other_input
// CHECK-NOT: llm.glu
// CHECK: llm.mul
module @negative_fuse_gate_up_other_input {
  llm.param @up : tensor<16x8xf32> from [[#llm.source<"up", file = "m", offset = 0, type = tensor<16x8xf32>>]]
  llm.param @gate : tensor<16x8xf32> from [[#llm.source<"gate", file = "m", offset = 512, type = tensor<16x8xf32>>]]
  func.func @step(%x: tensor<?x8xf32>, %z: tensor<?x8xf32>) -> tensor<?x16xf32> {
    %wg = llm.get_param @gate : tensor<16x8xf32>
    %g = llm.linear %x, %wg {compute = f32} : tensor<?x8xf32>, tensor<16x8xf32>
    %a = llm.silu %g : tensor<?x16xf32>
    %wu = llm.get_param @up : tensor<16x8xf32>
    %u = llm.linear %z, %wu {compute = f32} : tensor<?x8xf32>, tensor<16x8xf32>
    %y = llm.mul %a, %u : tensor<?x16xf32>
    return %y : tensor<?x16xf32>
  }
}

// -----

// CHECK-LABEL: module @negative_fuse_gate_up_gate_is_read
// CHECK-NOT: llm.glu
// CHECK: llm.mul
module @negative_fuse_gate_up_gate_is_read {
  llm.param @up : tensor<16x8xf32> from [[#llm.source<"up", file = "m", offset = 0, type = tensor<16x8xf32>>]]
  llm.param @gate : tensor<16x8xf32> from [[#llm.source<"gate", file = "m", offset = 512, type = tensor<16x8xf32>>]]
  func.func @step(%x: tensor<?x8xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>) {
    %wg = llm.get_param @gate : tensor<16x8xf32>
    %g = llm.linear %x, %wg {compute = f32} : tensor<?x8xf32>, tensor<16x8xf32>
    %a = llm.silu %g : tensor<?x16xf32>
    %wu = llm.get_param @up : tensor<16x8xf32>
    %u = llm.linear %x, %wu {compute = f32} : tensor<?x8xf32>, tensor<16x8xf32>
    %y = llm.mul %a, %u : tensor<?x16xf32>
    return %y, %g : tensor<?x16xf32>, tensor<?x16xf32>
  }
}
