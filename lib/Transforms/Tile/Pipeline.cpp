//===- Pipeline.cpp - Stages tile and bufferize -----------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "smelt/Conversion/LLMToLinalg/Passes.h"
#include "smelt/Transforms/Tile/Passes.h"

#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void smelt::buildTilePipeline(OpPassManager &pm) {
  pm.addPass(createNameOps());
  pm.addPass(createConvertLLMToLinalg());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addNestedPass<func::FuncOp>(createRoundAttention());
  pm.addNestedPass<func::FuncOp>(createFuseElementwise());
  pm.addNestedPass<func::FuncOp>(createWriteResults());
  pm.addNestedPass<func::FuncOp>(createTileAndFuse());
  // No CSE on tensors from here on: two sums that start from one zero would
  // need a copy of it.
  pm.addPass(createCanonicalizerPass());
}

void smelt::buildBufferizePipeline(OpPassManager &pm) {
  bufferization::OneShotBufferizePassOptions options;
  options.bufferizeFunctionBoundaries = true;
  options.functionBoundaryTypeConversion =
      bufferization::LayoutMapOption::IdentityLayoutMap;
  pm.addPass(bufferization::createOneShotBufferizePass(options));
  // Copies of a buffer onto itself fold once their views are one value.
  pm.addPass(createCSEPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(bufferization::createDropEquivalentBufferResultsPass());
  pm.addPass(createCSEPass());
  pm.addPass(createCanonicalizerPass());
}
