//===- Statistics.cpp - A model in a few lines ------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Statistics.h"

#include "smelt/Dialect/LLM/IR/LLM.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <map>

using namespace mlir;

void smelt::printStatistics(ModuleOp module, ::llvm::raw_ostream &stream) {
  int64_t params = 0, instances = 0, elements = 0;
  for (auto param : module.getOps<llm::ParamOp>()) {
    ++params;
    instances += param.getInstanceCount();
    elements +=
        param.getParamType().getNumElements() * param.getInstanceCount();
  }
  stream << "params: " << params << " with " << instances << " instances, "
         << ::llvm::format("%.3f", elements / 1e6) << " million elements\n";
  for (auto function : module.getOps<func::FuncOp>()) {
    std::map<StringRef, int64_t> counts;
    int64_t total = 0;
    function.walk([&](Operation *op) {
      if (!op->getDialect() || op->getDialect()->getNamespace() != "llm")
        return;
      ++counts[op->getName().stripDialect()];
      ++total;
    });
    stream << "@" << function.getName() << ": " << total << " ops";
    for (auto [name, count] : counts)
      stream << ", " << count << " " << name;
    stream << "\n";
  }
}
