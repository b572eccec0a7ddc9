//===- RecordInterface.cpp - What a step takes and costs --------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The last look at a step as a function of tensors. Every instance of a param
// is used once in a step, so work in an outlined layer counts as often as its
// weight has instances.
//
//===----------------------------------------------------------------------===//
#include "smelt/Dialect/LLM/IR/LLM.h"
#include "smelt/Transforms/Layout/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace smelt;

namespace smelt {
#define GEN_PASS_DEF_RECORDINTERFACE
#include "smelt/Transforms/Layout/Passes.h.inc"
} // namespace smelt

namespace {
struct RecordInterface : smelt::impl::RecordInterfaceBase<RecordInterface> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    Builder builder(&getContext());
    SmallVector<Attribute> inputs, outputs;
    int64_t blockBytes = 0;
    for (auto function : module.getOps<func::FuncOp>()) {
      for (BlockArgument argument : function.getArguments()) {
        unsigned i = argument.getArgNumber();
        auto name = function.getArgAttrOfType<StringAttr>(i, "llm.input");
        if (!name)
          continue;
        if (auto kv = dyn_cast<llm::KVType>(argument.getType()))
          blockBytes += kv.getBlockBytes();
        else
          inputs.push_back(name);
      }
      for (auto [i, type] : ::llvm::enumerate(function.getResultTypes())) {
        auto name = function.getResultAttrOfType<StringAttr>(i, "llm.output");
        if (!name)
          continue;
        bool isPooled = name.getValue() == "embedding";
        int64_t width = cast<RankedTensorType>(type).getDimSize(1);
        outputs.push_back(builder.getDictionaryAttr(
            {builder.getNamedAttr("name", name),
             builder.getNamedAttr("rows", builder.getStringAttr(
                                              isPooled ? "sequences" : "rows")),
             builder.getNamedAttr("width", builder.getI64IntegerAttr(width))}));
      }
    }
    auto integer = [&](StringRef name, int64_t value) {
      return builder.getNamedAttr(name, builder.getI64IntegerAttr(value));
    };
    Costs costs = countCosts(module);
    module->setAttr(
        "llm.interface",
        builder.getDictionaryAttr(
            {builder.getNamedAttr("inputs", builder.getArrayAttr(inputs)),
             builder.getNamedAttr("outputs", builder.getArrayAttr(outputs)),
             integer("kv_block_bytes", blockBytes),
             integer("step_bytes", costs.bytes),
             builder.getNamedAttr("arithmetic",
                                  builder.getStringAttr(costs.arithmetic())),
             integer("flops_per_token", costs.perToken),
             integer("flops_per_row", costs.perRow)}));
  }

  /// Bytes that a step of one token reads, operations for each token and for
  /// each row of output.
  struct Costs {
    int64_t bytes = 0, perToken = 0, perRow = 0;
    /// Operations for each token by what the rows are rounded to.
    ::llvm::MapVector<StringRef, int64_t> byArithmetic;
    /// What most operations multiply.
    StringRef arithmetic() const {
      auto most = ::llvm::max_element(byArithmetic, ::llvm::less_second());
      return most == byArithmetic.end() ? "f32" : most->first;
    }
  };
  Costs countCosts(ModuleOp module) {
    SymbolTable symbols(module);
    Costs costs;
    ::llvm::DenseSet<Operation *> whole, rowOnly;
    module.walk([&](llm::GetParamOp get) {
      auto param = symbols.lookup<llm::ParamOp>(get.getParam());
      if (!param)
        return;
      int64_t elements = get.getType().getNumElements();
      for (OpOperand &use : get->getUses()) {
        auto embedding = dyn_cast<llm::EmbeddingOp>(use.getOwner());
        (embedding ? rowOnly : whole).insert(param);
        auto linear = dyn_cast<llm::LinearOp>(use.getOwner());
        if (!linear || linear.getWeight() != use.get())
          continue;
        int64_t operations = 2 * elements * param.getInstanceCount();
        (llm::isGathered(linear.getX()) ? costs.perRow : costs.perToken) +=
            operations;
        StringRef arithmetic = linear.getActivation()         ? "int8"
                               : linear.getCompute().isBF16() ? "bf16"
                                                              : "f32";
        costs.byArithmetic[arithmetic] += operations;
      }
    });
    for (Operation *op : whole) {
      auto param = cast<llm::ParamOp>(op);
      costs.bytes += param.getStoredBytes() * param.getInstanceCount();
    }
    for (Operation *op : rowOnly) {
      auto param = cast<llm::ParamOp>(op);
      if (!whole.contains(op))
        costs.bytes += param.getStoredBytes() /
                       std::max<int64_t>(param.getParamType().getDimSize(0), 1);
    }
    return costs;
  }
};
} // namespace
