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
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"
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
  /// `acc` and four products of bytes in each lane.
  Value dotBytes(Value acc, Value u, Value s, bool isSigned) {
    for (int64_t i = 0; i < 4; ++i)
      acc =
          sum(acc, product(element(u, i, 8, isSigned), element(s, i, 8, true)));
    return acc;
  }
  /// Half of each word, a bf16, as f32.
  Value half(Value words, bool high) {
    Value bits =
        high
            ? arith::AndIOp::create(b, loc, words, constant(-65536)).getResult()
            : arith::ShLIOp::create(b, loc, words, constant(16)).getResult();
    return arith::BitcastOp::create(b, loc, type.clone(b.getF32Type()), bits);
  }
  /// `acc`, f32, and the products of halves.
  Value dotHalves(Value acc, Value x, Value y, bool high) {
    return math::FmaOp::create(b, loc, half(x, high), half(y, high), acc);
  }
};

struct ExpandDotBytes : OpRewritePattern<kernel::DotBytesOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(kernel::DotBytesOp op,
                                PatternRewriter &rewriter) const override {
    LaneBuilder l{rewriter, op.getLoc(), op.getAcc().getType()};
    rewriter.replaceOp(op, l.dotBytes(op.getAcc(), l.lanes(op.getU()),
                                      l.lanes(op.getS()), op.getIsSigned()));
    return success();
  }
};

struct ExpandDotPairs : OpRewritePattern<x86vector::DotBF16Op> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(x86vector::DotBF16Op op,
                                PatternRewriter &rewriter) const override {
    auto type = cast<VectorType>(op.getSrc().getType());
    LaneBuilder l{rewriter, op.getLoc(), type.clone(rewriter.getI32Type())};
    // The upper halves first, each product rounded (Intel's manual, VDPBF16PS).
    Value x = l.lanes(op.getA()), y = l.lanes(op.getB()), sum = op.getSrc();
    for (bool high : {true, false})
      sum = l.dotHalves(sum, x, y, high);
    rewriter.replaceOp(op, sum);
    return success();
  }
};

/// Loops over rows, panels and words of k; lanes are columns.
struct ExpandTileDot : OpRewritePattern<kernel::TileDotOp> {
  using OpRewritePattern::OpRewritePattern;

  struct Builder : LaneBuilder {
    kernel::TileDotOp op;

    Value index(int64_t value) {
      return arith::ConstantIndexOp::create(b, loc, value);
    }
    Value times(Value x, int64_t count) {
      return arith::MulIOp::create(b, loc, x, index(count));
    }
    /// for 0 <= i < count, carrying values.
    SmallVector<Value>
    loop(int64_t count, ValueRange carried,
         llvm::function_ref<SmallVector<Value>(Value i, ValueRange)> body) {
      auto loop = scf::ForOp::create(
          b, loc, index(0), index(count), index(1), carried,
          [&](OpBuilder &, Location, Value i, ValueRange inner) {
            scf::YieldOp::create(b, loc, body(i, inner));
          });
      return SmallVector<Value>(loop.getResults());
    }
    Value zero() {
      Type element = op.getC().getType().getElementType();
      return arith::ConstantOp::create(b, loc,
                                       b.getZeroAttr(type.clone(element)));
    }
    Value load(Value from, int64_t words, ValueRange indices) {
      Type element = op.getA().getType().getElementType();
      Value raw = vector::LoadOp::create(
          b, loc, VectorType::get({words * op.getDepth()}, element), from,
          indices);
      return vector::BitCastOp::create(
          b, loc, VectorType::get({words}, b.getI32Type()), raw);
    }
    /// Word `k` of a row in every lane, and those of a panel's columns.
    std::pair<Value, Value> wordsOf(Value row, Value panel, Value k) {
      Value word = vector::ExtractOp::create(
          b, loc, load(op.getA(), 1, {row, times(k, op.getDepth())}), 0);
      return {vector::BroadcastOp::create(b, loc, type, word),
              load(panel, type.getDimSize(0), {k, index(0)})};
    }
    Value sumOfBytes(Value row, Value panel, int64_t words) {
      return loop(words, zero(), [&](Value k, ValueRange carried) {
        auto [x, y] = wordsOf(row, panel, k);
        return SmallVector<Value>{dotBytes(carried[0], y, x, false)};
      })[0];
    }
    /// Even and odd k of a register's row of words apart, then both (Intel's
    /// manual, TDPBF16PS).
    Value sumOfPairs(Value row, Value panel, int64_t words) {
      constexpr int64_t atATime = kernel::TileDotOp::rowBytes / 4;
      return loop(words / atATime, zero(), [&](Value i, ValueRange carried) {
        Value first = times(i, atATime);
        SmallVector<Value> halves =
            loop(atATime, {zero(), zero()}, [&](Value j, ValueRange inner) {
              Value k = arith::AddIOp::create(b, loc, first, j);
              auto [x, y] = wordsOf(row, panel, k);
              return SmallVector<Value>{dotHalves(inner[0], x, y, false),
                                        dotHalves(inner[1], x, y, true)};
            });
        Value both = arith::AddFOp::create(b, loc, halves[0], halves[1]);
        return SmallVector<Value>{
            arith::AddFOp::create(b, loc, carried[0], both)};
      })[0];
    }
  };

  LogicalResult matchAndRewrite(kernel::TileDotOp op,
                                PatternRewriter &b) const override {
    int64_t columns = kernel::TileDotOp::columns;
    MemRefType rows = op.getA().getType();
    int64_t words = rows.getDimSize(1) / op.getDepth();
    Builder l{{b, op.getLoc(), VectorType::get({columns}, b.getI32Type())}, op};
    l.loop(rows.getDimSize(0), {}, [&](Value row, ValueRange) {
      for (auto [p, panel] : llvm::enumerate(op.getB())) {
        Value sum = op.getDepth() == 4 ? l.sumOfBytes(row, panel, words)
                                       : l.sumOfPairs(row, panel, words);
        vector::StoreOp::create(b, op.getLoc(), sum, op.getC(),
                                ValueRange{row, l.index(p * columns)});
      }
      return SmallVector<Value>();
    });
    b.eraseOp(op);
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
bool isInstruction(x86vector::DotBF16Op, const TargetRecord &target) {
  return target.hasBF16Dot;
}
bool isInstruction(kernel::TileDotOp, const TargetRecord &target) {
  return target.hasTiles();
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
                 UnlessInstruction<x86vector::DotBF16Op, ExpandDotPairs>,
                 UnlessInstruction<kernel::TileDotOp, ExpandTileDot>,
                 UnlessInstruction<kernel::ApplySignOp, ExpandApplySign>,
                 UnlessInstruction<kernel::MultiplyAddOp, ExpandMultiplyAdd>>(
        &getContext(), target);
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
