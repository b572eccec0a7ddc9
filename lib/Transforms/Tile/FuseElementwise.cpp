//===- FuseElementwise.cpp - Merge elementwise linalg ops -------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "smelt/Transforms/Tile/Passes.h"

#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace smelt {
#define GEN_PASS_DEF_FUSEELEMENTWISE
#include "smelt/Transforms/Tile/Passes.h.inc"
} // namespace smelt

using namespace mlir;

namespace {

struct FuseElementwise : smelt::impl::FuseElementwiseBase<FuseElementwise> {
  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet set(context);
    linalg::populateElementwiseOpsFusionPatterns(set, [](OpOperand *operand) {
      auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
      auto consumer = cast<linalg::GenericOp>(operand->getOwner());
      return producer && producer->hasOneUse() &&
             producer.getOutputs()[0].getDefiningOp<tensor::EmptyOp>() &&
             producer.getNumLoops() == 2 && consumer.getNumLoops() == 2 &&
             consumer.getNumReductionLoops() == 0;
    });
    patterns = std::move(set);
    return success();
  }

  void runOnOperation() override {
    if (failed(applyPatternsGreedily(getOperation(), patterns)))
      signalPassFailure();
  }

  FrozenRewritePatternSet patterns;
};

} // namespace
