//===- GoldenTest.cpp - Ids and texts of published styles -----------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Small vocabularies in the style of published families, and what the reference
// implementation makes of texts that are hard to get right: every id, type id
// and decoded text must be the same.
//
//===----------------------------------------------------------------------===//
#include "TestTokenizer.h"

using namespace smelt;
using namespace smelt::test;
using Ids = std::vector<int32_t>;

namespace {

struct Style {
  const char *name;
  bool bundled; // in Inputs, else in the folder of further goldens
};
void PrintTo(const Style &style, std::ostream *os) { *os << style.name; }

class GoldenTest : public testing::TestWithParam<Style> {
protected:
  void SetUp() override {
    std::string folder = std::string(SMELT_TEST_INPUTS) + "/";
    if (!GetParam().bundled)
      folder = std::string(SMELT_TEST_GOLDENS) + "/tokenizers/";
    folder += GetParam().name;
    std::string json = readFile(folder + "/tokenizer.json");
    if (json.empty() && !GetParam().bundled)
      GTEST_SKIP() << "needs SMELT_GOLDENS";
    tokenizer = parse(json);
    ASSERT_TRUE(tokenizer);
    golden = Json::parse(readFile(folder + "/cases.json"));
    ASSERT_GE(golden["cases"].size(), 100u);
  }

  static std::string input(const Json &entry) {
    if (!entry.contains("bytes"))
      return entry["text"];
    std::string hex = entry["bytes"], bytes;
    for (size_t i = 0; i < hex.size(); i += 2)
      bytes += char(std::stoi(hex.substr(i, 2), nullptr, 16));
    return bytes;
  }

  std::unique_ptr<Tokenizer> tokenizer;
  Json golden;
};

} // namespace

TEST_P(GoldenTest, Encode) {
  for (const Json &entry : golden["cases"]) {
    std::string text = input(entry);
    EXPECT_EQ(encode(*tokenizer, text, true), entry["ids"].get<Ids>()) << text;
    EXPECT_EQ(encode(*tokenizer, text, false),
              entry["ids_without_special"].get<Ids>())
        << text;
  }
}

TEST_P(GoldenTest, Decode) {
  for (const Json &entry : golden["cases"]) {
    Ids ids = entry["ids"];
    EXPECT_EQ(tokenizer->decode(ids, true), entry["decoded"]);
    EXPECT_EQ(tokenizer->decode(ids, false), entry["decoded_with_special"]);
  }
}

TEST_P(GoldenTest, DecodeStream) {
  for (const Json &entry : golden["cases"])
    for (bool skipSpecial : {true, false}) {
      StreamDecoder stream(*tokenizer, skipSpecial);
      std::string text;
      for (int32_t id : entry["ids"].get<Ids>())
        text += stream.push(id);
      text += stream.finish();
      EXPECT_EQ(text, entry[skipSpecial ? "decoded" : "decoded_with_special"]);
    }
}

TEST_P(GoldenTest, EncodePair) {
  ASSERT_FALSE(golden["pairs"].empty());
  for (const Json &entry : golden["pairs"]) {
    std::string error, first = entry["text"], second = entry["pair"];
    auto encoding = tokenizer->encodePair(first, second, {}, error);
    ASSERT_TRUE(encoding) << error;
    EXPECT_EQ(encoding->ids, entry["ids"].get<Ids>());
    EXPECT_EQ(encoding->typeIds, entry["type_ids"].get<Ids>());
  }
}

TEST_P(GoldenTest, LookUp) {
  for (size_t id = 0; id < tokenizer->vocabularySize(); ++id) {
    const std::string *token = tokenizer->idToToken(int32_t(id));
    ASSERT_TRUE(token) << id;
    EXPECT_EQ(tokenizer->tokenToId(*token), int32_t(id));
  }
  EXPECT_FALSE(tokenizer->idToToken(int32_t(tokenizer->vocabularySize())));
  EXPECT_FALSE(tokenizer->idToToken(-1));
  EXPECT_FALSE(tokenizer->tokenToId("no such token"));
}

static constexpr Style kStyles[] = {
    {"gpt2", true},         {"llama2", true},     {"llama3", true},
    {"bert-uncased", true}, {"bert-cased", true}, {"deepseek", false},
    {"gemma", false},       {"gpt-neox", false},  {"mistral", false},
    {"phi3", false},        {"qwen2", false},     {"roberta", false},
    {"smollm", false}};

INSTANTIATE_TEST_SUITE_P(Styles, GoldenTest, testing::ValuesIn(kStyles),
                         [](const testing::TestParamInfo<Style> &info) {
                           std::string name = info.param.name;
                           name.erase(
                               std::remove(name.begin(), name.end(), '-'),
                               name.end());
                           return name;
                         });
