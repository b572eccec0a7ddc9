//===- Regex.h - Regular expressions of tokenizer files ---------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_TOKENIZER_REGEX_H
#define SMELT_LIB_TOKENIZER_REGEX_H

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace smelt::tokenizer {

/// A range of bytes of a text.
struct Span {
  size_t begin, end;
};

/// A compiled expression of untrusted origin. It may be used by any number of
/// threads at once.
class Regex {
public:
  /// Compiles `pattern`, written for Oniguruma with Ruby's syntax. Returns null
  /// and sets `error` where it can't be compiled or would mean something else.
  static std::shared_ptr<const Regex> compile(std::string_view pattern,
                                              std::string &error);
  ~Regex();

  /// Appends all matches in valid UTF-8 text, left to right. An empty match
  /// right behind the previous match is passed over. Fails when one match takes
  /// more than a bounded number of steps.
  bool findAll(std::string_view text, std::vector<Span> &matches,
               std::string &error) const;

private:
  struct Code;
  Regex(std::unique_ptr<Code> code);
  std::unique_ptr<Code> code;
};

} // namespace smelt::tokenizer

#endif // SMELT_LIB_TOKENIZER_REGEX_H
