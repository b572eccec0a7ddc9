//===- Models.cpp - The kinds of models -----------------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Stages.h"

using namespace smelt::tokenizer;

namespace {

/// Looks words up as they are.
class WordLevelModel : public Model {
public:
  bool encode(std::string_view word, std::vector<int32_t> &ids,
              std::string &error) const override {
    int32_t id = vocabulary.find(word);
    if (id < 0)
      id = vocabulary.find(unknown);
    if (id < 0) {
      error = "needs the unknown token '" + unknown.substr(0, 64) +
              "', which isn't in the vocabulary";
      return false;
    }
    ids.push_back(id);
    return true;
  }

  std::string unknown;
};

struct ModelKind {
  const char *name;
  std::unique_ptr<Model> (*parse)(const Node &);
  /// A field that only this kind has: old files name no type.
  const char *mark;
};

} // namespace

static std::unique_ptr<Model> parseWordLevelModel(const Node &node) {
  auto model = std::make_unique<WordLevelModel>();
  model->vocabulary.parse(node.field("vocab"));
  model->unknown = node.field("unk_token").string();
  return model;
}

static constexpr ModelKind kModels[] = {
    {"BPE", parseBytePairModel, "merges"},
    {"WordPiece", parseWordPieceModel, "max_input_chars_per_word"},
    {"WordLevel", parseWordLevelModel, nullptr},
};

std::unique_ptr<Model> smelt::tokenizer::parseModel(const Node &node) {
  if (node.isObject() && !node.json()->contains("type"))
    for (const ModelKind &kind : kModels)
      if (kind.mark && node.json()->contains(kind.mark))
        return kind.parse(node);
  const ModelKind *kind = findKind(node, kModels);
  return kind ? kind->parse(node) : nullptr;
}
