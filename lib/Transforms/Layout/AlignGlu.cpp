//===- AlignGlu.cpp - Whole panels for gate and up --------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//     rows of the merged weight, F = 40, panels of 32 rows
//
//     gate 0..39 | up 0..39             panels cut across the two halves
//     gate 0..39, 24 zero | up 0..39, 24 zero      2 + 2 whole panels
//
// A zero row yields a zero column, and act(0) * 0 is zero for every activation,
// so the columns added to the result may be cut off again.
//
//===----------------------------------------------------------------------===//
#include "smelt/Dialect/LLM/IR/LLM.h"
#include "smelt/Target/CPU/Targets.h"
#include "smelt/Transforms/Layout/Passes.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace smelt;

namespace smelt {
#define GEN_PASS_DEF_ALIGNGLU
#include "smelt/Transforms/Layout/Passes.h.inc"
} // namespace smelt

/// The concat of two equal parts that the recipe begins with, or null.
static llm::ConcatAttr getHalves(llm::ParamOp param) {
  if (!param.getRecipe() || param.getRecipe()->empty())
    return {};
  auto concat = dyn_cast<llm::ConcatAttr>((*param.getRecipe())[0]);
  SmallVector<llm::SourceAttr> sources = param.getInstance(0);
  if (!concat || concat.getParts() != 2 || sources.size() < 2 ||
      sources[0].getType().getShape() != sources[1].getType().getShape())
    return {};
  return concat;
}

/// Whether every value read from the param ends in a glu, by way of a linear.
static bool feedsGluOnly(llm::GetParamOp get) {
  return ::llvm::all_of(get->getUsers(), [](Operation *user) {
    auto linear = dyn_cast<llm::LinearOp>(user);
    return linear && !linear.getResidual() &&
           ::llvm::all_of(linear->getUsers(), ::llvm::IsaPred<llm::GluOp>);
  });
}

/// The same type with `size` in dimension `dim`.
static RankedTensorType resize(Value value, int64_t dim, int64_t size) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape[dim] = size;
  return type.clone(shape);
}

namespace {
struct AlignGlu : smelt::impl::AlignGluBase<AlignGlu> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    const TargetRecord *target = getTarget(module);
    if (!target)
      return signalPassFailure();
    SymbolTable symbols(module);

    ::llvm::SetVector<Operation *> params, linears, glus;
    module.walk([&](llm::GluOp glu) {
      auto linear = glu.getX().getDefiningOp<llm::LinearOp>();
      if (!linear)
        return;
      glus.insert(glu);
      linears.insert(linear);
      for (Value operand : {linear.getWeight(), linear.getBias()})
        if (auto get = operand ? operand.getDefiningOp<llm::GetParamOp>()
                               : llm::GetParamOp())
          if (auto param = symbols.lookup<llm::ParamOp>(get.getParam()))
            params.insert(param);
    });

    for (Operation *op : params)
      if (failed(align(cast<llm::ParamOp>(op), target->panelRows())))
        return signalPassFailure();
    for (Operation *linear : linears) {
      auto op = cast<llm::LinearOp>(linear);
      auto weight = cast<RankedTensorType>(op.getWeight().getType());
      op.getResult().setType(resize(op.getResult(), 1, weight.getDimSize(0)));
    }
    for (Operation *glu : glus)
      cutBack(cast<llm::GluOp>(glu));
  }

  /// Pads both halves of `param` to multiples of `rows`.
  LogicalResult align(llm::ParamOp param, int64_t rows) {
    llm::ConcatAttr concat = getHalves(param);
    RankedTensorType type = param.getParamType();
    int64_t half = type.getDimSize(0) / 2;
    if (!concat) {
      if (half % rows == 0)
        return success();
      return param.emitOpError("expects gate and up projection as two sources "
                               "of a concat, to pad each of their ")
             << half << " rows to a multiple of " << rows;
    }
    int64_t before = param.getInstance(0)[0].getType().getDimSize(0);
    int64_t padded = 2 * ::llvm::alignTo(before, rows);
    SmallVector<llm::GetParamOp> gets;
    getOperation().walk([&](llm::GetParamOp get) {
      if (get.getParam() == param.getSymName())
        gets.push_back(get);
    });
    if (padded != type.getDimSize(0) && !::llvm::all_of(gets, feedsGluOnly))
      return param.emitOpError("expects to be read by linears of a glu only, "
                               "to pad its rows");

    SmallVector<Attribute> recipe(param.getRecipe()->getValue());
    recipe[0] = llm::ConcatAttr::get(&getContext(), 2, rows);
    param.setRecipeAttr(ArrayAttr::get(&getContext(), recipe));
    SmallVector<int64_t> shape(type.getShape());
    shape[0] = padded;
    param.setType(type.clone(shape));
    for (llm::GetParamOp get : gets)
      get.getResult().setType(type.clone(shape));
    return success();
  }

  /// Lets `glu` yield all columns of its operand and slices off the padding.
  void cutBack(llm::GluOp glu) {
    auto x = cast<RankedTensorType>(glu.getX().getType());
    auto wanted = cast<RankedTensorType>(glu.getType());
    int64_t columns = x.getDimSize(1) / 2;
    if (columns == wanted.getDimSize(1))
      return;
    glu.getResult().setType(resize(glu.getResult(), 1, columns));
    OpBuilder builder(&getContext());
    builder.setInsertionPointAfter(glu);
    Location loc = glu.getLoc();
    OpFoldResult rows = tensor::getMixedSize(builder, loc, glu.getResult(), 0);
    OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
    OpFoldResult width = builder.getIndexAttr(wanted.getDimSize(1));
    auto slice =
        tensor::ExtractSliceOp::create(builder, loc, wanted, glu.getResult(),
                                       {zero, zero}, {rows, width}, {one, one});
    ::llvm::SmallPtrSet<Operation *, 2> keep{slice};
    if (Value size = dyn_cast<Value>(rows))
      keep.insert(size.getDefiningOp());
    glu.getResult().replaceAllUsesExcept(slice, keep);
  }
};
} // namespace
