//===- Passes.h - From the kernel dialect to the step's ABI -----*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_CONVERSION_KERNELTOLLVM_PASSES_H
#define SMELT_CONVERSION_KERNELTOLLVM_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir {
class LLVMTypeConverter;
class RewritePatternSet;
} // namespace mlir

namespace smelt {

/// Adds the pattern that lowers kernel.barrier.
void populateKernelToLLVMPatterns(const mlir::LLVMTypeConverter &converter,
                                  mlir::RewritePatternSet &patterns);

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "smelt/Conversion/KernelToLLVM/Passes.h.inc"

} // namespace smelt

#endif // SMELT_CONVERSION_KERNELTOLLVM_PASSES_H
