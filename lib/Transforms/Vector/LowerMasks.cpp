//===- LowerMasks.cpp - Masked accesses that LLVM can split -----*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where a target has no masked access of 16-bit elements, LLVM makes one of
// scalars, and for a scalar of bf16 or f16 in a register it may call a
// conversion. In memory those are 16 bits like any others.
//
// Where a target has such accesses and only one lane of a mask is set, LLVM 22
// makes a scalar store of what was truncated to the elements, in its width
// before: it writes over what lies behind. So that is a scalar store here.
//
//===----------------------------------------------------------------------===//
#include "smelt/Transforms/Vector/Passes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace smelt {
#define GEN_PASS_DEF_LOWERMASKS
#include "smelt/Transforms/Vector/Passes.h.inc"
} // namespace smelt

using namespace mlir;

/// The vector of i16 with the lanes of `type`, if that has 16-bit floats.
static VectorType getIntegerVector(Type type) {
  auto vector = dyn_cast<VectorType>(type);
  if (!vector || !isa<BFloat16Type, Float16Type>(vector.getElementType()))
    return {};
  return vector.clone(IntegerType::get(type.getContext(), 16));
}

static Value emitBitcast(OpBuilder &builder, Location loc, Type type,
                         Value value) {
  return LLVM::BitcastOp::create(builder, loc, type, value);
}

namespace {

struct LoadIntegers : OpRewritePattern<LLVM::MaskedLoadOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LLVM::MaskedLoadOp op,
                                PatternRewriter &rewriter) const override {
    VectorType type = getIntegerVector(op.getType());
    if (!type)
      return rewriter.notifyMatchFailure(op, "isn't of 16-bit floats");
    Location loc = op.getLoc();
    Value passThrough = op.getPassThru();
    if (passThrough)
      passThrough = emitBitcast(rewriter, loc, type, passThrough);
    Value load = LLVM::MaskedLoadOp::create(
        rewriter, loc, type, op.getData(), op.getMask(), passThrough,
        op.getAlignmentAttr(), op.getNontemporalAttr());
    rewriter.replaceOp(op, emitBitcast(rewriter, loc, op.getType(), load));
    return success();
  }
};

struct LowerStore : OpRewritePattern<LLVM::MaskedStoreOp> {
  using OpRewritePattern::OpRewritePattern;

  /// The lane of narrow elements that is stored, if it is one that is known.
  static std::optional<int64_t> getOnlyLane(LLVM::MaskedStoreOp op) {
    auto type = cast<VectorType>(op.getValue().getType());
    DenseElementsAttr mask;
    if (type.getElementTypeBitWidth() >= 32 ||
        !matchPattern(op.getMask(), m_Constant(&mask)))
      return std::nullopt;
    auto lanes = llvm::to_vector(mask.getValues<bool>());
    if (llvm::count(lanes, true) != 1)
      return std::nullopt;
    return llvm::find(lanes, true) - lanes.begin();
  }

  LogicalResult matchAndRewrite(LLVM::MaskedStoreOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value value = op.getValue();
    VectorType type = getIntegerVector(value.getType());
    std::optional<int64_t> lane = getOnlyLane(op);
    if (!type && !lane)
      return rewriter.notifyMatchFailure(op, "stays as it is");
    if (type)
      value = emitBitcast(rewriter, loc, type, value);
    if (!lane) {
      rewriter.modifyOpInPlace(op, [&] { op.getValueMutable().assign(value); });
      return success();
    }
    Value number = LLVM::ConstantOp::create(rewriter, loc,
                                            rewriter.getI64IntegerAttr(*lane));
    Value element =
        LLVM::ExtractElementOp::create(rewriter, loc, value, number);
    Value place = LLVM::GEPOp::create(
        rewriter, loc, op.getData().getType(), element.getType(), op.getData(),
        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(*lane)});
    rewriter.replaceOpWithNewOp<LLVM::StoreOp>(op, element, place,
                                               op.getAlignment());
    return success();
  }
};

struct LowerMasks : smelt::impl::LowerMasksBase<LowerMasks> {
  using LowerMasksBase::LowerMasksBase;

  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet set(context);
    set.add<LoadIntegers, LowerStore>(context);
    patterns = std::move(set);
    return success();
  }

  void runOnOperation() override {
    walkAndApplyPatterns(getOperation(), patterns);
  }

private:
  FrozenRewritePatternSet patterns;
};

} // namespace
