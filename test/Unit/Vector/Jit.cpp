//===- Jit.cpp - IR text to callable functions ------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Jit.h"

#include "smelt/InitAll.h"

#include "mlir/ExecutionEngine/ExecutionEngine.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "llvm/Support/TargetSelect.h"

#include <gtest/gtest.h>

using namespace smelt::test;

static const char *const lowering =
    ",canonicalize,lower-affine,convert-scf-to-cf,expand-strided-metadata,"
    "lower-affine,convert-vector-to-llvm,convert-to-llvm,"
    "reconcile-unrealized-casts,smelt-lower-masks";

struct Jit::Engine {
  std::unique_ptr<mlir::ExecutionEngine> compiled;
};

/// What is the same for all modules; passes register once in a process.
static mlir::MLIRContext &getContext() {
  static mlir::MLIRContext *context = [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    mlir::DialectRegistry registry;
    smelt::registerAll(registry);
    mlir::registerBuiltinDialectTranslation(registry);
    mlir::registerLLVMDialectTranslation(registry);
    return new mlir::MLIRContext(registry,
                                 mlir::MLIRContext::Threading::DISABLED);
  }();
  return *context;
}

Jit::Jit(const std::string &ir, const std::string &passes) {
  mlir::OwningOpRef<mlir::ModuleOp> module =
      mlir::parseSourceString<mlir::ModuleOp>(ir, &getContext());
  if (!module) {
    ADD_FAILURE() << "invalid IR:\n" << ir;
    return;
  }
  mlir::PassManager manager(&getContext());
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
