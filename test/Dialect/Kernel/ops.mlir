// RUN: smelt-opt %s | smelt-opt | FileCheck %s

llm.param @norm : tensor<8xf32> from
    [[#llm.source<"norm", file = "m.safetensors", offset = 0, type = tensor<8xf32>>]]
llm.param @layers.q : tensor<8x6xbf16> from
    [[#llm.source<"q0", file = "m.safetensors", offset = 0, type = tensor<8x6xbf16>>],
     [#llm.source<"q1", file = "m.safetensors", offset = 96, type = tensor<8x6xbf16>>]]
    layout #llm.layout<panel, n = 4, k = 2>

// CHECK-LABEL: func.func @team
func.func @team(%thread: index, %step: !llvm.ptr) -> index {
  // CHECK: %[[N:.+]] = kernel.num_threads
  %n = kernel.num_threads
  // CHECK: kernel.barrier{{$}}
  kernel.barrier
  // CHECK: kernel.barrier %{{.+}} of %{{.+}}
  kernel.barrier %thread of %step
  // CHECK: %[[BEGIN:.+]] = kernel.clock
  %begin = kernel.clock
  // CHECK: kernel.record 3 since %[[BEGIN]]{{$}}
  kernel.record 3 since %begin
  // CHECK: kernel.record 3 since %[[BEGIN]] by %{{.+}} of %{{.+}}
  kernel.record 3 since %begin by %thread of %step
  return %n : index
}

// CHECK-LABEL: func.func @param
func.func @param(%layer: index) -> (memref<8xf32>, memref<2x3x4x2xbf16>) {
  // CHECK: kernel.param @norm : memref<8xf32>
  %norm = kernel.param @norm : memref<8xf32>
  // CHECK: kernel.param @layers.q[%{{.+}}] : memref<2x3x4x2xbf16>
  %q = kernel.param @layers.q[%layer] : memref<2x3x4x2xbf16>
  return %norm, %q : memref<8xf32>, memref<2x3x4x2xbf16>
}

// CHECK-LABEL: func.func @tensors
func.func @tensors(%ids: tensor<?xi32>, %x: tensor<?x8xf32>, %angles: tensor<?x2xf32>,
                   %w: memref<2x8x4x1xf32>, %table: memref<20x8xf32>,
                   %wide: tensor<?x7xf32>) -> tensor<?x8xf32> {
  // CHECK: kernel.matmul ins(%{{.+}}, %{{.+}} : tensor<?x8xf32>, memref<2x8x4x1xf32>) outs(%{{.+}} : tensor<?x7xf32>) {format = #llm.format<f32>} -> tensor<?x7xf32>
  %p = kernel.matmul ins(%x, %w : tensor<?x8xf32>, memref<2x8x4x1xf32>) outs(%wide : tensor<?x7xf32>) {format = #llm.format<f32>} -> tensor<?x7xf32>
  // CHECK: kernel.gather ins(%{{.+}}, %{{.+}} : tensor<?xi32>, memref<20x8xf32>)
  %g = kernel.gather ins(%ids, %table : tensor<?xi32>, memref<20x8xf32>) outs(%x : tensor<?x8xf32>) -> tensor<?x8xf32>
  // CHECK: kernel.rotate ins(%{{.+}}, %{{.+}}, %{{.+}} : tensor<?x8xf32>, tensor<?x2xf32>)
  %r = kernel.rotate ins(%g, %angles, %angles : tensor<?x8xf32>, tensor<?x2xf32>) outs(%x : tensor<?x8xf32>) -> tensor<?x8xf32>
  // CHECK: kernel.attention ins({{.+}}) outs({{.+}}) {compute = f32, group = 1 : i64, scale = 5.000000e-01 : f32, size = 4 : i64}
  %a = kernel.attention ins(%r, %r, %r, %ids, %ids : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>) outs(%x : tensor<?x8xf32>) {group = 1 : i64, size = 4 : i64, scale = 0.5 : f32, compute = f32} -> tensor<?x8xf32>
  // CHECK: kernel.pool ins(%{{.+}}, %{{.+}}, %{{.+}} : tensor<?x8xf32>, tensor<?xi32>)
  %m = kernel.pool ins(%a, %ids, %ids : tensor<?x8xf32>, tensor<?xi32>) outs(%x : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %m : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @cache
func.func @cache(%q: memref<?x8xf32>, %k: memref<?x4xf32>, %ints: memref<?xi32>,
                 %kp: memref<2x?x1x4x64xf32>, %vp: memref<2x?x1x64x16xf32>, %table: memref<?x?xi32>,
                 %layer: index, %out: memref<?x8xf32>) {
  // CHECK: kernel.kv_append %{{.+}}, %{{.+}} at %{{.+}}, %{{.+}} into %{{.+}}, %{{.+}}[%{{.+}}] by %{{.+}}
  kernel.kv_append %k, %k at %ints, %ints into %kp, %vp[%layer] by %table
      : memref<?x4xf32>, memref<?x4xf32>, memref<?xi32>, memref<2x?x1x4x64xf32>, memref<2x?x1x64x16xf32>, memref<?x?xi32>
  // CHECK: kernel.cached_attention ins({{.+}}) over {{.+}} outs({{.+}}) {group = 2 : i64, scale = 5.000000e-01 : f32}
  kernel.cached_attention ins(%q, %ints, %ints : memref<?x8xf32>, memref<?xi32>)
      over %kp, %vp[%layer, %layer] by %table : memref<2x?x1x4x64xf32>, memref<2x?x1x64x16xf32>, memref<?x?xi32>
      outs(%out : memref<?x8xf32>) {group = 2 : i64, scale = 0.5 : f32}
  return
}

// CHECK-LABEL: func.func @spans
func.func @spans(%q: memref<?x8xf32>, %ints: memref<?xi32>, %kp: memref<2x?x1x4x64xf32>, %vp: memref<2x?x1x64x16xf32>,
                 %table: memref<?x?xi32>, %layer: index, %partials: memref<48x32xf32>, %out: memref<?x8xf32>) {
  // CHECK: kernel.attend_spans ins({{.+}}) over {{.+}} into %{{.+}} of %{{.+}}, %{{.+}} : memref<48x32xf32> {group = 2 : i64, scale = 5.000000e-01 : f32}
  kernel.attend_spans ins(%q, %ints, %ints : memref<?x8xf32>, memref<?xi32>)
      over %kp, %vp[%layer] by %table : memref<2x?x1x4x64xf32>, memref<2x?x1x64x16xf32>, memref<?x?xi32>
      into %partials of %layer, %layer : memref<48x32xf32> {group = 2 : i64, scale = 0.5 : f32}
  // CHECK: kernel.merge_spans ins({{.+}}) from %{{.+}}[%{{.+}}, %{{.+}}] : memref<48x32xf32> outs({{.+}}) {group = 2 : i64, heads = 1 : i64, size = 4 : i64}
  kernel.merge_spans ins(%ints : memref<?xi32>) from %partials[%layer, %layer] : memref<48x32xf32>
      outs(%out : memref<?x8xf32>) {group = 2 : i64, size = 4 : i64, heads = 1 : i64}
  return
}

// CHECK-LABEL: func.func @cache_of_integers
func.func @cache_of_integers(%q: memref<?x8xf32>, %k: memref<?x4xf32>, %ints: memref<?xi32>,
                 %kp: memref<2x?x1x4x64xi8>, %vp: memref<2x?x1x64x16xi8>, %s: memref<2x?x1x64xf32>, %table: memref<?x?xi32>,
                 %layer: index, %out: memref<?x8xf32>) {
  // CHECK: kernel.kv_append {{.+}} scaled(%{{.+}}, %{{.+}} : memref<2x?x1x64xf32>, memref<2x?x1x64xf32>) :
  kernel.kv_append %k, %k at %ints, %ints into %kp, %vp[%layer] by %table scaled(%s, %s : memref<2x?x1x64xf32>, memref<2x?x1x64xf32>)
      : memref<?x4xf32>, memref<?x4xf32>, memref<?xi32>, memref<2x?x1x4x64xi8>, memref<2x?x1x64x16xi8>, memref<?x?xi32>
  // CHECK: kernel.cached_attention {{.+}} scaled({{.+}}) outs({{.+}}) {group = 2 : i64, scale = 5.000000e-01 : f32, window = 9 : i64}
  kernel.cached_attention ins(%q, %ints, %ints : memref<?x8xf32>, memref<?xi32>)
      over %kp, %vp[%layer, %layer] by %table : memref<2x?x1x4x64xi8>, memref<2x?x1x64x16xi8>, memref<?x?xi32>
      scaled(%s, %s : memref<2x?x1x64xf32>, memref<2x?x1x64xf32>)
      outs(%out : memref<?x8xf32>) {group = 2 : i64, scale = 0.5 : f32, window = 9 : i64}
  return
}

// CHECK-LABEL: func.func @products
func.func @products(%x: tensor<?x70xf32>, %w4: memref<3x2368xi8>, %ids: tensor<?xi32>,
    %q0: tensor<?x96xi8>, %s0: tensor<?x3xf32>, %t0: tensor<?x3xi32>, %z0: tensor<?x2xf32>, %y: tensor<?x40xf32>, %r: tensor<?x70xf32>) {
  // CHECK: kernel.quantize ins(%{{.+}} : tensor<?x70xf32>) outs(%{{.+}}, %{{.+}}, %{{.+}} : tensor<?x96xi8>, tensor<?x3xf32>, tensor<?x3xi32>) {activation = #llm.activation<int8_g32>} -> tensor<?x96xi8>, tensor<?x3xf32>, tensor<?x3xi32>
  %q, %s, %t = kernel.quantize ins(%x : tensor<?x70xf32>) outs(%q0, %s0, %t0 : tensor<?x96xi8>, tensor<?x3xf32>, tensor<?x3xi32>)
      {activation = #llm.activation<int8_g32>} -> tensor<?x96xi8>, tensor<?x3xf32>, tensor<?x3xi32>
  // CHECK: kernel.quantize {{.*}} {activation = #llm.activation<int8_token>}
  %p, %z, %u = kernel.quantize ins(%x : tensor<?x70xf32>) outs(%q0, %z0, %t0 : tensor<?x96xi8>, tensor<?x2xf32>, tensor<?x3xi32>)
      {activation = #llm.activation<int8_token>} -> tensor<?x96xi8>, tensor<?x2xf32>, tensor<?x3xi32>
  return
}

// A panel of int4_g32 with 70 columns: two blocks of 576 bytes, and 64.
// CHECK-LABEL: func.func @weights
func.func @weights(%q: memref<?x96xi8>, %s: memref<?x3xf32>, %t: memref<?x3xi32>, %x: memref<?x70xf32>, %w: memref<3x1216xi8>,
    %y: memref<?x40xf32>, %ids: memref<?xi32>, %r: memref<?x70xf32>) {
  // CHECK: kernel.matmul ins(%{{.+}}, %{{.+}} : memref<?x96xi8>, memref<3x1216xi8>) rows(%{{.+}}, %{{.+}} : memref<?x3xf32>, memref<?x3xi32>) outs(%{{.+}} : memref<?x40xf32>)
  kernel.matmul ins(%q, %w : memref<?x96xi8>, memref<3x1216xi8>) rows(%s, %t : memref<?x3xf32>, memref<?x3xi32>)
      outs(%y : memref<?x40xf32>) {activation = #llm.activation<int8_g32>, format = #llm.format<int4_g32>}
  // CHECK: kernel.matmul ins(%{{.+}}, %{{.+}} : memref<?x70xf32>, memref<3x1216xi8>) outs(%{{.+}} : memref<?x40xf32>)
  kernel.matmul ins(%x, %w : memref<?x70xf32>, memref<3x1216xi8>) outs(%y : memref<?x40xf32>) {format = #llm.format<int4_g32>}
  // CHECK: kernel.gather {{.*}} {format = #llm.format<int4_g32>}
  kernel.gather ins(%ids, %w : memref<?xi32>, memref<3x1216xi8>) outs(%r : memref<?x70xf32>) {format = #llm.format<int4_g32>}
  return
}

// CHECK-LABEL: func.func @vectors
func.func @vectors(%acc: vector<8xi32>, %u: vector<32xi8>, %x: vector<16xi16>) {
  // CHECK: kernel.dot_bytes %{{.+}}, %{{.+}}, %{{.+}} : vector<8xi32>, vector<32xi8>
  %0 = kernel.dot_bytes %acc, %u, %u : vector<8xi32>, vector<32xi8>
  // CHECK: kernel.dot_bytes signed %{{.+}}, %{{.+}}, %{{.+}} : vector<8xi32>, vector<32xi8>
  %signed = kernel.dot_bytes signed %acc, %u, %u : vector<8xi32>, vector<32xi8>
  // CHECK: kernel.multiply_add %{{.+}}, %{{.+}} : vector<32xi8> -> vector<16xi16>
  %1 = kernel.multiply_add %u, %u : vector<32xi8> -> vector<16xi16>
  // CHECK: kernel.multiply_add %{{.+}}, %{{.+}} : vector<16xi16> -> vector<8xi32>
  %2 = kernel.multiply_add %x, %x : vector<16xi16> -> vector<8xi32>
  // CHECK: kernel.apply_sign %{{.+}}, %{{.+}} : vector<32xi8>
  %3 = kernel.apply_sign %u, %u : vector<32xi8>
  return
}

// CHECK-LABEL: func.func @tiles
func.func @tiles(%a: memref<1x64xi8>, %b: memref<16x64xi8>, %c: memref<1x16xi32>, %m: memref<32x64xi8>, %p: memref<16x64xi8>, %n: memref<32x32xi32>, %x: memref<16x32xbf16, strided<[48, 1]>>, %y: memref<16x32xbf16>, %z: memref<16x16xf32>) {
  // CHECK: kernel.tile_dot ins(%{{.+}}, %{{.+}} : memref<1x64xi8>, memref<16x64xi8>) outs(%{{.+}} : memref<1x16xi32>)
  kernel.tile_dot ins(%a, %b : memref<1x64xi8>, memref<16x64xi8>) outs(%c : memref<1x16xi32>)
  // CHECK: kernel.tile_dot ins(%{{.+}}, %{{.+}}, %{{.+}} : memref<32x64xi8>, memref<16x64xi8>, memref<16x64xi8>) outs(%{{.+}} : memref<32x32xi32>)
  kernel.tile_dot ins(%m, %p, %p : memref<32x64xi8>, memref<16x64xi8>, memref<16x64xi8>) outs(%n : memref<32x32xi32>)
  // CHECK: kernel.tile_dot ins(%{{.+}}, %{{.+}} : memref<16x32xbf16, strided<[48, 1]>>, memref<16x32xbf16>) outs(%{{.+}} : memref<16x16xf32>)
  kernel.tile_dot ins(%x, %y : memref<16x32xbf16, strided<[48, 1]>>, memref<16x32xbf16>) outs(%z : memref<16x16xf32>)
  return
}

// CHECK-LABEL: func.func @unpacked
func.func @unpacked(%q: memref<?x32xi8>, %s: memref<?x1xf32>, %t: memref<?x1xi32>, %w: memref<?x640xi8>, %u: memref<?x1152xi8>, %y: memref<?x16xf32>) {
  // CHECK: kernel.unpack ins(%{{.+}} : memref<?x640xi8>) outs(%{{.+}} : memref<?x1152xi8>) {format = #llm.format<int4_g32>}
  kernel.unpack ins(%w : memref<?x640xi8>) outs(%u : memref<?x1152xi8>) {format = #llm.format<int4_g32>}
  // CHECK: kernel.matmul {{.+}} {activation = #llm.activation<int8_g32>, format = #llm.format<int4_g32>, unpacked}
  kernel.matmul ins(%q, %u : memref<?x32xi8>, memref<?x1152xi8>) rows(%s, %t : memref<?x1xf32>, memref<?x1xi32>)
      outs(%y : memref<?x16xf32>) {activation = #llm.activation<int8_g32>, format = #llm.format<int4_g32>, unpacked}
  return
}
