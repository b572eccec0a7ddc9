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

/// Spans of the longest sequence of the module's model; 1 if that is unknown.
int64_t countSpans(Operation *op) {
  auto model = op->getParentOfType<ModuleOp>()->getAttrOfType<DictionaryAttr>(
      "llm.model");
  auto context = model ? model.getAs<IntegerAttr>("context") : IntegerAttr();
  return context && context.getInt() > 0
             ? kernel::AttendSpansOp::countSpans(context.getInt())
             : 1;
}

struct LowerCachedAttention : OpRewritePattern<llm::CachedAttentionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(llm::CachedAttentionOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<ValueRange> pools = lookupPools(op.getKv());
    if (!pools)
      return rewriter.notifyMatchFailure(op, "expects a function's handle");
    RowBuilder rows{rewriter, op.getLoc()};
    Location loc = op.getLoc();
    Value init = rows.emptyLike(op.getQ());
    llm::KVType kv = op.getKv().getType();
    int64_t group = op.getHeads() / kv.getHeads();
    Value zero = arith::ConstantIndexOp::create(rewriter, loc, 0);
    int64_t spans = countSpans(op);
    auto whole = kernel::CachedAttentionOp::create(
        rewriter, loc, init.getType(), op.getQ(), op.getSlots(),
        op.getPositions(), (*pools)[0], (*pools)[1], op.getLayer(), zero,
        (*pools)[2], init, pools->drop_front(3),
        rewriter.getI64IntegerAttr(group), op.getScaleAttr(),
        op.getWindowAttr(), spans > 1 ? rewriter.getUnitAttr() : UnitAttr());
    if (spans <= 1) {
      rewriter.replaceOp(op, whole);
      return success();
    }
    // The same for few rows, split over threads: one of the two does nothing.
    Value one = arith::ConstantIndexOp::create(rewriter, loc, 1);
    Value partials = memref::AllocOp::create(
        rewriter, loc,
        MemRefType::get({kernel::AttendSpansOp::maxRows *
                             static_cast<int64_t>(op.getHeads()) * spans,
                         kernel::AttendSpansOp::getWidth(kv.getSize())},
                        rewriter.getF32Type()),
        rewriter.getI64IntegerAttr(64));
    kernel::AttendSpansOp::create(
        rewriter, loc, op.getQ(), op.getSlots(), op.getPositions(), (*pools)[0],
        (*pools)[1], op.getLayer(), (*pools)[2], partials, zero, one,
        pools->drop_front(3), rewriter.getI64IntegerAttr(group),
        op.getScaleAttr(), op.getWindowAttr());
    rewriter.replaceOpWithNewOp<kernel::MergeSpansOp>(
        op, init.getType(), op.getPositions(), partials, zero, zero,
        whole.getResult(), rewriter.getI64IntegerAttr(group),
        rewriter.getI64IntegerAttr(kv.getSize()),
        rewriter.getI64IntegerAttr(kv.getHeads()), op.getWindowAttr());
    return success();
  }
};

struct LowerAttention : OpRewritePattern<llm::AttentionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(llm::AttentionOp op,
                                PatternRewriter &rewriter) const override {
    RowBuilder rows{rewriter, op.getLoc()};
    Value init = rows.emptyLike(op.getQ());
    int64_t columns = cast<RankedTensorType>(op.getK().getType()).getDimSize(1);
    rewriter.replaceOpWithNewOp<kernel::AttentionOp>(
        op, init.getType(), op.getQ(), op.getK(), op.getV(), op.getBegin(),
        op.getEnd(), init,
        rewriter.getI64IntegerAttr(op.getHeads() / op.getKvHeads()),
        rewriter.getI64IntegerAttr(columns / op.getKvHeads()),
        op.getScaleAttr(), op.getComputeAttr());
    return success();
  }
};

} // namespace

void smelt::populateAttentionPatterns(RewritePatternSet &patterns) {
  patterns.add<LowerKVAppend, LowerCachedAttention, LowerAttention>(
      patterns.getContext());
}
