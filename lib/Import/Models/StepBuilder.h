//===- StepBuilder.h - Emits params and the step ----------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_IMPORT_MODELS_STEPBUILDER_H
#define SMELT_LIB_IMPORT_MODELS_STEPBUILDER_H

#include "SentenceTransformers.h"
#include "Tensors.h"

#include "smelt/Dialect/LLM/IR/LLM.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringMap.h"

namespace smelt {

/// Elements that an attention head may have: code is unrolled along them, and
/// models have at most a few hundred.
constexpr int64_t kMaxHeadSize = 4096;
/// Refuses heads that are larger.
bool checkHeadSize(const Config &config, int64_t size, std::string &error);

/// Whether `hidden_act` of config.json names an activation of the dialect.
bool isActivation(llvm::StringRef name);
/// All names that isActivation() knows, for messages.
std::string activationNames();

/// Emits a module's params, then the ops of @step.
class StepBuilder {
public:
  StepBuilder(mlir::ModuleOp module, const Config &config, mlir::Type compute,
              llvm::StringRef cache, const std::optional<Pooling> &pooling);

  const Config &config;
  mlir::OpBuilder builder;
  mlir::Location loc;
  /// f32 or bf16.
  mlir::Type compute;
  /// What the KV cache stores.
  llvm::StringRef cache;
  const std::optional<Pooling> &pooling;

  void addParam(const FoundTensor &tensor);
  /// Begins @step without arguments.
  void begin();
  /// Adds an argument: a vector of integers, or of the type given.
  mlir::Value input(llvm::StringRef name, mlir::Type type = {});
  /// Adds a result.
  void output(llvm::StringRef name, mlir::Value value);
  /// Adds inputs pool_begin and pool_end, and the result `embedding` of x.
  void outputPooled(mlir::Value x);
  /// Ends @step: its type follows from inputs and outputs.
  void finish();

  bool hasParam(llvm::StringRef name) const { return params.contains(name); }
  mlir::Value param(llvm::StringRef name);
  /// Product with param `name`, plus param `name`_bias if there is one.
  mlir::Value linear(mlir::Value x, llvm::StringRef name);
  /// With param `name`.
  mlir::Value rmsNorm(mlir::Value x, llvm::StringRef name, double eps);
  /// With params `name` and `name`_bias.
  mlir::Value layerNorm(mlir::Value x, llvm::StringRef name, double eps);
  mlir::Value activation(mlir::Value x, llvm::StringRef name);
  template <typename Op, typename... Args> mlir::Value emit(Args &&...args) {
    return Op::create(builder, loc, std::forward<Args>(args)...)->getResult(0);
  }

private:
  mlir::ModuleOp module;
  mlir::func::FuncOp function;
  llvm::StringMap<mlir::RankedTensorType> params;
  llvm::SmallVector<mlir::Value> results;
  llvm::SmallVector<mlir::Attribute> argumentAttrs, resultAttrs;
};

} // namespace smelt

#endif // SMELT_LIB_IMPORT_MODELS_STEPBUILDER_H
