//===- Vocabulary.h - Tokens and their ids ----------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_TOKENIZER_VOCABULARY_H
#define SMELT_LIB_TOKENIZER_VOCABULARY_H

#include "Node.h"

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace smelt::tokenizer {

/// Ids are below this; the largest published vocabularies have 2^18.
inline constexpr int64_t kMaxIds = 1 << 22;

/// A one-to-one map between tokens and ids, which may have holes.
class Vocabulary {
public:
  Vocabulary() = default;
  Vocabulary(const Vocabulary &) = delete;
  Vocabulary &operator=(const Vocabulary &) = delete;

  /// Adds a token; false when the token or the id is taken.
  bool add(std::string_view token, int32_t id);
  /// Adds all of {"token": id, ...}.
  void parse(const Node &node);

  /// -1 for what isn't there.
  int32_t find(std::string_view token) const {
    auto it = ids.find(token);
    return it == ids.end() ? -1 : it->second;
  }
  const std::string *token(int32_t id) const {
    return id < 0 || size_t(id) >= byId.size() ? nullptr : byId[id];
  }
  /// One more than the largest id.
  size_t limit() const { return byId.size(); }
  /// Bytes of the longest token.
  size_t longest() const { return longestToken; }

private:
  std::deque<std::string> tokens; // never moves its elements
  std::vector<const std::string *> byId;
  std::unordered_map<std::string_view, int32_t> ids;
  size_t longestToken = 0;
};

} // namespace smelt::tokenizer

#endif // SMELT_LIB_TOKENIZER_VOCABULARY_H
