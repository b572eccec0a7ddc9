// RUN: smelt-opt %s --convert-llm-to-linalg -split-input-file | FileCheck %s

llm.param @w : tensor<64x64xf32> from
    [[#llm.source<"w", file = "m.safetensors", offset = 0, type = tensor<64x64xf32>>]]
    format #llm.format<f32> layout #llm.layout<panel, n = 32, k = 1>
llm.param @b : tensor<64xf32> from
    [[#llm.source<"b", file = "m.safetensors", offset = 16384, type = tensor<64xf32>>]]
    format #llm.format<f32> layout #llm.layout<rows>

// CHECK-LABEL: func.func private @linear
func.func private @linear(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  // CHECK: %[[W:.+]] = kernel.param @w : memref<2x64x32x1xf32>
  // CHECK: kernel.matmul ins(%{{.+}}, %[[W]] : tensor<?x64xf32>, memref<2x64x32x1xf32>)
  // CHECK-NOT: linalg.generic
  %w = llm.get_param @w : tensor<64x64xf32>
  %y = llm.linear %x, %w {compute = f32} : tensor<?x64xf32>, tensor<64x64xf32>
  return %y : tensor<?x64xf32>
}

// The residual stream stays in its buffer: it is the destination of the sum.
// CHECK-LABEL: func.func private @linear_residual_in_place
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x64xf32>
func.func private @linear_residual_in_place(%x: tensor<?x64xf32>, %r: tensor<?x64xf32>) -> tensor<?x64xf32> {
  // CHECK: linalg.generic {{.+}} ins(%{{.+}}, %{{.+}} : tensor<?x64xf32>, tensor<64xf32>) outs(%arg1 : tensor<?x64xf32>)
  // CHECK: arith.addf
  // CHECK: arith.addf
  %w = llm.get_param @w : tensor<64x64xf32>
  %b = llm.get_param @b : tensor<64xf32>
  %y = llm.linear %x, %w bias %b residual %r {compute = f32} : tensor<?x64xf32>, tensor<64x64xf32> bias tensor<64xf32> residual tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// With compute bf16 the input is rounded once.
// CHECK-LABEL: func.func private @linear_bf16
func.func private @linear_bf16(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  // CHECK: arith.truncf %{{.+}} : f32 to bf16
  // CHECK: arith.extf %{{.+}} : bf16 to f32
  // CHECK: kernel.matmul
  %w = llm.get_param @w : tensor<64x64xf32>
  %y = llm.linear %x, %w {compute = bf16} : tensor<?x64xf32>, tensor<64x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

module attributes {llm.target = "avx512-bf16"} {
llm.param @w : tensor<64x64xbf16> from
    [[#llm.source<"w", file = "m.safetensors", offset = 0, type = tensor<64x64xbf16>>]]
    format #llm.format<bf16> layout #llm.layout<panel, n = 32, k = 2>

// Where the target multiplies pairs of bf16, the rounded input stays bf16.
// CHECK-LABEL: func.func private @linear_bf16_pairs
func.func private @linear_bf16_pairs(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  // CHECK: arith.truncf %{{.+}} : f32 to bf16
  // CHECK-NOT: arith.extf
  // CHECK: kernel.matmul ins(%{{.+}}, %{{.+}} : tensor<?x64xbf16>, memref<2x32x32x2xbf16>)
  %w = llm.get_param @w : tensor<64x64xbf16>
  %y = llm.linear %x, %w {compute = bf16} : tensor<?x64xf32>, tensor<64x64xbf16>
  return %y : tensor<?x64xf32>
}
}
