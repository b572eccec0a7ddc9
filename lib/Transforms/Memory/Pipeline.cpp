//===- Pipeline.cpp - From buffers to one thread's code ---------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "smelt/Transforms/Memory/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void smelt::buildMemoryPipeline(OpPassManager &pm) {
  pm.addNestedPass<func::FuncOp>(createUnpackPanels());
  pm.addPass(createPlanMemory());
  pm.addPass(createCheckBuffers());
  pm.addPass(createDeriveBarriers());
  pm.addPass(createProfile());
  pm.addPass(createSPMD());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

void smelt::registerMemoryPipeline() {
  PassPipelineRegistration<>("smelt-memory",
                             "Plan memory, derive barriers, make a step SPMD",
                             buildMemoryPipeline);
}
