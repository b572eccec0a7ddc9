// RUN: smelt-opt %s -smelt-name-ops -mlir-print-debuginfo -mlir-print-local-scope | FileCheck %s

llm.param @layers.q : tensor<8x8xf32> from
    [[#llm.source<"q", file = "m.safetensors", offset = 0, type = tensor<8x8xf32>>]]
llm.param @layers.norm1 : tensor<8xf32> from
    [[#llm.source<"n", file = "m.safetensors", offset = 256, type = tensor<8xf32>>]]

// By the weight where there is one, else by function and op; no name twice.
// CHECK-LABEL: func.func private @layers
func.func private @layers(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // CHECK: llm.get_param @layers.norm1 {{.*}} loc("{{.*}}name-ops.mlir":
  %w = llm.get_param @layers.norm1 : tensor<8xf32>
  // CHECK: llm.rms_norm {{.*}} loc("layers.norm1"("{{.*}}name-ops.mlir":
  %n = llm.rms_norm %x weight %w {eps = 1.0e-6 : f32} : tensor<?x8xf32> weight tensor<8xf32>
  %q = llm.get_param @layers.q : tensor<8x8xf32>
  // CHECK: llm.linear {{.*}} loc("layers.q"("
  %y = llm.linear %n, %q {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
  // CHECK: llm.rms_norm {{.*}} loc("layers.rms_norm"("
  %z = llm.rms_norm %y {eps = 1.0e-6 : f32} : tensor<?x8xf32>
  // CHECK: llm.silu {{.*}} loc("layers.silu"("
  %u = llm.silu %z : tensor<?x8xf32>
  // CHECK: llm.silu {{.*}} loc("layers.silu.2"("
  %v = llm.silu %u : tensor<?x8xf32>
  return %v : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @step
func.func @step(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // CHECK: llm.silu {{.*}} loc("silu"("
  %u = llm.silu %x : tensor<?x8xf32>
  return %u : tensor<?x8xf32>
}
