//===- Pipeline.cpp - Stage vector ------------------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "smelt/Transforms/Vector/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace smelt;

void smelt::buildVectorPipeline(OpPassManager &pm) {
  pm.addPass(createVectorizeRows());
  pm.addPass(createExpandDots({/*missing=*/true}));
  pm.addPass(createExpandMath());
  pm.addPass(createExpandConversions({/*f16=*/false, /*missing=*/true}));

  // The same constants stand in every expansion, the same masks in every row:
  // once they are one, the canonicalizer has half as many ops to look at.
  pm.addPass(createCSEPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}
