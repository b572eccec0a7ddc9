//===- CountOps.cpp - A pass in a plug-in of smelt-opt -*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An experiment that needs no change of the compiler:
//
//     smelt-opt FILE.mlir --load-pass-plugin=build/lib/CountOps.so
//         --pass-pipeline='builtin.module(example-count-ops)'
//
// prints how often each op of a dialect occurs, as remarks on the module.
//
//===----------------------------------------------------------------------===//
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Tools/Plugins/PassPlugin.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace {
struct CountOps : public PassWrapper<CountOps, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(CountOps)

  CountOps() = default;
  CountOps(const CountOps &other) : PassWrapper(other) {}

  StringRef getArgument() const override { return "example-count-ops"; }
  StringRef getDescription() const override {
    return "Count the ops of a dialect";
  }

  void runOnOperation() override {
    llvm::MapVector<StringRef, int64_t> counts;
    getOperation().walk([&](Operation *op) {
      if (op->getName().getDialectNamespace() == dialect)
        ++counts[op->getName().getStringRef()];
    });
    for (auto [name, count] : counts)
      getOperation().emitRemark() << name << ": " << count;
  }

  Option<std::string> dialect{*this, "dialect",
                              llvm::cl::desc("The dialect to count"),
                              llvm::cl::init("llm")};
};
} // namespace

extern "C" LLVM_ATTRIBUTE_WEAK PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "CountOps", "1",
          [] { PassRegistration<CountOps>(); }};
}
