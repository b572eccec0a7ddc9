//===- Stages.h - The stages of a tokenizer ---------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A stage is a function that a parser makes from its object in tokenizer.json.
// Each stage's file has a table of kinds, type name -> parser. Parsers report
// through their node; where one failed, the function is never called.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_TOKENIZER_STAGES_H
#define SMELT_LIB_TOKENIZER_STAGES_H

#include "Node.h"
#include "Regex.h"
#include "Vocabulary.h"

#include <functional>
#include <memory>
#include <vector>

namespace smelt::tokenizer {

/// Part of a text that the following stages treat on its own.
struct Piece {
  size_t begin, end; // bytes of Pieces::text
  bool opens;        // nothing of the original text comes before it
};

/// A text cut into pieces. They ascend and don't overlap, but needn't cover it.
struct Pieces {
  std::string text;
  std::vector<Piece> list;

  std::string_view operator[](size_t i) const {
    return std::string_view(text).substr(list[i].begin,
                                         list[i].end - list[i].begin);
  }
};

/// Rewrites a text. Fails, with an error, when a regex exceeds its limits.
using Normalizer = std::function<bool(std::string &text, std::string &error)>;
Normalizer parseNormalizer(const Node &node);

/// Cuts pieces further and may rewrite their text.
using PreTokenizer = std::function<bool(Pieces &pieces, std::string &error)>;
PreTokenizer parsePreTokenizer(const Node &node);

/// Turns one piece into ids.
class Model {
public:
  virtual ~Model() = default;
  /// Appends the ids of `word`, which isn't empty. Fails when the word needs
  /// the unknown token and there is none.
  virtual bool encode(std::string_view word, std::vector<int32_t> &ids,
                      std::string &error) const = 0;

  Vocabulary vocabulary;
};
std::unique_ptr<Model> parseModel(const Node &node);
std::unique_ptr<Model> parseBytePairModel(const Node &node);
std::unique_ptr<Model> parseWordPieceModel(const Node &node);

/// Part of what a text or a pair becomes.
struct TemplatePart {
  std::vector<int32_t> special; // ids, or else:
  int sequence = -1;            // 0 for the first text, 1 for the second
  int32_t typeId = 0;
};

/// Where the texts and special tokens go. For a single text and for a pair.
struct PostProcessor {
  std::vector<TemplatePart> single, pair;

  /// How many ids it adds to one text or to a pair.
  size_t countSpecial(bool isPair) const;
};
/// `knowsId` tells whether a token has an id.
PostProcessor
parsePostProcessor(const Node &node,
                   const std::function<bool(int32_t id)> &knowsId);

/// Rewrites tokens so that they make up the text when joined.
using Decoder = std::function<void(std::vector<std::string> &tokens)>;
Decoder parseDecoder(const Node &node);

/// How tokens spell bytes that needn't be whole characters.
enum class ByteSpelling { None, Level, Fallback };
/// That of a decoder, which must have been parsed.
ByteSpelling findByteSpelling(const Node &node);
/// The bytes that `token` spells.
std::string spelledBytes(const std::string &token, ByteSpelling spelling);

/// Drops the spaces that English doesn't want before punctuation and
/// contractions; WordPiece decoders also contract "do not".
std::string cleanUpSpaces(std::string text, bool contract);

} // namespace smelt::tokenizer

#endif // SMELT_LIB_TOKENIZER_STAGES_H
