//===- RoundAttention.cpp - Attention between roundings ---------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Before elementwise fusion, which makes the roundings of what attention reads
// part of the products that make it.
//
//===----------------------------------------------------------------------===//
#include "smelt/Dialect/Kernel/IR/Kernel.h"
#include "smelt/Target/CPU/Targets.h"
#include "smelt/Transforms/Tile/Passes.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace smelt {
#define GEN_PASS_DEF_ROUNDATTENTION
#include "smelt/Transforms/Tile/Passes.h.inc"
} // namespace smelt

using namespace mlir;
using smelt::kernel::AttentionOp;

namespace {

/// The only user of `value` that rounds it to bf16, element by element, or
/// null.
linalg::GenericOp findRounding(Value value) {
  if (!value.hasOneUse())
    return {};
  auto generic = dyn_cast<linalg::GenericOp>(*value.user_begin());
  if (!generic || generic.getNumDpsInputs() != 1 ||
      !llvm::all_of(generic.getIndexingMapsArray(),
                    [](AffineMap map) { return map.isIdentity(); }))
    return {};
  Block &body = *generic.getBlock();
  auto round = dyn_cast<arith::TruncFOp>(body.front());
  if (!round || round.getIn() != body.getArgument(0) ||
      round.getRoundingmode() || !round.getType().isBF16())
    return {};
  Operation *yield = body.getTerminator();
  return yield->getOperand(0) == round.getOut() ? generic : nullptr;
}

/// An empty tensor of the sizes of `x`, found where they are known first:
/// fusion wants products that nothing else uses.
Value emptyLike(OpBuilder &b, Value x, Type element) {
  Location loc = x.getLoc();
  while (auto op = x.getDefiningOp<DestinationStyleOpInterface>())
    x = op.getTiedOpOperand(cast<OpResult>(x))->get();
  auto empty = x.getDefiningOp<tensor::EmptyOp>();
  return tensor::EmptyOp::create(
      b, loc, empty ? empty.getMixedSizes() : tensor::getMixedSizes(b, loc, x),
      element);
}

/// The result takes the type that its only user rounds it to.
void roundResult(AttentionOp op) {
  Value result = op->getResult(0);
  linalg::GenericOp rounding = findRounding(result);
  if (!rounding)
    return;
  OpBuilder b(op);
  auto type = cast<RankedTensorType>(rounding.getType(0));
  op.getInitMutable().assign(emptyLike(b, result, type.getElementType()));
  result.setType(type);
  rounding.getResult(0).replaceAllUsesWith(result);
  rounding.erase();
}

/// `x` rounded to elements of `element`.
Value round(OpBuilder &b, Value x, Type element) {
  Location loc = x.getLoc();
  Value init = emptyLike(b, x, element);
  AffineMap identity = b.getMultiDimIdentityMap(2);
  SmallVector<utils::IteratorType> parallel(2, utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             b, loc, init.getType(), x, init,
             ArrayRef<AffineMap>{identity, identity}, parallel,
             [&](OpBuilder &nested, Location loc, ValueRange args) {
               linalg::YieldOp::create(
                   nested, loc,
                   arith::TruncFOp::create(nested, loc, element, args[0])
                       .getResult());
             })
      .getResult(0);
}

/// Whether `op` alone reads `x`, or columns of it.
bool isReadBy(Value x, AttentionOp op) {
  return llvm::all_of(x.getUsers(), [&](Operation *user) {
    if (auto slice = dyn_cast<tensor::ExtractSliceOp>(user))
      return isReadBy(slice.getResult(), op);
    return user == op || isa<tensor::DimOp>(user);
  });
}

/// Rows that it alone reads are rounded where they are made, all columns at
/// once.
void roundOperands(AttentionOp op) {
  llvm::SmallDenseMap<Value, Value> rounded;
  for (OpOperand *operand :
       {&op.getQMutable(), &op.getKMutable(), &op.getVMutable()}) {
    auto slice = operand->get().getDefiningOp<tensor::ExtractSliceOp>();
    Value x = slice ? slice.getSource() : operand->get();
    if (!getElementTypeOrSelf(x).isF32() || !x.getDefiningOp())
      continue;
    Value &y = rounded[x];
    if (!y) {
      if (!isReadBy(x, op))
        continue;
      OpBuilder b(op);
      b.setInsertionPointAfterValue(x);
      y = round(b, x, op.getCompute());
    }
    if (!slice) {
      operand->set(y);
      continue;
    }
    OpBuilder b(slice);
    operand->set(tensor::ExtractSliceOp::create(
        b, slice.getLoc(), y, slice.getMixedOffsets(), slice.getMixedSizes(),
        slice.getMixedStrides()));
    if (slice->use_empty())
      slice.erase();
  }
}

struct RoundAttention : smelt::impl::RoundAttentionBase<RoundAttention> {
  void runOnOperation() override {
    const smelt::TargetRecord *target = smelt::getTarget(getOperation());
    if (!target)
      return signalPassFailure();
    SmallVector<AttentionOp> ops;
    getOperation().walk([&](AttentionOp op) {
      if (op->getNumResults())
        ops.push_back(op);
    });
    for (AttentionOp op : ops) {
      roundResult(op);
      if (target->hasBF16Dot && op.getCompute().isBF16())
        roundOperands(op);
    }
  }
};

} // namespace
