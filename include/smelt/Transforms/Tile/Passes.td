//===- Passes.td - Passes of stage tile -*- tablegen -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TRANSFORMS_TILE_PASSES_TD
#define SMELT_TRANSFORMS_TILE_PASSES_TD

include "mlir/Pass/PassBase.td"

def FuseElementwise : Pass<"smelt-fuse-elementwise", "::mlir::func::FuncOp"> {
  let summary = "Merge chains of elementwise linalg ops";
  let description = [{
    A producer is merged if it is elementwise, has one user, and overwrites a
    new tensor (a producer that updates the residual stream stays).

    Before:
    ```mlir
      %a = linalg.generic ins(%x) outs(%e) { exp }
      %b = linalg.generic ins(%a) outs(%e) { addf }
    ```
    After:
    ```mlir
      %b = linalg.generic ins(%x) outs(%e) { exp, addf }
    ```
  }];
}

def WriteResults : Pass<"smelt-write-results", "::mlir::func::FuncOp"> {
  let summary = "Write the results of a step into trailing arguments";
  let description = [{
    Each result marked `llm.output` gets an argument of its type, which takes
    the place of the new tensor that the result's op overwrites; a result that
    is not computed into a new tensor is copied.

    Before:
    ```mlir
    func.func @step(%x: tensor<?x8xf32>) -> (tensor<?x8xf32> {llm.output = "y"}) {
      %y = linalg.generic ins(%x) outs(%empty)
      return %y
    ```
    After:
    ```mlir
    func.func @step(%x: tensor<?x8xf32>, %out: tensor<?x8xf32> {llm.output = "y"}) -> (...) {
      %y = linalg.generic ins(%x) outs(%out)
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

    - an elementwise op over matrix products: threads own panels; for each
      panel, for each `row-tile` rows, the product's tile and the elementwise op;
    - an op over rows: threads own rows; with producers (the sums of a norm),
      row by row;
    - attention: threads own kv heads, then rows.

    Before:
    ```mlir
      %p = kernel.matmul ins(%x, %w) outs(%e : tensor<?x64xf32>)
      %y = linalg.generic ins(%p, %bias) outs(%e2 : tensor<?x64xf32>)
    ```
    After:
    ```mlir
      %n = kernel.num_threads
      %y = scf.forall (%t) in (%n) shared_outs(%o = %e2) {
        scf.for %panel = ... {
          scf.for %row = ... {
            %p = kernel.matmul ins(%xs, %ws) outs(%t : tensor<?x32xf32>)
            %r = linalg.generic ins(%p, %bs) outs(%os : tensor<?x?xf32>)
    ```
  }];
  let options = [
    Option<"rowTile", "row-tile", "int64_t", "0",
      "rows of a matrix product's tile; 0: the rowTile of the module's target">,
  ];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect",
    "::smelt::kernel::KernelDialect"
  ];
}

#endif // SMELT_TRANSFORMS_TILE_PASSES_TD
