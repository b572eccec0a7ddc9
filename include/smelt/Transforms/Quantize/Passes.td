//===- Passes.td - Passes of stage quantize ----------------*- tablegen -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TRANSFORMS_QUANTIZE_PASSES_TD
#define SMELT_TRANSFORMS_QUANTIZE_PASSES_TD

include "mlir/Pass/PassBase.td"

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
