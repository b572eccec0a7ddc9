//===- Elementwise.cpp - activations, sums and products -------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Patterns.h"

using namespace mlir;
using namespace smelt;

namespace {

Value emitSilu(OpBuilder &b, Location loc, Value x) {
  Value exp = math::ExpOp::create(b, loc, arith::NegFOp::create(b, loc, x));
  Value one = constantF32(b, loc, 1);
  return arith::DivFOp::create(b, loc, x,
                               arith::AddFOp::create(b, loc, one, exp));
}

/// 1 + erf(y) is erfc(-y).
Value emitGelu(OpBuilder &b, Location loc, Value x) {
  Value scaled = arith::MulFOp::create(
      b, loc, x, constantF32(b, loc, -0.70710678118654752440));
  Value half = arith::MulFOp::create(b, loc, x, constantF32(b, loc, 0.5));
  return arith::MulFOp::create(b, loc, half,
                               math::ErfcOp::create(b, loc, scaled));
}

Value emitGeluTanh(OpBuilder &b, Location loc, Value x) {
  Value square = arith::MulFOp::create(b, loc, x, x);
  Value cube = arith::MulFOp::create(b, loc, square, x);
  Value inner =
      math::FmaOp::create(b, loc, cube, constantF32(b, loc, 0.044715), x);
  Value scaled = arith::MulFOp::create(
      b, loc, inner, constantF32(b, loc, 0.79788456080286535588));
  Value tanh = math::TanhOp::create(b, loc, scaled);
  Value half = arith::MulFOp::create(b, loc, x, constantF32(b, loc, 0.5));
  return arith::MulFOp::create(
      b, loc, half,
      arith::AddFOp::create(b, loc, tanh, constantF32(b, loc, 1)));
}

Value emitRelu(OpBuilder &b, Location loc, Value x) {
  return arith::MaximumFOp::create(b, loc, x, constantF32(b, loc, 0));
}

const Activation kActivations[] = {{"silu", emitSilu},
                                   {"gelu", emitGelu},
                                   {"gelu_tanh", emitGeluTanh},
                                   {"relu", emitRelu}};

} // namespace

const Activation *smelt::lookupActivation(StringRef name) {
  return llvm::find_if(kActivations,
                       [&](const Activation &a) { return a.name == name; });
}

namespace {

/// silu, gelu, gelu_tanh, relu.
template <typename Op> struct LowerUnary : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    RowBuilder rows{rewriter, op.getLoc()};
    const Activation *activation =
        lookupActivation(op->getName().stripDialect());
    rewriter.replaceOp(op,
                       rows.map(op.getX(), rows.emptyLike(op.getX()),
                                [&](OpBuilder &b, Location loc, ValueRange v) {
                                  return activation->emit(b, loc, v[0]);
                                }));
    return success();
  }
};

/// add, mul.
template <typename Op, typename Arith>
struct LowerBinary : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    RowBuilder rows{rewriter, op.getLoc()};
    rewriter.replaceOp(
        op, rows.map({op.getLhs(), op.getRhs()}, rows.emptyLike(op.getLhs()),
                     [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
                       return Arith::create(b, loc, v[0], v[1]);
                     }));
    return success();
  }
};

} // namespace

void smelt::populateElementwisePatterns(RewritePatternSet &patterns) {
  patterns.add<LowerUnary<llm::SiluOp>, LowerUnary<llm::GeluOp>,
               LowerUnary<llm::GeluTanhOp>, LowerUnary<llm::ReluOp>,
               LowerBinary<llm::AddOp, arith::AddFOp>,
               LowerBinary<llm::MulOp, arith::MulFOp>>(patterns.getContext());
}
