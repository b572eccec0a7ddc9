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
    module attributes {llm.target = "avx512"} {
      llm.param @w : tensor<80x16xf32> from
          [[#llm.source<"gate", file = "f", offset = 0, type = tensor<40x16xf32>>,
            #llm.source<"up", file = "f", offset = 2560, type = tensor<40x16xf32>>]]
          recipe [#llm.concat<parts = 2>]
      func.func @f(%x: tensor<?x16xf32>) -> tensor<?x40xf32> {
        %w = llm.get_param @w : tensor<80x16xf32>
        %y = llm.linear %x, %w {compute = f32} : tensor<?x16xf32>, tensor<80x16xf32>
        %z = llm.glu %y {activation = "silu"} : tensor<?x80xf32>
        return %z : tensor<?x40xf32>
      }
    }
    // =>
    llm.param @w : tensor<128x16xf32> from ... recipe [#llm.concat<parts = 2, align = 32>]
    %w = llm.get_param @w : tensor<128x16xf32>
    %y = llm.linear %x, %w {compute = f32} : tensor<?x16xf32>, tensor<128x16xf32>
    %g = llm.glu %y {activation = "silu"} : tensor<?x128xf32>
    %m = tensor.dim %g, ...
    %z = tensor.extract_slice %g[0, 0] [%m, 40] [1, 1] : tensor<?x64xf32> to tensor<?x40xf32>
    return %z : tensor<?x40xf32>
    ```
  }];
  let dependentDialects = ["::mlir::tensor::TensorDialect",
                           "::mlir::arith::ArithDialect"];
}

def AssignLayouts : Pass<"llm-assign-layouts", "::mlir::ModuleOp"> {
  let summary = "Choose the order in which the elements of each param are stored";
  let description = [{
    The weight of a linear is stored in the panels of the target's record, also
    if it is an embedding's table too; quantised matrices in the blocks of their
    format, which are the same for all targets; everything else in rows.

    ```mlir
    module attributes {llm.target = "avx512"} {
      llm.param @w : tensor<64x16xbf16> from
          [[#llm.source<"w", file = "f", offset = 0, type = tensor<64x16xbf16>>]] format <bf16>
      func.func @f(%x: tensor<?x16xf32>) -> tensor<?x64xf32> {
        %w = llm.get_param @w : tensor<64x16xbf16>
        %y = llm.linear %x, %w {compute = bf16} : tensor<?x16xf32>, tensor<64x16xbf16>
        return %y : tensor<?x64xf32>
      }
    }
    // =>
    llm.param @w : tensor<64x16xbf16> from ... format <bf16> layout <panel, n = 32, k = 2>
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
    llm.param @layers.w : tensor<8x4xf32> from // 128 bytes
        [[#llm.source<"0.w", file = "f", offset = 0, type = tensor<8x4xf32>>],
         [#llm.source<"1.w", file = "f", offset = 128, type = tensor<8x4xf32>>]]
    llm.param @layers.b : tensor<8xf32> from // 32 bytes
        [[#llm.source<"0.b", file = "f", offset = 256, type = tensor<8xf32>>],
         [#llm.source<"1.b", file = "f", offset = 288, type = tensor<8xf32>>]]
    llm.param @norm : tensor<4xf32> from
        [[#llm.source<"norm", file = "f", offset = 320, type = tensor<4xf32>>]]
    // =>
    llm.param @layers.w : tensor<8x4xf32> from ... at 64 stride 192
    llm.param @layers.b : tensor<8xf32> from ... at 192 stride 192
    llm.param @norm : tensor<4xf32> from ... at 0 stride 64
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
    layers); the weight bytes that a step of one token reads; its operations,
    two for each multiply-add of the linears; and what most of these multiply.

    ```mlir
    llm.param @w : tensor<9x4xf32> from
        [[#llm.source<"w", file = "f", offset = 0, type = tensor<9x4xf32>>]] format <f32>
    func.func @step(%x: tensor<?x4xf32> {llm.input = "ids"})
        -> (tensor<?x9xf32> {llm.output = "logits"}) {
      %w = llm.get_param @w : tensor<9x4xf32>
      %y = llm.linear %x, %w {compute = f32} : tensor<?x4xf32>, tensor<9x4xf32>
      return %y : tensor<?x9xf32>
    }
    // =>
    llm.interface = {arithmetic = "f32", flops_per_row = 0 : i64, flops_per_token = 72 : i64, inputs = ["ids"], kv_block_bytes = 0 : i64,
        outputs = [{name = "logits", rows = "rows", width = 9 : i64...], step_bytes = 144 : i64}
    ```
  }];
}

#endif // SMELT_TRANSFORMS_LAYOUT_PASSES_TD
