//===- ExpandMath.cpp - Functions as polynomials ----------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every function follows one plan: bring the argument into a small interval,
// evaluate the best polynomial there, undo the reduction. The polynomials and
// the bounds of their errors come from utils/minimax.py; every pattern below
// says what the reduction is. There are no branches: what a lane doesn't need
// is computed and not selected.
//
// A float is rounded to an integer n by adding 1.5 * 2^23 (for f64 1.5 * 2^52):
// the sum's last bit is worth one, so the addition rounds to nearest even, and
// n stands in the low bits of the sum.
//
//===----------------------------------------------------------------------===//
#include "Lanes.h"

#include "smelt/Target/CPU/Targets.h"
#include "smelt/Transforms/Vector/Passes.h"

#include "mlir/Transforms/WalkPatternRewriteDriver.h"

#include <limits>

namespace smelt {
#define GEN_PASS_DEF_EXPANDMATH
#include "smelt/Transforms/Vector/Passes.h.inc"
} // namespace smelt

using namespace mlir;
using arith::CmpFPredicate;
using smelt::Lanes;

#include "MathPolynomials.inc"

static constexpr double infinity = std::numeric_limits<double>::infinity();
static constexpr double notANumber = std::numeric_limits<double>::quiet_NaN();
/// ln 2 in two parts; the first has ten bits, so that its product with an
/// exponent is exact even without fma.
static constexpr double ln2High = 0x1.63p-1, ln2Low = -0x1.bd0106p-13;

//===----------------------------------------------------------------------===//
// exp and exp2
//===----------------------------------------------------------------------===//

/// 2^n for integers -126 <= n <= 127, of which the 9 low bits count; 0 and
/// infinity for those next to them.
static Value emitPowerOfTwo(Lanes &l, Value n) {
  return l.toFloat(l.shiftLeft(l.addBits(n, l.bits(127)), 23));
}

/// x = n ln 2 + r with |r| <= ln 2 / 2: exp(x) = 2^n exp(r). For -104 <= x <=
/// 89 the power is applied in two halves, so that the result is rounded once
/// where it is subnormal, and overflows where it should. A result that is known
/// to be `normal` takes one step.
static Value emitExpInRange(Lanes &l, Value x, bool normal) {
  Value magic = l.constant(0x1.8p23);
  Value sum = l.fma(x, l.constant(0x1.715476p0), magic);
  Value n = l.sub(sum, magic);
  Value r = l.fma(n, l.constant(-ln2High), x);
  r = l.fma(n, l.constant(-ln2Low), r);
  Value tail = l.fma(l.mul(r, r), l.polynomial(r, expTail), r);
  Value power = l.add(tail, l.constant(1));
  Value exponent = l.subBits(l.toBits(sum), l.toBits(magic));
  if (normal)
    return l.mul(power, emitPowerOfTwo(l, exponent));
  Value half = l.shiftRightSigned(exponent, 1);
  power = l.mul(power, emitPowerOfTwo(l, half));
  return l.mul(power, emitPowerOfTwo(l, l.subBits(exponent, half)));
}

/// Below -104 the result is 0, above 89 infinity.
static Value emitExp(Lanes &l, Value x) {
  return emitExpInRange(l, l.atMost(l.atLeast(x, -104), 89), /*normal=*/false);
}

/// 2^x for -127 <= x <= 128: x = n + r with |r| <= 1/2, and n is in the low
/// bits of its sum with a power of two. -127 and 128 as n give 0 and infinity.
static Value emitExp2InRange(Lanes &l, Value x) {
  Value magic = l.constant(0x1.8p23);
  Value sum = l.add(x, magic);
  Value r = l.sub(x, l.sub(sum, magic));
  Value power = l.fma(r, l.polynomial(r, exp2Tail), l.constant(1));
  return l.mul(power, emitPowerOfTwo(l, l.toBits(sum)));
}

/// Below -126.5 the result is 0, from 127.5 on infinity.
static Value emitExp2(Lanes &l, Value x) {
  return emitExp2InRange(l, l.atMost(l.atLeast(x, -127), 128));
}

//===----------------------------------------------------------------------===//
// tanh and erfc
//===----------------------------------------------------------------------===//

/// Up to 0.625 a polynomial, above it 1 - 2 / (exp(2x) + 1), from 10 on 1.
static Value emitTanh(Lanes &l, Value x) {
  Value magnitude = l.abs(x);
  Value square = l.mul(x, x);
  Value near = l.fma(l.mul(x, square), l.polynomial(square, tanhTail), x);
  Value clamped = l.atMost(magnitude, 10);
  Value power = emitExpInRange(l, l.add(clamped, clamped), /*normal=*/true);
  Value one = l.constant(1);
  Value far = l.sub(one, l.div(l.constant(2), l.add(power, one)));
  Value isNear = l.compare(CmpFPredicate::OLT, magnitude, l.constant(0.625));
  return l.copySign(l.select(isNear, near, far), x);
}

/// Of magnitudes up to 4 a power of two, then 0, and 2 less it below 0.
static Value emitErfc(Lanes &l, Value x) {
  Value magnitude = l.abs(x);
  Value clamped = l.atMost(magnitude, 4);
  Value exponent = l.mul(clamped, l.polynomial(clamped, erfcExponent));
  Value isFar = l.compare(CmpFPredicate::OGT, magnitude, l.constant(4));
  Value above = l.select(isFar, l.constant(0), emitExp2InRange(l, exponent));
  Value isNegative = l.compare(CmpFPredicate::OLT, x, l.constant(0));
  return l.select(isNegative, l.sub(l.constant(2), above), above);
}

//===----------------------------------------------------------------------===//
// sin and cos
//===----------------------------------------------------------------------===//

/// sin(x + quarters * pi / 2). x = n pi / 2 + r with |r| <= pi / 4: the sine or
/// the cosine of r, with the sign of quadrant n mod 4. The reduction is done in
/// f64 with pi / 2 in three parts of which two have 24 bits, so that n times
/// those is exact for |x| <= 2^28, with fma or without.
static Value emitSinOfQuarters(Lanes &l, Value x, uint32_t quarters) {
  Value wide = l.convert<arith::ExtFOp>(l.f64(), x);
  Value magic = l.constant64(0x1.8p52);
  Value sum = l.add(l.mul(wide, l.constant64(0x1.45f306dc9c883p-1)), magic);
  Value n = l.sub(sum, magic);
  for (double part : {0x1.921fb4p0, 0x1.4442dp-24, 0x1.8469898cc5170p-48})
    wide = l.sub(wide, l.mul(n, l.constant64(part)));
  Value r = l.convert<arith::TruncFOp>(l.f32(), wide);
  Value quadrant = l.convert<arith::TruncIOp>(
      l.integer(32), l.convert<arith::BitcastOp>(l.integer(64), sum));
  if (quarters)
    quadrant = l.addBits(quadrant, l.bits(quarters));

  Value square = l.mul(r, r);
  Value sine = l.fma(l.mul(r, square), l.polynomial(square, sinTail), r);
  sine = l.copySign(sine, r); // -0.0 stays what it is
  Value cosine = l.fma(square, l.constant(-0.5), l.constant(1));
  cosine = l.fma(l.mul(square, square), l.polynomial(square, cosTail), cosine);

  Value isCosine = l.compareBits(arith::CmpIPredicate::ne,
                                 l.andBits(quadrant, l.bits(1)), l.bits(0));
  Value sign = l.shiftLeft(l.andBits(quadrant, l.bits(2)), 30);
  Value result =
      l.toFloat(l.xorBits(l.toBits(l.select(isCosine, cosine, sine)), sign));
  Value inRange = l.compare(CmpFPredicate::OLE, l.abs(x), l.constant(0x1p28));
  return l.select(inRange, result, l.constant(notANumber));
}

static Value emitSin(Lanes &l, Value x) { return emitSinOfQuarters(l, x, 0); }
static Value emitCos(Lanes &l, Value x) { return emitSinOfQuarters(l, x, 1); }

//===----------------------------------------------------------------------===//
// log and rsqrt
//===----------------------------------------------------------------------===//

/// x = 2^n (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)): n ln 2 + log(1 + f).
/// Subnormals are scaled by 2^23 first.
static Value emitLog(Lanes &l, Value x) {
  Value zero = l.constant(0);
  Value isSmall = l.compare(CmpFPredicate::OLT, x, l.constant(0x1p-126));
  Value scaled = l.select(isSmall, l.mul(x, l.constant(0x1p23)), x);
  Value rootHalf = l.bits(0x3f3504f3);
  Value offset = l.subBits(l.toBits(scaled), rootHalf);
  Value exponent = l.shiftRightSigned(offset, 23);
  Value mantissa = l.addBits(l.andBits(offset, l.bits(0x7fffff)), rootHalf);
  Value n = l.add(l.convert<arith::SIToFPOp>(l.f32(), exponent),
                  l.select(isSmall, l.constant(-23), zero));

  Value f = l.sub(l.toFloat(mantissa), l.constant(1));
  Value square = l.mul(f, f);
  Value tail = l.fma(l.mul(f, square), l.polynomial(f, logTail),
                     l.mul(n, l.constant(ln2Low)));
  tail = l.fma(square, l.constant(-0.5), tail);
  Value result = l.fma(n, l.constant(ln2High), l.add(f, tail));

  auto selectIf = [&](CmpFPredicate predicate, double limit, Value value) {
    Value condition = l.compare(predicate, x, l.constant(limit));
    result = l.select(condition, value, result);
  };
  selectIf(CmpFPredicate::OEQ, 0, l.constant(-infinity));
  selectIf(CmpFPredicate::OLT, 0, l.constant(notANumber));
  selectIf(CmpFPredicate::UEQ, infinity, x); // infinity or NaN
  return result;
}

static Value emitRsqrt(Lanes &l, Value x) {
  return l.div(l.constant(1), l.convert<math::SqrtOp>(l.f32(), x));
}

//===----------------------------------------------------------------------===//
// Rounding, where the target has no instruction for it
//===----------------------------------------------------------------------===//

/// Floats from 2^23 on are integers, and NaN stays.
static Value keepIntegers(Lanes &l, Value x, Value rounded) {
  Value hasFraction =
      l.compare(CmpFPredicate::OLT, l.abs(x), l.constant(0x1p23));
  return l.select(hasFraction, l.copySign(rounded, x), x);
}

/// The nearest integer to 0 <= x <= 2^23, even if two are as near.
static Value emitNearest(Lanes &l, Value x) {
  Value magic = l.constant(0x1p23);
  return l.sub(l.add(x, magic), magic);
}

static Value emitRoundEven(Lanes &l, Value x) {
  return keepIntegers(l, x, emitNearest(l, l.abs(x)));
}

static Value emitTrunc(Lanes &l, Value x) {
  Value magnitude = l.abs(x);
  Value nearest = emitNearest(l, magnitude);
  Value isAbove = l.compare(CmpFPredicate::OGT, nearest, magnitude);
  Value below = l.sub(nearest, l.constant(1));
  return keepIntegers(l, x, l.select(isAbove, below, nearest));
}

/// floor with step -1, ceil with step 1: the nearest integer, moved by the step
/// if it lies on the other side of x.
static Value emitTowards(Lanes &l, Value x, double step) {
  Value nearest = emitRoundEven(l, x);
  Value isBeyond =
      l.compare(step < 0 ? CmpFPredicate::OGT : CmpFPredicate::OLT, nearest, x);
  Value moved = l.add(nearest, l.constant(step));
  return keepIntegers(l, x, l.select(isBeyond, moved, nearest));
}

static Value emitFloor(Lanes &l, Value x) { return emitTowards(l, x, -1); }
static Value emitCeil(Lanes &l, Value x) { return emitTowards(l, x, 1); }

/// Halves away from zero. What is added is the float below 0.5: with 0.5 itself
/// the float below 0.5 would become 1.
static Value emitRound(Lanes &l, Value x) {
  Value nudge = l.copySign(l.constant(0x1.fffffep-2), x);
  return keepIntegers(l, x, emitTrunc(l, l.add(x, nudge)));
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {

/// Replaces an `Op` on f32 by what `emit` writes.
template <typename Op, Value emit(Lanes &, Value)>
struct ExpandUnary : OpRewritePattern<Op> {
  ExpandUnary(MLIRContext *context, bool hasFma)
      : OpRewritePattern<Op>(context), hasFma(hasFma) {}

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    Value x = op.getOperand();
    if (!getElementTypeOrSelf(x.getType()).isF32() ||
        !isa<FloatType, VectorType>(x.getType()))
      return rewriter.notifyMatchFailure(op, "expects f32 or vectors of it");
    Lanes lanes(rewriter, op.getLoc(), x.getType(), hasFma);
    rewriter.replaceOp(op, emit(lanes, x));
    return success();
  }

  bool hasFma;
};

struct ExpandFma : OpRewritePattern<math::FmaOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::FmaOp op,
                                PatternRewriter &rewriter) const override {
    Value product =
        arith::MulFOp::create(rewriter, op.getLoc(), op.getA(), op.getB());
    rewriter.replaceOpWithNewOp<arith::AddFOp>(op, product, op.getC());
    return success();
  }
};

struct ExpandMath : smelt::impl::ExpandMathBase<ExpandMath> {
  using ExpandMathBase::ExpandMathBase;

  void runOnOperation() override {
    bool hasFma = fma, hasRounding = rounding;
    if (smelt::namesTarget(getOperation())) {
      const smelt::TargetRecord *target = smelt::getTarget(getOperation());
      if (!target)
        return signalPassFailure();
      hasFma = target->hasFMA;
      hasRounding = target->hasRounding();
    }
    RewritePatternSet patterns(&getContext());
    patterns.add<
        ExpandUnary<math::ExpOp, emitExp>, ExpandUnary<math::Exp2Op, emitExp2>,
        ExpandUnary<math::TanhOp, emitTanh>,
        ExpandUnary<math::ErfcOp, emitErfc>, ExpandUnary<math::SinOp, emitSin>,
        ExpandUnary<math::CosOp, emitCos>, ExpandUnary<math::LogOp, emitLog>,
        ExpandUnary<math::RsqrtOp, emitRsqrt>>(&getContext(), hasFma);
    if (!hasRounding)
      patterns.add<ExpandUnary<math::RoundEvenOp, emitRoundEven>,
                   ExpandUnary<math::TruncOp, emitTrunc>,
                   ExpandUnary<math::FloorOp, emitFloor>,
                   ExpandUnary<math::CeilOp, emitCeil>,
                   ExpandUnary<math::RoundOp, emitRound>>(&getContext(),
                                                          hasFma);
    if (!hasFma)
      patterns.add<ExpandFma>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
