// RUN: smelt-opt %s -split-input-file -smelt-profile -verify-diagnostics | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>

// Two layers, a barrier in each; what a quantised product reads is called after
// it, two ops without a name after their function and kind.
// CHECK-LABEL: llm.ops = [
// CHECK-SAME: {kind = "barrier", name = "w.quantize", runs = 1 : i64}
// CHECK-SAME: {arithmetic = "f32", bytes = {per_token = 168 : i64}, fused = ["norm"], kind = "quantize", name = "w.quantize", operations = {}, runs = 1 : i64}
// CHECK-SAME: {arithmetic = "int8", bytes = {fixed = 1280 : i64, per_token = 168 : i64}, kind = "matmul", name = "w", operations = {per_token = 2048 : i64}, runs = 1 : i64}
// CHECK-SAME: {kind = "barrier", name = "layers.elementwise.2", runs = 2 : i64}
// CHECK-SAME: {arithmetic = "f32", bytes = {per_token = 256 : i64}, kind = "elementwise", name = "layers.elementwise.2", operations = {}, runs = 2 : i64}
// CHECK-SAME: {arithmetic = "f32", bytes = {per_token = 192 : i64}, kind = "elementwise", name = "layers.elementwise", operations = {}, runs = 2 : i64}
module attributes {llm.profile} {
  llm.param @w : tensor<32x32xf32> from
      [[#llm.source<"w", file = "f", offset = 0, type = tensor<32x32xf32>>]]
      format <int4_g32> layout <blocks, n = 16, k = 64> at 0 stride 1280
  // CHECK-LABEL: func.func @step
  func.func @step(%x: memref<?x32xf32> {llm.input = "ids"}, %y: memref<?x32xf32>,
                  %q: memref<?x32xi8>, %s: memref<?x1xf32>, %t: memref<?x1xi32>) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %n = kernel.num_threads
    // CHECK: %[[B0:.+]] = kernel.clock
    // CHECK-NEXT: kernel.barrier
    // CHECK-NEXT: kernel.record 0 since %[[B0]]
    kernel.barrier
    // CHECK: %[[B1:.+]] = kernel.clock
    // CHECK-NEXT: scf.forall
    scf.forall (%i) in (%n) {
      %row = memref.subview %x[%i, 0] [1, 32] [1, 1] : memref<?x32xf32> to memref<1x32xf32, strided<[32, 1], offset: ?>>
      %own = memref.alloc() : memref<1x32xf32>
      linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
          ins(%row : memref<1x32xf32, strided<[32, 1], offset: ?>>) outs(%own : memref<1x32xf32>) {
      ^bb0(%in: f32, %out: f32):
        linalg.yield %in : f32
      } loc("norm")
      %qr = memref.subview %q[%i, 0] [1, 32] [1, 1] : memref<?x32xi8> to memref<1x32xi8, strided<[32, 1], offset: ?>>
      %sr = memref.subview %s[%i, 0] [1, 1] [1, 1] : memref<?x1xf32> to memref<1x1xf32, strided<[1, 1], offset: ?>>
      %tr = memref.subview %t[%i, 0] [1, 1] [1, 1] : memref<?x1xi32> to memref<1x1xi32, strided<[1, 1], offset: ?>>
      kernel.quantize ins(%own : memref<1x32xf32>) outs(%qr, %sr, %tr : memref<1x32xi8, strided<[32, 1], offset: ?>>, memref<1x1xf32, strided<[1, 1], offset: ?>>, memref<1x1xi32, strided<[1, 1], offset: ?>>)
          {activation = #llm.activation<int8_g32>} loc("w")
    } loc("w")
    // CHECK: kernel.record 1 since %[[B1]]
    // CHECK-NEXT: kernel.param
    %w = kernel.param @w : memref<2x640xi8>
    // CHECK: %[[B2:.+]] = kernel.clock
    // CHECK-NEXT: scf.forall
    scf.forall (%i) in (%n) {
      scf.for %p = %c0 to %c2 step %c1 {
        %panel = memref.subview %w[%p, 0] [1, 640] [1, 1] : memref<2x640xi8> to memref<1x640xi8, strided<[640, 1], offset: ?>>
        %o = memref.alloc() : memref<1x16xf32>
        %qr = memref.subview %q[%i, 0] [1, 32] [1, 1] : memref<?x32xi8> to memref<1x32xi8, strided<[32, 1], offset: ?>>
        %sr = memref.subview %s[%i, 0] [1, 1] [1, 1] : memref<?x1xf32> to memref<1x1xf32, strided<[1, 1], offset: ?>>
        %tr = memref.subview %t[%i, 0] [1, 1] [1, 1] : memref<?x1xi32> to memref<1x1xi32, strided<[1, 1], offset: ?>>
        kernel.matmul ins(%qr, %panel : memref<1x32xi8, strided<[32, 1], offset: ?>>, memref<1x640xi8, strided<[640, 1], offset: ?>>)
            rows(%sr, %tr : memref<1x1xf32, strided<[1, 1], offset: ?>>, memref<1x1xi32, strided<[1, 1], offset: ?>>)
            outs(%o : memref<1x16xf32>) {activation = #llm.activation<int8_g32>, format = #llm.format<int4_g32>} loc("w")
        %v = memref.load %o[%c0, %c0] : memref<1x16xf32> loc("w")
        memref.store %v, %y[%i, %p] : memref<?x32xf32> loc("w")
      } loc("w")
    } loc("w")
    // CHECK: kernel.record 2 since %[[B2]]
    // CHECK: scf.for
    scf.for %i = %c0 to %c2 step %c1 {
      func.call @layers(%x, %y) : (memref<?x32xf32>, memref<?x32xf32>) -> ()
    }
    return
  }
  // CHECK-LABEL: func.func private @layers
  func.func private @layers(%x: memref<?x32xf32>, %y: memref<?x32xf32>) {
    %c0 = arith.constant 0 : index
    %n = kernel.num_threads
    // CHECK: kernel.barrier
    // CHECK: kernel.record 3
    kernel.barrier
    // CHECK: scf.forall
    scf.forall (%i) in (%n) {
      %v = memref.load %x[%i, %c0] : memref<?x32xf32>
      memref.store %v, %y[%i, %c0] : memref<?x32xf32>
    }
    // CHECK: kernel.record 4
    // Half the columns are read.
    // CHECK: scf.forall
    scf.forall (%i) in (%n) {
      %half = memref.subview %y[%i, 16] [1, 16] [1, 1] : memref<?x32xf32> to memref<1x16xf32, strided<[32, 1], offset: ?>>
      %v = memref.load %half[%c0, %c0] : memref<1x16xf32, strided<[32, 1], offset: ?>>
      memref.store %v, %x[%i, %c0] : memref<?x32xf32>
    }
    // CHECK: kernel.record 5
    return
  }
}

// -----

// Rows that are looked up, blocks of a cache, rows of output.
// CHECK-LABEL: llm.ops = [
// CHECK-SAME: bytes = {per_row = 132 : i64}, kind = "gather"
// CHECK-SAME: bytes = {per_position = 64 : i64, per_token = 136 : i64}, kind = "cached_attention"
// CHECK-SAME: operations = {per_pair = 64 : i64}, runs = 1 : i64, window = 96 : i64}
// CHECK-SAME: bytes = {per_token = 200 : i64}, kind = "kv_append"
module attributes {llm.profile} {
  func.func @step(%rows: memref<?xi32> {llm.input = "rows"}, %x: memref<?x16xf32>, %kp: memref<3x?x1x16x64xbf16>,
                  %vp: memref<3x?x1x64x16xbf16>, %table: memref<?x?xi32>, %slots: memref<?xi32>,
                  %positions: memref<?xi32>, %y: memref<?x16xf32> {llm.output = "logits"}) {
    %c0 = arith.constant 0 : index
    %n = kernel.num_threads
    scf.forall (%i) in (%n) {
      kernel.gather ins(%rows, %x : memref<?xi32>, memref<?x16xf32>) outs(%y : memref<?x16xf32>)
    }
    %m = memref.dim %x, %c0 : memref<?x16xf32>
    %o = memref.alloc(%m) : memref<?x16xf32>
    scf.forall (%i) in (%n) {
      kernel.cached_attention ins(%x, %slots, %positions : memref<?x16xf32>, memref<?xi32>)
        over %kp, %vp[%c0, %c0] by %table : memref<3x?x1x16x64xbf16>, memref<3x?x1x64x16xbf16>, memref<?x?xi32>
        outs(%o : memref<?x16xf32>) {group = 1 : i64, scale = 0.25 : f32, window = 96 : i64}
    }
    scf.forall (%i) in (%n) {
      kernel.kv_append %x, %o at %slots, %positions into %kp, %vp[%c0] by %table
        : memref<?x16xf32>, memref<?x16xf32>, memref<?xi32>, memref<3x?x1x16x64xbf16>, memref<3x?x1x64x16xbf16>, memref<?x?xi32>
    }
    return
  }
}

// -----

// Panels that many rows read unpacked count once.
// CHECK-LABEL: llm.ops = [
// CHECK-SAME: bytes = {fixed = 640 : i64, per_token = 104 : i64}, kind = "matmul"
// CHECK-SAME: operations = {per_token = 1024 : i64}
module attributes {llm.profile} {
  llm.param @w : tensor<16x32xf32> from
      [[#llm.source<"w", file = "f", offset = 0, type = tensor<16x32xf32>>]]
      format <int4_g32> layout <blocks, n = 16, k = 64> at 0 stride 640
  func.func @step(%ids: memref<?xi32> {llm.input = "ids"}, %q: memref<?x32xi8>, %s: memref<?x1xf32>, %t: memref<?x1xi32>,
                  %y: memref<?x16xf32>, %few: i1) {
    %n = kernel.num_threads
    %w = kernel.param @w : memref<1x640xi8>
    scf.forall (%i) in (%n) {
      scf.if %few {
        kernel.matmul ins(%q, %w : memref<?x32xi8>, memref<1x640xi8>) rows(%s, %t : memref<?x1xf32>, memref<?x1xi32>)
            outs(%y : memref<?x16xf32>) {activation = #llm.activation<int8_g32>, format = #llm.format<int4_g32>}
      } else {
        %u = memref.alloc() : memref<1x1152xi8>
        kernel.unpack ins(%w : memref<1x640xi8>) outs(%u : memref<1x1152xi8>) {format = #llm.format<int4_g32>}
        kernel.matmul ins(%q, %u : memref<?x32xi8>, memref<1x1152xi8>) rows(%s, %t : memref<?x1xf32>, memref<?x1xi32>)
            outs(%y : memref<?x16xf32>) {activation = #llm.activation<int8_g32>, format = #llm.format<int4_g32>, unpacked}
      }
    }
    return
  }
}

// -----

// Nobody asked.
// CHECK-LABEL: func.func @negative_profile
// CHECK-NOT: kernel.clock
// CHECK: return
func.func @negative_profile(%x: memref<8xf32>) {
  kernel.barrier
  return
}

// -----

module attributes {llm.profile} {
  func.func @step(%n: index) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    scf.for %i = %c0 to %n step %c1 {
      // expected-error @+1 {{expects loops of constant bounds around it, so that a profile has room for its records}}
      kernel.barrier
    }
    return
  }
}
