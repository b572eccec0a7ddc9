//===- AssignLayouts.cpp - Choose the order of elements ---------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One layout serves decode and prefill, and every reader of a param: a table
// that is an output matrix too is stored in panels, and the embedding gathers
// its row from them.
//
//===----------------------------------------------------------------------===//
#include "smelt/Dialect/LLM/IR/LLM.h"
#include "smelt/Target/CPU/Targets.h"
#include "smelt/Transforms/Layout/Passes.h"

#include "llvm/ADT/DenseSet.h"

using namespace mlir;
using namespace smelt;

namespace smelt {
#define GEN_PASS_DEF_ASSIGNLAYOUTS
#include "smelt/Transforms/Layout/Passes.h.inc"
} // namespace smelt

namespace {
struct AssignLayouts : smelt::impl::AssignLayoutsBase<AssignLayouts> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    const TargetRecord *target = getTarget(module);
    if (!target)
      return signalPassFailure();

    ::llvm::DenseSet<StringAttr> weights;
    module.walk([&](llm::LinearOp linear) {
      if (auto get = linear.getWeight().getDefiningOp<llm::GetParamOp>())
        weights.insert(get.getParamAttr().getAttr());
    });
    for (auto param : module.getOps<llm::ParamOp>()) {
      if (param.getLayout())
        continue;
      if (param.getFormat() && param.getFormat()->isQuantized()) {
        const llm::FormatRecord &record = param.getFormat()->getRecord();
        param.setLayoutAttr(llm::LayoutAttr::get(
            &getContext(), "blocks", record.panelRows, record.blockColumns()));
        continue;
      }
      Type element = param.getStoredType().getElementType();
      bool isWeight = weights.contains(param.getSymNameAttr());
      param.setLayoutAttr(
          isWeight ? llm::LayoutAttr::get(&getContext(), "panel",
                                          target->panelRows(),
                                          target->panelDepth(element))
                   : llm::LayoutAttr::get(&getContext(), "rows", 0, 0));
    }
  }
};
} // namespace
