//===- Passes.td - Passes of stage tile -*- tablegen -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TRANSFORMS_TILE_PASSES_TD
#define SMELT_TRANSFORMS_TILE_PASSES_TD

include "mlir/Pass/PassBase.td"

def NameOps : Pass<"smelt-name-ops", "::mlir::ModuleOp"> {
  let summary = "Give every op of the llm dialect a name, as its location";
  let description = [{
    Lowering keeps locations: in a profile, and in notes of errors, what an op
    has become goes by this name. Matrix products and norms are called as their
    weight is, other ops by their function and what they do; names don't repeat.

    ```mlir
    func.func private @layers(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
      %y = llm.silu %x : tensor<?x8xf32>
      %z = llm.silu %y : tensor<?x8xf32>
      return %z : tensor<?x8xf32>
    }
    // =>
    llm.silu
    llm.silu
    ```

    With `--mlir-print-debuginfo` the first is at `loc("layers.silu"(...))`, the
    second at `loc("layers.silu.2"(...))`.
  }];
}

def RoundAttention : Pass<"smelt-round-attention", "::mlir::func::FuncOp"> {
  let summary = "Let kernel.attention read and write what is rounded anyway";
  let description = [{
    If an elementwise op alone reads the result, to round it, attention writes
    it so. Where the target multiplies bf16, rows that only an attention in bf16
    reads are rounded as they are made, all slices of them at once:

    ```mlir
    #id = affine_map<(d0, d1) -> (d0, d1)>
    module attributes {llm.target = "amx"} {
    func.func @f(%x: tensor<?x24xf32>, %y: tensor<?x24xf32>, %i: tensor<?xi32>, %m: index) -> tensor<?x8xbf16> {
      %e = tensor.empty(%m) : tensor<?x24xf32>
      %qkv = linalg.add ins(%x, %y : tensor<?x24xf32>, tensor<?x24xf32>) outs(%e : tensor<?x24xf32>) -> tensor<?x24xf32>
      %q = tensor.extract_slice %qkv[0, 0] [%m, 8] [1, 1] : tensor<?x24xf32> to tensor<?x8xf32>
      %k = tensor.extract_slice %qkv[0, 8] [%m, 8] [1, 1] : tensor<?x24xf32> to tensor<?x8xf32>
      %v = tensor.extract_slice %qkv[0, 16] [%m, 8] [1, 1] : tensor<?x24xf32> to tensor<?x8xf32>
      %f = tensor.empty(%m) : tensor<?x8xf32>
      %a = kernel.attention ins(%q, %k, %v, %i, %i : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>)
          outs(%f : tensor<?x8xf32>) {group = 1 : i64, size = 4 : i64, scale = 0.5 : f32, compute = bf16} -> tensor<?x8xf32>
      %g = tensor.empty(%m) : tensor<?x8xbf16>
      %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
          ins(%a : tensor<?x8xf32>) outs(%g : tensor<?x8xbf16>) {
      ^bb0(%in: f32, %out: bf16):
        %t = arith.truncf %in : f32 to bf16
        linalg.yield %t : bf16
      } -> tensor<?x8xbf16>
      return %r : tensor<?x8xbf16>
    }
    }
    // =>
    %rounded = linalg.generic ... ins(%qkv : tensor<?x24xf32>) outs(%c : tensor<?x24xbf16>)
    %q = tensor.extract_slice %rounded[0, 0] [%m, 8] [1, 1] : tensor<?x24xbf16> to tensor<?x8xbf16>
    ...
    %a = kernel.attention ins(%q, ...) outs(%g : tensor<?x8xbf16>) ... -> tensor<?x8xbf16>
    return %a
    ```
  }];
  let dependentDialects = ["mlir::linalg::LinalgDialect", "mlir::tensor::TensorDialect"];
}

def FuseElementwise : Pass<"smelt-fuse-elementwise", "::mlir::func::FuncOp"> {
  let summary = "Merge chains of elementwise linalg ops";
  let description = [{
    A producer is merged if it is elementwise, has one user, and overwrites a
    new tensor (a producer that updates the residual stream stays).

    ```mlir
    #id = affine_map<(d0, d1) -> (d0, d1)>
    func.func @f(%x: tensor<?x8xf32>, %m: index) -> tensor<?x8xf32> {
      %e = tensor.empty(%m) : tensor<?x8xf32>
      %a = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
          ins(%x : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) {
      ^bb0(%in: f32, %out: f32):
        %v = math.exp %in : f32
        linalg.yield %v : f32
      } -> tensor<?x8xf32>
      %b = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
          ins(%a : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) {
      ^bb0(%in: f32, %out: f32):
        %v = arith.addf %in, %in : f32
        linalg.yield %v : f32
      } -> tensor<?x8xf32>
      return %b : tensor<?x8xf32>
    }
    // =>
    %b = linalg.generic ... ins(%x : tensor<?x8xf32>) ... {
      %u = math.exp %in : f32
      %v = arith.addf %u, %u : f32
      linalg.yield %v : f32
    return %b
    ```
  }];
}

def WriteResults : Pass<"smelt-write-results", "::mlir::func::FuncOp"> {
  let summary = "Write the results of a step into trailing arguments";
  let description = [{
    Each result marked `llm.output` gets an argument of its type, which takes
    the place of the new tensor that the result's op overwrites; a result that
    is not computed into a new tensor is copied.

    ```mlir
    #id = affine_map<(d0, d1) -> (d0, d1)>
    func.func @step(%x: tensor<?x8xf32>, %m: index) -> (tensor<?x8xf32> {llm.output = "y"}) {
      %e = tensor.empty(%m) : tensor<?x8xf32>
      %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
          ins(%x : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) {
      ^bb0(%in: f32, %out: f32):
        %v = math.exp %in : f32
        linalg.yield %v : f32
      } -> tensor<?x8xf32>
      return %y : tensor<?x8xf32>
    }
    // =>
    func.func @step(%x: tensor<?x8xf32>, %m: index,
        %to: tensor<?x8xf32> {bufferization.writable = true, llm.output = "y"})
      %y = linalg.generic ... ins(%x : tensor<?x8xf32>) outs(%to : tensor<?x8xf32>) {
      return %y
    ```
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
}

def TileAndFuse : Pass<"smelt-tile-and-fuse", "::mlir::func::FuncOp"> {
  let summary = "Cut ops into tiles over threads and fuse their producers";
  let description = [{
    Every op at the end of a chain becomes one `scf.forall` over the threads of
    the team. Inside, loops walk tiles; the producers that only this op reads
    are computed tile by tile:

    - an elementwise op over matrix products: threads own panels, or all panels
      for rows of their own if each has 128 of those; for each
      panel, for each `row-tile` rows, the product's tile and the elementwise op.
      Panels go as many at a time as have `panel-tile` times 16 columns, as long
      as they fit `panel-tile-bytes`, then those left one by one; with a
      kernel.quantize of groups of its columns, all panels of a group;
    - an op over rows: threads own rows; with producers (the sums of a norm),
      row by row;
    - attention: threads own kv heads, then rows; that of encoders only rows, if
      each has 128.

    ```mlir
    #id = affine_map<(d0, d1) -> (d0, d1)>
    #col = affine_map<(d0, d1) -> (d1)>
    func.func @f(%x: tensor<?x16xf32>, %w: memref<2x16x32x1xf32>, %bias: tensor<64xf32>,
                 %m: index) -> tensor<?x64xf32> {
      %e = tensor.empty(%m) : tensor<?x64xf32>
      %p = kernel.matmul ins(%x, %w : tensor<?x16xf32>, memref<2x16x32x1xf32>)
          outs(%e : tensor<?x64xf32>) {format = #llm.format<f32>} -> tensor<?x64xf32>
      %y = linalg.generic {indexing_maps = [#id, #col, #id], iterator_types = ["parallel", "parallel"]}
          ins(%p, %bias : tensor<?x64xf32>, tensor<64xf32>) outs(%e : tensor<?x64xf32>) {
      ^bb0(%in: f32, %b: f32, %out: f32):
        %v = arith.addf %in, %b : f32
        linalg.yield %v : f32
      } -> tensor<?x64xf32>
      return %y : tensor<?x64xf32>
    }
    // => row-tile=6 panel-tile=1
    %n = kernel.num_threads
    %y = scf.forall (...) in (%n) shared_outs(...
      scf.for %panel = ...
        scf.for %row = ...
          %p = kernel.matmul ins(... : tensor<?x16xf32>, memref<1x16x32x1xf32...
          %r = linalg.generic ... {
            arith.addf
      tensor.parallel_insert_slice
    ```
  }];
  let options = [
    Option<"rowTile", "row-tile", "int64_t", "0",
      "rows of a matrix product's tile; 0: the rowTile of the module's target">,
    Option<"panelTile", "panel-tile", "int64_t", "0",
      "times 16 columns of a product's tile; 0: the panelTile of the module's target, and its panelTileBytes">,
    Option<"panelTileBytes", "panel-tile-bytes", "int64_t", "262144",
      "most bytes of the panels of a tile, where panel-tile is given">,
  ];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect",
    "::smelt::kernel::KernelDialect"
  ];
}

#endif // SMELT_TRANSFORMS_TILE_PASSES_TD
