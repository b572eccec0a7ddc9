// RUN: smelt-opt %s | smelt-opt | FileCheck %s

// CHECK: llm.param @norm : tensor<8xf32> from
// CHECK-SAME: recipe [#llm.cast<f32>]
llm.param @norm : tensor<8xf32> from
    [[#llm.source<"norm.weight", file = "model.safetensors", offset = 64, type = tensor<8xbf16>>]]
    recipe [#llm.cast<f32>]

// Two instances of three sources: parts padded to 4 rows, columns scaled.
// CHECK: llm.param @layers.qk : tensor<8x4xf32> from
// CHECK-SAME: recipe [#llm.concat<parts = 2, align = 4>, #llm.scale_columns<by = 2>]
// CHECK-SAME: format <f32> layout <panel, n = 32, k = 1> at 128 stride 1024
llm.param @layers.qk : tensor<8x4xf32> from
    [[#llm.source<"0.q", file = "a", offset = 0, type = tensor<4x4xbf16>>,
      #llm.source<"0.k", file = "a", offset = 32, type = tensor<3x4xbf16>>,
      #llm.source<"0.norm", file = "a", offset = 56, type = tensor<4xbf16>>],
     [#llm.source<"1.q", file = "b", offset = 0, type = tensor<4x4xbf16>>,
      #llm.source<"1.k", file = "b", offset = 32, type = tensor<3x4xbf16>>,
      #llm.source<"1.norm", file = "b", offset = 56, type = tensor<4xbf16>>]]
    recipe [#llm.concat<parts = 2, align = 4>, #llm.scale_columns<by = 2>]
    format <f32> layout <panel, n = 32, k = 1> at 128 stride 1024

// CHECK: llm.param @turned : tensor<3x2xf16>
// CHECK-SAME: recipe [#llm.transpose]
// CHECK-SAME: layout <rows>
llm.param @turned : tensor<3x2xf16> from
    [[#llm.source<"w", file = "a", offset = 0, type = tensor<2x3xf16>>]]
    recipe [#llm.transpose] layout <rows>

// CHECK-LABEL: func @get_param
func.func @get_param(%layer: index) -> (tensor<8xf32>, tensor<8x4xf32>) {
  // CHECK: llm.get_param @norm : tensor<8xf32>
  %0 = llm.get_param @norm : tensor<8xf32>
  // CHECK: llm.get_param @layers.qk[%{{.*}}] : tensor<8x4xf32>
  %1 = llm.get_param @layers.qk[%layer] : tensor<8x4xf32>
  return %0, %1 : tensor<8xf32>, tensor<8x4xf32>
}

// CHECK-LABEL: func @rows
func.func @rows(%ids: tensor<?xi32>, %rows: tensor<?xi32>, %table: tensor<32x8xbf16>)
    -> tensor<?x8xf32> {
  // CHECK: llm.embedding %{{.*}}, %{{.*}} : tensor<?xi32>, tensor<32x8xbf16>
  %0 = llm.embedding %ids, %table : tensor<?xi32>, tensor<32x8xbf16>
  // CHECK: llm.gather_rows %{{.*}}, %{{.*}} : tensor<?x8xf32>, tensor<?xi32>
  %1 = llm.gather_rows %0, %rows : tensor<?x8xf32>, tensor<?xi32>
  return %1 : tensor<?x8xf32>
}

// CHECK-LABEL: func @linear
func.func @linear(%x: tensor<?x8xf32>, %w: tensor<16x8xf16>, %b: tensor<16xf32>,
                  %r: tensor<?x16xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>) {
  // CHECK: llm.linear %{{.*}}, %{{.*}} {compute = f32} : tensor<?x8xf32>, tensor<16x8xf16>
  %0 = llm.linear %x, %w {compute = f32} : tensor<?x8xf32>, tensor<16x8xf16>
  // CHECK: llm.linear %{{.*}}, %{{.*}} bias %{{.*}} {compute = bf16} : tensor<?x8xf32>, tensor<16x8xf16> bias tensor<16xf32>
  %1 = llm.linear %x, %w bias %b {compute = bf16} : tensor<?x8xf32>, tensor<16x8xf16> bias tensor<16xf32>
  // CHECK: llm.linear {{.*}} bias %{{.*}} residual %{{.*}} {compute = f32}
  %2 = llm.linear %x, %w bias %b residual %r {compute = f32}
      : tensor<?x8xf32>, tensor<16x8xf16> bias tensor<16xf32> residual tensor<?x16xf32>
  return %0, %1, %2 : tensor<?x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>
}

// CHECK-LABEL: func @norms
func.func @norms(%x: tensor<?x8xf32>, %w: tensor<8xf32>, %b: tensor<8xf32>) -> tensor<?x8xf32> {
  // CHECK: llm.rms_norm %{{.*}} {eps = {{.*}} : f32} : tensor<?x8xf32>
  %0 = llm.rms_norm %x {eps = 1.0e-6 : f32} : tensor<?x8xf32>
  // CHECK: llm.rms_norm %{{.*}} weight %{{.*}} {eps = {{.*}} : f32} : tensor<?x8xf32> weight tensor<8xf32>
  %1 = llm.rms_norm %0 weight %w {eps = 1.0e-6 : f32} : tensor<?x8xf32> weight tensor<8xf32>
  // CHECK: llm.layer_norm %{{.*}}, %{{.*}}, %{{.*}} {eps = {{.*}} : f32} : tensor<?x8xf32>, tensor<8xf32>
  %2 = llm.layer_norm %1, %w, %b {eps = 1.0e-12 : f32} : tensor<?x8xf32>, tensor<8xf32>
  // CHECK: llm.normalize %{{.*}} : tensor<?x8xf32>
  %3 = llm.normalize %2 : tensor<?x8xf32>
  return %3 : tensor<?x8xf32>
}

// CHECK-LABEL: func @elementwise
func.func @elementwise(%x: tensor<?x8xf32>) -> tensor<?x4xf32> {
  // CHECK: llm.add %{{.*}}, %{{.*}} : tensor<?x8xf32>
  %0 = llm.add %x, %x : tensor<?x8xf32>
  // CHECK: llm.mul %{{.*}}, %{{.*}} : tensor<?x8xf32>
  %1 = llm.mul %0, %x : tensor<?x8xf32>
  // CHECK: llm.silu %{{.*}} : tensor<?x8xf32>
  %2 = llm.silu %1 : tensor<?x8xf32>
  // CHECK: llm.gelu %{{.*}} : tensor<?x8xf32>
  %3 = llm.gelu %2 : tensor<?x8xf32>
  // CHECK: llm.gelu_tanh %{{.*}} : tensor<?x8xf32>
  %4 = llm.gelu_tanh %3 : tensor<?x8xf32>
  // CHECK: llm.relu %{{.*}} : tensor<?x8xf32>
  %5 = llm.relu %4 : tensor<?x8xf32>
  // CHECK: llm.glu %{{.*}} {activation = "silu"} : tensor<?x8xf32>
  %6 = llm.glu %5 {activation = "silu"} : tensor<?x8xf32>
  return %6 : tensor<?x4xf32>
}

// CHECK-LABEL: func @rope
func.func @rope(%x: tensor<?x8xf32>, %positions: tensor<?xi32>, %f: tensor<2xf32>) -> tensor<?x8xf32> {
  // CHECK: llm.rope %{{.*}}, %{{.*}} {base = 1.000000e+04 : f64, heads = 2 : i64} : tensor<?x8xf32>, tensor<?xi32>
  %0 = llm.rope %x, %positions {heads = 2 : i64, base = 1.0e4 : f64} : tensor<?x8xf32>, tensor<?xi32>
  // CHECK: llm.rope {{.*}} scaling = {factor = 4.000000e+00 : f64, type = "linear"}
  %1 = llm.rope %0, %positions {heads = 2 : i64, base = 1.0e4 : f64,
      scaling = {type = "linear", factor = 4.0 : f64}} : tensor<?x8xf32>, tensor<?xi32>
  // CHECK: llm.rope_table %{{.*}}, %{{.*}} : tensor<?xi32>, tensor<2xf32>
  %cos, %sin = llm.rope_table %positions, %f : tensor<?xi32>, tensor<2xf32>
  // CHECK: llm.rotate %{{.*}}, %{{.*}}, %{{.*}} {heads = 2 : i64} : tensor<?x8xf32>, tensor<?x2xf32>
  %2 = llm.rotate %1, %cos, %sin {heads = 2 : i64} : tensor<?x8xf32>, tensor<?x2xf32>
  return %2 : tensor<?x8xf32>
}

!kv = !llm.kv<layers = 2, heads = 1, size = 4, type = bf16>
// CHECK: func.func private @integers(!llm.kv<layers = 2, heads = 1, size = 4, type = int8>)
func.func private @integers(!llm.kv<layers = 2, heads = 1, size = 4, type = int8>)

// CHECK-LABEL: func @cache
func.func @cache(%kv: !kv, %layer: index, %q: tensor<?x8xf32>, %k: tensor<?x4xf32>,
                 %v: tensor<?x4xf32>, %slots: tensor<?xi32>, %positions: tensor<?xi32>)
    -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  // CHECK: llm.kv_append %{{.*}}[%{{.*}}], %{{.*}}, %{{.*}} at %{{.*}}, %{{.*}} : {{.*}}layers = 2, heads = 1, size = 4, type = bf16
  %k2, %v2 = llm.kv_append %kv[%layer], %k, %v at %slots, %positions : !kv, tensor<?x4xf32>, tensor<?xi32>
  // CHECK: llm.cached_attention %{{.*}}, %{{.*}}[%{{.*}}] at %{{.*}}, %{{.*}} {heads = 2 : i64, scale = 5.000000e-01 : f32}
  %0 = llm.cached_attention %q, %kv[%layer] at %slots, %positions {heads = 2 : i64, scale = 0.5 : f32}
      : tensor<?x8xf32>, !kv, tensor<?xi32>
  // CHECK: llm.cached_attention {{.*}} window = 16 : i64
  %1 = llm.cached_attention %q, %kv[%layer] at %slots, %positions
      {heads = 2 : i64, scale = 0.5 : f32, window = 16 : i64} : tensor<?x8xf32>, !kv, tensor<?xi32>
  return %0, %1 : tensor<?x8xf32>, tensor<?x8xf32>
}

// CHECK-LABEL: func @encoder
func.func @encoder(%q: tensor<?x8xf32>, %k: tensor<?x8xf32>, %v: tensor<?x8xf32>,
                   %begin: tensor<?xi32>, %end: tensor<?xi32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  // CHECK: llm.attention %{{.*}}, %{{.*}}, %{{.*}} in %{{.*}}, %{{.*}} {compute = f32, heads = 2 : i64, kv_heads = 2 : i64, scale = 5.000000e-01 : f32}
  %0 = llm.attention %q, %k, %v in %begin, %end
      {heads = 2 : i64, kv_heads = 2 : i64, scale = 0.5 : f32, compute = f32}
      : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>
  // CHECK: llm.pool %{{.*}} in %{{.*}}, %{{.*}} {mode = "mean"} : tensor<?x8xf32>, tensor<?xi32>
  %1 = llm.pool %0 in %begin, %end {mode = "mean"} : tensor<?x8xf32>, tensor<?xi32>
  // CHECK: llm.pool {{.*}} {mode = "cls"}
  %2 = llm.pool %0 in %begin, %end {mode = "cls"} : tensor<?x8xf32>, tensor<?xi32>
  return %1, %2 : tensor<?x8xf32>, tensor<?x8xf32>
}
