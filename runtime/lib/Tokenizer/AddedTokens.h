//===- AddedTokens.h - Tokens found before anything else --------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Added tokens are cut out of the text before the model sees it: those that
// aren't `normalized` from the text as given, the others, in their normalized
// spelling, from the normalized text. Of several at one place the longest wins.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_TOKENIZER_ADDEDTOKENS_H
#define SMELT_LIB_TOKENIZER_ADDEDTOKENS_H

#include "Stages.h"

#include <bitset>
#include <unordered_set>

namespace smelt::tokenizer {

struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool singleWord = false; // not within a word
  bool leftStrip = false;  // takes the white space before it
  bool rightStrip = false; // and behind it
  bool normalized = false;
  bool special = false;
};

/// Part of a text: an added token, or text between them where `id` is -1.
struct Segment {
  Span span;
  int32_t id;
};

/// Finds some of the added tokens.
class TokenFinder {
public:
  /// `spelling` isn't empty.
  void add(const AddedToken &token, std::string_view spelling);
  /// Cuts `text`, without empty parts.
  std::vector<Segment> split(std::string_view text) const;

private:
  /// The longest token at byte `at`, null where there is none.
  const AddedToken *match(std::string_view text, size_t at,
                          size_t &length) const;

  std::bitset<256> firstBytes;
  /// (node << 8 | byte) -> node of a trie whose root is 0.
  std::unordered_map<uint64_t, uint32_t> edges;
  std::unordered_map<uint32_t, AddedToken> ends;
};

class AddedTokens {
public:
  /// `added_tokens` of tokenizer.json.
  void parse(const Node &node, const Vocabulary &vocabulary);
  /// Makes `content`, which has this id, a special token.
  void addSpecial(const std::string &content, int32_t id);
  /// Prepares find(), once all tokens are known.
  bool finish(const Normalizer &normalizer, std::string &error);

  bool isSpecial(int32_t id) const { return special.count(id); }

  Vocabulary vocabulary;
  TokenFinder raw, normalized;

private:
  std::vector<AddedToken> tokens;
  std::unordered_set<int32_t> special;
};

} // namespace smelt::tokenizer

#endif // SMELT_LIB_TOKENIZER_ADDEDTOKENS_H
