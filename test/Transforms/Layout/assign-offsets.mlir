// RUN: smelt-opt %s --split-input-file --llm-assign-offsets --verify-diagnostics | FileCheck %s

// Single params first, then layer after layer.
// CHECK-LABEL: module @blocks
module @blocks {
  // CHECK: @layers.w {{.*}} at 128 stride 192
  llm.param @layers.w : tensor<8x4xf32> from [[#llm.source<"0.w", file = "m", offset = 0, type = tensor<8x4xf32>>], [#llm.source<"1.w", file = "m", offset = 0, type = tensor<8x4xf32>>]] format <f32> layout <rows>
  // CHECK: @embed {{.*}} at 0 stride 64
  llm.param @embed : tensor<3x4xf32> from [[#llm.source<"e", file = "m", offset = 0, type = tensor<3x4xf32>>]] format <f32> layout <rows>
  // CHECK: @layers.b {{.*}} at 256 stride 192
  llm.param @layers.b : tensor<8xf32> from [[#llm.source<"0.b", file = "m", offset = 0, type = tensor<8xf32>>], [#llm.source<"1.b", file = "m", offset = 0, type = tensor<8xf32>>]] format <f32> layout <rows>
  // CHECK: @norm {{.*}} at 64 stride 64
  llm.param @norm : tensor<4xf32> from [[#llm.source<"n", file = "m", offset = 0, type = tensor<4xf32>>]] format <f32> layout <rows>
  // A second block begins behind all layers of the first: 128 + 2 * 192.
  // CHECK: @local.w {{.*}} at 512 stride 64
  llm.param @local.w : tensor<4xf32> from [[#llm.source<"0.n", file = "m", offset = 0, type = tensor<4xf32>>], [#llm.source<"1.n", file = "m", offset = 0, type = tensor<4xf32>>]] format <f32> layout <rows>
}

// -----

// A panel is stored with its padding: 2 * 2 panels of 32 * 2 * 2 bytes.
// CHECK-LABEL: module @padding
module @padding {
  // CHECK: @w {{.*}} at 0 stride 512
  llm.param @w : tensor<33x3xf32> from [[#llm.source<"w", file = "m", offset = 0, type = tensor<33x3xf32>>]] format <bf16> layout <panel, n = 32, k = 2>
  // CHECK: @v {{.*}} at 512 stride 64
  llm.param @v : tensor<1xf32> from [[#llm.source<"v", file = "m", offset = 0, type = tensor<1xf32>>]] format <f32> layout <rows>
}

// -----

module @negative_overflow {
  // expected-error@+1 {{expects at most 281474976710656 bytes}}
  llm.param @w : tensor<4294967296x4294967296xf32> from [[#llm.source<"w", file = "m", offset = 0, type = tensor<4294967296x4294967296xf32>>]] format <f32> layout <rows>
}
