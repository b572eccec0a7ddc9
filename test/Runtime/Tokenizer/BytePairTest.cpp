//===- BytePairTest.cpp - Merges against a plain reference ----------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "TestTokenizer.h"

#include <map>
#include <random>

using namespace smelt;
using namespace smelt::test;
using Words = std::vector<std::string>;

namespace {

/// A model whose merges were drawn at random.
struct RandomModel {
  std::map<std::pair<std::string, std::string>, size_t> ranks;
  Json json;

  RandomModel(std::mt19937 &random, size_t merges) {
    Words tokens = {"a", "b", "c", "d"};
    Json vocab, list = Json::array();
    for (const std::string &token : tokens)
      vocab[token] = vocab.size();
    while (list.size() < merges) {
      std::string left = tokens[random() % tokens.size()];
      std::string right = tokens[random() % tokens.size()];
      if (left.size() + right.size() > 12 ||
          !ranks.emplace(std::pair(left, right), list.size()).second)
        continue;
      list.push_back({left, right});
      if (vocab.contains(left + right))
        continue;
      tokens.push_back(left + right);
      vocab[left + right] = vocab.size();
    }
    json["model"] = {{"type", "BPE"}, {"vocab", vocab}, {"merges", list}};
  }

  /// Merges the first of the pairs with the lowest rank until there is none.
  std::string tokens(const std::string &word) const {
    Words parts;
    for (char c : word)
      parts.emplace_back(1, c);
    while (true) {
      size_t best = parts.size(), bestRank = SIZE_MAX;
      for (size_t i = 0; i + 1 < parts.size(); ++i) {
        auto it = ranks.find({parts[i], parts[i + 1]});
        if (it != ranks.end() && it->second < bestRank) {
          best = i;
          bestRank = it->second;
        }
      }
      if (best == parts.size())
        break;
      parts[best] += parts[best + 1];
      parts.erase(parts.begin() + best + 1);
    }
    std::string joined;
    for (const std::string &part : parts)
      joined += (joined.empty() ? "" : "|") + part;
    return joined;
  }
};

std::string randomWord(std::mt19937 &random, size_t length) {
  std::string word;
  for (size_t i = 0; i < length; ++i)
    word += char('a' + random() % 4);
  return word;
}

/// A model of three characters and the merge "ab".
Json smallModel() {
  return Json::parse(R"({"type": "BPE", "merges": [["a", "b"]], "vocab":
      {"a": 0, "b": 1, "ab": 2, "<unk>": 3, "<0xC3>": 4, "<0xA9>": 5,
       "abb": 6}})");
}

std::string smallTokens(const Json &model, const char *text) {
  auto tokenizer = parse(Json{{"model", model}}.dump());
  return tokenizer ? tokens(*tokenizer, text) : "";
}

} // namespace

TEST(BytePair, RandomMergesAsReference) {
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    RandomModel model(random, 5 + random() % 200);
    auto tokenizer = parse(model.json.dump());
    ASSERT_TRUE(tokenizer);
    // Both sides of the length from which a heap is used.
    for (size_t length : {1, 2, 3, 8, 22, 23, 24, 25, 26, 40, 130})
      for (int i = 0; i < 10; ++i) {
        std::string word = randomWord(random, length);
        ASSERT_EQ(tokens(*tokenizer, word), model.tokens(word)) << word;
      }
  }
}

TEST(BytePair, EqualPairsLeftmostFirst) {
  Json json = Json::parse(R"({"model": {"type": "BPE", "vocab":
      {"a": 0, "aa": 1}, "merges": ["a a"]}})");
  auto tokenizer = parse(json.dump());
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokens(*tokenizer, "aaaaa"), "aa|aa|a");
  std::string longWord(101, 'a');
  std::vector<int32_t> ids = encode(*tokenizer, longWord);
  ASSERT_EQ(ids.size(), 51u);
  EXPECT_EQ(ids.back(), 0);
}

TEST(BytePair, LongWordsAreNotQuadratic) {
  std::mt19937 random(3);
  RandomModel model(random, 300);
  auto tokenizer = parse(model.json.dump());
  ASSERT_TRUE(tokenizer);
  // Quadratic time would be hours.
  std::string word = randomWord(random, 2000000), text;
  for (int32_t id : encode(*tokenizer, word))
    text += *tokenizer->idToToken(id);
  EXPECT_TRUE(text == word);
}

TEST(BytePair, MergesAsStringsOrPairs) {
  Json model = smallModel();
  EXPECT_EQ(smallTokens(model, "abab"), "ab|ab");
  model["merges"] = {"a b"};
  EXPECT_EQ(smallTokens(model, "abab"), "ab|ab");
}

TEST(BytePair, ModelWithoutType) {
  Json model = smallModel();
  model.erase("type");
  EXPECT_EQ(smallTokens(model, "ab"), "ab");
}

TEST(BytePair, IgnoreMergesTakesWholeWords) {
  Json model = smallModel();
  EXPECT_EQ(smallTokens(model, "abb"), "ab|b");
  model["ignore_merges"] = true;
  EXPECT_EQ(smallTokens(model, "abb"), "abb");
}

TEST(BytePair, UnknownCharacters) {
  Json model = smallModel();
  EXPECT_EQ(smallTokens(model, "axya"), "a|a");
  model["unk_token"] = "<unk>";
  EXPECT_EQ(smallTokens(model, "axya"), "a|<unk>|<unk>|a");
  model["fuse_unk"] = true;
  EXPECT_EQ(smallTokens(model, "axya"), "a|<unk>|a");
}

TEST(BytePair, ByteFallback) {
  Json model = smallModel();
  model["byte_fallback"] = true;
  model["unk_token"] = "<unk>";
  EXPECT_EQ(smallTokens(model, "a\u00e9"), "a|<0xC3>|<0xA9>");
  // A character one of whose bytes has no token.
  EXPECT_EQ(smallTokens(model, "a\u00e8"), "a|<unk>");
}

TEST(BytePair, UnknownTokenThatIsMissing) {
  Json model = smallModel();
  model["unk_token"] = "<gone>";
  auto tokenizer = parse(Json{{"model", model}}.dump());
  ASSERT_TRUE(tokenizer);
  std::string error;
  EXPECT_FALSE(tokenizer->encode("x", {}, error));
  EXPECT_EQ(error, "needs the unknown token '<gone>', which isn't in the "
                   "vocabulary");
}

TEST(BytePair, PrefixAndSuffix) {
  Json model = Json::parse(R"({"type": "BPE",
      "continuing_subword_prefix": "##", "end_of_word_suffix": "</w>",
      "vocab": {"a": 0, "##b": 1, "##c</w>": 2, "ab": 3, "abc</w>": 4,
                "a</w>": 5},
      "merges": [["a", "##b"], ["ab", "##c</w>"]]})");
  EXPECT_EQ(smallTokens(model, "abc"), "abc</w>");
  EXPECT_EQ(smallTokens(model, "a"), "a</w>");
}
