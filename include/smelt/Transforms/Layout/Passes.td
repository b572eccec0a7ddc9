//===- Passes.td - Passes of stage layout ------------------*- tablegen -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TRANSFORMS_LAYOUT_PASSES_TD
#define SMELT_TRANSFORMS_LAYOUT_PASSES_TD

include "mlir/Pass/PassBase.td"

def AlignGlu : Pass<"llm-align-glu", "::mlir::ModuleOp"> {
  let summary = "Let gate and up projection each begin at a panel";
  let description = [{
    `llm.glu` multiplies column d of its first half with column d of its
    second. A merged gate and up projection is padded with zero rows, so that
    both halves are whole panels: a tile of one and the tile of the other that
    it meets are then always a constant number of panels apart. Where that adds
    columns, the result of the glu is cut back (the added ones are zero).

    ```mlir
    %w = llm.get_param @w : tensor<80x16xf32>      // concat<parts = 2>
    %y = llm.linear %x, %w ...                     // 80 columns
    %z = llm.glu %y {activation = "silu"}          // 40 columns
    // becomes, with panels of 32 rows,
    %w = llm.get_param @w : tensor<128x16xf32>     // concat<parts = 2, align = 32>
    %y = llm.linear %x, %w ...                     // 128 columns
    %g = llm.glu %y {activation = "silu"}          // 64 columns
    %z = tensor.extract_slice %g[0, 0] [%m, 40] [1, 1]
    ```
  }];
  let dependentDialects = ["::mlir::tensor::TensorDialect",
                           "::mlir::arith::ArithDialect"];
}

def AssignLayouts : Pass<"llm-assign-layouts", "::mlir::ModuleOp"> {
  let summary = "Choose the order in which the elements of each param are stored";
  let description = [{
    The weight of a linear is stored in the panels of the target's record, also
    if it is an embedding's table too; everything else is stored in rows.

    ```mlir
    llm.param @w : tensor<64x16xbf16> from [[...]] format <bf16>
    // becomes, if an llm.linear reads it,
    llm.param @w : tensor<64x16xbf16> from [[...]] format <bf16>
        layout <panel, n = 32, k = 2>
    ```
  }];
}

def AssignOffsets : Pass<"llm-assign-offsets", "::mlir::ModuleOp"> {
  let summary = "Give each param its place in the weights section";
  let description = [{
    Params of one instance come first, in the order of the module. Then come
    the layers: layer after layer, each with all of its params, so that a step
    reads the section from front to back. The params of one block (the same
    name before the first dot, the same number of instances) share a stride,
    the bytes of one layer. Everything is aligned to 64 bytes.

    ```mlir
    llm.param @layers.w : tensor<8x4xf32> from [[...], [...]]   // 128 bytes
    llm.param @layers.b : tensor<8xf32> from [[...], [...]]     // 32 bytes
    llm.param @norm : tensor<4xf32> from [[...]]
    // becomes
    llm.param @layers.w : tensor<8x4xf32> from [[...], [...]] at 64 stride 192
    llm.param @layers.b : tensor<8xf32> from [[...], [...]] at 192 stride 192
    llm.param @norm : tensor<4xf32> from [[...]] at 0 stride 64
    ```
  }];
}

def RecordInterface : Pass<"llm-record-interface", "::mlir::ModuleOp"> {
  let summary = "Write down what a step takes, yields and costs";
  let description = [{
    Later stages turn the step's arguments into pointers and its linears into
    loops. What the manifest says of them is collected before, in the module
    attribute `llm.interface`: the names of the step's inputs; name, kind of
    rows and width of each output; the bytes of a block of the KV cache (all
    layers); the weight bytes that a step of one token reads; and its
    floating-point operations, two for each multiply-add of the linears.

    ```mlir
    func.func @step(%ids: tensor<?xi32> {llm.input = "ids"}, ...)
        -> (tensor<?x9xf32> {llm.output = "logits"})
    // adds to the module
    llm.interface = {
        inputs = ["ids"],
        outputs = [{name = "logits", rows = "rows", width = 9 : i64} ],
        kv_block_bytes = 0 : i64, step_bytes = 320 : i64, flops_per_token = 72 : i64}
    ```
  }];
}

#endif // SMELT_TRANSFORMS_LAYOUT_PASSES_TD
