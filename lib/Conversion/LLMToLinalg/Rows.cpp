//===- Rows.cpp - rows that are looked up, rotated or pooled --------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Patterns.h"

using namespace mlir;
using namespace smelt;

namespace {

struct LowerEmbedding : OpRewritePattern<llm::EmbeddingOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(llm::EmbeddingOp op,
                                PatternRewriter &rewriter) const override {
    auto get = op.getTable().getDefiningOp<llm::GetParamOp>();
    if (!get)
      return rewriter.notifyMatchFailure(op, "expects a param as table");
    RowBuilder rows{rewriter, op.getLoc()};
    Value table = paramBuffer(rewriter, get);
    Value init = rows.emptyFor(op, op.getIndices());
    rewriter.replaceOpWithNewOp<kernel::GatherOp>(
        op, init.getType(), op.getIndices(), table, init,
        lookupParam(get).getFormatAttr());
    return success();
  }
};

struct LowerGatherRows : OpRewritePattern<llm::GatherRowsOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(llm::GatherRowsOp op,
                                PatternRewriter &rewriter) const override {
    RowBuilder rows{rewriter, op.getLoc()};
    Value init = rows.emptyFor(op, op.getRows());
    rewriter.replaceOpWithNewOp<kernel::GatherOp>(
        op, init.getType(), op.getRows(), op.getX(), init, llm::FormatAttr());
    return success();
  }
};

struct LowerRopeTable : OpRewritePattern<llm::RopeTableOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(llm::RopeTableOp op,
                                PatternRewriter &rewriter) const override {
    RowBuilder rows{rewriter, op.getLoc()};
    auto table = [&](auto emit) {
      Value init = rows.emptyFor(op.getCos(), op.getPositions());
      return rows.map(
          {op.getPositions(), op.getFrequencies()}, init,
          [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
            Value position =
                arith::SIToFPOp::create(b, loc, b.getF32Type(), v[0]);
            Value angle = arith::MulFOp::create(b, loc, position, v[1]);
            return emit(b, loc, angle);
          },
          op.getPositions());
    };
    Value cos = table([](OpBuilder &b, Location loc, Value angle) -> Value {
      return math::CosOp::create(b, loc, angle);
    });
    Value sin = table([](OpBuilder &b, Location loc, Value angle) -> Value {
      return math::SinOp::create(b, loc, angle);
    });
    rewriter.replaceOp(op, {cos, sin});
    return success();
  }
};

// [doc:lowering]
struct LowerRotate : OpRewritePattern<llm::RotateOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(llm::RotateOp op,
                                PatternRewriter &rewriter) const override {
    RowBuilder rows{rewriter, op.getLoc()};
    Value init = rows.emptyLike(op.getX());
    rewriter.replaceOpWithNewOp<kernel::RotateOp>(
        op, init.getType(), op.getX(), op.getCos(), op.getSin(), init);
    return success();
  }
};
// [/doc:lowering]

struct LowerPool : OpRewritePattern<llm::PoolOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(llm::PoolOp op,
                                PatternRewriter &rewriter) const override {
    RowBuilder rows{rewriter, op.getLoc()};
    Value init = rows.emptyFor(op, op.getBegin());
    if (op.getMode() == "cls")
      rewriter.replaceOpWithNewOp<kernel::GatherOp>(op, init.getType(),
                                                    op.getBegin(), op.getX(),
                                                    init, llm::FormatAttr());
    else
      rewriter.replaceOpWithNewOp<kernel::PoolOp>(
          op, init.getType(), op.getX(), op.getBegin(), op.getEnd(), init);
    return success();
  }
};

} // namespace

void smelt::populateRowPatterns(RewritePatternSet &patterns) {
  patterns.add<LowerEmbedding, LowerGatherRows, LowerRopeTable, LowerRotate,
               LowerPool>(patterns.getContext());
}
