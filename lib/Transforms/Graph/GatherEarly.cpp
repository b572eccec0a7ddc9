//===- GatherEarly.cpp - Compute only the rows asked for --------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A prefill of 512 tokens wants one row of logits. With a vocabulary of 128 000
// the other 511 would cost as much as many layers.
//
//===----------------------------------------------------------------------===//
#include "smelt/Dialect/LLM/IR/LLM.h"
#include "smelt/Transforms/Graph/Passes.h"

#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace smelt {
#define GEN_PASS_DEF_GATHEREARLY
#include "smelt/Transforms/Graph/Passes.h.inc"
} // namespace smelt

using namespace mlir;
using namespace smelt;
using namespace smelt::llm;

/// Whether row r of the result depends on row r of operand 0 and on no other
/// rows; further operands are params.
static bool isRowWise(Operation *op) {
  if (auto linear = dyn_cast<LinearOp>(op))
    return !linear.getResidual();
  return isa<RMSNormOp, LayerNormOp, SiluOp, GeluOp, GeluTanhOp, ReluOp, GluOp,
             NormalizeOp>(op);
}

namespace {
struct MoveUp : OpRewritePattern<GatherRowsOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(GatherRowsOp gather,
                                PatternRewriter &rewriter) const override {
    Operation *op = gather.getX().getDefiningOp();
    if (!op || !isRowWise(op))
      return rewriter.notifyMatchFailure(gather, "expects a row-wise producer");
    if (!gather.getX().hasOneUse())
      return rewriter.notifyMatchFailure(gather, "all rows are read elsewhere");
    Value rows = GatherRowsOp::create(rewriter, gather.getLoc(),
                                      op->getOperand(0), gather.getRows());
    Operation *moved = rewriter.clone(*op);
    moved->setOperand(0, rows);
    moved->getResult(0).setType(gather.getType());
    rewriter.replaceOp(gather, moved);
    rewriter.eraseOp(op);
    return success();
  }
};

struct GatherEarly : smelt::impl::GatherEarlyBase<GatherEarly> {
  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet set(context);
    set.add<MoveUp>(context);
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
