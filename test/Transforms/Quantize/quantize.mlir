// RUN: smelt-opt %s --split-input-file --llm-quantize --llm-assign-formats --verify-diagnostics | FileCheck %s

// CHECK-LABEL: module @rules
module @rules attributes {llm.compute = bf16, llm.quantize = [#llm.quantize<"*", w4a8>, #llm.quantize<"layers.*", w8a8t>, #llm.quantize<"head", bf16>]} {
  // CHECK: llm.param @w {{.*}} format <int4_g32>
  llm.param @w : tensor<8x4xf32> from [[#llm.source<"w", file = "f", offset = 0, type = tensor<8x4xf32>>]]
  // CHECK: llm.param @layers.w {{.*}} format <int8_channel>
  llm.param @layers.w : tensor<8x4xf32> from [[#llm.source<"w", file = "f", offset = 0, type = tensor<8x4xf32>>]]
  // CHECK: llm.param @head {{.*}} format <bf16>
  llm.param @head : tensor<8x4xf32> from [[#llm.source<"w", file = "f", offset = 0, type = tensor<8x4xf32>>]]
  // CHECK: llm.param @bias {{.*}} format <f32>
  llm.param @bias : tensor<8xf32> from [[#llm.source<"b", file = "f", offset = 128, type = tensor<8xf32>>]]
  // A table that only an embedding reads.
  // CHECK: llm.param @table {{.*}} format <int8_g32>
  llm.param @table : tensor<8x4xf32> from [[#llm.source<"t", file = "f", offset = 0, type = tensor<8x4xf32>>]]
  // A table that is a weight too.
  // CHECK: llm.param @tied {{.*}} format <int4_g32>
  llm.param @tied : tensor<8x4xf32> from [[#llm.source<"t", file = "f", offset = 0, type = tensor<8x4xf32>>]]
  // CHECK: llm.param @kept {{.*}} format <f16>
  llm.param @kept : tensor<8x4xf32> from [[#llm.source<"w", file = "f", offset = 0, type = tensor<8x4xf32>>]] format <f16>

  func.func @f(%x: tensor<?x4xf32>, %ids: tensor<?xi32>)
      -> (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32>) {
    %w = llm.get_param @w : tensor<8x4xf32>
    %bias = llm.get_param @bias : tensor<8xf32>
    // CHECK: llm.linear {{.*}} bias {{.*}} {activation = #llm.activation<int8_g32>, compute = bf16}
    %0 = llm.linear %x, %w bias %bias {compute = bf16} : tensor<?x4xf32>, tensor<8x4xf32> bias tensor<8xf32>
    %lw = llm.get_param @layers.w : tensor<8x4xf32>
    // CHECK: llm.linear {{.*}} {activation = #llm.activation<int8_token>, compute = bf16}
    %1 = llm.linear %x, %lw {compute = bf16} : tensor<?x4xf32>, tensor<8x4xf32>
    %head = llm.get_param @head : tensor<8x4xf32>
    // CHECK: llm.linear {{.*}} {compute = bf16}
    %2 = llm.linear %x, %head {compute = bf16} : tensor<?x4xf32>, tensor<8x4xf32>
    %tied = llm.get_param @tied : tensor<8x4xf32>
    // CHECK: llm.linear {{.*}} {activation = #llm.activation<int8_g32>, compute = bf16}
    %3 = llm.linear %x, %tied {compute = bf16} : tensor<?x4xf32>, tensor<8x4xf32>
    %kept = llm.get_param @kept : tensor<8x4xf32>
    // CHECK: llm.linear {{.*}} {compute = bf16}
    %4 = llm.linear %x, %kept {compute = bf16} : tensor<?x4xf32>, tensor<8x4xf32>
    %table = llm.get_param @table : tensor<8x4xf32>
    %5 = llm.embedding %ids, %table : tensor<?xi32>, tensor<8x4xf32>
    %6 = llm.embedding %ids, %tied : tensor<?xi32>, tensor<8x4xf32>
    return %0, %1, %2, %3, %4, %5, %6 : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32>
  }
}

// -----

// Without rules nothing is quantised.

// CHECK-LABEL: module @no_rules
module @no_rules attributes {llm.compute = f32} {
  // CHECK: llm.param @w {{.*}} format <f32>
  llm.param @w : tensor<8x4xf32> from [[#llm.source<"w", file = "f", offset = 0, type = tensor<8x4xf32>>]]
  func.func @f(%x: tensor<?x4xf32>) -> tensor<?x8xf32> {
    %w = llm.get_param @w : tensor<8x4xf32>
    // CHECK: llm.linear {{.*}} {compute = f32}
    %0 = llm.linear %x, %w {compute = f32} : tensor<?x4xf32>, tensor<8x4xf32>
    return %0 : tensor<?x8xf32>
  }
}

// -----

// expected-error@+1 {{unknown scheme or format 'w3a8'}}
module @negative_scheme attributes {llm.quantize = [#llm.quantize<"*", w3a8>]} {
}

// -----

// expected-error@+1 {{expects a glob, got '[a'}}
module @negative_glob attributes {llm.quantize = [#llm.quantize<"[a", w4a8>]} {
}

// -----

// expected-error@+1 {{expects llm.quantize to hold rules, got 4 : i64}}
module @negative_rule attributes {llm.compute = f32, llm.quantize = [4]} {
  llm.param @w : tensor<8x4xf32> from [[#llm.source<"w", file = "f", offset = 0, type = tensor<8x4xf32>>]]
  func.func @f(%x: tensor<?x4xf32>) -> tensor<?x8xf32> {
    %w = llm.get_param @w : tensor<8x4xf32>
    %0 = llm.linear %x, %w {compute = f32} : tensor<?x4xf32>, tensor<8x4xf32>
    return %0 : tensor<?x8xf32>
  }
}
