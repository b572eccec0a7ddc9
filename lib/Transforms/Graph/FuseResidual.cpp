//===- FuseResidual.cpp - Add the residual inside the linear ----*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "smelt/Dialect/LLM/IR/LLM.h"
#include "smelt/Transforms/Graph/Passes.h"

#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace smelt {
#define GEN_PASS_DEF_FUSERESIDUAL
#include "smelt/Transforms/Graph/Passes.h.inc"
} // namespace smelt

using namespace mlir;
using namespace smelt;
using namespace smelt::llm;

namespace {
// [doc:pattern]
struct FuseAdd : OpRewritePattern<AddOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(AddOp add,
                                PatternRewriter &rewriter) const override {
    for (auto [result, residual] : {std::pair(add.getRhs(), add.getLhs()),
                                    {add.getLhs(), add.getRhs()}}) {
      auto linear = result.getDefiningOp<LinearOp>();
      if (!linear || linear.getResidual() || !result.hasOneUse())
        continue;
      // At the add's place, since the residual may be computed after the
      // linear.
      rewriter.replaceOpWithNewOp<LinearOp>(
          add, linear.getX(), linear.getWeight(), linear.getBias(), residual,
          linear.getComputeAttr(), linear.getActivationAttr());
      rewriter.eraseOp(linear);
      return success();
    }
    return rewriter.notifyMatchFailure(
        add, "expects a linear without residual that nobody else reads");
  }
};
// [/doc:pattern]

// [doc:pass]
struct FuseResidual : smelt::impl::FuseResidualBase<FuseResidual> {
  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet set(context);
    set.add<FuseAdd>(context);
    patterns = std::move(set);
    return success();
  }
  void runOnOperation() override {
    if (failed(applyPatternsGreedily(getOperation(), patterns)))
      signalPassFailure();
  }
  FrozenRewritePatternSet patterns;
};
// [/doc:pass]
} // namespace
