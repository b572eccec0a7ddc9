// RUN: smelt-opt %s -llm-fold-norm-weights -split-input-file | FileCheck %s

// CHECK-LABEL: module @fold_norm_weights
// CHECK: llm.param @w : tensor<16x8xf32> from {{.*}}"w", {{.*}}#llm.source<"g"
// CHECK-SAME: recipe [#llm.scale_columns<by = 1>]
// CHECK: llm.param @u : tensor<16x8xf32> from {{.*}}"a", {{.*}}"b", {{.*}}#llm.source<"g"
// CHECK-SAME: recipe [#llm.concat<parts = 2>, #llm.scale_columns<by = 2>]
// CHECK-NOT: llm.param
// CHECK: llm.rms_norm %arg0 {eps
module @fold_norm_weights {
  llm.param @w : tensor<16x8xf32> from [[#llm.source<"w", file = "m", offset = 0, type = tensor<16x8xf32>>]]
  llm.param @u : tensor<16x8xf32> from [[#llm.source<"a", file = "m", offset = 0, type = tensor<9x8xf32>>, #llm.source<"b", file = "m", offset = 0, type = tensor<7x8xf32>>]] recipe [#llm.concat<parts = 2>]
  llm.param @g : tensor<8xf32> from [[#llm.source<"g", file = "m", offset = 0, type = tensor<8xbf16>>]] recipe [#llm.cast<f32>]
  func.func @step(%x: tensor<?x8xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>) {
    %g = llm.get_param @g : tensor<8xf32>
    %n = llm.rms_norm %x weight %g {eps = 1.0e-5 : f32} : tensor<?x8xf32> weight tensor<8xf32>
    %w = llm.get_param @w : tensor<16x8xf32>
    %y = llm.linear %n, %w {compute = f32} : tensor<?x8xf32>, tensor<16x8xf32>
    %u = llm.get_param @u : tensor<16x8xf32>
    %z = llm.linear %n, %u {compute = f32} : tensor<?x8xf32>, tensor<16x8xf32>
    return %y, %z : tensor<?x16xf32>, tensor<?x16xf32>
  }
}

// -----

// A product rounded to bf16 would be another number.
// CHECK-LABEL: module @negative_fold_norm_weights_bf16
// CHECK-NOT: scale_columns
// CHECK: llm.rms_norm %arg0 weight
module @negative_fold_norm_weights_bf16 {
  llm.param @w : tensor<16x8xbf16> from [[#llm.source<"w", file = "m", offset = 0, type = tensor<16x8xbf16>>]]
  llm.param @g : tensor<8xf32> from [[#llm.source<"g", file = "m", offset = 0, type = tensor<8xf32>>]]
  func.func @step(%x: tensor<?x8xf32>) -> tensor<?x16xf32> {
    %g = llm.get_param @g : tensor<8xf32>
    %n = llm.rms_norm %x weight %g {eps = 1.0e-5 : f32} : tensor<?x8xf32> weight tensor<8xf32>
    %w = llm.get_param @w : tensor<16x8xbf16>
    %y = llm.linear %n, %w {compute = f32} : tensor<?x8xf32>, tensor<16x8xbf16>
    return %y : tensor<?x16xf32>
  }
}

// -----

// Stored as f32, computed in bf16: the weight will be rounded.
// CHECK-LABEL: module @negative_fold_norm_weights_compute_bf16
// CHECK-NOT: scale_columns
// CHECK: llm.rms_norm %arg0 weight
module @negative_fold_norm_weights_compute_bf16 {
  llm.param @w : tensor<16x8xf32> from [[#llm.source<"w", file = "m", offset = 0, type = tensor<16x8xf32>>]]
  llm.param @g : tensor<8xf32> from [[#llm.source<"g", file = "m", offset = 0, type = tensor<8xf32>>]]
  func.func @step(%x: tensor<?x8xf32>) -> tensor<?x16xf32> {
    %g = llm.get_param @g : tensor<8xf32>
    %n = llm.rms_norm %x weight %g {eps = 1.0e-5 : f32} : tensor<?x8xf32> weight tensor<8xf32>
    %w = llm.get_param @w : tensor<16x8xf32>
    %y = llm.linear %n, %w {compute = bf16} : tensor<?x8xf32>, tensor<16x8xf32>
    return %y : tensor<?x16xf32>
  }
}

// -----

// CHECK-LABEL: module @negative_fold_norm_weights_tied
// CHECK-NOT: scale_columns
// CHECK: llm.rms_norm %{{.+}} weight
module @negative_fold_norm_weights_tied {
  llm.param @embed : tensor<16x8xf32> from [[#llm.source<"w", file = "m", offset = 0, type = tensor<16x8xf32>>]]
  llm.param @g : tensor<8xf32> from [[#llm.source<"g", file = "m", offset = 0, type = tensor<8xf32>>]]
  func.func @step(%ids: tensor<?xi32>) -> tensor<?x16xf32> {
    %w = llm.get_param @embed : tensor<16x8xf32>
    %x = llm.embedding %ids, %w : tensor<?xi32>, tensor<16x8xf32>
    %g = llm.get_param @g : tensor<8xf32>
    %n = llm.rms_norm %x weight %g {eps = 1.0e-5 : f32} : tensor<?x8xf32> weight tensor<8xf32>
    %y = llm.linear %n, %w {compute = f32} : tensor<?x8xf32>, tensor<16x8xf32>
    return %y : tensor<?x16xf32>
  }
}

// -----

// CHECK-LABEL: module @negative_fold_norm_weights_other_reader
// CHECK-NOT: scale_columns
// CHECK: llm.rms_norm %arg0 weight
module @negative_fold_norm_weights_other_reader {
  llm.param @w : tensor<16x8xf32> from [[#llm.source<"w", file = "m", offset = 0, type = tensor<16x8xf32>>]]
  llm.param @g : tensor<8xf32> from [[#llm.source<"g", file = "m", offset = 0, type = tensor<8xf32>>]]
  func.func @step(%x: tensor<?x8xf32>) -> (tensor<?x16xf32>, tensor<?x8xf32>) {
    %g = llm.get_param @g : tensor<8xf32>
    %n = llm.rms_norm %x weight %g {eps = 1.0e-5 : f32} : tensor<?x8xf32> weight tensor<8xf32>
    %w = llm.get_param @w : tensor<16x8xf32>
    %y = llm.linear %n, %w {compute = f32} : tensor<?x8xf32>, tensor<16x8xf32>
    return %y, %n : tensor<?x16xf32>, tensor<?x8xf32>
  }
}
