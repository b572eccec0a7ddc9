//===- Passes.td - From check to loops -*- tablegen -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_CONVERSION_CHECKTOSCF_PASSES_TD
#define SMELT_CONVERSION_CHECKTOSCF_PASSES_TD

include "mlir/Pass/PassBase.td"

def ConvertCheckToSCF : Pass<"convert-check-to-scf", "::mlir::ModuleOp"> {
  let summary = "Make loops of expectations that exit with status 1";
  let description = [{
    Runs before bufferization: elements are read with `tensor.extract`,
    `memref.load` or `vector.extract`.

    ```mlir
    func.func @f(%a: tensor<4xi32>, %b: tensor<4xi32>) {
      check.expect_eq %a, %b : tensor<4xi32>
      return
    }
    // =>
    scf.for %i = %c0 to %c4 step %c1 {
      %x = tensor.extract %a[%i] : tensor<4xi32>
      %y = tensor.extract %b[%i] : tensor<4xi32>
      %good = arith.cmpi eq, %x, %y : i32
      %true = arith.constant true
      %bad = arith.xori %good, %true : i1
      scf.if %bad {
        vector.print str "check.expect_eq in line 2 failed: elements differ\0A"
        vector.print %i : index
        vector.print %x : i32
        vector.print %y : i32
        func.call @exit(...) : (i32) -> ()
    ```
    Printing needs MLIR's runner libraries, and `exit` the C library.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
    "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect",
    "::mlir::vector::VectorDialect"];
}

#endif // SMELT_CONVERSION_CHECKTOSCF_PASSES_TD
