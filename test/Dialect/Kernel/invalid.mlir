// RUN: smelt-opt %s -split-input-file -verify-diagnostics

func.func @barrier_c1(%thread: index) {
  // expected-error @+1 {{expects thread and step together, or neither}}
  kernel.barrier %thread
  return
}

// -----

func.func @record_c1(%begin: i64, %thread: index) {
  // expected-error @+1 {{expects thread and step together, or neither}}
  kernel.record 0 since %begin by %thread
  return
}

// -----

func.func @record_c2(%begin: i64) {
  // expected-error @+1 {{expects an entry of at least 0, got -1}}
  kernel.record -1 since %begin
  return
}

// -----

func.func @param_c1_symbol() {
  // expected-error @+1 {{expects @nothing to be an llm.param}}
  %w = kernel.param @nothing : memref<8xf32>
  return
}

// -----

// expected-note @+1 {{the param is here}}
llm.param @norm : tensor<8xf32> from
    [[#llm.source<"norm", file = "m.safetensors", offset = 0, type = tensor<8xf32>>]]
func.func @param_c1_type() {
  // expected-error @+1 {{expects a view of the stored type 'tensor<8xf32>', got 'memref<8xf16>'}}
  %w = kernel.param @norm : memref<8xf16>
  return
}

// -----

// expected-note @+1 {{the param is here}}
llm.param @norm : tensor<8xf32> from
    [[#llm.source<"norm", file = "m.safetensors", offset = 0, type = tensor<8xf32>>]]
func.func @param_c2(%layer: index) {
  // expected-error @+1 {{expects no layer, since @norm has 1 instance}}
  %w = kernel.param @norm[%layer] : memref<8xf32>
  return
}

// -----

llm.param @norm : tensor<8xf32> from
    [[#llm.source<"norm", file = "m.safetensors", offset = 0, type = tensor<8xf32>>]]
func.func @param_c3() {
  // expected-error @+1 {{expects identity layout}}
  %w = kernel.param @norm : memref<8xf32, strided<[2]>>
  return
}

// -----

func.func @matmul_c1(%a: memref<?x9xf32>, %w: memref<2x8x4x1xf32>, %o: memref<?x7xf32>) {
  // expected-error @+1 {{'kernel.matmul' op expects columns of a (9) to fill 8 groups of 1}}
  kernel.matmul ins(%a, %w : memref<?x9xf32>, memref<2x8x4x1xf32>) outs(%o : memref<?x7xf32>) {format = #llm.format<f32>}
  return
}

// -----

func.func @matmul_c2(%a: memref<?x8xf32>, %w: memref<2x8x4x1xf32>, %o: memref<?x9xf32>) {
  // expected-error @+1 {{'kernel.matmul' op expects columns of init (9) to end in the last of 2 panels of 4}}
  kernel.matmul ins(%a, %w : memref<?x8xf32>, memref<2x8x4x1xf32>) outs(%o : memref<?x9xf32>) {format = #llm.format<f32>}
  return
}

// -----

func.func @matmul_c3(%a: memref<?x8xf32>, %w: memref<2x8x4x1xf32>, %o: memref<?x8xf32>) {
  // expected-error @+1 {{'kernel.matmul' op expects elements of w in format}}
  kernel.matmul ins(%a, %w : memref<?x8xf32>, memref<2x8x4x1xf32>) outs(%o : memref<?x8xf32>) {format = #llm.format<bf16>}
  return
}

// -----

func.func @gather_c1(%i: memref<?xi32>, %t: memref<20x7xf32>, %o: memref<?x8xf32>) {
  // expected-error @+1 {{'kernel.gather' op expects a table of rank 2 or 4 with at least 8 columns}}
  kernel.gather ins(%i, %t : memref<?xi32>, memref<20x7xf32>) outs(%o : memref<?x8xf32>)
  return
}

// -----

func.func @rotate_c1(%x: memref<?x8xf32>, %c: memref<?x3xf32>, %o: memref<?x8xf32>) {
  // expected-error @+1 {{'kernel.rotate' op expects columns of x and init to be one multiple of 6}}
  kernel.rotate ins(%x, %c, %c : memref<?x8xf32>, memref<?x3xf32>) outs(%o : memref<?x8xf32>)
  return
}

// -----

func.func @cached_attention_c1(%q: memref<?x12xf32>, %i: memref<?xi32>, %k: memref<6x?x4x8x64xf32>,
                               %v: memref<6x?x4x64x8xf32>, %t: memref<?x?xi32>, %o: memref<?x12xf32>) {
  %c0 = arith.constant 0 : index
  // expected-error @+1 {{'kernel.cached_attention' op expects columns of q (12) to be a multiple of 8, group * head size}}
  kernel.cached_attention ins(%q, %i, %i : memref<?x12xf32>, memref<?xi32>)
      over %k, %v[%c0, %c0] by %t : memref<6x?x4x8x64xf32>, memref<6x?x4x64x8xf32>, memref<?x?xi32>
      outs(%o : memref<?x12xf32>) {group = 1 : i64, scale = 0.5 : f32}
  return
}

// -----

func.func @attention_c1(%q: memref<?x48xf32>, %k: memref<?x40xf32>, %v: memref<?x48xf32>,
                        %i: memref<?xi32>, %o: memref<?x48xf32>) {
  // expected-error @+1 {{'kernel.attention' op expects columns of k (40) to equal those of v (48)}}
  kernel.attention ins(%q, %k, %v, %i, %i : memref<?x48xf32>, memref<?x40xf32>, memref<?x48xf32>, memref<?xi32>)
      outs(%o : memref<?x48xf32>) {group = 1 : i64, size = 12 : i64, scale = 0.5 : f32, compute = f32}
  return
}

// -----

func.func @attention_group(%q: memref<?x48xf32>, %i: memref<?xi32>) {
  // expected-error @+1 {{'kernel.attention' op expects a positive group and a positive size}}
  kernel.attention ins(%q, %q, %q, %i, %i : memref<?x48xf32>, memref<?x48xf32>, memref<?x48xf32>, memref<?xi32>)
      outs(%q : memref<?x48xf32>) {group = 1 : i64, size = 0 : i64, scale = 0.5 : f32, compute = f32}
  return
}

// -----

func.func @attention_c2(%q: memref<?x48xf32>, %i: memref<?xi32>) {
  // expected-error @+1 {{'kernel.attention' op expects compute f32 or bf16, got 'f16'}}
  kernel.attention ins(%q, %q, %q, %i, %i : memref<?x48xf32>, memref<?x48xf32>, memref<?x48xf32>, memref<?xi32>)
      outs(%q : memref<?x48xf32>) {group = 1 : i64, size = 12 : i64, scale = 0.5 : f32, compute = f16}
  return
}

// -----

func.func @quantize_c1(%x: memref<?x70xf32>, %q: memref<?x70xi8>, %s: memref<?x3xf32>, %t: memref<?x3xi32>) {
  // expected-error @+1 {{expects columns of q (70) to be those of x, padded to 96}}
  kernel.quantize ins(%x : memref<?x70xf32>) outs(%q, %s, %t : memref<?x70xi8>, memref<?x3xf32>, memref<?x3xi32>) {activation = #llm.activation<int8_g32>}
  return
}

// -----

func.func @quantize_c2(%x: memref<?x70xf32>, %q: memref<?x96xi8>, %s: memref<?x3xf32>, %t: memref<?x3xi32>) {
  // expected-error @+1 {{expects 3 columns of sums and 2 of scales}}
  kernel.quantize ins(%x : memref<?x70xf32>) outs(%q, %s, %t : memref<?x96xi8>, memref<?x3xf32>, memref<?x3xi32>) {activation = #llm.activation<int8_token>}
  return
}

// -----

func.func @matmul_c1(%x: memref<?x70xf32>, %w: memref<3x1217xi8>, %y: memref<?x40xf32>) {
  // expected-error @+1 {{expects panels of 1216 bytes for 70 columns, got 'memref<3x1217xi8>'}}
  kernel.matmul ins(%x, %w : memref<?x70xf32>, memref<3x1217xi8>) outs(%y : memref<?x40xf32>) {format = #llm.format<int4_g32>}
  return
}

// -----

func.func @matmul_c2(%x: memref<?x70xf32>, %w: memref<3x1216xi8>, %y: memref<?x49xf32>) {
  // expected-error @+1 {{expects columns of init (49) to end in the last of 3 panels of 16}}
  kernel.matmul ins(%x, %w : memref<?x70xf32>, memref<3x1216xi8>) outs(%y : memref<?x49xf32>) {format = #llm.format<int4_g32>}
  return
}

// -----

func.func @matmul_c4(%q: memref<?x96xi8>, %w: memref<3x1216xi8>, %y: memref<?x40xf32>) {
  // expected-error @+1 {{expects scales, sums and activation with rows of integers, and a quantised weight with them}}
  kernel.matmul ins(%q, %w : memref<?x96xi8>, memref<3x1216xi8>) outs(%y : memref<?x40xf32>) {format = #llm.format<int4_g32>}
  return
}

// -----

func.func @matmul_c5(%q: memref<?x65568xi8>, %w: memref<1x1049216xi8>, %s: memref<?x2xf32>, %t: memref<?x2049xi32>, %y: memref<?x16xf32>) {
  // expected-error @+1 {{expects at most 65536 columns of integers, got 65568}}
  kernel.matmul ins(%q, %w : memref<?x65568xi8>, memref<1x1049216xi8>) rows(%s, %t : memref<?x2xf32>, memref<?x2049xi32>)
      outs(%y : memref<?x16xf32>) {activation = #llm.activation<int8_token>, format = #llm.format<int8_channel>}
  return
}

// -----

func.func @gather_c1(%ids: memref<?xi32>, %w: memref<3x1217xi8>, %y: memref<?x70xf32>) {
  // expected-error @+1 {{expects panels of 1216 bytes, got 'memref<3x1217xi8>'}}
  kernel.gather ins(%ids, %w : memref<?xi32>, memref<3x1217xi8>) outs(%y : memref<?x70xf32>) {format = #llm.format<int4_g32>}
  return
}

// -----

func.func @dot_bytes_c1(%acc: vector<8xi32>, %u: vector<16xi8>) {
  // expected-error @+1 {{expects four bytes for each sum, got 'vector<16xi8>' and 'vector<8xi32>'}}
  %0 = kernel.dot_bytes %acc, %u, %u : vector<8xi32>, vector<16xi8>
  return
}

// -----

func.func @tile_dot_c1(%a: memref<1x64xi8>, %b: memref<16x64xi8>, %c: memref<1x16xf32>) {
  // expected-error @+1 {{expects products of i8 with sums of i32, or of bf16 with f32, got 'memref<1x64xi8>', 'memref<16x64xi8>' and 'memref<1x16xf32>'}}
  kernel.tile_dot ins(%a, %b : memref<1x64xi8>, memref<16x64xi8>) outs(%c : memref<1x16xf32>)
  return
}

// -----

func.func @tile_dot_c2_rows(%a: memref<17x64xi8>, %b: memref<16x64xi8>, %c: memref<17x16xi32>) {
  // expected-error @+1 {{expects 1 to 16 or 32 rows of a multiple of 64 bytes, got 'memref<17x64xi8>'}}
  kernel.tile_dot ins(%a, %b : memref<17x64xi8>, memref<16x64xi8>) outs(%c : memref<17x16xi32>)
  return
}

// -----

func.func @tile_dot_c2_bytes(%a: memref<1x48xbf16>, %b: memref<24x32xbf16>, %c: memref<1x16xf32>) {
  // expected-error @+1 {{expects 1 to 16 or 32 rows of a multiple of 64 bytes, got 'memref<1x48xbf16>'}}
  kernel.tile_dot ins(%a, %b : memref<1x48xbf16>, memref<24x32xbf16>) outs(%c : memref<1x16xf32>)
  return
}

// -----

func.func @tile_dot_c2_panels(%a: memref<1x64xi8>, %b: memref<16x64xi8>, %c: memref<1x48xi32>) {
  // expected-error @+1 {{expects 1 or 2 panels, got 3}}
  kernel.tile_dot ins(%a, %b, %b, %b : memref<1x64xi8>, memref<16x64xi8>, memref<16x64xi8>, memref<16x64xi8>) outs(%c : memref<1x48xi32>)
  return
}

// -----

func.func @tile_dot_c2_columns(%a: memref<1x128xi8>, %b: memref<16x64xi8>, %c: memref<1x16xi32>) {
  // expected-error @+1 {{expects columns of 32x64 and sums of 1x16, got 'memref<16x64xi8>' and 'memref<1x16xi32>'}}
  kernel.tile_dot ins(%a, %b : memref<1x128xi8>, memref<16x64xi8>) outs(%c : memref<1x16xi32>)
  return
}

// -----

func.func @tile_dot_c2_sums(%a: memref<1x64xi8>, %b: memref<16x64xi8>, %c: memref<1x16xi32>) {
  // expected-error @+1 {{expects columns of 16x64 and sums of 1x32, got 'memref<16x64xi8>' and 'memref<1x16xi32>'}}
  kernel.tile_dot ins(%a, %b, %b : memref<1x64xi8>, memref<16x64xi8>, memref<16x64xi8>) outs(%c : memref<1x16xi32>)
  return
}

// -----

func.func @tile_dot_c3(%a: memref<1x64xi8, strided<[128, 2]>>, %b: memref<16x64xi8>, %c: memref<1x16xi32>) {
  // expected-error @+1 {{expects rows whose elements are neighbours, got 'memref<1x64xi8, strided<[128, 2]>>'}}
  kernel.tile_dot ins(%a, %b : memref<1x64xi8, strided<[128, 2]>>, memref<16x64xi8>) outs(%c : memref<1x16xi32>)
  return
}

// -----

func.func @multiply_add_c1(%u: vector<32xi8>) {
  // expected-error @+1 {{expects half the elements of 'vector<32xi8>', twice as wide, got 'vector<16xi32>'}}
  %0 = kernel.multiply_add %u, %u : vector<32xi8> -> vector<16xi32>
  return
}

// -----

// expected-error @+1 {{unknown format of activations 'int7'}}
func.func @activation(%x: tensor<?x4xf32>) attributes {a = #llm.activation<int7>} {
  return
}

// -----

func.func @kv_append_c1(%k: memref<?x4xf32>, %i: memref<?xi32>, %kp: memref<2x?x1x4x64xi8>, %vp: memref<2x?x1x64x16xi8>, %t: memref<?x?xi32>, %l: index) {
  // expected-error @+1 {{expects pools of the same elements, with two scales if those are i8, else none}}
  kernel.kv_append %k, %k at %i, %i into %kp, %vp[%l] by %t : memref<?x4xf32>, memref<?x4xf32>, memref<?xi32>, memref<2x?x1x4x64xi8>, memref<2x?x1x64x16xi8>, memref<?x?xi32>
  return
}

// -----

func.func @cached_attention_c2(%q: memref<?x8xf32>, %i: memref<?xi32>, %kp: memref<2x?x1x4x64xf32>, %vp: memref<2x?x1x64x16xbf16>, %t: memref<?x?xi32>, %l: index) {
  // expected-error @+1 {{expects pools of the same elements, with two scales if those are i8, else none}}
  kernel.cached_attention ins(%q, %i, %i : memref<?x8xf32>, memref<?xi32>) over %kp, %vp[%l, %l] by %t : memref<2x?x1x4x64xf32>, memref<2x?x1x64x16xbf16>, memref<?x?xi32>
      outs(%q : memref<?x8xf32>) {group = 2 : i64, scale = 0.5 : f32}
  return
}

// -----

func.func @attend_spans_c3(%q: memref<?x8xf32>, %i: memref<?xi32>, %kp: memref<2x?x1x4x64xf32>, %vp: memref<2x?x1x64x16xf32>, %t: memref<?x?xi32>, %l: index, %p: memref<48x16xf32>) {
  // expected-error @+1 {{expects partials with a multiple of 16 rows and 32 columns, got 'memref<48x16xf32>'}}
  kernel.attend_spans ins(%q, %i, %i : memref<?x8xf32>, memref<?xi32>) over %kp, %vp[%l] by %t : memref<2x?x1x4x64xf32>, memref<2x?x1x64x16xf32>, memref<?x?xi32>
      into %p of %l, %l : memref<48x16xf32> {group = 2 : i64, scale = 0.5 : f32}
  return
}

// -----

func.func @merge_spans_c1(%i: memref<?xi32>, %p: memref<48x32xf32>, %l: index, %y: memref<?x12xf32>) {
  // expected-error @+1 {{expects columns of init (12) to be a multiple of 8, group * size}}
  kernel.merge_spans ins(%i : memref<?xi32>) from %p[%l, %l] : memref<48x32xf32> outs(%y : memref<?x12xf32>) {group = 2 : i64, size = 4 : i64, heads = 1 : i64}
  return
}

// -----

func.func @attend_spans_c1(%q: memref<?x9xf32>, %i: memref<?xi32>, %kp: memref<2x?x1x4x64xf32>, %vp: memref<2x?x1x64x16xf32>, %t: memref<?x?xi32>, %l: index, %p: memref<48x32xf32>) {
  // expected-error @+1 {{expects columns of q (9) to be a multiple of 8, group * head size}}
  kernel.attend_spans ins(%q, %i, %i : memref<?x9xf32>, memref<?xi32>) over %kp, %vp[%l] by %t : memref<2x?x1x4x64xf32>, memref<2x?x1x64x16xf32>, memref<?x?xi32>
      into %p of %l, %l : memref<48x32xf32> {group = 2 : i64, scale = 0.5 : f32}
  return
}

// -----

func.func @attend_spans_c2(%q: memref<?x8xf32>, %i: memref<?xi32>, %kp: memref<2x?x1x4x64xi8>, %vp: memref<2x?x1x64x16xi8>, %t: memref<?x?xi32>, %l: index, %p: memref<48x32xf32>) {
  // expected-error @+1 {{expects pools of the same elements, with two scales if those are i8, else none}}
  kernel.attend_spans ins(%q, %i, %i : memref<?x8xf32>, memref<?xi32>) over %kp, %vp[%l] by %t : memref<2x?x1x4x64xi8>, memref<2x?x1x64x16xi8>, memref<?x?xi32>
      into %p of %l, %l : memref<48x32xf32> {group = 2 : i64, scale = 0.5 : f32}
  return
}

// -----

func.func @unpack_c1(%w: memref<1x600xi8>, %u: memref<1x1152xi8>) {
  // expected-error @+1 {{expects panels of a format of fewer bits than 8, got 'memref<1x600xi8>' of #llm.format<int4_g32>}}
  kernel.unpack ins(%w : memref<1x600xi8>) outs(%u : memref<1x1152xi8>) {format = #llm.format<int4_g32>}
  return
}

// -----

func.func @unpack_c1_bytes(%w: memref<1x1152xi8>, %u: memref<1x1152xi8>) {
  // expected-error @+1 {{expects panels of a format of fewer bits than 8, got 'memref<1x1152xi8>' of #llm.format<int8_g32>}}
  kernel.unpack ins(%w : memref<1x1152xi8>) outs(%u : memref<1x1152xi8>) {format = #llm.format<int8_g32>}
  return
}

// -----

func.func @unpack_c2(%w: memref<1x640xi8>, %u: memref<1x640xi8>) {
  // expected-error @+1 {{expects as many panels of 1152 bytes as 'memref<1x640xi8>' has, got 'memref<1x640xi8>'}}
  kernel.unpack ins(%w : memref<1x640xi8>) outs(%u : memref<1x640xi8>) {format = #llm.format<int4_g32>}
  return
}

// -----

func.func @matmul_c1_unpacked(%q: memref<?x32xi8>, %s: memref<?x1xf32>, %t: memref<?x1xi32>, %w: memref<1x640xi8>, %y: memref<?x16xf32>) {
  // expected-error @+1 {{expects panels of 1152 bytes for 32 columns, got 'memref<1x640xi8>'}}
  kernel.matmul ins(%q, %w : memref<?x32xi8>, memref<1x640xi8>) rows(%s, %t : memref<?x1xf32>, memref<?x1xi32>)
      outs(%y : memref<?x16xf32>) {activation = #llm.activation<int8_g32>, format = #llm.format<int4_g32>, unpacked}
  return
}

// -----

func.func @matmul_c6(%q: memref<?x32xi8>, %s: memref<?x1xf32>, %t: memref<?x1xi32>, %w: memref<1x1152xi8>, %y: memref<?x16xf32>) {
  // expected-error @+1 {{expects an unpacked weight to be of fewer bits than 8, got #llm.format<int8_g32>}}
  kernel.matmul ins(%q, %w : memref<?x32xi8>, memref<1x1152xi8>) rows(%s, %t : memref<?x1xf32>, memref<?x1xi32>)
      outs(%y : memref<?x16xf32>) {activation = #llm.activation<int8_g32>, format = #llm.format<int8_g32>, unpacked}
  return
}

// -----

func.func @matmul_c6_floats(%x: memref<?x32xf32>, %w: memref<1x1152xi8>, %y: memref<?x16xf32>) {
  // expected-error @+1 {{expects rows of integers with an unpacked weight}}
  kernel.matmul ins(%x, %w : memref<?x32xf32>, memref<1x1152xi8>)
      outs(%y : memref<?x16xf32>) {format = #llm.format<int4_g32>, unpacked}
  return
}
