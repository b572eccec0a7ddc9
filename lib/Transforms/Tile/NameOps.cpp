//===- NameOps.cpp - Names that survive tiling ------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lowering keeps the location of an op on all that it becomes, so a location is
// where a name lasts. A matrix product or a norm is called as its weight is,
// anything else by its function and what it does:
//
//     @step      embedding  rope_table  norm  head
//     @layers    layers.norm1  layers.qkv  layers.rotate  layers.rotate.2
//
//===----------------------------------------------------------------------===//
#include "smelt/Transforms/Tile/Passes.h"

#include "smelt/Dialect/LLM/IR/LLM.h"

#include "llvm/ADT/StringSet.h"

namespace smelt {
#define GEN_PASS_DEF_NAMEOPS
#include "smelt/Transforms/Tile/Passes.h.inc"
} // namespace smelt

using namespace mlir;
using namespace smelt;

/// The weight that an op is called by, or null.
static Value nameGivingWeight(Operation *op) {
  if (auto linear = dyn_cast<llm::LinearOp>(op))
    return linear.getWeight();
  if (auto norm = dyn_cast<llm::RMSNormOp>(op))
    return norm.getWeight();
  if (auto norm = dyn_cast<llm::LayerNormOp>(op))
    return norm.getWeight();
  return {};
}

static std::string nameOf(Operation *op, StringRef function) {
  Value weight = nameGivingWeight(op);
  auto get = weight ? weight.getDefiningOp<llm::GetParamOp>() : nullptr;
  if (get)
    return get.getParam().str();
  std::string what = op->getName().stripDialect().str();
  return function == "step" ? what : (function + "." + what).str();
}

namespace {

struct NameOps : smelt::impl::NameOpsBase<NameOps> {
  void runOnOperation() override {
    ::llvm::StringSet<> taken;
    for (auto function : getOperation().getOps<func::FuncOp>())
      function.walk([&](Operation *op) {
        if (!isa_and_nonnull<llm::LLMDialect>(op->getDialect()) ||
            isa<llm::GetParamOp>(op))
          return;
        std::string base = nameOf(op, function.getSymName()), name = base;
        for (int64_t i = 2; !taken.insert(name).second; ++i)
          name = base + "." + std::to_string(i);
        op->setLoc(
            NameLoc::get(StringAttr::get(&getContext(), name), op->getLoc()));
      });
  }
};

} // namespace
