//===- ParamTable.h - Params of a module and their readers ------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A pass that edits the recipe of a weight changes it for every reader, so it
// asks first whether there is another one (a tied embedding, say).
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_TRANSFORMS_GRAPH_PARAMTABLE_H
#define SMELT_LIB_TRANSFORMS_GRAPH_PARAMTABLE_H

#include "smelt/Dialect/LLM/IR/LLM.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/DenseMap.h"

namespace smelt {

class ParamTable {
public:
  explicit ParamTable(mlir::ModuleOp module);

  /// The param that `value` reads; null if it is no llm.get_param.
  llm::ParamOp lookup(mlir::Value value);

  /// As lookup(), if `value` has one use and nothing else reads the param.
  llm::ParamOp lookupExclusive(mlir::Value value);

  /// Params with equal keys can be stacked; null where `param` can't be, since
  /// its recipe does more than stack rows and convert elements.
  static mlir::Attribute getStackKey(llm::ParamOp param);

  /// Adds a param whose rows are those of `parts` in order, instance by
  /// instance, all of one stack key; it is named after them: layers.q,
  /// layers.k => layers.qk.
  llm::ParamOp stack(llvm::ArrayRef<llm::ParamOp> parts);

  /// Reads `param` at the builder's place, of the layer that `like` reads.
  mlir::Value read(mlir::OpBuilder &builder, mlir::Location loc,
                   llm::ParamOp param, mlir::Value like);

  /// Removes the reader `value` if nothing uses it any more, and then its
  /// param if that has no other reader.
  void eraseIfUnused(mlir::Value value);

private:
  mlir::SymbolTable symbols;
  llvm::DenseMap<mlir::StringAttr, unsigned> readers;
};

/// The layer that `value` reads a param of; null without one.
mlir::Value getLayer(mlir::Value value);

/// Joins what differs between names: layers.q_bias, layers.k_bias =>
/// layers.qk_bias. Words of several letters are joined by '_'.
std::string joinNames(llvm::ArrayRef<llvm::StringRef> names);

} // namespace smelt

#endif // SMELT_LIB_TRANSFORMS_GRAPH_PARAMTABLE_H
