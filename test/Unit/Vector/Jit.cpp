//===- Jit.cpp - IR text to callable functions ------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Jit.h"

#include "../Support/JitContext.h"

#include "mlir/ExecutionEngine/ExecutionEngine.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

#include <gtest/gtest.h>

using namespace smelt::test;

static const char *const lowering =
    ",canonicalize,lower-affine,convert-scf-to-cf,expand-strided-metadata,"
    "lower-affine,convert-vector-to-llvm,convert-to-llvm,"
    "reconcile-unrealized-casts,smelt-lower-masks";

struct Jit::Engine {
  std::unique_ptr<mlir::ExecutionEngine> compiled;
};

Jit::Jit(const std::string &ir, const std::string &passes) {
  mlir::OwningOpRef<mlir::ModuleOp> module =
      mlir::parseSourceString<mlir::ModuleOp>(ir, &getJitContext());
  if (!module) {
    ADD_FAILURE() << "invalid IR:\n" << ir;
    return;
  }
  mlir::PassManager manager(&getJitContext());
  if (mlir::failed(mlir::parsePassPipeline(passes + lowering, manager)) ||
      mlir::failed(manager.run(*module))) {
    ADD_FAILURE() << "can't lower:\n" << ir;
    return;
  }
  auto compiled = mlir::ExecutionEngine::create(*module);
  if (!compiled) {
    ADD_FAILURE() << llvm::toString(compiled.takeError());
    return;
  }
  engine = std::make_unique<Engine>(Engine{std::move(*compiled)});
}

Jit::~Jit() = default;

bool Jit::isValid() const { return engine != nullptr; }

void Jit::invoke(const std::string &name, void **arguments) {
  auto function = engine->compiled->lookupPacked("_mlir_ciface_" + name);
  if (!function) {
    ADD_FAILURE() << llvm::toString(function.takeError());
    return;
  }
  (*function)(arguments);
}
