//===- TestTokenizer.h - What tokenizer tests share -------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TEST_RUNTIME_TOKENIZER_TESTTOKENIZER_H
#define SMELT_TEST_RUNTIME_TOKENIZER_TESTTOKENIZER_H

#include "smelt/Tokenizer.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <sstream>

namespace smelt::test {

using Json = nlohmann::json;

inline std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

inline std::string readInput(const std::string &name) {
  return readFile(std::string(SMELT_TEST_INPUTS) + "/" + name);
}

inline std::unique_ptr<Tokenizer> parse(const std::string &json,
                                        const std::string &config = "") {
  std::string error;
  auto tokenizer = Tokenizer::parse(json, config, error);
  EXPECT_TRUE(tokenizer) << error;
  return tokenizer;
}

/// What parsing `json` complains about.
inline std::string parseError(const std::string &json,
                              const std::string &config = "") {
  std::string error;
  EXPECT_FALSE(Tokenizer::parse(json, config, error));
  EXPECT_FALSE(error.empty());
  return error;
}

inline std::vector<int32_t> encode(const Tokenizer &tokenizer,
                                   std::string_view text,
                                   bool addSpecial = false) {
  EncodeOptions options;
  options.addSpecial = addSpecial;
  std::string error;
  auto encoding = tokenizer.encode(text, options, error);
  EXPECT_TRUE(encoding) << error;
  return encoding ? encoding->ids : std::vector<int32_t>();
}

/// The tokens of `text`, separated by bars.
inline std::string tokens(const Tokenizer &tokenizer, std::string_view text) {
  std::string joined;
  for (int32_t id : encode(tokenizer, text))
    joined += (joined.empty() ? "" : "|") + *tokenizer.idToToken(id);
  return joined;
}

} // namespace smelt::test

#endif // SMELT_TEST_RUNTIME_TOKENIZER_TESTTOKENIZER_H
