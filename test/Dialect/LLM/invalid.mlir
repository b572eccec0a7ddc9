// RUN: smelt-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{'llm.param' op expects at least one instance}}
llm.param @param_c4_no_instance : tensor<4xf32> from []

// -----

// expected-error @+1 {{'llm.param' op expects each instance to be an array of sources, got []}}
llm.param @param_c4_no_source : tensor<4xf32> from [[]]

// -----

// expected-error @+1 {{'llm.param' op expects instance 1 to have sources of the same types as instance 0}}
llm.param @param_c1 : tensor<4xf32> from
    [[#llm.source<"a", file = "f", offset = 0, type = tensor<4xf32>>],
     [#llm.source<"b", file = "f", offset = 16, type = tensor<5xf32>>]]

// -----

// expected-error @+1 {{'llm.param' op expects the recipe to yield 'tensor<4xf32>', got 'tensor<4xbf16>'}}
llm.param @param_c2_type : tensor<4xf32> from
    [[#llm.source<"a", file = "f", offset = 0, type = tensor<4xbf16>>]]

// -----

// expected-error @+1 {{'llm.param' op expects parts of concat to differ in rows only, got 'b' of 'tensor<4x3xf32>'}}
llm.param @param_c2_concat : tensor<8x2xf32> from
    [[#llm.source<"a", file = "f", offset = 0, type = tensor<4x2xf32>>,
      #llm.source<"b", file = "f", offset = 32, type = tensor<4x3xf32>>]]
    recipe [#llm.concat<parts = 2>]

// -----

// expected-error @+1 {{'llm.param' op expects concat to be the first step, of 1 to 1 parts}}
llm.param @param_c2_parts : tensor<8x2xf32> from
    [[#llm.source<"a", file = "f", offset = 0, type = tensor<4x2xf32>>]]
    recipe [#llm.concat<parts = 2>]

// -----

// expected-error @+1 {{'llm.param' op expects scale_columns to name a source with one element for each column}}
llm.param @param_c2_scale : tensor<4x2xf32> from
    [[#llm.source<"a", file = "f", offset = 0, type = tensor<4x2xf32>>,
      #llm.source<"b", file = "f", offset = 32, type = tensor<4xf32>>]]
    recipe [#llm.scale_columns<by = 1>]

// -----

// expected-error @+1 {{'llm.param' op expects a matrix for layout panel, got 'tensor<4xf32>'}}
llm.param @param_c3 : tensor<4xf32> from
    [[#llm.source<"a", file = "f", offset = 0, type = tensor<4xf32>>]] layout <panel, n = 32, k = 1>

// -----

func.func @get_param_c1_symbol() -> tensor<4xf32> {
  // expected-error @+1 {{'llm.get_param' op expects llm.param 'nowhere'}}
  %0 = llm.get_param @nowhere : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// expected-note @+1 {{the param is declared here}}
llm.param @p : tensor<4xf32> from [[#llm.source<"a", file = "f", offset = 0, type = tensor<4xf32>>]]
func.func @get_param_c1_type() -> tensor<5xf32> {
  // expected-error @+1 {{'llm.get_param' op expects result type 'tensor<4xf32>', got 'tensor<5xf32>'}}
  %0 = llm.get_param @p : tensor<5xf32>
  return %0 : tensor<5xf32>
}

// -----

llm.param @p : tensor<4xf32> from [[#llm.source<"a", file = "f", offset = 0, type = tensor<4xf32>>]]
func.func @get_param_c2(%layer: index) -> tensor<4xf32> {
  // expected-error @+1 {{'llm.get_param' op expects a layer if and only if the param has several instances, found 1}}
  %0 = llm.get_param @p[%layer] : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @linear_c1(%x: tensor<?x8xf32>, %w: tensor<16x9xf32>) -> tensor<?x16xf32> {
  // expected-error @+1 {{'llm.linear' op expects columns of x (8) to equal columns of weight (9)}}
  %0 = llm.linear %x, %w {compute = f32} : tensor<?x8xf32>, tensor<16x9xf32>
  return %0 : tensor<?x16xf32>
}

// -----

func.func @linear_c2(%x: tensor<?x8xf32>, %w: tensor<16x8xf32>, %b: tensor<8xf32>) -> tensor<?x16xf32> {
  // expected-error @+1 {{'llm.linear' op expects size of bias (8) to equal rows of weight (16)}}
  %0 = llm.linear %x, %w bias %b {compute = f32} : tensor<?x8xf32>, tensor<16x8xf32> bias tensor<8xf32>
  return %0 : tensor<?x16xf32>
}

// -----

func.func @linear_c3(%x: tensor<?x8xf32>, %w: tensor<16x8xf32>) -> tensor<?x16xf32> {
  // expected-error @+1 {{'llm.linear' op expects residual of type 'tensor<?x16xf32>', got 'tensor<?x8xf32>'}}
  %0 = llm.linear %x, %w residual %x {compute = f32} : tensor<?x8xf32>, tensor<16x8xf32> residual tensor<?x8xf32>
  return %0 : tensor<?x16xf32>
}

// -----

func.func @linear_compute(%x: tensor<?x8xf32>, %w: tensor<16x8xf32>) -> tensor<?x16xf32> {
  // expected-error @+1 {{'llm.linear' op expects compute f32 or bf16, got 'i8'}}
  %0 = llm.linear %x, %w {compute = i8} : tensor<?x8xf32>, tensor<16x8xf32>
  return %0 : tensor<?x16xf32>
}

// -----

func.func @rms_norm_c1(%x: tensor<?x8xf32>, %w: tensor<4xf32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{'llm.rms_norm' op expects size of weight (4) to equal columns of x (8)}}
  %0 = llm.rms_norm %x weight %w {eps = 1.0e-6 : f32} : tensor<?x8xf32> weight tensor<4xf32>
  return %0 : tensor<?x8xf32>
}

// -----

func.func @rms_norm_c2(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{'llm.rms_norm' op expects a finite eps of at least 0}}
  %0 = llm.rms_norm %x {eps = 0x7FC00000 : f32} : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

func.func @layer_norm_c1(%x: tensor<?x8xf32>, %w: tensor<4xf32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{'llm.layer_norm' op expects size of weight (4) to equal columns of x (8)}}
  %0 = llm.layer_norm %x, %w, %w {eps = 1.0e-6 : f32} : tensor<?x8xf32>, tensor<4xf32>
  return %0 : tensor<?x8xf32>
}

// -----

func.func @layer_norm_c2(%x: tensor<?x8xf32>, %w: tensor<8xf32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{'llm.layer_norm' op expects a finite eps of at least 0}}
  %0 = llm.layer_norm %x, %w, %w {eps = -1.0 : f32} : tensor<?x8xf32>, tensor<8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// [doc:invalid]
func.func @glu_c1(%x: tensor<?x7xf32>) -> tensor<?x3xf32> {
  // expected-error @+1 {{'llm.glu' op expects an even number of columns, got 7}}
  %0 = llm.glu %x {activation = "silu"} : tensor<?x7xf32>
  return %0 : tensor<?x3xf32>
}
// [/doc:invalid]

// -----

func.func @glu_c2(%x: tensor<?x8xf32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{'llm.glu' op expects activation silu, gelu, gelu_tanh or relu, got 'swoosh'}}
  %0 = llm.glu %x {activation = "swoosh"} : tensor<?x8xf32>
  return %0 : tensor<?x4xf32>
}

// -----

func.func @rope_c1(%x: tensor<?x9xf32>, %positions: tensor<?xi32>) -> tensor<?x9xf32> {
  // expected-error @+1 {{'llm.rope' op expects heads (3) to divide the columns of x (9) into an even head size}}
  %0 = llm.rope %x, %positions {heads = 3 : i64, base = 1.0e4 : f64} : tensor<?x9xf32>, tensor<?xi32>
  return %0 : tensor<?x9xf32>
}

// -----

func.func @rope_c2_base(%x: tensor<?x8xf32>, %positions: tensor<?xi32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{'llm.rope' op expects a positive base}}
  %0 = llm.rope %x, %positions {heads = 2 : i64, base = 0.0 : f64} : tensor<?x8xf32>, tensor<?xi32>
  return %0 : tensor<?x8xf32>
}

// -----

func.func @rope_c2_scaling(%x: tensor<?x8xf32>, %positions: tensor<?xi32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{'llm.rope' op expects scaling to have a positive float 'low_freq_factor'}}
  %0 = llm.rope %x, %positions {heads = 2 : i64, base = 1.0e4 : f64,
      scaling = {type = "llama3", factor = 4.0 : f64}} : tensor<?x8xf32>, tensor<?xi32>
  return %0 : tensor<?x8xf32>
}

// -----

func.func @rotate_c1(%x: tensor<?x8xf32>, %t: tensor<?x4xf32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{'llm.rotate' op expects columns of x (8) to be heads (2) * 2 * columns of cos (4)}}
  %0 = llm.rotate %x, %t, %t {heads = 2 : i64} : tensor<?x8xf32>, tensor<?x4xf32>
  return %0 : tensor<?x8xf32>
}

// -----

func.func @kv_append_c1(%kv: !llm.kv<layers = 1, heads = 2, size = 4, type = f32>, %layer: index,
                        %k: tensor<?x4xf32>, %i: tensor<?xi32>) {
  // expected-error @+1 {{'llm.kv_append' op expects columns of k (4) to be heads * size of the cache (2 * 4)}}
  llm.kv_append %kv[%layer], %k, %k at %i, %i
      : !llm.kv<layers = 1, heads = 2, size = 4, type = f32>, tensor<?x4xf32>, tensor<?xi32>
  return
}

// -----

func.func @cached_attention_c1(%kv: !llm.kv<layers = 1, heads = 2, size = 4, type = f32>, %layer: index,
                               %q: tensor<?x8xf32>, %i: tensor<?xi32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{'llm.cached_attention' op expects columns of q (8) to be heads * size of the cache (4 * 4)}}
  %0 = llm.cached_attention %q, %kv[%layer] at %i, %i {heads = 4 : i64, scale = 1.0 : f32}
      : tensor<?x8xf32>, !llm.kv<layers = 1, heads = 2, size = 4, type = f32>, tensor<?xi32>
  return %0 : tensor<?x8xf32>
}

// -----

func.func @cached_attention_c2(%kv: !llm.kv<layers = 1, heads = 2, size = 4, type = f32>, %layer: index,
                               %q: tensor<?x12xf32>, %i: tensor<?xi32>) -> tensor<?x12xf32> {
  // expected-error @+1 {{'llm.cached_attention' op expects kv heads (2) to divide query heads (3)}}
  %0 = llm.cached_attention %q, %kv[%layer] at %i, %i {heads = 3 : i64, scale = 1.0 : f32}
      : tensor<?x12xf32>, !llm.kv<layers = 1, heads = 2, size = 4, type = f32>, tensor<?xi32>
  return %0 : tensor<?x12xf32>
}

// -----

func.func @cached_attention_c3(%kv: !llm.kv<layers = 1, heads = 2, size = 4, type = f32>, %layer: index,
                               %q: tensor<?x8xf32>, %i: tensor<?xi32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{'llm.cached_attention' op expects a positive, finite scale and a positive window}}
  %0 = llm.cached_attention %q, %kv[%layer] at %i, %i {heads = 2 : i64, scale = 1.0 : f32, window = 0 : i64}
      : tensor<?x8xf32>, !llm.kv<layers = 1, heads = 2, size = 4, type = f32>, tensor<?xi32>
  return %0 : tensor<?x8xf32>
}

// -----

func.func @attention_c1(%q: tensor<?x8xf32>, %k: tensor<?x6xf32>, %i: tensor<?xi32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{'llm.attention' op expects columns of q (8) and k (6) to be heads (2) and kv heads (2) times one head size}}
  %0 = llm.attention %q, %k, %k in %i, %i {heads = 2 : i64, kv_heads = 2 : i64, scale = 1.0 : f32, compute = f32}
      : tensor<?x8xf32>, tensor<?x6xf32>, tensor<?xi32>
  return %0 : tensor<?x8xf32>
}

// -----

func.func @attention_c2(%q: tensor<?x12xf32>, %k: tensor<?x8xf32>, %i: tensor<?xi32>) -> tensor<?x12xf32> {
  // expected-error @+1 {{'llm.attention' op expects kv heads (2) to divide query heads (3)}}
  %0 = llm.attention %q, %k, %k in %i, %i {heads = 3 : i64, kv_heads = 2 : i64, scale = 1.0 : f32, compute = f32}
      : tensor<?x12xf32>, tensor<?x8xf32>, tensor<?xi32>
  return %0 : tensor<?x12xf32>
}

// -----

func.func @attention_c3(%q: tensor<?x8xf32>, %i: tensor<?xi32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{'llm.attention' op expects a positive, finite scale}}
  %0 = llm.attention %q, %q, %q in %i, %i {heads = 2 : i64, kv_heads = 2 : i64, scale = 0x7F800000 : f32, compute = f32}
      : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>
  return %0 : tensor<?x8xf32>
}

// -----

func.func @attention_c4(%q: tensor<?x8xf32>, %i: tensor<?xi32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{'llm.attention' op expects compute f32 or bf16, got 'f16'}}
  %0 = llm.attention %q, %q, %q in %i, %i {heads = 2 : i64, kv_heads = 2 : i64, scale = 1.0 : f32, compute = f16}
      : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>
  return %0 : tensor<?x8xf32>
}

// -----

func.func @pool_c1(%x: tensor<?x8xf32>, %i: tensor<?xi32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{'llm.pool' op expects mode mean or cls, got 'max'}}
  %0 = llm.pool %x in %i, %i {mode = "max"} : tensor<?x8xf32>, tensor<?xi32>
  return %0 : tensor<?x8xf32>
}

// -----

// expected-error @+1 {{expects layers, heads and size of at least 1, got 0, 2, 4}}
func.func private @kv_size(!llm.kv<layers = 0, heads = 2, size = 4, type = f32>)

// -----

// expected-error @+1 {{expects type f32, f16, bf16, int8, got i8}}
func.func private @kv_type(!llm.kv<layers = 1, heads = 2, size = 4, type = i8>)

// -----

llm.param @format : tensor<4xf32> from
    // expected-error @+1 {{unknown format 'q17'}}
    [[#llm.source<"a", file = "f", offset = 0, type = tensor<4xf32>>]] format <q17>

// -----

llm.param @layout : tensor<4x4xf32> from
    // expected-error @+1 {{expects a panel of 1..1024 by 1..64, got 0 by 1}}
    [[#llm.source<"a", file = "f", offset = 0, type = tensor<4x4xf32>>]] layout <panel, n = 0, k = 1>

// -----

module @param_c5 {
  // expected-error@+1 {{expects layout blocks for quantised formats, and for them only}}
  llm.param @w : tensor<17x65xf32> from [[#llm.source<"w", file = "f", offset = 0, type = tensor<17x65xf32>>]] format <int4_g32> layout <rows>
}

// -----

module @param_c5_vector {
  // expected-error@+1 {{expects a matrix to quantise, got 'tensor<17xf32>'}}
  llm.param @w : tensor<17xf32> from [[#llm.source<"w", file = "f", offset = 0, type = tensor<17xf32>>]] format <int4_g32>
}
