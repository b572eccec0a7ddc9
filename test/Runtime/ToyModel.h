//===- ToyModel.h - Ingots for tests, and what they compute ----*- C++ -*--===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Writes ingots around Toy.c, sound or damaged as a test likes, and computes
// what Toy.c computes, from whole sequences and without steps, slots or blocks.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TEST_RUNTIME_TOYMODEL_H
#define SMELT_TEST_RUNTIME_TOYMODEL_H

#include "Model.h"
#include "smelt/abi.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace smelt::toy {

using Json = nlohmann::ordered_json;
using Sections = std::vector<std::pair<std::string, std::string>>;

constexpr int64_t vocabulary = 2048, hidden = 8, context = 200,
                  maxStepTokens = 48;

/// Manifests without `sections`.
Json decoderManifest();
Json encoderManifest();
/// Code and weights; with `text` the tokenizer of the bundled model.
Sections sections(bool text = false);

/// The bytes of an ingot. Where the manifest has `sections` already they stay,
/// however wrong.
std::string assemble(Json manifest, const Sections &sections);
/// The same around any manifest text, with its hash as it should be.
std::string assembleText(const std::string &manifest, const Sections &sections);

void writeFile(const std::string &path, const std::string &bytes);
std::string readFile(const std::string &path);

/// A file of a test's own that goes when the test does.
class TempFile {
public:
  explicit TempFile(const std::string &bytes = "");
  ~TempFile();
  const std::string &path() const { return name; }

private:
  std::string name;
};

std::shared_ptr<const Model> open(const Json &manifest, bool text = false);

/// Logits [vocabulary] after the last of a sequence's ids.
std::vector<float> logits(const std::vector<int32_t> &ids);
/// Rows [n, hidden] of a sequence, types null: zero.
std::vector<float> hiddenStates(const std::vector<int32_t> &ids,
                                const int32_t *types);
std::vector<float> embedding(const std::vector<int32_t> &ids,
                             const int32_t *types);

} // namespace smelt::toy

#endif // SMELT_TEST_RUNTIME_TOYMODEL_H
