//===- FuseGateUp.cpp - Merge gate and up into one linear -------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ParamTable.h"
#include "smelt/Transforms/Graph/Passes.h"

namespace smelt {
#define GEN_PASS_DEF_FUSEGATEUP
#include "smelt/Transforms/Graph/Passes.h.inc"
} // namespace smelt

using namespace mlir;
using namespace smelt;
using namespace smelt::llm;

namespace {
struct FuseGateUp : smelt::impl::FuseGateUpBase<FuseGateUp> {
  void runOnOperation() override;
};
} // namespace

/// The linear behind `value` if nobody else reads it and it has no residual.
static LinearOp getLinear(Value value) {
  auto linear = value.getDefiningOp<LinearOp>();
  return linear && value.hasOneUse() && !linear.getResidual() ? linear
                                                              : nullptr;
}

/// The params that `gate` and `up` read, if they can be stacked.
static std::optional<std::pair<ParamOp, ParamOp>> getPair(Value gate, Value up,
                                                          ParamTable &params) {
  ParamOp first = params.lookupExclusive(gate);
  ParamOp second = params.lookupExclusive(up);
  if (!first || !second || getLayer(gate) != getLayer(up) ||
      first.getParamType() != second.getParamType())
    return std::nullopt;
  Attribute key = params.getStackKey(first);
  if (!key || key != params.getStackKey(second))
    return std::nullopt;
  return std::pair(first, second);
}

/// `mul` as act(gate linear) * up linear, with `activated` the first factor.
static bool fuse(MulOp mul, Value activated, Value other, ParamTable &params) {
  Operation *activation = activated.getDefiningOp();
  if (!isa_and_nonnull<SiluOp, GeluOp, GeluTanhOp, ReluOp>(activation) ||
      !activated.hasOneUse())
    return false;
  LinearOp gate = getLinear(activation->getOperand(0)), up = getLinear(other);
  if (!gate || !up || gate.getX() != up.getX() ||
      gate.getCompute() != up.getCompute() ||
      gate.getActivation() != up.getActivation() ||
      static_cast<bool>(gate.getBias()) != static_cast<bool>(up.getBias()))
    return false;
  auto weights = getPair(gate.getWeight(), up.getWeight(), params);
  decltype(weights) biases;
  if (gate.getBias())
    biases = getPair(gate.getBias(), up.getBias(), params);
  if (!weights || (gate.getBias() && !biases))
    return false;

  OpBuilder builder(mul);
  Location loc = mul.getLoc();
  Value weight =
      params.read(builder, loc, params.stack({weights->first, weights->second}),
                  gate.getWeight());
  Value bias;
  if (biases)
    bias =
        params.read(builder, loc, params.stack({biases->first, biases->second}),
                    gate.getBias());
  Value merged = LinearOp::create(builder, loc, gate.getX(), weight, bias,
                                  /*residual=*/Value(), gate.getComputeAttr(),
                                  gate.getActivationAttr());
  Value glu =
      GluOp::create(builder, loc, merged, activation->getName().stripDialect());
  mul.replaceAllUsesWith(glu);
  mul.erase();
  activation->erase();
  SmallVector<Value> read(gate->getOperands().drop_front());
  llvm::append_range(read, up->getOperands().drop_front());
  gate.erase();
  up.erase();
  for (Value value : read)
    params.eraseIfUnused(value);
  return true;
}

void FuseGateUp::runOnOperation() {
  ParamTable params(getOperation());
  SmallVector<MulOp> products;
  getOperation().walk([&](MulOp op) { products.push_back(op); });
  for (MulOp mul : products)
    if (!fuse(mul, mul.getLhs(), mul.getRhs(), params))
      fuse(mul, mul.getRhs(), mul.getLhs(), params);
}
