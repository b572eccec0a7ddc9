//===- Pipeline.h - The whole compiler, stage by stage ----------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_PIPELINE_PIPELINE_H
#define SMELT_PIPELINE_PIPELINE_H

#include "mlir/Pass/Pass.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"

namespace mlir {
class ModuleOp;
} // namespace mlir

namespace smelt {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "smelt/Pipeline/Passes.h.inc"

/// A line of Stages.def.
struct Stage {
  llvm::StringLiteral name;
  llvm::StringLiteral description;
  void (*build)(mlir::OpPassManager &pm);
};

/// All stages, in order.
llvm::ArrayRef<Stage> stages();

/// The stage called `name`, or null.
const Stage *lookupStage(llvm::StringRef name);

/// The stage that `module` has reached (attribute llm.stage), or null after
/// an error diagnostic.
const Stage *getStage(mlir::ModuleOp module);

/// Adds the passes of `stage`, then sets llm.stage.
void buildStage(mlir::OpPassManager &pm, const Stage &stage);

/// What to do around each stage; `after` may refuse to go on.
struct StageObserver {
  llvm::function_ref<void(const Stage &)> before;
  llvm::function_ref<mlir::LogicalResult(const Stage &)> after;
};

/// Takes `module` from the stage it has reached to `last`.
mlir::LogicalResult runStages(mlir::ModuleOp module, const Stage &last,
                              const StageObserver &observer);

/// Registers the pipelines --smelt-NAME, each the passes of one stage.
void registerStagePipelines();
} // namespace smelt

#endif // SMELT_PIPELINE_PIPELINE_H
