//===- Passes.h - Passes of stage graph -------------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TRANSFORMS_GRAPH_PASSES_H
#define SMELT_TRANSFORMS_GRAPH_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir {
class ModuleOp;
class OpPassManager;
} // namespace mlir

namespace smelt {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "smelt/Transforms/Graph/Passes.h.inc"

/// Stage graph: from a model as its importer wrote it to merged projections
/// and one function for each distinct block.
void buildGraphPipeline(mlir::OpPassManager &pm);

} // namespace smelt

#endif // SMELT_TRANSFORMS_GRAPH_PASSES_H
