//===- CodeObject.h - Makes an ingot's code callable ------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_RUNTIME_CODEOBJECT_H
#define SMELT_RUNTIME_CODEOBJECT_H

#include "smelt/abi.h"

#include <string>
#include <string_view>

namespace smelt {

/// A shared object loaded from memory.
class CodeObject {
public:
  CodeObject() = default;
  ~CodeObject();
  CodeObject(const CodeObject &) = delete;
  CodeObject &operator=(const CodeObject &) = delete;

  /// Loads the ELF image and finds the entry point. The bytes are trusted: the
  /// caller has checked their hash, and running a model is trusting its author.
  bool load(std::string_view image, std::string &error);

  SmeltStepFunction entry() const { return function; }

private:
  void *handle = nullptr;
  SmeltStepFunction function = nullptr;
};

} // namespace smelt

#endif // SMELT_RUNTIME_CODEOBJECT_H
