//===- Pipeline.cpp - Stage graph -------------------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "smelt/Transforms/Graph/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace smelt;

void smelt::buildGraphPipeline(OpPassManager &pm) {
  // One reader for each param, so that "nobody else reads it" can be seen.
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());

  pm.addPass(createFoldRope());
  pm.addPass(createFuseGateUp());
  pm.addPass(createFuseQKV());
  pm.addPass(createFoldNormWeights());
  pm.addPass(createFuseResidual());
  pm.addPass(createGatherEarly());

  // One table of angles for all layers; no param without a reader.
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createSymbolDCEPass());
}
