//===- Pipeline.cpp - The whole compiler, stage by stage --------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Stages.def is the compiler; this file only walks over it.
//
//===----------------------------------------------------------------------===//
#include "smelt/Pipeline/Pipeline.h"

#include "smelt/Conversion/KernelToLLVM/Passes.h"
#include "smelt/Conversion/KernelToVector/Passes.h"
#include "smelt/Transforms/Graph/Passes.h"
#include "smelt/Transforms/Layout/Passes.h"
#include "smelt/Transforms/Memory/Passes.h"
#include "smelt/Transforms/Quantize/Passes.h"
#include "smelt/Transforms/Tile/Passes.h"
#include "smelt/Transforms/Vector/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace smelt;

static void buildNothing(OpPassManager &) {}

/// Upstream's way from vectors and memrefs to LLVM, and the step's ABI around
/// it. Sums keep their order: no reassociation.
static void buildLLVMStage(OpPassManager &pm) {
  pm.addNestedPass<func::FuncOp>(createConvertKernelToAMX());
  pm.addPass(createConvertVectorToSCFPass());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createConvertKernelToLLVM());
  ConvertVectorToLLVMPassOptions vector;
  vector.x86Vector = true;
  pm.addPass(createConvertVectorToLLVMPass(vector));
  pm.addPass(createConvertToLLVMPass());
  pm.addPass(createLowerMasks());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createEmitEntryPoint());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

/// Buffers, then their places, barriers and threads.
static void buildBufferizeStage(OpPassManager &pm) {
  buildBufferizePipeline(pm);
  buildMemoryPipeline(pm);
}

/// Kernel ops first, whose loops hold no linalg; then the rest.
static void buildVectorStage(OpPassManager &pm) {
  pm.addNestedPass<func::FuncOp>(createConvertKernelToVector());
  buildVectorPipeline(pm);
}

static constexpr Stage table[] = {
#define STAGE(name, description, build) {#name, description, build},
#include "smelt/Pipeline/Stages.def"
};

llvm::ArrayRef<Stage> smelt::stages() { return table; }

const Stage *smelt::lookupStage(StringRef name) {
  const Stage *stage =
      llvm::find_if(table, [&](const Stage &s) { return s.name == name; });
  return stage == std::end(table) ? nullptr : stage;
}

const Stage *smelt::getStage(ModuleOp module) {
  auto name = module->getAttrOfType<StringAttr>("llm.stage");
  if (!name) {
    module.emitError("expects module attribute llm.stage, the last stage that "
                     "ran");
    return nullptr;
  }
  const Stage *stage = lookupStage(name.getValue());
  if (!stage)
    module.emitError("expects llm.stage to be the name of a stage, got '")
        << name.getValue() << "'";
  return stage;
}

void smelt::buildStage(OpPassManager &pm, const Stage &stage) {
  stage.build(pm);
  pm.addPass(createSetStage({stage.name.str()}));
}

LogicalResult smelt::runStages(ModuleOp module, const Stage &last,
                               const StageObserver &observer) {
  const Stage *reached = getStage(module);
  if (!reached)
    return failure();
  for (const Stage *stage = reached + 1; stage <= &last; ++stage) {
    if (observer.before)
      observer.before(*stage);
    PassManager pm(module.getContext());
    // After every pass, it would take two fifths of lowering's time.
    pm.enableVerifier(false);
    buildStage(pm, *stage);
    if (failed(pm.run(module)) || failed(verify(module)))
      return failure();
    if (observer.after && failed(observer.after(*stage)))
      return failure();
  }
  return success();
}

void smelt::registerStagePipelines() {
#define STAGE(name, description, build)                                        \
  PassPipelineRegistration<>(                                                  \
      "smelt-" #name, description,                                             \
      [](OpPassManager &pm) { buildStage(pm, *lookupStage(#name)); });
#include "smelt/Pipeline/Stages.def"
}
