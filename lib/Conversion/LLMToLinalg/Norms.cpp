//===- Norms.cpp - norms as sums over a row -------------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Patterns.h"

using namespace mlir;
using namespace smelt;

/// For each row, the sum of its elements' squares.
static Value sumSquares(RowBuilder &rows, Value x) {
  return rows.sumRows(x, [](OpBuilder &b, Location loc, ValueRange v) -> Value {
    return math::FmaOp::create(b, loc, v[0], v[0], v[1]);
  });
}

/// 1 / sqrt(sum * scale + eps), row by row.
static Value inverseRoot(RowBuilder &rows, Value sum, double scale,
                         FloatAttr eps) {
  return rows.mapRows(
      sum, [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
        Value mean =
            arith::MulFOp::create(b, loc, v[0], constantF32(b, loc, scale));
        Value offset = arith::ConstantOp::create(b, loc, eps);
        return math::RsqrtOp::create(
            b, loc, arith::AddFOp::create(b, loc, mean, offset));
      });
}

namespace {

struct LowerRMSNorm : OpRewritePattern<llm::RMSNormOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(llm::RMSNormOp op,
                                PatternRewriter &rewriter) const override {
    RowBuilder rows{rewriter, op.getLoc()};
    Value x = op.getX();
    double inverse = 1.0 / cast<RankedTensorType>(x.getType()).getDimSize(1);
    Value factor =
        inverseRoot(rows, sumSquares(rows, x), inverse, op.getEpsAttr());
    SmallVector<Value> ins = {x, factor};
    if (op.getWeight())
      ins.push_back(vectorParam(rewriter, op.getWeight()));
    rewriter.replaceOp(op, rows.map(
                               ins, rows.emptyLike(x),
                               [&](OpBuilder &b, Location loc, ValueRange v) {
                                 Value y =
                                     arith::MulFOp::create(b, loc, v[0], v[1]);
                                 if (op.getWeight())
                                   y = arith::MulFOp::create(b, loc, y, v[2]);
                                 return y;
                               },
                               factor));
    return success();
  }
};

struct LowerLayerNorm : OpRewritePattern<llm::LayerNormOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(llm::LayerNormOp op,
                                PatternRewriter &rewriter) const override {
    RowBuilder rows{rewriter, op.getLoc()};
    Value x = op.getX();
    double inverse = 1.0 / cast<RankedTensorType>(x.getType()).getDimSize(1);
    bool inPlace = x.hasOneUse();
    Value sum =
        rows.sumRows(x, [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
          return arith::AddFOp::create(b, loc, v[0], v[1]);
        });
    Value mean = rows.mapRows(
        sum, [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
          return arith::MulFOp::create(b, loc, v[0],
                                       constantF32(b, loc, inverse));
        });
    Value squares = rows.sumRows(
        {x, mean},
        [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
          Value d = arith::SubFOp::create(b, loc, v[0], v[1]);
          return math::FmaOp::create(b, loc, d, d, v[2]);
        },
        mean);
    Value factor = inverseRoot(rows, squares, inverse, op.getEpsAttr());
    Value weight = vectorParam(rewriter, op.getWeight());
    Value bias = vectorParam(rewriter, op.getBias());
    SmallVector<Value> ins = {mean, factor, weight, bias};
    if (!inPlace)
      ins.push_back(x);
    Value init = inPlace ? x : rows.emptyLike(x);
    // In place, x is the destination's old value; both come last.
    rewriter.replaceOp(
        op, rows.map(ins, init,
                     [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
                       Value d = arith::SubFOp::create(b, loc, v[4], v[0]);
                       Value scaled = arith::MulFOp::create(b, loc, d, v[1]);
                       Value weighted =
                           arith::MulFOp::create(b, loc, scaled, v[2]);
                       return arith::AddFOp::create(b, loc, weighted, v[3]);
                     },
                     {mean, factor}));
    return success();
  }
};

struct LowerNormalize : OpRewritePattern<llm::NormalizeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(llm::NormalizeOp op,
                                PatternRewriter &rewriter) const override {
    RowBuilder rows{rewriter, op.getLoc()};
    Value x = op.getX();
    Value length =
        rows.mapRows(sumSquares(rows, x),
                     [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
                       return arith::MaximumFOp::create(
                           b, loc, math::SqrtOp::create(b, loc, v[0]),
                           constantF32(b, loc, 1e-12));
                     });
    rewriter.replaceOp(
        op, rows.map(
                {x, length}, rows.emptyLike(x),
                [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
                  return arith::DivFOp::create(b, loc, v[0], v[1]);
                },
                length));
    return success();
  }
};

} // namespace

void smelt::populateNormPatterns(RewritePatternSet &patterns) {
  patterns.add<LowerRMSNorm, LowerLayerNorm, LowerNormalize>(
      patterns.getContext());
}
