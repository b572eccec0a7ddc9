//===- ExpandDots.cpp - Products of neighbours by plain arithmetic -*- C++
//-*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The neighbours whose products are summed lie in one lane of the result:
// shifts bring each of them to the lane's low end.
//
//===----------------------------------------------------------------------===//
#include "smelt/Dialect/Kernel/IR/Kernel.h"
#include "smelt/Target/CPU/Targets.h"
#include "smelt/Transforms/Vector/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace smelt {
#define GEN_PASS_DEF_EXPANDDOTS
#include "smelt/Transforms/Vector/Passes.h.inc"
} // namespace smelt

using namespace mlir;
using namespace smelt;

namespace {

struct LaneBuilder {
  OpBuilder &b;
  Location loc;
  VectorType type; // of the result's lanes

  Value constant(int64_t value) {
    return arith::ConstantOp::create(
        b, loc,
        DenseElementsAttr::get(type,
                               b.getIntegerAttr(type.getElementType(), value)));
  }
  Value lanes(Value vector) {
    return vector::BitCastOp::create(b, loc, type, vector);
  }
  /// Element `i` of `bits` bits of each lane, extended.
  Value element(Value lanes, int64_t i, int64_t bits, bool isSigned) {
    int64_t width = type.getElementTypeBitWidth();
    Value top =
        arith::ShLIOp::create(b, loc, lanes, constant(width - (i + 1) * bits));
    Value down = constant(width - bits);
    if (isSigned)
      return arith::ShRSIOp::create(b, loc, top, down);
    return arith::ShRUIOp::create(b, loc, top, down);
  }
  Value product(Value x, Value y) {
    return arith::MulIOp::create(b, loc, x, y);
  }
  Value sum(Value x, Value y) { return arith::AddIOp::create(b, loc, x, y); }
};

struct ExpandDotBytes : OpRewritePattern<kernel::DotBytesOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(kernel::DotBytesOp op,
                                PatternRewriter &rewriter) const override {
    LaneBuilder l{rewriter, op.getLoc(), op.getAcc().getType()};
    Value u = l.lanes(op.getU()), s = l.lanes(op.getS()), sum = op.getAcc();
    for (int64_t i = 0; i < 4; ++i)
      sum = l.sum(sum, l.product(l.element(u, i, 8, op.getIsSigned()),
                                 l.element(s, i, 8, true)));
    rewriter.replaceOp(op, sum);
    return success();
  }
};

struct ExpandApplySign : OpRewritePattern<kernel::ApplySignOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(kernel::ApplySignOp op,
                                PatternRewriter &rewriter) const override {
    LaneBuilder l{rewriter, op.getLoc(), op.getResult().getType()};
    Value sign = arith::MaxSIOp::create(
        rewriter, op.getLoc(),
        arith::MinSIOp::create(rewriter, op.getLoc(), op.getSign(),
                               l.constant(1)),
        l.constant(-1));
    rewriter.replaceOp(op, l.product(op.getX(), sign));
    return success();
  }
};

struct ExpandMultiplyAdd : OpRewritePattern<kernel::MultiplyAddOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(kernel::MultiplyAddOp op,
                                PatternRewriter &rewriter) const override {
    VectorType type = op.getResult().getType();
    int64_t bits = type.getElementTypeBitWidth() / 2;
    bool isBytes = bits == 8;
    LaneBuilder l{rewriter, op.getLoc(), type};
    Value x = l.lanes(op.getX()), y = l.lanes(op.getY());
    Value products[2];
    for (int64_t i = 0; i < 2; ++i)
      products[i] = l.product(l.element(x, i, bits, !isBytes),
                              l.element(y, i, bits, true));
    if (!isBytes) {
      rewriter.replaceOp(op, l.sum(products[0], products[1]));
      return success();
    }
    // Each product fits in 16 bits, their sum may not.
    LaneBuilder wide{rewriter, op.getLoc(), type.clone(rewriter.getI32Type())};
    auto extend = [&](Value value) -> Value {
      return arith::ExtSIOp::create(rewriter, op.getLoc(), wide.type, value);
    };
    Value sum = wide.sum(extend(products[0]), extend(products[1]));
    sum = arith::MinSIOp::create(rewriter, op.getLoc(), sum,
                                 wide.constant(32767));
    sum = arith::MaxSIOp::create(rewriter, op.getLoc(), sum,
                                 wide.constant(-32768));
    rewriter.replaceOpWithNewOp<arith::TruncIOp>(op, type, sum);
    return success();
  }
};

/// Whether `target` has the instruction that an op stands for.
bool isInstruction(kernel::DotBytesOp op, const TargetRecord &target) {
  return op.getIsSigned() ? target.hasSignedDot : target.hasByteDot;
}
bool isInstruction(kernel::ApplySignOp, const TargetRecord &target) {
  return target.hasByteSign();
}
bool isInstruction(kernel::MultiplyAddOp op, const TargetRecord &target) {
  return op.getX().getType().getElementType().isInteger(8)
             ? target.hasByteMultiplyAdd()
             : target.hasWordMultiplyAdd;
}

template <typename Op, typename Pattern> struct UnlessInstruction : Pattern {
  UnlessInstruction(MLIRContext *context, const TargetRecord *target)
      : Pattern(context), target(target) {}
  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    if (target && isInstruction(op, *target))
      return rewriter.notifyMatchFailure(op, "expects an op that the target "
                                             "has no instruction for");
    return Pattern::matchAndRewrite(op, rewriter);
  }
  const TargetRecord *target;
};

struct ExpandDots : smelt::impl::ExpandDotsBase<ExpandDots> {
  using ExpandDotsBase::ExpandDotsBase;

  void runOnOperation() override {
    const TargetRecord *target = nullptr;
    if (missing) {
      target = getTarget(getOperation());
      if (!target)
        return signalPassFailure();
    }
    RewritePatternSet patterns(&getContext());
    patterns.add<UnlessInstruction<kernel::DotBytesOp, ExpandDotBytes>,
                 UnlessInstruction<kernel::ApplySignOp, ExpandApplySign>,
                 UnlessInstruction<kernel::MultiplyAddOp, ExpandMultiplyAdd>>(
        &getContext(), target);
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
