//===- PrintGraphStats.cpp - What a step costs ------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Counts what decides speed: bytes of weights that a step reads, and two flops
// for each multiply-add of linears. Ops are booked on the layer that their
// param's name tells, else on their function; a function counts once for each
// call, a loop for each iteration.
//
//===----------------------------------------------------------------------===//
#include "smelt/Dialect/LLM/IR/LLM.h"
#include "smelt/Transforms/Graph/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/Format.h"

namespace smelt {
#define GEN_PASS_DEF_PRINTGRAPHSTATS
#include "smelt/Transforms/Graph/Passes.h.inc"
} // namespace smelt

using namespace mlir;
using namespace smelt;
using namespace smelt::llm;

namespace {
struct Cost {
  int64_t ops = 0, bytes = 0, flops = 0;
};

struct PrintGraphStats : smelt::impl::PrintGraphStatsBase<PrintGraphStats> {
  using PrintGraphStatsBase::PrintGraphStatsBase;
  void runOnOperation() override;

private:
  void count(Region &region, StringRef function, int64_t times);
  void countOp(Operation *op, StringRef function, int64_t times);

  ::llvm::MapVector<StringRef, Cost> groups;
  Cost total, biggest;
  Operation *biggestOp = nullptr;
};
} // namespace

/// "layers.3" of "layers.3.q", else empty.
static StringRef getLayerPrefix(StringRef name) {
  StringRef rest = name;
  int64_t index;
  if (!rest.consume_front("layers.") || rest.consumeInteger(10, index))
    return "";
  return name.drop_back(rest.size());
}

void PrintGraphStats::countOp(Operation *op, StringRef function,
                              int64_t times) {
  Cost cost;
  cost.ops = times;
  StringRef group = function;
  for (Value operand : op->getOperands()) {
    auto read = operand.getDefiningOp<GetParamOp>();
    if (!read)
      continue;
    auto param =
        SymbolTable::lookupNearestSymbolFrom<ParamOp>(op, read.getParamAttr());
    if (StringRef prefix = getLayerPrefix(read.getParam()); !prefix.empty())
      group = prefix;
    int64_t bytes = param.getStoredBytes();
    if (isa<EmbeddingOp>(op))
      bytes = bytes / param.getParamType().getDimSize(0) * tokens;
    cost.bytes += bytes * times;
  }
  if (auto linear = dyn_cast<LinearOp>(op)) {
    auto weight = cast<RankedTensorType>(linear.getWeight().getType());
    cost.flops = 2 * (isGathered(linear.getX()) ? rows : tokens) *
                 weight.getNumElements() * times;
  }
  for (Cost *sum : {&groups[group], &total}) {
    sum->ops += cost.ops;
    sum->bytes += cost.bytes;
    sum->flops += cost.flops;
  }
  if (cost.bytes > biggest.bytes) {
    biggest = cost;
    biggestOp = op;
  }
}

void PrintGraphStats::count(Region &region, StringRef function, int64_t times) {
  for (Operation &op : region.front()) {
    if (auto loop = dyn_cast<scf::ForOp>(op)) {
      std::optional<APInt> trips = loop.getStaticTripCount();
      count(loop.getRegion(), function,
            times * (trips ? trips->getSExtValue() : 1));
    } else if (auto call = dyn_cast<func::CallOp>(op)) {
      auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
          call, call.getCalleeAttr());
      if (callee && !callee.isExternal())
        count(callee.getBody(), callee.getSymName(), times);
    } else if (isa<LLMDialect>(op.getDialect()) && !isa<GetParamOp>(op)) {
      countOp(&op, function, times);
    }
  }
}

void PrintGraphStats::runOnOperation() {
  groups.clear();
  total = biggest = Cost();
  biggestOp = nullptr;
  for (auto function : getOperation().getOps<func::FuncOp>())
    if (function.isPublic() && !function.isExternal())
      count(function.getBody(), function.getSymName(), 1);

  raw_ostream &os = ::llvm::errs();
  auto line = [&](StringRef name, const Cost &cost) {
    os << ::llvm::format("%-16s %8lld ops %14lld weight bytes %16lld flops\n",
                         name.str().c_str(), static_cast<long long>(cost.ops),
                         static_cast<long long>(cost.bytes),
                         static_cast<long long>(cost.flops));
  };
  os << "a step of " << tokens << " tokens, " << rows << " rows of output\n";
  for (auto &[name, cost] : groups)
    line(name, cost);
  line("total", total);
  if (biggestOp) {
    os << "biggest: " << biggestOp->getName();
    for (Value operand : biggestOp->getOperands())
      if (auto read = operand.getDefiningOp<GetParamOp>())
        os << " @" << read.getParam();
    os << ", " << 100 * biggest.bytes / total.bytes << " % of the bytes\n";
  }
  markAllAnalysesPreserved();
}
