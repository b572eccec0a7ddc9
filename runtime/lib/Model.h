//===- Model.h - An ingot ready to run --------------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What sessions share and never change: the mapped file, its code, its
// tokenizer. Opening refuses a model that this machine cannot execute.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_RUNTIME_MODEL_H
#define SMELT_RUNTIME_MODEL_H

#include "CodeObject.h"
#include "Ingot.h"
#include "Versions.h"

#include <memory>
#include <string>

namespace smelt {

class Tokenizer;

class Model {
public:
  /// Opens an ingot with the version of its code that is called `target`, or
  /// as chooseVersion() chooses.
  static std::shared_ptr<const Model> open(const std::string &path,
                                           std::string &error,
                                           const std::string &target = "");
  ~Model();

  const Ingot &ingot() const { return *file; }
  const Manifest &manifest() const { return file->manifest(); }
  /// The code that runs.
  const CodeVersion &version() const { return *chosen; }
  /// The weights section, aligned to SMELT_BUFFER_ALIGNMENT; null without one.
  const uint8_t *weights() const;
  SmeltStepFunction entry() const { return code.entry(); }

  /// Null, and a message, for models without a tokenizer.
  const Tokenizer *tokenizer(std::string &error) const;

private:
  Model();

  std::unique_ptr<Ingot> file;
  const CodeVersion *chosen = nullptr; // of the manifest
  CodeObject code;
  std::unique_ptr<Tokenizer> text;
};

} // namespace smelt

#endif // SMELT_RUNTIME_MODEL_H
