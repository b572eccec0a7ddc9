//===- SetStage.cpp - Record the last stage that ran ------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "smelt/Pipeline/Pipeline.h"

using namespace mlir;

namespace smelt {
#define GEN_PASS_DEF_SETSTAGE
#include "smelt/Pipeline/Passes.h.inc"
} // namespace smelt

namespace {
struct SetStage : smelt::impl::SetStageBase<SetStage> {
  using SetStageBase::SetStageBase;
  void runOnOperation() override {
    if (!smelt::lookupStage(stage)) {
      getOperation().emitError("expects the name of a stage, got '")
          << stage << "'";
      return signalPassFailure();
    }
    getOperation()->setAttr("llm.stage", StringAttr::get(&getContext(), stage));
  }
};
} // namespace
