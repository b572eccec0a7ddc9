//===- Evaluator.h - What llm ops mean, in numbers --------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A slow, obvious interpreter of modules at the llm level, from stage import to
// stage layout. Generated code is judged against it, so it has one function per
// op and shares no code with the lowering.
//
// Values are stored as f32; sums, norms and functions are computed in f64 and
// rounded once. Beyond that it rounds only where the ops say so: the inputs of
// a linear and the rows of the KV cache, to nearest even. What remains between
// it and generated code is the rounding of f32 sums, which bounds tolerances.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_REFERENCE_EVALUATOR_H
#define SMELT_REFERENCE_EVALUATOR_H

#include "smelt/Dialect/LLM/IR/LLM.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace smelt {

/// The keys and values of one sequence in one layer: [positions, width], NaN
/// where no step has written.
struct KVRows {
  std::vector<float> k, v;
};

/// The KV cache of all layers, kept between steps.
struct KVState {
  /// By {layer, slot}.
  std::map<std::pair<int64_t, int64_t>, KVRows> rows;
};

/// A value of the program: a tensor of floats or of integers, an index, or a
/// cache.
struct Datum {
  std::vector<int64_t> shape;
  std::vector<float> floats;
  std::vector<int32_t> ints;
  int64_t index = 0;
  KVState *kv = nullptr;

  static Datum matrix(int64_t rows, int64_t columns,
                      std::vector<float> values = {});
  static Datum vector(std::vector<int32_t> values);
  static Datum number(int64_t index);

  int64_t rows() const { return shape[0]; }
  int64_t columns() const { return shape[1]; }
  float *row(int64_t m) { return floats.data() + m * columns(); }
  const float *row(int64_t m) const { return floats.data() + m * columns(); }
};

/// Fills `values` with the logical values of an instance of a param, row-major;
/// false and a message in `error` if they can't be had.
using ParamSource =
    std::function<bool(llm::ParamOp param, int64_t instance,
                       std::vector<float> &values, std::string &error)>;

/// Executes recipes on the checkpoint that attribute llm.checkpoint names.
ParamSource readCheckpoint(mlir::ModuleOp module);

class Evaluator {
public:
  using Data = std::shared_ptr<const Datum>;

  /// `module` must outlive the evaluator and not change.
  Evaluator(mlir::ModuleOp module, ParamSource params);

  /// Calls `function`; fails after a diagnostic.
  mlir::LogicalResult call(mlir::func::FuncOp function,
                           llvm::ArrayRef<Data> arguments,
                           std::vector<Data> &results);

  /// Runs one step of public function `step`. Integers are inputs by their
  /// llm.input names, results go by their llm.output names. `kv` is null for
  /// encoders.
  mlir::LogicalResult
  run(const std::map<std::string, std::vector<int32_t>> &inputs, KVState *kv,
      std::map<std::string, Datum> &outputs);

  /// For the functions of ops: the operands are there, results are to be set.
  const Datum &get(mlir::Value value) const { return *values.at(value); }
  void set(mlir::Value value, Datum datum);

private:
  mlir::LogicalResult evaluate(mlir::Block &block);
  mlir::LogicalResult evaluate(mlir::Operation *op);
  mlir::LogicalResult readParam(llm::GetParamOp op);

  mlir::ModuleOp module;
  ParamSource params;
  mlir::SymbolTable symbols;
  std::map<mlir::Value, Data, bool (*)(mlir::Value, mlir::Value)> values;
  std::map<std::pair<mlir::Operation *, int64_t>, Data> weights;
};

/// `value` as the compute or storage type `type` holds it, in f32.
float roundTo(mlir::Type type, float value);

} // namespace smelt

#endif // SMELT_REFERENCE_EVALUATOR_H
