//===- Models.h - Small random models for tests -----------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TEST_UNIT_REFERENCE_MODELS_H
#define SMELT_TEST_UNIT_REFERENCE_MODELS_H

#include "smelt/Reference/Evaluator.h"

#include <cstdint>
#include <string>
#include <vector>

namespace smelt::test {

struct ModelOptions {
  int layers = 2;
  int kinds = 1; // every second layer has a window and another base, if 2
  int hidden = 12, heads = 3, kvHeads = 1, size = 4, inner = 20;
  int vocabulary = 23;
  bool bf16 = false; // compute and storage
  bool biases = false;
  bool tied = false;
};

/// A decoder as the importer writes it, as text.
std::string llama(const ModelOptions &options);

/// An encoder as the importer writes it, as text.
std::string bert(const ModelOptions &options);

/// Deterministic values in [-1, 1) for any name.
std::vector<float> randomValues(const std::string &name, int64_t count);

/// Values of a param: each source random by its name, a norm's a power of two
/// (so that products with it are exact), then the recipe.
bool makeParam(llm::ParamOp param, int64_t instance, std::vector<float> &values,
               std::string &error);

} // namespace smelt::test

#endif // SMELT_TEST_UNIT_REFERENCE_MODELS_H
