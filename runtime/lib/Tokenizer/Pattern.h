//===- Pattern.h - What to look for, and how to split there -----*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A pattern is a literal string, a regular expression or a property of single
// characters. Splitting cuts a text into matches and what lies between them,
// then a behaviour decides what becomes of the matches. With "-" as the
// pattern, "the-final--countdown" becomes
//
//     Removed             the | final | countdown
//     Isolated            the | - | final | - | - | countdown
//     MergedWithPrevious  the- | final- | - | countdown
//     MergedWithNext      the | -final | - | -countdown
//     Contiguous          the | - | final | -- | countdown
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_TOKENIZER_PATTERN_H
#define SMELT_LIB_TOKENIZER_PATTERN_H

#include "Node.h"
#include "Regex.h"

namespace smelt::tokenizer {

/// Bytes that a stage may make of a text. Files can ask for texts that double
/// at every step; what people write stays far below.
inline size_t growthLimit(size_t bytes) { return 64 * bytes + (1 << 16); }
/// Whether `now` bytes may have come of `before`; sets `error` if not.
bool checkGrowth(size_t before, size_t now, std::string &error);

class Pattern {
public:
  using Property = bool (*)(char32_t);

  static Pattern literal(std::string text);
  static Pattern property(Property property);
  /// `pattern` must compile: for the expressions that Smelt itself brings.
  static Pattern regex(const char *pattern);
  /// {"String": ...} or {"Regex": ...}.
  static Pattern parse(const Node &node);

  /// Appends the non-overlapping matches, left to right.
  bool findAll(std::string_view text, std::vector<Span> &matches,
               std::string &error) const;

  /// Replaces every match. Fails, too, where the result exceeds growthLimit().
  bool replace(std::string &text, std::string_view by,
               std::string &error) const;

private:
  std::string text;
  Property isMember = nullptr;
  std::shared_ptr<const Regex> compiled;
};

enum class Behaviour {
  Removed,
  Isolated,
  MergedWithPrevious,
  MergedWithNext,
  Contiguous
};

/// `fallback` is the behaviour's name where the field is absent.
Behaviour parseBehaviour(const Node &node, const char *fallback);

/// Appends the non-empty pieces of `text`. `invert` exchanges matches and what
/// lies between them.
bool splitText(std::string_view text, const Pattern &pattern,
               Behaviour behaviour, bool invert, std::vector<Span> &pieces,
               std::string &error);

} // namespace smelt::tokenizer

#endif // SMELT_LIB_TOKENIZER_PATTERN_H
