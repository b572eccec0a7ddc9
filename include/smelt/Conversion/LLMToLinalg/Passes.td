//===- Passes.td - llm to linalg and kernel -*- tablegen -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_CONVERSION_LLMTOLINALG_PASSES_TD
#define SMELT_CONVERSION_LLMTOLINALG_PASSES_TD

include "mlir/Pass/PassBase.td"

def ConvertLLMToLinalg : Pass<"convert-llm-to-linalg", "::mlir::ModuleOp"> {
  let summary = "Lower llm ops to linalg on tensors and kernel ops";
  let description = [{
    Each llm op becomes elementwise and reducing `linalg.generic` ops and the
    kernel ops for what linalg can't say. Weights become `kernel.param`
    buffers in their packed shape; the KV handle becomes two pools and a block
    table.

    ```mlir
    llm.param @w : tensor<64x64xf32> from
        [[#llm.source<"w", file = "f", offset = 0, type = tensor<64x64xf32>>]]
        format <f32> layout <panel, n = 32, k = 1>
    func.func private @f(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
      %w = llm.get_param @w : tensor<64x64xf32>
      %y = llm.linear %x, %w {compute = f32} : tensor<?x64xf32>, tensor<64x64xf32>
      return %y : tensor<?x64xf32>
    }
    // =>
    %w = kernel.param @w : memref<2x64x32x1xf32>
    %e = tensor.empty(...) : tensor<?x64xf32>
    %y = kernel.matmul ins(%x, %w : tensor<?x64xf32>, memref<2x64x32x1xf32>)
        outs(%e : tensor<?x64xf32>) {format = #llm.format<f32>} -> tensor<?x64xf32>
    ```
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::bufferization::BufferizationDialect", "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::memref::MemRefDialect", "::mlir::tensor::TensorDialect",
    "::smelt::kernel::KernelDialect"
  ];
}

#endif // SMELT_CONVERSION_LLMTOLINALG_PASSES_TD
