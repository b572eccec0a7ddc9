//===- KernelDialect.td - The kernel dialect -*- tablegen -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_DIALECT_KERNEL_IR_KERNELDIALECT_TD
#define SMELT_DIALECT_KERNEL_IR_KERNELDIALECT_TD

include "mlir/IR/OpBase.td"

def Kernel_Dialect : Dialect {
  let name = "kernel";
  let cppNamespace = "::smelt::kernel";
  let summary = "What linalg, vector and memref can't say of a step's kernels";
  let description = [{
    A step is one parallel region: every thread of a team runs the same code.
    The ops of this dialect name the team, the weights and the packed tiles;
    all else is upstream.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

#endif // SMELT_DIALECT_KERNEL_IR_KERNELDIALECT_TD
