// RUN: smelt-opt %s --split-input-file --llm-assign-layouts --verify-diagnostics | FileCheck %s

// CHECK-LABEL: module @weights_are_panels
module @weights_are_panels attributes {llm.target = "avx512"} {
  // CHECK: llm.param @bf16 {{.*}} layout <panel, n = 32, k = 2>
  llm.param @bf16 : tensor<8x4xf32> from [[#llm.source<"w", file = "m.safetensors", offset = 0, type = tensor<8x4xf32>>]] format <bf16>
  // CHECK: llm.param @f16 {{.*}} layout <panel, n = 32, k = 1>
  llm.param @f16 : tensor<4x8xf16> from [[#llm.source<"w", file = "m.safetensors", offset = 0, type = tensor<4x8xf16>>]] format <f16>
  // CHECK: llm.param @tied {{.*}} layout <panel, n = 32, k = 1>
  llm.param @tied : tensor<9x4xf32> from [[#llm.source<"w", file = "m.safetensors", offset = 0, type = tensor<9x4xf32>>]] format <f32>
  // CHECK: llm.param @table {{.*}} layout <rows>
  llm.param @table : tensor<9x4xf32> from [[#llm.source<"w", file = "m.safetensors", offset = 0, type = tensor<9x4xf32>>]] format <f32>
  // CHECK: llm.param @bias {{.*}} layout <rows>
  llm.param @bias : tensor<8xf32> from [[#llm.source<"b", file = "m.safetensors", offset = 0, type = tensor<8xf32>>]] format <f32>
  func.func @step(%ids: tensor<?xi32>) -> tensor<?x9xf32> {
    %tied = llm.get_param @tied : tensor<9x4xf32>
    %table = llm.get_param @table : tensor<9x4xf32>
    %a = llm.embedding %ids, %tied : tensor<?xi32>, tensor<9x4xf32>
    %b = llm.embedding %ids, %table : tensor<?xi32>, tensor<9x4xf32>
    %c = llm.add %a, %b : tensor<?x4xf32>
    %w = llm.get_param @bf16 : tensor<8x4xf32>
    %bias = llm.get_param @bias : tensor<8xf32>
    %d = llm.linear %c, %w bias %bias {compute = bf16} : tensor<?x4xf32>, tensor<8x4xf32> bias tensor<8xf32>
    %v = llm.get_param @f16 : tensor<4x8xf16>
    %e = llm.linear %d, %v {compute = f32} : tensor<?x8xf32>, tensor<4x8xf16>
    %f = llm.linear %e, %tied {compute = f32} : tensor<?x4xf32>, tensor<9x4xf32>
    return %f : tensor<?x9xf32>
  }
}

// -----

// What a register tile of another target covers in one pass is less wide.
// CHECK-LABEL: module @narrow_panels
module @narrow_panels attributes {llm.target = "avx2"} {
  // CHECK: llm.param @w {{.*}} layout <panel, n = 16, k = 2>
  llm.param @w : tensor<8x4xf32> from [[#llm.source<"w", file = "m.safetensors", offset = 0, type = tensor<8x4xf32>>]] format <bf16>
  func.func @step(%x: tensor<?x4xf32>) -> tensor<?x8xf32> {
    %w = llm.get_param @w : tensor<8x4xf32>
    %y = llm.linear %x, %w {compute = bf16} : tensor<?x4xf32>, tensor<8x4xf32>
    return %y : tensor<?x8xf32>
  }
}

// -----

// expected-error@+1 {{expects the module to name a target in llm.target}}
module @negative_no_target {
}

// -----

// expected-error@+1 {{expects llm.target to be the name of a target record, got 'avx3'}}
module @negative_unknown_target attributes {llm.target = "avx3"} {
}
