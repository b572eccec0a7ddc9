//===- FoldNormWeights.cpp - Norm weights into linears ----------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// sum_k (x[k] * g[k]) * w[n, k] = sum_k x[k] * (g[k] * w[n, k]): the recipe of
// the weight multiplies column k by g[k] once, when the model is compiled.
//
//===----------------------------------------------------------------------===//
#include "ParamTable.h"
#include "smelt/Transforms/Graph/Passes.h"

namespace smelt {
#define GEN_PASS_DEF_FOLDNORMWEIGHTS
#include "smelt/Transforms/Graph/Passes.h.inc"
} // namespace smelt

using namespace mlir;
using namespace smelt;
using namespace smelt::llm;

namespace {
struct FoldNormWeights : smelt::impl::FoldNormWeightsBase<FoldNormWeights> {
  void runOnOperation() override;
};
} // namespace

/// Whether the norm's weight is a tensor converted to f32 and no more, which
/// is what scale_columns reads.
static bool isVector(ParamOp param) {
  if (!param || param.getInstance(0).size() != 1)
    return false;
  if (ArrayAttr recipe = param.getRecipeAttr())
    for (Attribute step : recipe)
      if (auto cast = dyn_cast<CastAttr>(step);
          !cast || !cast.getType().isF32())
        return false;
  return true;
}

/// The weights that take the norm's factor, or none if one of the readers of
/// the norm can't.
static SmallVector<ParamOp> getScaled(RMSNormOp norm, ParamTable &params) {
  SmallVector<ParamOp> scaled;
  for (OpOperand &use : norm->getUses()) {
    auto linear = dyn_cast<LinearOp>(use.getOwner());
    if (!linear || use.get() == linear.getResidual() ||
        !linear.getCompute().isF32())
      return {};
    ParamOp weight = params.lookupExclusive(linear.getWeight());
    if (!weight || weight.getFormatAttr() || weight.getLayoutAttr() ||
        getLayer(linear.getWeight()) != getLayer(norm.getWeight()) ||
        !weight.getParamType().getElementType().isF32())
      return {};
    scaled.push_back(weight);
  }
  return scaled;
}

void FoldNormWeights::runOnOperation() {
  ParamTable params(getOperation());
  SmallVector<RMSNormOp> norms;
  getOperation().walk([&](RMSNormOp op) { norms.push_back(op); });
  Builder builder(&getContext());
  for (RMSNormOp norm : norms) {
    Value vector = norm.getWeight();
    ParamOp factor = vector ? params.lookup(vector) : nullptr;
    if (!isVector(factor))
      continue;
    SmallVector<ParamOp> scaled = getScaled(norm, params);
    for (ParamOp weight : scaled) {
      SmallVector<Attribute> instances, recipe;
      if (ArrayAttr steps = weight.getRecipeAttr())
        recipe.assign(steps.begin(), steps.end());
      recipe.push_back(
          ScaleColumnsAttr::get(&getContext(), weight.getInstance(0).size()));
      for (auto [sources, more] :
           llvm::zip_equal(weight.getSources(), factor.getSources())) {
        SmallVector<Attribute> all(cast<ArrayAttr>(sources).getValue());
        llvm::append_range(all, cast<ArrayAttr>(more));
        instances.push_back(builder.getArrayAttr(all));
      }
      weight.setSourcesAttr(builder.getArrayAttr(instances));
      weight.setRecipeAttr(builder.getArrayAttr(recipe));
    }
    if (!scaled.empty()) {
      norm.getWeightMutable().clear();
      params.eraseIfUnused(vector);
    }
  }
}
