// RUN: smelt-opt %s -llm-outline-layer -symbol-dce -split-input-file | FileCheck %s

// A run of equal layers is a loop; their params are one. The sum behind the
// last param belongs to the last layer as to the others.
// CHECK-LABEL: module @outline_layer_run
// CHECK: llm.param @layers.w : tensor<8x8xf32> from {{\[}}[#llm.source<"w0", {{.*}}>], [#llm.source<"w1", {{.*}}>], [#llm.source<"w2"
// CHECK-NOT: llm.param
// CHECK: func.func @step(%[[X:.+]]: tensor<?x8xf32>)
// CHECK: %[[R:.+]] = scf.for %[[I:[a-z0-9]+]] = %{{.+}} to %{{.+}} step %{{.+}} iter_args(%[[S:.+]] = %[[X]])
// CHECK: func.call @layers(%[[I]], %[[S]]) : (index, tensor<?x8xf32>) -> tensor<?x8xf32>
// CHECK: %[[N:.+]] = llm.normalize %[[R]]
// CHECK: return %[[N]]
// CHECK: func.func private @layers(%[[I:.+]]: index, %[[X:.+]]: tensor<?x8xf32>)
// CHECK: llm.get_param @layers.w[%[[I]]]
// CHECK: %[[Y:.+]] = llm.linear
// CHECK: %[[Z:.+]] = llm.add %[[X]], %[[Y]]
// CHECK: return %[[Z]]
module @outline_layer_run {
  llm.param @layers.0.w : tensor<8x8xf32> from [[#llm.source<"w0", file = "m", offset = 0, type = tensor<8x8xf32>>]]
  llm.param @layers.1.w : tensor<8x8xf32> from [[#llm.source<"w1", file = "m", offset = 256, type = tensor<8x8xf32>>]]
  llm.param @layers.2.w : tensor<8x8xf32> from [[#llm.source<"w2", file = "m", offset = 512, type = tensor<8x8xf32>>]]
  func.func @step(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
    %w0 = llm.get_param @layers.0.w : tensor<8x8xf32>
    %a = llm.linear %x, %w0 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %b = llm.add %x, %a : tensor<?x8xf32>
    %w1 = llm.get_param @layers.1.w : tensor<8x8xf32>
    %c = llm.linear %b, %w1 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %d = llm.add %b, %c : tensor<?x8xf32>
    %w2 = llm.get_param @layers.2.w : tensor<8x8xf32>
    %e = llm.linear %d, %w2 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %f = llm.add %d, %e : tensor<?x8xf32>
    %g = llm.normalize %f : tensor<?x8xf32>
    return %g : tensor<?x8xf32>
  }
}

// -----

// The index of the cache's layer counts the layers: it is the first argument.
// An append leads nowhere but to memory.
// CHECK-LABEL: module @outline_layer_kv
// CHECK: scf.for %[[I:[a-z0-9]+]] =
// CHECK-NEXT: func.call @layers(%[[I]], %{{.+}}, %arg3, %arg1, %arg2) :
// CHECK: func.func private @layers(%[[I:[^:]+]]: index,
// CHECK: llm.kv_append %{{.+}}[%[[I]]]
module @outline_layer_kv {
  llm.param @layers.0.k : tensor<8x8xf32> from [[#llm.source<"k0", file = "m", offset = 0, type = tensor<8x8xf32>>]]
  llm.param @layers.1.k : tensor<8x8xf32> from [[#llm.source<"k1", file = "m", offset = 256, type = tensor<8x8xf32>>]]
  func.func @step(%x: tensor<?x8xf32>, %slots: tensor<?xi32>, %positions: tensor<?xi32>, %kv: !llm.kv<layers = 2, heads = 2, size = 4, type = f32>) -> tensor<?x8xf32> {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %k0 = llm.get_param @layers.0.k : tensor<8x8xf32>
    %a = llm.linear %x, %k0 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %s0:2 = llm.kv_append %kv[%c0], %a, %a at %slots, %positions : !llm.kv<layers = 2, heads = 2, size = 4, type = f32>, tensor<?x8xf32>, tensor<?xi32>
    %k1 = llm.get_param @layers.1.k : tensor<8x8xf32>
    %b = llm.linear %a, %k1 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %s1:2 = llm.kv_append %kv[%c1], %b, %b at %slots, %positions : !llm.kv<layers = 2, heads = 2, size = 4, type = f32>, tensor<?x8xf32>, tensor<?xi32>
    return %b : tensor<?x8xf32>
  }
}

// -----

// Two alternating kinds: two functions, called with their own numbers.
// CHECK-LABEL: module @outline_layer_alternating
// CHECK-DAG: llm.param @layers.w : tensor<8x8xf32> from {{\[}}[#llm.source<"w0", {{.*}}>], [#llm.source<"w2"
// CHECK-DAG: llm.param @layers_0.w : tensor<8x8xf32> from {{\[}}[#llm.source<"w1", {{.*}}>], [#llm.source<"w3"
// CHECK: func.func @step
// CHECK-NOT: scf.for
// CHECK: %[[A:.+]] = call @layers(%c0{{.*}}, %arg0)
// CHECK: %[[B:.+]] = call @layers_0(%c0{{.*}}, %[[A]])
// CHECK: %[[C:.+]] = call @layers(%c1{{.*}}, %[[B]])
// CHECK: %[[D:.+]] = call @layers_0(%c1{{.*}}, %[[C]])
// CHECK: return %[[D]]
// CHECK: func.func private @layers(
// CHECK: llm.relu
// CHECK: func.func private @layers_0(
// CHECK: llm.silu
module @outline_layer_alternating {
  llm.param @layers.0.w : tensor<8x8xf32> from [[#llm.source<"w0", file = "m", offset = 0, type = tensor<8x8xf32>>]]
  llm.param @layers.1.w : tensor<8x8xf32> from [[#llm.source<"w1", file = "m", offset = 256, type = tensor<8x8xf32>>]]
  llm.param @layers.2.w : tensor<8x8xf32> from [[#llm.source<"w2", file = "m", offset = 512, type = tensor<8x8xf32>>]]
  llm.param @layers.3.w : tensor<8x8xf32> from [[#llm.source<"w3", file = "m", offset = 768, type = tensor<8x8xf32>>]]
  func.func @step(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
    %w0 = llm.get_param @layers.0.w : tensor<8x8xf32>
    %a0 = llm.linear %x, %w0 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %b0 = llm.relu %a0 : tensor<?x8xf32>
    %x0 = llm.linear %b0, %w0 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %w1 = llm.get_param @layers.1.w : tensor<8x8xf32>
    %a1 = llm.linear %x0, %w1 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %b1 = llm.silu %a1 : tensor<?x8xf32>
    %x1 = llm.linear %b1, %w1 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %w2 = llm.get_param @layers.2.w : tensor<8x8xf32>
    %a2 = llm.linear %x1, %w2 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %b2 = llm.relu %a2 : tensor<?x8xf32>
    %x2 = llm.linear %b2, %w2 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %w3 = llm.get_param @layers.3.w : tensor<8x8xf32>
    %a3 = llm.linear %x2, %w3 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %b3 = llm.silu %a3 : tensor<?x8xf32>
    %x3 = llm.linear %b3, %w3 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    return %x3 : tensor<?x8xf32>
  }
}

// -----

// One layer needs no number.
// CHECK-LABEL: module @outline_layer_single
// CHECK: %[[Y:.+]] = call @layers(%arg0) : (tensor<?x8xf32>) -> tensor<?x8xf32>
// CHECK: func.func private @layers(%[[X:.+]]: tensor<?x8xf32>)
// CHECK: llm.get_param @layers.0.w :
// CHECK: llm.add
module @outline_layer_single {
  llm.param @layers.0.w : tensor<8x8xf32> from [[#llm.source<"w0", file = "m", offset = 0, type = tensor<8x8xf32>>]]
  func.func @step(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
    %w0 = llm.get_param @layers.0.w : tensor<8x8xf32>
    %a = llm.linear %x, %w0 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %m = llm.linear %a, %w0 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %b = llm.add %a, %m : tensor<?x8xf32>
    return %b : tensor<?x8xf32>
  }
}

// -----

// A result that a later layer reads too can't be handed on by a loop.
// CHECK-LABEL: module @negative_outline_layer_loop_skips
// CHECK-NOT: scf.for
// CHECK-COUNT-3: call @layers
// CHECK: llm.add
module @negative_outline_layer_loop_skips {
  llm.param @layers.0.w : tensor<8x8xf32> from [[#llm.source<"w0", file = "m", offset = 0, type = tensor<8x8xf32>>]]
  llm.param @layers.1.w : tensor<8x8xf32> from [[#llm.source<"w1", file = "m", offset = 256, type = tensor<8x8xf32>>]]
  llm.param @layers.2.w : tensor<8x8xf32> from [[#llm.source<"w2", file = "m", offset = 512, type = tensor<8x8xf32>>]]
  func.func @step(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
    %w0 = llm.get_param @layers.0.w : tensor<8x8xf32>
    %a = llm.linear %x, %w0 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %w1 = llm.get_param @layers.1.w : tensor<8x8xf32>
    %b = llm.linear %a, %w1 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %w2 = llm.get_param @layers.2.w : tensor<8x8xf32>
    %c = llm.linear %b, %w2 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %d = llm.add %a, %c : tensor<?x8xf32>
    return %d : tensor<?x8xf32>
  }
}

// -----

// Params of different types: layers of two kinds.
// CHECK-LABEL: module @negative_outline_layer_types
// CHECK: call @layers(
// CHECK: call @layers_0(
module @negative_outline_layer_types {
  llm.param @layers.0.w : tensor<8x8xf32> from [[#llm.source<"w0", file = "m", offset = 0, type = tensor<8x8xf32>>]]
  llm.param @layers.1.w : tensor<8x8xbf16> from [[#llm.source<"w1", file = "m", offset = 256, type = tensor<8x8xbf16>>]]
  func.func @step(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
    %w0 = llm.get_param @layers.0.w : tensor<8x8xf32>
    %a = llm.linear %x, %w0 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    %w1 = llm.get_param @layers.1.w : tensor<8x8xbf16>
    %b = llm.linear %a, %w1 {compute = f32} : tensor<?x8xf32>, tensor<8x8xbf16>
    return %b : tensor<?x8xf32>
  }
}

// -----

// CHECK-LABEL: module @negative_outline_layer_no_layers
// CHECK-NOT: call
module @negative_outline_layer_no_layers {
  llm.param @layers.w : tensor<8x8xf32> from [[#llm.source<"w", file = "m", offset = 0, type = tensor<8x8xf32>>]]
  func.func @step(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
    %w = llm.get_param @layers.w : tensor<8x8xf32>
    %a = llm.linear %x, %w {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
    return %a : tensor<?x8xf32>
  }
}
