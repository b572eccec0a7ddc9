//===- Passes.td - Passes of the pipeline itself -----------*- tablegen -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_PIPELINE_PASSES_TD
#define SMELT_PIPELINE_PASSES_TD

include "mlir/Pass/PassBase.td"

def SetStage : Pass<"smelt-set-stage", "::mlir::ModuleOp"> {
  let summary = "Record the last stage that ran";
  let description = [{
    Sets the module attribute `llm.stage`, from which `smelt compile FILE.mlir`
    knows where to continue.

    ```mlir
    module attributes {llm.stage = "graph"} {
    }
    // => stage=quantize
    module attributes {llm.stage = "quantize"}
    ```
  }];
  let options = [Option<"stage", "stage", "std::string", "", "name of the stage">];
}

#endif // SMELT_PIPELINE_PASSES_TD
