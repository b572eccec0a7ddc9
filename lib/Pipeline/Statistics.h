//===- Statistics.h - A model in a few lines --------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_PIPELINE_STATISTICS_H
#define SMELT_LIB_PIPELINE_STATISTICS_H

namespace llvm {
class raw_ostream;
} // namespace llvm
namespace mlir {
class ModuleOp;
} // namespace mlir

namespace smelt {
/// Prints params, and how often each op of the llm dialect stands in each
/// function.
void printStatistics(mlir::ModuleOp module, llvm::raw_ostream &stream);
} // namespace smelt

#endif // SMELT_LIB_PIPELINE_STATISTICS_H
