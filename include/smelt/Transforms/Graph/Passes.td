//===- Passes.td - Passes of stage graph -*- tablegen -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TRANSFORMS_GRAPH_PASSES_TD
#define SMELT_TRANSFORMS_GRAPH_PASSES_TD

include "mlir/Pass/PassBase.td"

def FoldRope : Pass<"llm-fold-rope"> {
  let summary = "replace llm.rope by a table of angles and llm.rotate";
  let description = [{
    The frequencies of a rope become a constant, computed in f32 in the order
    of operations of transformers' rotary embeddings (scaling included), so
    that angles agree to the last bits. The table stands at the head of the
    function: after CSE all layers of one kind share it.

    ```mlir
    func.func @f(%x: tensor<?x8xf32>, %positions: tensor<?xi32>) -> tensor<?x8xf32> {
      %y = llm.rope %x, %positions {base = 1.0e4 : f64, heads = 2 : i64}
          : tensor<?x8xf32>, tensor<?xi32>
      return %y : tensor<?x8xf32>
    }
    // =>
    %f = arith.constant dense<[1.000000e+00, 0.00999999977]> : tensor<2xf32>
    %cos, %sin = llm.rope_table %positions, %f : tensor<?xi32>, tensor<2xf32>
    %y = llm.rotate %x, %cos, %sin {heads = 2 : i64} : tensor<?x8xf32>, tensor<?x2xf32>
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def FuseGateUp : Pass<"llm-fuse-gate-up", "::mlir::ModuleOp"> {
  let summary = "merge gate and up projections into one linear and llm.glu";
  let description = [{
    Applies where both linears read the same rows with the same compute type,
    both or neither have a bias, and nobody else reads them or their params.

    ```mlir
    llm.param @gate : tensor<16x8xf32> from
        [[#llm.source<"gate", file = "f", offset = 0, type = tensor<16x8xf32>>]]
    llm.param @up : tensor<16x8xf32> from
        [[#llm.source<"up", file = "f", offset = 512, type = tensor<16x8xf32>>]]
    func.func @f(%x: tensor<?x8xf32>) -> tensor<?x16xf32> {
      %gate = llm.get_param @gate : tensor<16x8xf32>
      %up = llm.get_param @up : tensor<16x8xf32>
      %g = llm.linear %x, %gate {compute = f32} : tensor<?x8xf32>, tensor<16x8xf32>
      %a = llm.silu %g : tensor<?x16xf32>
      %u = llm.linear %x, %up {compute = f32} : tensor<?x8xf32>, tensor<16x8xf32>
      %y = llm.mul %a, %u : tensor<?x16xf32>
      return %y : tensor<?x16xf32>
    }
    // =>
    llm.param @gate_up : tensor<32x8xf32> from ... recipe [#llm.concat<parts = 2>]
    %w = llm.get_param @gate_up : tensor<32x8xf32>
    %m = llm.linear %x, %w {compute = f32} : tensor<?x8xf32>, tensor<32x8xf32>
    %y = llm.glu %m {activation = "silu"} : tensor<?x32xf32>
    ```
  }];
}

def FuseQKV : Pass<"llm-fuse-qkv", "::mlir::ModuleOp"> {
  let summary = "merge linears that read the same rows";
  let description = [{
    Query, key and value projections, and any other linears of one input with
    the same compute type and presence of a bias, become one linear over the
    stacked params; the results are slices of its columns. Params that others
    read as well, or whose recipes can't be stacked, stay.

    ```mlir
    llm.param @q : tensor<8x8xf32> from
        [[#llm.source<"q", file = "f", offset = 0, type = tensor<8x8xf32>>]]
    llm.param @k : tensor<4x8xf32> from
        [[#llm.source<"k", file = "f", offset = 256, type = tensor<4x8xf32>>]]
    func.func @f(%x: tensor<?x8xf32>) -> (tensor<?x8xf32>, tensor<?x4xf32>) {
      %wq = llm.get_param @q : tensor<8x8xf32>
      %wk = llm.get_param @k : tensor<4x8xf32>
      %q = llm.linear %x, %wq {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
      %k = llm.linear %x, %wk {compute = f32} : tensor<?x8xf32>, tensor<4x8xf32>
      return %q, %k : tensor<?x8xf32>, tensor<?x4xf32>
    }
    // =>
    llm.param @qk : tensor<12x8xf32> from ... recipe [#llm.concat<parts = 2>]
    %w = llm.get_param @qk : tensor<12x8xf32>
    %y = llm.linear %x, %w {compute = f32} : tensor<?x8xf32>, tensor<12x8xf32>
    %m = tensor.dim %y, %c0 : tensor<?x12xf32>
    %q = tensor.extract_slice %y[0, 0] [%m, 8] [1, 1] : tensor<?x12xf32> to tensor<?x8xf32>
    %k = tensor.extract_slice %y[0, 8] [%m, 4] [1, 1] : tensor<?x12xf32> to tensor<?x4xf32>
    ```

    Runs after `llm-fuse-gate-up`, which has a better form for its pair.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect"];
}

def FuseResidual : Pass<"llm-fuse-residual"> {
  let summary = "add the residual stream inside the linear";
  let description = [{
    Applies where nobody else reads the linear's result.

    ```mlir
    func.func @f(%x: tensor<?x8xf32>, %h: tensor<?x16xf32>, %w: tensor<8x16xf32>)
        -> tensor<?x8xf32> {
      %d = llm.linear %h, %w {compute = f32} : tensor<?x16xf32>, tensor<8x16xf32>
      %y = llm.add %x, %d : tensor<?x8xf32>
      return %y : tensor<?x8xf32>
    }
    // =>
    %y = llm.linear %h, %w residual %x {compute = f32}
        : tensor<?x16xf32>, tensor<8x16xf32> residual tensor<?x8xf32>
    return %y : tensor<?x8xf32>
    ```

    The sum is rounded as before: `llm.linear` adds its terms one after the
    other. A norm that reads the sum stays an op of its own here: it needs
    whole rows, and fuses with its consumer in stage tile.
  }];
}

def FoldNormWeights : Pass<"llm-fold-norm-weights", "::mlir::ModuleOp"> {
  let summary = "multiply the weight of an rms_norm into the linears behind it";
  let description = [{
    Applies where every reader of the norm is a linear in f32 whose weight is
    stored as f32 and read by nobody else: a product rounded to 16 bits would
    change the numbers, and a tied table is also read as an embedding.

    ```mlir
    llm.param @w : tensor<16x8xf32> from
        [[#llm.source<"w", file = "f", offset = 0, type = tensor<16x8xf32>>]]
    llm.param @g : tensor<8xf32> from
        [[#llm.source<"g", file = "f", offset = 512, type = tensor<8xf32>>]]
    func.func @f(%x: tensor<?x8xf32>) -> tensor<?x16xf32> {
      %w = llm.get_param @w : tensor<16x8xf32>
      %g = llm.get_param @g : tensor<8xf32>
      %n = llm.rms_norm %x weight %g {eps = 1.0 : f32} : tensor<?x8xf32> weight tensor<8xf32>
      %y = llm.linear %n, %w {compute = f32} : tensor<?x8xf32>, tensor<16x8xf32>
      return %y : tensor<?x16xf32>
    }
    // =>
    llm.param @w : tensor<16x8xf32> from
        [[#llm.source<"w", ...>, #llm.source<"g", ...>]] recipe [#llm.scale_columns<by = 1>]
    %n = llm.rms_norm %x {eps = 1.000000e+00 : f32} : tensor<?x8xf32>
    %y = llm.linear %n, ...
    ```
  }];
}

def OutlineLayer : Pass<"llm-outline-layer", "::mlir::ModuleOp"> {
  let summary = "one function for each distinct block of layers";
  let description = [{
    Ops between the params `layers.<i>.*` are layer i. Layers that are equal but
    for the bytes of their params share a function, and their params become one
    param with an instance for each; a run of equal layers is called in a loop.
    Values from outside the layer are arguments, results read outside (the
    residual stream) its results.

    ```mlir
    llm.param @layers.0.w : tensor<8x8xf32> from
        [[#llm.source<"0.w", file = "f", offset = 0, type = tensor<8x8xf32>>]]
    llm.param @layers.1.w : tensor<8x8xf32> from
        [[#llm.source<"1.w", file = "f", offset = 256, type = tensor<8x8xf32>>]]
    func.func @step(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
      %w0 = llm.get_param @layers.0.w : tensor<8x8xf32>
      %y = llm.linear %x, %w0 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
      %w1 = llm.get_param @layers.1.w : tensor<8x8xf32>
      %z = llm.linear %y, %w1 {compute = f32} : tensor<?x8xf32>, tensor<8x8xf32>
      return %z : tensor<?x8xf32>
    }
    // =>
    llm.param @layers.w : tensor<8x8xf32> from
        [[#llm.source<"0.w", ...>], [#llm.source<"1.w", ...>]]
    func.func @step(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
      %z = scf.for %layer = %c0 to %c2 step %c1 iter_args(%s = %x) -> (tensor<?x8xf32>) {
        %t = func.call @layers(%layer, %s) : (index, tensor<?x8xf32>) -> tensor<?x8xf32>
        scf.yield %t : tensor<?x8xf32>
    func.func private @layers(
      llm.get_param @layers.w[...] : tensor<8x8xf32>
    ```

    Layers of two alternating kinds become two functions (`@layers`,
    `@layers_0`) and calls. Runs before the passes that edit params: an edit in
    the shared body is then one edit.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::func::FuncDialect",
                           "::mlir::scf::SCFDialect"];
}

def GatherEarly : Pass<"llm-gather-early"> {
  let summary = "compute outputs only for the rows asked for";
  let description = [{
    `llm.gather_rows` moves above ops that compute row r from row r of one
    operand alone: linears without a residual, norms, activations.

    ```mlir
    func.func @f(%x: tensor<?x8xf32>, %g: tensor<8xf32>, %w: tensor<99x8xf32>,
                 %rows: tensor<?xi32>) -> tensor<?x99xf32> {
      %n = llm.rms_norm %x weight %g {eps = 1.0 : f32} : tensor<?x8xf32> weight tensor<8xf32>
      %h = llm.linear %n, %w {compute = f32} : tensor<?x8xf32>, tensor<99x8xf32>
      %y = llm.gather_rows %h, %rows : tensor<?x99xf32>, tensor<?xi32>
      return %y : tensor<?x99xf32>
    }
    // =>
    %r = llm.gather_rows %x, %rows : tensor<?x8xf32>, tensor<?xi32>
    %n = llm.rms_norm %r weight %g ...
    %y = llm.linear %n, %w {compute = f32} : tensor<?x8xf32>, tensor<99x8xf32>
    return %y : tensor<?x99xf32>
    ```

    It stops where two streams meet (a residual, `llm.add`) and at results
    with other readers: the last layer remains like its siblings, so that one
    function serves them all.
  }];
}

def PrintGraphStats : Pass<"llm-print-graph-stats", "::mlir::ModuleOp"> {
  let summary = "print what a step costs, by layer";
  let description = [{
    Ops, bytes of weights read, and flops of linears, for each function or
    layer and in total, to the standard error stream. Changes nothing, so that
    it can stand before and after any pass.

    ```mlir
    llm.param @w : tensor<8x16xbf16> from
        [[#llm.source<"w", file = "f", offset = 0, type = tensor<8x16xbf16>>]]
    func.func @step(%x: tensor<?x16xf32>) -> tensor<?x8xf32> {
      %w = llm.get_param @w : tensor<8x16xbf16>
      %y = llm.linear %x, %w {compute = f32} : tensor<?x16xf32>, tensor<8x16xbf16>
      return %y : tensor<?x8xf32>
    }
    // => tokens=4
    // a step of 4 tokens, 1 rows of output
    // step                    1 ops            256 weight bytes             1024 flops
    // total                   1 ops            256 weight bytes             1024 flops
    // biggest: llm.linear @w, 100 % of the bytes
    ```
  }];
  let options = [
    Option<"tokens", "tokens", "int64_t", "1", "tokens of the step">,
    Option<"rows", "rows", "int64_t", "1", "rows whose outputs are wanted">];
}

#endif // SMELT_TRANSFORMS_GRAPH_PASSES_TD
