//===- Passes.td - kernel to vector -*- tablegen -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_CONVERSION_KERNELTOVECTOR_PASSES_TD
#define SMELT_CONVERSION_KERNELTOVECTOR_PASSES_TD

include "mlir/Pass/PassBase.td"

def ConvertKernelToVector : Pass<"convert-kernel-to-vector", "::mlir::func::FuncOp"> {
  let summary = "Lower kernel ops on buffers to loops over vectors of the target";
  let description = [{
    The tile of a matrix product becomes a loop over k that carries one vector
    accumulator for each row and group of columns. Sums over k, over the head
    size and over positions are sequential, so that a row's bits don't depend
    on the rows around it.

    ```mlir
    module attributes {llm.target = "avx2"} {
      func.func @f(%a: memref<2x64xf32>, %w: memref<1x64x32x1xf32>, %c: memref<2x32xf32>) {
        kernel.matmul ins(%a, %w : memref<2x64xf32>, memref<1x64x32x1xf32>)
            outs(%c : memref<2x32xf32>) {format = #llm.format<f32>}
        return
      }
    }
    // =>
    scf.for %k = ... iter_args(%acc = %zero, ...) -> (vector<8xf32>, ...) {
      %w0 = vector.load ...[..., %k, ...] : memref<1x64x32xf32>, vector<8xf32>
      %a0 = memref.load %a[..., %k] : memref<2x64xf32>
      %b0 = vector.broadcast %a0 : f32 to vector<8xf32>
      %s0 = math.fma %b0, %w0, %acc : vector<8xf32>
    vector.store ...
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect", "::mlir::x86vector::X86VectorDialect"
  ];
}

#endif // SMELT_CONVERSION_KERNELTOVECTOR_PASSES_TD
