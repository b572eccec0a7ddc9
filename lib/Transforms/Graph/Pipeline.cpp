//===- Pipeline.cpp - Stage graph -------------------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "smelt/Transforms/Graph/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace smelt;

void smelt::buildGraphPipeline(OpPassManager &pm) {
  // One table of angles for all layers, and one reader for each param, so that
  // "nobody else reads it" can be seen.
  pm.addPass(createFoldRope());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());

  // First, so that what follows edits each distinct block once.
  pm.addPass(createOutlineLayer());

  pm.addPass(createFuseGateUp());
  pm.addPass(createFuseQKV());
  pm.addPass(createFoldNormWeights());
  pm.addPass(createFuseResidual());
  pm.addPass(createGatherEarly());

  // No param without a reader.
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createSymbolDCEPass());
}
