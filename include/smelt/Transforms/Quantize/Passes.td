//===- Passes.td - Passes of stage quantize ----------------*- tablegen -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TRANSFORMS_QUANTIZE_PASSES_TD
#define SMELT_TRANSFORMS_QUANTIZE_PASSES_TD

include "mlir/Pass/PassBase.td"

def Quantize : Pass<"llm-quantize", "::mlir::ModuleOp"> {
  let summary = "Quantise params by the rules of the module";
  let description = [{
    Weights of linears, and tables that embeddings read, get the format of the
    last rule of `llm.quantize` that matches their name; linears that read them
    round their rows as the rule's scheme says. A table that is a weight too counts
    as a weight. A param that already names a format keeps it. Without rules,
    nothing changes.

    ```mlir
    module attributes {llm.compute = bf16, llm.quantize = [#llm.quantize<"*", w4a8>]} {
      llm.param @w : tensor<8x4xbf16> from
          [[#llm.source<"w", file = "f", offset = 0, type = tensor<8x4xbf16>>]]
      func.func @f(%x: tensor<?x4xf32>) -> tensor<?x8xf32> {
        %w = llm.get_param @w : tensor<8x4xbf16>
        %y = llm.linear %x, %w {compute = bf16} : tensor<?x4xf32>, tensor<8x4xbf16>
        return %y : tensor<?x8xf32>
      }
    }
    // =>
    llm.param @w : tensor<8x4xbf16> from ... format <int4_g32>
    %y = llm.linear %x, %w {activation = #llm.activation<int8_g32>, compute = bf16} : ...
    ```
  }];
}

def AssignFormats : Pass<"llm-assign-formats", "::mlir::ModuleOp"> {
  let summary = "Choose how the elements of each param are stored";
  let description = [{
    With `llm.compute = bf16` matrices are stored as bf16, rounded once when
    the artefact is written; with f32 they keep the type they have. Vectors
    keep theirs, which is f32. A param that already names a format keeps it.

    ```mlir
    module attributes {llm.compute = bf16} {
      llm.param @w : tensor<8x4xf32> from
          [[#llm.source<"w", file = "f", offset = 0, type = tensor<8x4xf32>>]]
    }
    // =>
    llm.param @w : tensor<8x4xf32> from ... format <bf16>
    ```
  }];
}

#endif // SMELT_TRANSFORMS_QUANTIZE_PASSES_TD
