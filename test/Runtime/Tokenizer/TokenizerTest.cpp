//===- TokenizerTest.cpp - Added tokens, templates, truncation ------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "TestTokenizer.h"

using namespace smelt;
using namespace smelt::test;
using Ids = std::vector<int32_t>;

namespace {

/// Each letter is a token, with its place in the alphabet as its id; "[C]" and
/// "[S]" are special.
Json letters() {
  Json vocab;
  for (int i = 0; i < 26; ++i)
    vocab[std::string(1, char('a' + i))] = i;
  vocab[" "] = 26;
  return {
      {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", Json::array()}}},
      {"added_tokens",
       {{{"id", 27}, {"content", "[C]"}, {"special", true}},
        {{"id", 28}, {"content", "[S]"}, {"special", true}}}},
      {"decoder", {{"type", "Fuse"}}}};
}

Json withToken(const char *content, const char *flag = nullptr) {
  Json json = letters();
  Json token = {{"id", 40}, {"content", content}, {"special", true}};
  if (flag)
    token[flag] = true;
  json["added_tokens"].push_back(token);
  return json;
}

std::string tokensOf(const Json &json, std::string_view text) {
  auto tokenizer = parse(json.dump());
  return tokenizer ? tokens(*tokenizer, text) : "";
}

Json withBert(Json json) {
  json["post_processor"] = {
      {"type", "BertProcessing"}, {"cls", {"[C]", 27}}, {"sep", {"[S]", 28}}};
  return json;
}

} // namespace

//===----------------------------------------------------------------------===//
// Added tokens
//===----------------------------------------------------------------------===//

TEST(AddedTokens, LongestWins) {
  Json json = withToken("<x>");
  json["added_tokens"].push_back(
      {{"id", 41}, {"content", "<x><y>"}, {"special", true}});
  EXPECT_EQ(tokensOf(json, "a<x><x><y>b"), "a|<x>|<x><y>|b");
}

TEST(AddedTokens, Strip) {
  EXPECT_EQ(tokensOf(withToken("<x>"), "a <x> b"), "a| |<x>| |b");
  EXPECT_EQ(tokensOf(withToken("<x>", "lstrip"), "a <x> b"), "a|<x>| |b");
  EXPECT_EQ(tokensOf(withToken("<x>", "rstrip"), "a <x>  b"), "a| |<x>|b");
}

TEST(AddedTokens, SingleWord) {
  Json json = withToken("ab", "single_word");
  EXPECT_EQ(tokensOf(json, "ab abc ab"), "ab| |a|b|c| |ab");
  EXPECT_EQ(tokensOf(json, "xab"), "x|a|b");
}

TEST(AddedTokens, NormalizedMatchesNormalizedText) {
  Json json = withToken("Ab", "normalized");
  json["normalizer"] = {{"type", "Lowercase"}};
  EXPECT_EQ(tokensOf(json, "xAB"), "x|Ab");
  json = withToken("Ab");
  json["normalizer"] = {{"type", "Lowercase"}};
  EXPECT_EQ(tokensOf(json, "xABAb"), "x|a|b|Ab");
}

TEST(AddedTokens, DecodeSkipsSpecial) {
  auto tokenizer = parse(letters().dump());
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->decode({27, 0, 1, 28}, true), "ab");
  EXPECT_EQ(tokenizer->decode({27, 0, 1, 28}, false), "[C]ab[S]");
  // Ids without a token.
  EXPECT_EQ(tokenizer->decode({-1, 0, 35, 99999999, 1}, true), "ab");
  EXPECT_TRUE(tokenizer->isSpecial(27));
  EXPECT_FALSE(tokenizer->isSpecial(0));
}

//===----------------------------------------------------------------------===//
// tokenizer_config.json
//===----------------------------------------------------------------------===//

TEST(Config, RolesAreSpecial) {
  auto tokenizer = parse(letters().dump(), R"({"eos_token": {"content": "z"},
      "bos_token": "[C]", "pad_token": null, "cls_token": "no such token"})");
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->roleToId("eos_token"), 25);
  EXPECT_EQ(tokenizer->roleToId("bos_token"), 27);
  EXPECT_FALSE(tokenizer->roleToId("pad_token"));
  EXPECT_FALSE(tokenizer->roleToId("cls_token"));
  EXPECT_EQ(tokenizer->decode({0, 25, 1}, true), "ab");
}

TEST(Config, CleanUpSpaces) {
  Json json = letters();
  json["model"]["vocab"]["."] = 30;
  auto plain = parse(json.dump());
  auto clean = parse(json.dump(), R"({"clean_up_tokenization_spaces": true})");
  ASSERT_TRUE(plain && clean);
  EXPECT_EQ(plain->decode({0, 26, 30}, true), "a .");
  EXPECT_EQ(clean->decode({0, 26, 30}, true), "a.");
}

TEST(Config, Errors) {
  std::string json = letters().dump();
  EXPECT_EQ(parseError(json, R"({"eos_token": 7})"),
            "tokenizer_config.json: eos_token: expected a string, found "
            "number");
  EXPECT_EQ(parseError(json, "[]"),
            "tokenizer_config.json: expected an object, found array");
}

//===----------------------------------------------------------------------===//
// Post-processors and truncation
//===----------------------------------------------------------------------===//

TEST(Template, BertAndRobertaPairs) {
  Json json = withBert(letters());
  auto encodePair = [](const Json &json) {
    auto tokenizer = parse(json.dump());
    std::string error;
    auto encoding = tokenizer->encodePair("ab", "c", {}, error);
    EXPECT_TRUE(encoding) << error;
    return encoding.value_or(Encoding());
  };
  Encoding bert = encodePair(json);
  EXPECT_EQ(bert.ids, (Ids{27, 0, 1, 28, 2, 28}));
  EXPECT_EQ(bert.typeIds, (Ids{0, 0, 0, 0, 1, 1}));
  json["post_processor"]["type"] = "RobertaProcessing";
  Encoding roberta = encodePair(json);
  EXPECT_EQ(roberta.ids, (Ids{27, 0, 1, 28, 28, 2, 28}));
  EXPECT_EQ(roberta.typeIds, Ids(7, 0));
  json["post_processor"] = nullptr;
  Encoding plain = encodePair(json);
  EXPECT_EQ(plain.ids, (Ids{0, 1, 2}));
  EXPECT_EQ(plain.typeIds, (Ids{0, 0, 1}));
}

TEST(Truncation, KeepsSpecialTokens) {
  auto tokenizer = parse(withBert(letters()).dump());
  ASSERT_TRUE(tokenizer);
  std::string error;
  EncodeOptions options;
  for (size_t length = 2; length < 12; ++length) {
    options.maxLength = length;
    auto encoding = tokenizer->encode("abcdef", options, error);
    ASSERT_TRUE(encoding) << error;
    EXPECT_EQ(encoding->ids.size(), std::min<size_t>(length, 8));
    EXPECT_EQ(encoding->typeIds.size(), encoding->ids.size());
    EXPECT_EQ(encoding->ids.front(), 27);
    EXPECT_EQ(encoding->ids.back(), 28);
  }
  options.maxLength = 1;
  EXPECT_FALSE(tokenizer->encode("a", options, error));
  EXPECT_EQ(error, "a maximum length of 1 has no room for 2 special tokens");
}

TEST(Truncation, OfTheFileUnlessOverridden) {
  Json json = withBert(letters());
  json["truncation"] = {{"max_length", 4},
                        {"strategy", "LongestFirst"},
                        {"direction", "Left"},
                        {"stride", 0}};
  auto tokenizer = parse(json.dump());
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(encode(*tokenizer, "abcdef", true), (Ids{27, 4, 5, 28}));
  std::string error;
  EncodeOptions options;
  options.maxLength = 5;
  EXPECT_EQ(tokenizer->encode("abcdef", options, error)->ids,
            (Ids{27, 3, 4, 5, 28}));
  options.maxLength = EncodeOptions::kUnlimited;
  EXPECT_EQ(tokenizer->encode("abcdef", options, error)->ids.size(), 8u);
}

TEST(Truncation, PairsLongestFirst) {
  auto tokenizer = parse(letters().dump());
  ASSERT_TRUE(tokenizer);
  auto lengths = [&](size_t first, size_t second, size_t maxLength) {
    std::string error;
    EncodeOptions options;
    options.maxLength = maxLength;
    auto encoding = tokenizer->encodePair(
        std::string(first, 'a'), std::string(second, 'b'), options, error);
    EXPECT_TRUE(encoding) << error;
    size_t kept = size_t(
        std::count(encoding->typeIds.begin(), encoding->typeIds.end(), 0));
    return std::pair(kept, encoding->typeIds.size() - kept);
  };
  using Pair = std::pair<size_t, size_t>;
  EXPECT_EQ(lengths(3, 5, 8), Pair(3, 5));
  EXPECT_EQ(lengths(2, 9, 8), Pair(2, 6));
  EXPECT_EQ(lengths(9, 2, 8), Pair(6, 2));
  EXPECT_EQ(lengths(9, 9, 7), Pair(3, 4));
  EXPECT_EQ(lengths(20, 9, 7), Pair(4, 3));
  EXPECT_EQ(lengths(3, 3, 0), Pair(0, 0));
}

TEST(Truncation, OneOfThePair) {
  Json json = letters();
  json["truncation"] = {{"max_length", 4}, {"strategy", "OnlySecond"}};
  auto tokenizer = parse(json.dump());
  ASSERT_TRUE(tokenizer);
  std::string error;
  auto encoding = tokenizer->encodePair("ab", "cdefg", {}, error);
  ASSERT_TRUE(encoding) << error;
  EXPECT_EQ(encoding->ids, (Ids{0, 1, 2, 3}));
  EXPECT_FALSE(tokenizer->encodePair("abcdef", "c", {}, error));
  EXPECT_FALSE(tokenizer->encode("abcdef", {}, error));
}

//===----------------------------------------------------------------------===//
// Streaming
//===----------------------------------------------------------------------===//

TEST(StreamDecoder, HoldsIncompleteCharacters) {
  auto tokenizer = parse(readInput("gpt2/tokenizer.json"));
  ASSERT_TRUE(tokenizer);
  // U+1F600 in four bytes, each a token of its own.
  Ids ids;
  for (const char *token : {"\u00f0", "\u0141", "\u013a", "\u0122"})
    ids.push_back(tokenizer->tokenToId(token).value());
  StreamDecoder stream(*tokenizer);
  EXPECT_EQ(stream.push(ids[0]), "");
  EXPECT_EQ(stream.push(ids[1]), "");
  EXPECT_EQ(stream.push(ids[2]), "");
  EXPECT_EQ(stream.push(ids[3]), "\U0001f600");
  EXPECT_EQ(stream.finish(), "");
  EXPECT_EQ(stream.push(ids[0]), "");
  EXPECT_EQ(stream.finish(), "\ufffd");
  // What can't become a character any more is given at once.
  EXPECT_EQ(stream.push(ids[3]), "\ufffd");
}

TEST(StreamDecoder, KeepsSpacesBehindSpecialTokens) {
  auto tokenizer = parse(readInput("llama2/tokenizer.json"));
  ASSERT_TRUE(tokenizer);
  int32_t the = tokenizer->tokenToId("\u2581the").value();
  StreamDecoder stream(*tokenizer);
  EXPECT_EQ(stream.push(1), "");
  EXPECT_EQ(stream.push(the), "the");
  EXPECT_EQ(stream.push(2), "");
  EXPECT_EQ(stream.push(the), " the");
}
