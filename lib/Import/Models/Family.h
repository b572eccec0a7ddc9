//===- Family.h - What the importer knows of a model family -----*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A family is a record: the fields it reads of config.json, the tensors it
// expects, and two functions, one that derives sizes from the fields and one
// that emits the step. docs/HowTo/AddAModelFamily.md walks through one.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_IMPORT_MODELS_FAMILY_H
#define SMELT_LIB_IMPORT_MODELS_FAMILY_H

#include "Config.h"

namespace smelt {

class StepBuilder;

/// A tensor of the checkpoint and the param that it becomes. `#` stands for the
/// layer in both names.
struct TensorRow {
  /// Name of the param: "layers.#.q".
  const char *param;
  /// Name of the tensor: "model.layers.#.self_attn.q_proj.weight".
  const char *tensor;
  /// Integers of the Config that the shape consists of, no columns for vectors.
  const char *rows;
  const char *columns = nullptr;
  /// Present only if this flag of the Config is true ("!flag": false).
  const char *when = nullptr;
  /// Tensors of a layer that are to be stacked have equal names here, and must
  /// be stored in the same type.
  const char *stack = nullptr;
};

/// A tensor that the step doesn't use; `*` stands for anything, at the end or
/// the beginning of the name.
struct IgnoredTensor {
  const char *tensor;
  /// Ignored only if this flag is true; always if null.
  const char *when = nullptr;
};

enum class ModelKind { Decoder, Encoder };

struct Family {
  const char *name;
  ModelKind kind;
  std::initializer_list<const char *> architectures;
  llvm::ArrayRef<Field> fields;
  llvm::ArrayRef<Restriction> restrictions;
  llvm::ArrayRef<TensorRow> tensors;
  llvm::ArrayRef<IgnoredTensor> ignored;
  /// Put before the names of tensors in some checkpoints; may be empty.
  const char *optionalPrefix;
  /// Checks fields against each other and sets the sizes that follow.
  bool (*derive)(Config &config, std::string &error);
  /// Emits the body of the step up to its return.
  void (*emit)(StepBuilder &step);
};

extern const Family kLlama;
extern const Family kMistral;
extern const Family kQwen2;
extern const Family kBert;

} // namespace smelt

#endif // SMELT_LIB_IMPORT_MODELS_FAMILY_H
