// RUN: smelt-opt %s --split-input-file --llm-assign-formats --verify-diagnostics | FileCheck %s

// CHECK-LABEL: module @bf16_rounds_matrices
module @bf16_rounds_matrices attributes {llm.compute = bf16} {
  // CHECK: llm.param @w {{.*}} format <bf16>
  llm.param @w : tensor<8x4xf32> from [[#llm.source<"w", file = "m.safetensors", offset = 0, type = tensor<8x4xf32>>]]
  // CHECK: llm.param @b {{.*}} format <f32>
  llm.param @b : tensor<8xf32> from [[#llm.source<"b", file = "m.safetensors", offset = 128, type = tensor<8xbf16>>]] recipe [#llm.cast<f32>]
  // CHECK: llm.param @kept {{.*}} format <f16>
  llm.param @kept : tensor<8x4xf32> from [[#llm.source<"w", file = "m.safetensors", offset = 0, type = tensor<8x4xf32>>]] format <f16>
}

// -----

// CHECK-LABEL: module @f32_keeps_what_is_stored
module @f32_keeps_what_is_stored attributes {llm.compute = f32} {
  // CHECK: llm.param @f16 {{.*}} format <f16>
  llm.param @f16 : tensor<8x4xf16> from [[#llm.source<"w", file = "m.safetensors", offset = 0, type = tensor<8x4xf16>>]]
  // CHECK: llm.param @bf16 {{.*}} format <bf16>
  llm.param @bf16 : tensor<8x4xbf16> from [[#llm.source<"w", file = "m.safetensors", offset = 0, type = tensor<8x4xbf16>>]]
  // CHECK: llm.param @f32 {{.*}} format <f32>
  llm.param @f32 : tensor<8x4xf32> from [[#llm.source<"w", file = "m.safetensors", offset = 0, type = tensor<8x4xf32>>]]
}

// -----

// expected-error@+1 {{expects module attribute llm.compute to be f32 or bf16}}
module @negative_no_compute {
}

// -----

module @negative_f64 attributes {llm.compute = f32} {
  // expected-error@+1 {{expects elements that a format stores, got 'tensor<8xf64>'}}
  llm.param @w : tensor<8xf64> from [[#llm.source<"w", file = "m.safetensors", offset = 0, type = tensor<8xf64>>]]
}
