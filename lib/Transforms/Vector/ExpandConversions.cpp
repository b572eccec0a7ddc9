//===- ExpandConversions.cpp - 16-bit floats by integers --------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//          sign  exponent  mantissa
//   f32     1       8        23
//   bf16    1       8         7     the upper half of an f32
//   f16     1       5        10     another range of exponents: 127 - 15 = 112
//
//===----------------------------------------------------------------------===//
#include "Lanes.h"

#include "smelt/Target/CPU/Targets.h"
#include "smelt/Transforms/Vector/Passes.h"

#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace smelt {
#define GEN_PASS_DEF_EXPANDCONVERSIONS
#include "smelt/Transforms/Vector/Passes.h.inc"
} // namespace smelt

using namespace mlir;
using arith::CmpIPredicate;
using smelt::Lanes;

/// The bits of 16-bit floats, as the lower half of i32.
static Value emitBits16(Lanes &l, Value x) {
  return l.convert<arith::ExtUIOp>(
      l.integer(32), l.convert<arith::BitcastOp>(l.integer(16), x));
}

/// Adds to an f32's `bits` what makes cutting off the lower `count` of them
/// round to nearest even: half a unit less one, and one more if the unit is
/// odd.
static Value emitRoundBits(Lanes &l, Value bits, uint32_t count) {
  Value odd = l.andBits(l.shiftRight(bits, count), l.bits(1));
  Value half = l.bits((1u << (count - 1)) - 1);
  return l.addBits(l.addBits(bits, half), odd);
}

static Value emitExtendBF16(Lanes &l, Value x) {
  return l.toFloat(l.shiftLeft(emitBits16(l, x), 16));
}

/// Rounding carries into the exponent and up to infinity by itself; a NaN keeps
/// the upper bits of its payload and becomes quiet.
static Value emitTruncateBF16(Lanes &l, Value x) {
  Value bits = l.toBits(x);
  Value rounded = l.shiftRight(emitRoundBits(l, bits, 16), 16);
  Value quiet = l.orBits(l.shiftRight(bits, 16), l.bits(0x40));
  Value isNaN = l.compare(arith::CmpFPredicate::UNO, x, x);
  return l.select(isNaN, quiet, rounded);
}

/// Moves the exponent up by 112; from the largest, which is infinity and NaN,
/// by 112 once more. A subnormal gets the exponent of the smallest normal,
/// whose leading one is then subtracted.
static Value emitExtendF16(Lanes &l, Value x) {
  Value half = emitBits16(l, x);
  Value sign = l.shiftLeft(l.andBits(half, l.bits(0x8000)), 16);
  Value magnitude = l.shiftLeft(l.andBits(half, l.bits(0x7fff)), 13);
  Value normal = l.addBits(magnitude, l.bits(112u << 23));
  Value special = l.addBits(magnitude, l.bits(224u << 23));
  Value smallest = l.bits(113u << 23);
  Value subnormal = l.toBits(
      l.sub(l.toFloat(l.addBits(magnitude, smallest)), l.toFloat(smallest)));
  Value isSpecial =
      l.compareBits(CmpIPredicate::uge, magnitude, l.bits(0x7c00u << 13));
  Value isSubnormal =
      l.compareBits(CmpIPredicate::ult, magnitude, l.bits(0x0400u << 13));
  // A signalling NaN becomes quiet, as an instruction would make it.
  Value isNaN =
      l.compareBits(CmpIPredicate::ugt, magnitude, l.bits(0x7c00u << 13));
  special = l.select(isNaN, l.orBits(special, l.bits(0x00400000)), special);
  Value result =
      l.select(isSpecial, special, l.select(isSubnormal, subnormal, normal));
  return l.toFloat(l.orBits(result, sign));
}

/// Below 2^-14 the result is a multiple of 2^-24, which is the last bit of 0.5:
/// adding 0.5 rounds to it. From 2^16 on it is infinity; between 65520 and
/// that, rounding makes it so.
static Value emitTruncateF16(Lanes &l, Value x) {
  Value bits = l.toBits(x);
  Value sign = l.andBits(l.shiftRight(bits, 16), l.bits(0x8000));
  Value magnitude = l.andBits(bits, l.bits(0x7fffffff));
  Value normal = l.shiftRight(
      emitRoundBits(l, l.subBits(magnitude, l.bits(112u << 23)), 13), 13);
  Value half = l.constant(0.5);
  Value subnormal =
      l.subBits(l.toBits(l.add(l.toFloat(magnitude), half)), l.toBits(half));
  Value payload = l.andBits(l.shiftRight(magnitude, 13), l.bits(0x3ff));
  Value isNaN =
      l.compareBits(CmpIPredicate::ugt, magnitude, l.bits(0x7f800000));
  Value special =
      l.select(isNaN, l.orBits(payload, l.bits(0x7e00)), l.bits(0x7c00));
  Value isSubnormal =
      l.compareBits(CmpIPredicate::ult, magnitude, l.bits(113u << 23));
  Value isSpecial =
      l.compareBits(CmpIPredicate::uge, magnitude, l.bits(143u << 23));
  Value result =
      l.select(isSpecial, special, l.select(isSubnormal, subnormal, normal));
  return l.orBits(result, sign);
}

namespace {

/// Replaces extensions from `Narrow` (a 16-bit float) to f32.
template <typename Narrow, Value emit(Lanes &, Value)>
struct ExpandExtension : OpRewritePattern<arith::ExtFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::ExtFOp op,
                                PatternRewriter &rewriter) const override {
    Value x = op.getIn();
    if (!isa<FloatType, VectorType>(x.getType()) ||
        !isa<Narrow>(getElementTypeOrSelf(x.getType())) ||
        !getElementTypeOrSelf(op.getType()).isF32())
      return rewriter.notifyMatchFailure(op, "has other types");
    Lanes lanes(rewriter, op.getLoc(), x.getType(), /*hasFma=*/false);
    rewriter.replaceOp(op, emit(lanes, x));
    return success();
  }
};

/// Replaces roundings from f32 to `Narrow`; `emit` leaves its bits in an i32.
template <typename Narrow, Value emit(Lanes &, Value)>
struct ExpandTruncation : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::TruncFOp op,
                                PatternRewriter &rewriter) const override {
    Value x = op.getIn();
    if (!isa<FloatType, VectorType>(x.getType()) ||
        !getElementTypeOrSelf(x.getType()).isF32() ||
        !isa<Narrow>(getElementTypeOrSelf(op.getType())))
      return rewriter.notifyMatchFailure(op, "has other types");
    if (op.getRoundingmode().value_or(arith::RoundingMode::to_nearest_even) !=
        arith::RoundingMode::to_nearest_even)
      return rewriter.notifyMatchFailure(op, "doesn't round to nearest even");
    Lanes lanes(rewriter, op.getLoc(), x.getType(), /*hasFma=*/false);
    Value bits =
        lanes.convert<arith::TruncIOp>(lanes.integer(16), emit(lanes, x));
    rewriter.replaceOpWithNewOp<arith::BitcastOp>(op, op.getType(), bits);
    return success();
  }
};

struct ExpandConversions
    : smelt::impl::ExpandConversionsBase<ExpandConversions> {
  using ExpandConversionsBase::ExpandConversionsBase;

  void runOnOperation() override {
    bool expandF16 = f16, truncatesBF16 = false;
    if (missing) {
      const smelt::TargetRecord *target = smelt::getTarget(getOperation());
      if (!target)
        return signalPassFailure();
      expandF16 = !target->hasF16C;
      truncatesBF16 = target->hasBF16Dot; // vcvtneps2bf16
    }
    RewritePatternSet patterns(&getContext());
    patterns.add<ExpandExtension<BFloat16Type, emitExtendBF16>>(&getContext());
    if (!truncatesBF16)
      patterns.add<ExpandTruncation<BFloat16Type, emitTruncateBF16>>(
          &getContext());
    if (expandF16)
      patterns.add<ExpandExtension<Float16Type, emitExtendF16>,
                   ExpandTruncation<Float16Type, emitTruncateF16>>(
          &getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
