// RUN: smelt-opt %s --split-input-file --llm-align-glu --verify-diagnostics | FileCheck %s

#gate = #llm.source<"gate", file = "m", offset = 0, type = tensor<40x16xbf16>>
#up = #llm.source<"up", file = "m", offset = 1280, type = tensor<40x16xbf16>>
#gb = #llm.source<"gate.bias", file = "m", offset = 0, type = tensor<40xf32>>
#ub = #llm.source<"up.bias", file = "m", offset = 0, type = tensor<40xf32>>

// CHECK-LABEL: module @pads_each_half
module @pads_each_half attributes {llm.target = "avx512"} {
  // CHECK: llm.param @w : tensor<128x16xbf16> {{.*}} recipe [#llm.concat<parts = 2, align = 32>]
  llm.param @w : tensor<80x16xbf16> from [[#gate, #up]] recipe [#llm.concat<parts = 2>]
  // CHECK: llm.param @b : tensor<128xf32> {{.*}} recipe [#llm.concat<parts = 2, align = 32>]
  llm.param @b : tensor<80xf32> from [[#gb, #ub]] recipe [#llm.concat<parts = 2>]
  // CHECK: func.func @step
  func.func @step(%x: tensor<?x16xf32>) -> tensor<?x40xf32> {
    %w = llm.get_param @w : tensor<80x16xbf16>
    %b = llm.get_param @b : tensor<80xf32>
    // CHECK: llm.linear {{.*}} tensor<128x16xbf16> bias tensor<128xf32>
    %y = llm.linear %x, %w bias %b {compute = bf16} : tensor<?x16xf32>, tensor<80x16xbf16> bias tensor<80xf32>
    // CHECK: %[[GLU:.*]] = llm.glu {{.*}} : tensor<?x128xf32>
    // CHECK: %[[ROWS:.*]] = tensor.dim %[[GLU]]
    // CHECK: %[[CUT:.*]] = tensor.extract_slice %[[GLU]][0, 0] [%[[ROWS]], 40] [1, 1] : tensor<?x64xf32> to tensor<?x40xf32>
    %z = llm.glu %y {activation = "silu"} : tensor<?x80xf32>
    // CHECK: return %[[CUT]]
    return %z : tensor<?x40xf32>
  }
}

// -----

#gate = #llm.source<"gate", file = "m", offset = 0, type = tensor<64x16xbf16>>
#up = #llm.source<"up", file = "m", offset = 2048, type = tensor<64x16xbf16>>

// Whole panels already: only the promise is written down.
// CHECK-LABEL: module @fits
module @fits attributes {llm.target = "avx512"} {
  // CHECK: llm.param @w : tensor<128x16xbf16> {{.*}} recipe [#llm.concat<parts = 2, align = 32>]
  llm.param @w : tensor<128x16xbf16> from [[#gate, #up]] recipe [#llm.concat<parts = 2>]
  func.func @step(%x: tensor<?x16xf32>) -> tensor<?x64xf32> {
    %w = llm.get_param @w : tensor<128x16xbf16>
    %y = llm.linear %x, %w {compute = bf16} : tensor<?x16xf32>, tensor<128x16xbf16>
    // CHECK: llm.glu
    // CHECK-NEXT: return
    %z = llm.glu %y {activation = "silu"} : tensor<?x128xf32>
    return %z : tensor<?x64xf32>
  }
}

// -----

module @negative_stored_in_one attributes {llm.target = "avx512"} {
  // expected-error@+1 {{expects gate and up projection as two sources of a concat, to pad each of their 40 rows to a multiple of 32}}
  llm.param @w : tensor<80x16xbf16> from [[#llm.source<"gate_up", file = "m", offset = 0, type = tensor<80x16xbf16>>]]
  func.func @step(%x: tensor<?x16xf32>) -> tensor<?x40xf32> {
    %w = llm.get_param @w : tensor<80x16xbf16>
    %y = llm.linear %x, %w {compute = bf16} : tensor<?x16xf32>, tensor<80x16xbf16>
    %z = llm.glu %y {activation = "silu"} : tensor<?x80xf32>
    return %z : tensor<?x40xf32>
  }
}
