// RUN: smelt-opt %s -llm-fuse-qkv -split-input-file | FileCheck %s

// The rows of the params are stacked; every result is a slice of columns.
// CHECK-LABEL: module @fuse_qkv_gqa_bf16
// CHECK: llm.param @layers.0.qkv : tensor<16x8xbf16> from
// CHECK-SAME: #llm.source<"q", {{.*}}>, #llm.source<"k", {{.*}}>, #llm.source<"v"
// CHECK-SAME: recipe [#llm.concat<parts = 3>]
// CHECK-NOT: llm.param
// CHECK: %[[W:.+]] = llm.get_param @layers.0.qkv
// CHECK: %[[Y:.+]] = llm.linear %arg0, %[[W]] {compute = bf16}
// CHECK: %[[M:.+]] = tensor.dim %[[Y]]
// CHECK: %[[Q:.+]] = tensor.extract_slice %[[Y]][0, 0] [%[[M]], 8] [1, 1]
// CHECK: %[[K:.+]] = tensor.extract_slice %[[Y]][0, 8] [%[[M]], 4] [1, 1]
// CHECK: %[[V:.+]] = tensor.extract_slice %[[Y]][0, 12] [%[[M]], 4] [1, 1]
// CHECK: return %[[Q]], %[[K]], %[[V]]
module @fuse_qkv_gqa_bf16 {
  llm.param @layers.0.q : tensor<8x8xbf16> from [[#llm.source<"q", file = "m", offset = 0, type = tensor<8x8xbf16>>]]
  llm.param @layers.0.k : tensor<4x8xbf16> from [[#llm.source<"k", file = "m", offset = 128, type = tensor<4x8xbf16>>]]
  llm.param @layers.0.v : tensor<4x8xbf16> from [[#llm.source<"v", file = "m", offset = 192, type = tensor<4x8xbf16>>]]
  func.func @step(%x: tensor<?x8xf32>) -> (tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32>) {
    %wq = llm.get_param @layers.0.q : tensor<8x8xbf16>
    %q = llm.linear %x, %wq {compute = bf16} : tensor<?x8xf32>, tensor<8x8xbf16>
    %wk = llm.get_param @layers.0.k : tensor<4x8xbf16>
    %k = llm.linear %x, %wk {compute = bf16} : tensor<?x8xf32>, tensor<4x8xbf16>
    %wv = llm.get_param @layers.0.v : tensor<4x8xbf16>
    %v = llm.linear %x, %wv {compute = bf16} : tensor<?x8xf32>, tensor<4x8xbf16>
    return %q, %k, %v : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32>
  }
}

// -----

// Conversions stay behind the concatenation; biases are stacked as well.
// CHECK-LABEL: module @fuse_qkv_biases
// CHECK: llm.param @qk : tensor<12x8xf32>
// CHECK-SAME: recipe [#llm.concat<parts = 2>]
// CHECK: llm.param @qk.bias : tensor<12xf32>
// CHECK-SAME: recipe [#llm.concat<parts = 2>, #llm.cast<f32>]
// CHECK-NOT: llm.param
// CHECK: llm.linear %arg0, %{{.+}} bias %{{.+}} {compute = f32} : tensor<?x8xf32>, tensor<12x8xf32> bias tensor<12xf32>
// CHECK-NOT: llm.linear
module @fuse_qkv_biases {
  llm.param @q : tensor<8x8xf32> from [[#llm.source<"q", file = "m", offset = 0, type = tensor<8x8xf32>>]]
  llm.param @k : tensor<4x8xf32> from [[#llm.source<"k", file = "m", offset = 256, type = tensor<4x8xf32>>]]
  llm.param @q.bias : tensor<8xf32> from [[#llm.source<"qb", file = "m", offset = 0, type = tensor<8xbf16>>]] recipe [#llm.cast<f32>]
  llm.param @k.bias : tensor<4xf32> from [[#llm.source<"kb", file = "m", offset = 16, type = tensor<4xbf16>>]] recipe [#llm.cast<f32>]
  func.func @step(%x: tensor<?x8xf32>) -> (tensor<?x8xf32>, tensor<?x4xf32>) {
    %wq = llm.get_param @q : tensor<8x8xf32>
    %bq = llm.get_param @q.bias : tensor<8xf32>
    %q = llm.linear %x, %wq bias %bq {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32> bias tensor<8xf32>
    %wk = llm.get_param @k : tensor<4x8xf32>
    %bk = llm.get_param @k.bias : tensor<4xf32>
    %k = llm.linear %x, %wk bias %bk {compute = f32} : tensor<?x8xf32>, tensor<4x8xf32> bias tensor<4xf32>
    return %q, %k : tensor<?x8xf32>, tensor<?x4xf32>
  }
}

// -----

// Another element type, another presence of bias: not one linear.
// CHECK-LABEL: module @negative_fuse_qkv_mixed
// CHECK-COUNT-3: llm.linear
// CHECK-NOT: extract_slice
module @negative_fuse_qkv_mixed {
  llm.param @q : tensor<8x8xf32> from [[#llm.source<"q", file = "m", offset = 0, type = tensor<8x8xf32>>]]
  llm.param @k : tensor<8x8xbf16> from [[#llm.source<"k", file = "m", offset = 256, type = tensor<8x8xbf16>>]]
  llm.param @v : tensor<8x8xf32> from [[#llm.source<"v", file = "m", offset = 384, type = tensor<8x8xf32>>]]
  llm.param @b : tensor<8xf32> from [[#llm.source<"b", file = "m", offset = 640, type = tensor<8xf32>>]]
  func.func @step(%x: tensor<?x8xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) {
    %wq = llm.get_param @q : tensor<8x8xf32>
    %q = llm.linear %x, %wq {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %wk = llm.get_param @k : tensor<8x8xbf16>
    %k = llm.linear %x, %wk {compute = f32} : tensor<?x8xf32>, tensor<8x8xbf16>
    %wv = llm.get_param @v : tensor<8x8xf32>
    %b = llm.get_param @b : tensor<8xf32>
    %v = llm.linear %x, %wv bias %b {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32> bias tensor<8xf32>
    return %q, %k, %v : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
  }
}

// -----

// A param that others read would be stored twice.
// CHECK-LABEL: module @negative_fuse_qkv_tied
// CHECK-COUNT-2: llm.linear
// CHECK-NOT: extract_slice
module @negative_fuse_qkv_tied {
  llm.param @embed : tensor<8x8xf32> from [[#llm.source<"e", file = "m", offset = 0, type = tensor<8x8xf32>>]]
  llm.param @k : tensor<8x8xf32> from [[#llm.source<"k", file = "m", offset = 256, type = tensor<8x8xf32>>]]
  func.func @step(%ids: tensor<?xi32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
    %e = llm.get_param @embed : tensor<8x8xf32>
    %x = llm.embedding %ids, %e : tensor<?xi32>, tensor<8x8xf32>
    %q = llm.linear %x, %e {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %wk = llm.get_param @k : tensor<8x8xf32>
    %k = llm.linear %x, %wk {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    return %q, %k : tensor<?x8xf32>, tensor<?x8xf32>
  }
}

// -----

// Rows of a transposed tensor are its columns: `concat` can't stack them.
// CHECK-LABEL: module @negative_fuse_qkv_transposed
// CHECK-COUNT-2: llm.linear
// CHECK-NOT: extract_slice
module @negative_fuse_qkv_transposed {
  llm.param @q : tensor<8x8xf32> from [[#llm.source<"q", file = "m", offset = 0, type = tensor<8x8xf32>>]] recipe [#llm.transpose]
  llm.param @k : tensor<8x8xf32> from [[#llm.source<"k", file = "m", offset = 256, type = tensor<8x8xf32>>]] recipe [#llm.transpose]
  func.func @step(%x: tensor<?x8xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
    %wq = llm.get_param @q : tensor<8x8xf32>
    %q = llm.linear %x, %wq {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %wk = llm.get_param @k : tensor<8x8xf32>
    %k = llm.linear %x, %wk {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    return %q, %k : tensor<?x8xf32>, tensor<?x8xf32>
  }
}
