//===- FuseQKV.cpp - Merge linears that read the same rows ------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One product over stacked weights reads its input once and has one barrier
// where three products have three; no number changes, since a column of the
// result depends on its own row of the weight alone.
//
//===----------------------------------------------------------------------===//
#include "ParamTable.h"
#include "smelt/Transforms/Graph/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/MapVector.h"

namespace smelt {
#define GEN_PASS_DEF_FUSEQKV
#include "smelt/Transforms/Graph/Passes.h.inc"
} // namespace smelt

using namespace mlir;
using namespace smelt;
using namespace smelt::llm;

namespace {
/// Block, input, layer, {compute, stack key of the weight, stack key of the
/// bias}: linears with equal keys are one linear.
using Key = std::tuple<Block *, Value, Value, Attribute>;

struct FuseQKV : smelt::impl::FuseQKVBase<FuseQKV> {
  void runOnOperation() override;
};
} // namespace

/// The key of `op`, or nothing if it must stay as it is.
static std::optional<Key> getKey(LinearOp op, ParamTable &params) {
  ParamOp weight = params.lookupExclusive(op.getWeight());
  Attribute weightKey = weight ? params.getStackKey(weight) : nullptr;
  if (!weightKey || op.getResidual())
    return std::nullopt;
  Attribute none = UnitAttr::get(op.getContext()), biasKey = none;
  if (op.getBias()) {
    ParamOp bias = params.lookupExclusive(op.getBias());
    biasKey = bias ? params.getStackKey(bias) : nullptr;
    if (!biasKey || getLayer(op.getBias()) != getLayer(op.getWeight()))
      return std::nullopt;
  }
  return Key(op->getBlock(), op.getX(), getLayer(op.getWeight()),
             ArrayAttr::get(op.getContext(),
                            {op.getComputeAttr(),
                             op.getActivation() ? *op.getActivation() : none,
                             weightKey, biasKey}));
}

/// Replaces `linears`, which have one key, by slices of one linear.
static void merge(ArrayRef<LinearOp> linears, ParamTable &params) {
  LinearOp first = linears.front();
  Location loc = first.getLoc();
  OpBuilder builder(first);
  SmallVector<ParamOp> weights, biases;
  for (LinearOp linear : linears) {
    weights.push_back(params.lookup(linear.getWeight()));
    if (linear.getBias())
      biases.push_back(params.lookup(linear.getBias()));
  }
  Value weight =
      params.read(builder, loc, params.stack(weights), first.getWeight());
  Value bias = biases.empty() ? Value()
                              : params.read(builder, loc, params.stack(biases),
                                            first.getBias());
  Value x = first.getX();
  Value merged = LinearOp::create(builder, loc, x, weight, bias,
                                  /*residual=*/Value(), first.getComputeAttr(),
                                  first.getActivationAttr());

  OpFoldResult rows = tensor::getMixedSize(builder, loc, merged, 0);
  OpFoldResult one = builder.getIndexAttr(1);
  int64_t column = 0;
  for (LinearOp linear : linears) {
    int64_t width = linear.getType().getDimSize(1);
    Value slice = tensor::ExtractSliceOp::create(
        builder, loc, linear.getType(), merged,
        ArrayRef<OpFoldResult>{builder.getIndexAttr(0),
                               builder.getIndexAttr(column)},
        ArrayRef<OpFoldResult>{rows, builder.getIndexAttr(width)},
        ArrayRef<OpFoldResult>{one, one});
    column += width;
    linear.replaceAllUsesWith(slice);
  }
  for (LinearOp linear : linears) {
    SmallVector<Value> read(linear->getOperands().drop_front());
    linear.erase();
    for (Value value : read)
      params.eraseIfUnused(value);
  }
}

void FuseQKV::runOnOperation() {
  ParamTable params(getOperation());
  llvm::MapVector<Key, SmallVector<LinearOp>> groups;
  getOperation().walk([&](LinearOp op) {
    if (std::optional<Key> key = getKey(op, params))
      groups[*key].push_back(op);
  });
  for (auto &[key, linears] : groups)
    if (linears.size() > 1)
      merge(linears, params);
}
