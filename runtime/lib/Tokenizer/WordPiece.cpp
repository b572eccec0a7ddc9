//===- WordPiece.cpp - Longest pieces first -------------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A word is cut greedily into the longest tokens; all but the first carry a
// prefix in the vocabulary:
//
//     unwanted  ->  un ##want ##ed
//
// A word that can't be cut entirely, or is too long, is one unknown token.
//
//===----------------------------------------------------------------------===//
#include "Stages.h"
#include "Unicode.h"

using namespace smelt::tokenizer;

namespace {
class WordPieceModel : public Model {
public:
  bool encode(std::string_view word, std::vector<int32_t> &ids,
              std::string &error) const override {
    size_t before = ids.size();
    if (countCharacters(word) <= maxCharacters && cut(word, ids))
      return true;
    ids.resize(before);
    if (unknownId < 0) {
      error = "needs the unknown token '" + unknown.substr(0, 64) +
              "', which isn't in the vocabulary";
      return false;
    }
    ids.push_back(unknownId);
    return true;
  }

  std::string unknown, prefix;
  int32_t unknownId = -1;
  size_t maxCharacters = 100;

private:
  static size_t countCharacters(std::string_view word) {
    size_t count = 0;
    for (char c : word)
      count += (c & 0xC0) != 0x80;
    return count;
  }

  bool cut(std::string_view word, std::vector<int32_t> &ids) const {
    std::string piece;
    for (size_t begin = 0; begin < word.size();) {
      piece.assign(begin ? prefix : "");
      size_t bare = piece.size();
      piece += word.substr(begin, vocabulary.longest());
      int32_t id;
      while ((id = vocabulary.find(piece)) < 0) {
        // A cut within a character leaves invalid UTF-8, which no token is.
        if (piece.size() <= bare + 1)
          return false;
        piece.pop_back();
      }
      if (piece.size() == bare)
        return false;
      ids.push_back(id);
      begin += piece.size() - bare;
    }
    return true;
  }
};
} // namespace

std::unique_ptr<Model> smelt::tokenizer::parseWordPieceModel(const Node &node) {
  auto model = std::make_unique<WordPieceModel>();
  model->vocabulary.parse(node.field("vocab"));
  model->unknown = node.field("unk_token").string("[UNK]");
  model->prefix = node.field("continuing_subword_prefix").string("##");
  model->maxCharacters =
      size_t(node.field("max_input_chars_per_word").integer(0, INT32_MAX, 100));
  model->unknownId = model->vocabulary.find(model->unknown);
  return model;
}
