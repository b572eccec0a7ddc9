//===- Attention.cpp - attention and what it keeps ------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Patterns.h"

using namespace mlir;
using namespace smelt;

std::optional<ValueRange> smelt::lookupPools(Value kv) {
  auto cast = kv.getDefiningOp<UnrealizedConversionCastOp>();
  if (!cast || !isa<llm::KVType>(kv.getType()))
    return std::nullopt;
  return cast.getInputs();
}

namespace {

struct LowerKVAppend : OpRewritePattern<llm::KVAppendOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(llm::KVAppendOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<ValueRange> pools = lookupPools(op.getKv());
    if (!pools)
      return rewriter.notifyMatchFailure(op, "expects a function's handle");
    if (!op->use_empty())
      return rewriter.notifyMatchFailure(
          op, "expects stored rows to be read through the cache");
    kernel::KVAppendOp::create(rewriter, op.getLoc(), op.getK(), op.getV(),
                               op.getSlots(), op.getPositions(), (*pools)[0],
                               (*pools)[1], op.getLayer(), (*pools)[2],
                               pools->drop_front(3));
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerCachedAttention : OpRewritePattern<llm::CachedAttentionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(llm::CachedAttentionOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<ValueRange> pools = lookupPools(op.getKv());
    if (!pools)
      return rewriter.notifyMatchFailure(op, "expects a function's handle");
    RowBuilder rows{rewriter, op.getLoc()};
    Value init = rows.emptyLike(op.getQ());
    int64_t group = op.getHeads() / op.getKv().getType().getHeads();
    Value zero = arith::ConstantIndexOp::create(rewriter, op.getLoc(), 0);
    rewriter.replaceOpWithNewOp<kernel::CachedAttentionOp>(
        op, init.getType(), op.getQ(), op.getSlots(), op.getPositions(),
        (*pools)[0], (*pools)[1], op.getLayer(), zero, (*pools)[2], init,
        pools->drop_front(3), rewriter.getI64IntegerAttr(group),
        op.getScaleAttr(), op.getWindowAttr());
    return success();
  }
};

struct LowerAttention : OpRewritePattern<llm::AttentionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(llm::AttentionOp op,
                                PatternRewriter &rewriter) const override {
    RowBuilder rows{rewriter, op.getLoc()};
    Location loc = op.getLoc();
    Value k = rows.round(op.getK(), op.getCompute(), rewriter.getF32Type());
    Value v = rows.round(op.getV(), op.getCompute(), rewriter.getF32Type());
    // Keys transposed, with room for the vectors that begin at the last row.
    int64_t width = cast<RankedTensorType>(k.getType()).getDimSize(1);
    OpFoldResult m = tensor::getMixedSize(rewriter, loc, k, 0);
    AffineExpr padded = rewriter.getAffineSymbolExpr(0) + 64;
    OpFoldResult columns =
        affine::makeComposedFoldedAffineApply(rewriter, loc, padded, {m});
    Value wide = tensor::EmptyOp::create(
        rewriter, loc,
        ArrayRef<OpFoldResult>{rewriter.getIndexAttr(width), columns},
        rewriter.getF32Type());
    Value transposed =
        kernel::TransposeOp::create(rewriter, loc, wide.getType(), k, wide)
            .getResult();
    Value init = rows.emptyLike(op.getQ());
    rewriter.replaceOpWithNewOp<kernel::AttentionOp>(
        op, init.getType(), op.getQ(), transposed, v, op.getBegin(),
        op.getEnd(), init,
        rewriter.getI64IntegerAttr(op.getHeads() / op.getKvHeads()),
        rewriter.getI64IntegerAttr(width / op.getKvHeads()), op.getScaleAttr());
    return success();
  }
};

} // namespace

void smelt::populateAttentionPatterns(RewritePatternSet &patterns) {
  patterns.add<LowerKVAppend, LowerCachedAttention, LowerAttention>(
      patterns.getContext());
}
