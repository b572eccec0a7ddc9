//===- UntrustedTest.cpp - Files and texts that mean no good --------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "TestTokenizer.h"

#include <random>

using namespace smelt;
using namespace smelt::test;

namespace {

/// A tokenizer with one field replaced; `pointer` is a JSON pointer.
std::string with(const char *pointer, const Json &value) {
  static const Json valid = Json::parse(R"({
      "added_tokens": [{"id": 3, "content": "<s>", "special": true}],
      "normalizer": {"type": "NFC"},
      "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
      "post_processor": {"type": "TemplateProcessing",
          "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                     {"Sequence": {"id": "A", "type_id": 0}}],
          "pair": [{"Sequence": {"id": "A", "type_id": 0}},
                   {"Sequence": {"id": "B", "type_id": 1}}],
          "special_tokens": {"<s>": {"id": "<s>", "ids": [3],
                                     "tokens": ["<s>"]}}},
      "decoder": {"type": "ByteLevel"},
      "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2},
                "merges": [["a", "b"]]}})");
  Json json = valid;
  json[Json::json_pointer(pointer)] = value;
  return json.dump();
}

Json splitBy(const std::string &regex) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", regex}}},
          {"behavior", "Isolated"}};
}

void expectError(const char *pointer, const Json &value,
                 const std::string &expected) {
  std::string error = parseError(with(pointer, value));
  EXPECT_NE(error.find(expected), std::string::npos)
      << "found: " << error << "\nexpected: " << expected;
  EXPECT_LT(error.size(), 1000u);
}

/// Any text, valid or not.
std::string randomBytes(std::mt19937 &random, size_t length) {
  std::string bytes;
  for (size_t i = 0; i < length; ++i)
    bytes += char(random() % 4 ? random() : 0x20 + random() % 0x60);
  return bytes;
}

std::string randomText(std::mt19937 &random, size_t length) {
  static constexpr uint32_t limits[] = {0x80, 0x80, 0x800, 0x10000, 0x110000};
  std::u32string text;
  while (text.size() < length) {
    char32_t c = random() % limits[random() % 5];
    if (c < 0xD800 || c > 0xDFFF)
      text += c;
  }
  std::string bytes;
  for (char32_t c : text) {
    if (c < 0x80) {
      bytes += char(c);
    } else if (c < 0x800) {
      bytes += char(0xC0 | c >> 6);
      bytes += char(0x80 | (c & 63));
    } else if (c < 0x10000) {
      bytes += char(0xE0 | c >> 12);
      bytes += char(0x80 | (c >> 6 & 63));
      bytes += char(0x80 | (c & 63));
    } else {
      bytes += char(0xF0 | c >> 18);
      bytes += char(0x80 | (c >> 12 & 63));
      bytes += char(0x80 | (c >> 6 & 63));
      bytes += char(0x80 | (c & 63));
    }
  }
  return bytes;
}

} // namespace

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

TEST(Untrusted, TheFileToBreakIsValid) {
  EXPECT_TRUE(parse(with("/version", "1.0")));
}

TEST(Untrusted, NotJson) {
  EXPECT_NE(parseError("").find("tokenizer.json: is not valid JSON"),
            std::string::npos);
  EXPECT_NE(parseError("{\"model\": \"\xff\"}").find("is not valid JSON"),
            std::string::npos);
  EXPECT_EQ(parseError("[]"),
            "tokenizer.json: expected an object, found array");
}

TEST(Untrusted, EveryPrefixIsRefused) {
  std::string json = with("/version", "1.0");
  for (size_t length = 0; length < json.size(); ++length)
    parseError(json.substr(0, length));
}

TEST(Untrusted, DeepNesting) {
  for (size_t depth : {65, 100000, 5000000})
    EXPECT_EQ(parseError(std::string(depth, '[')),
              "tokenizer.json: nests " + std::to_string(depth) +
                  " levels, expected at most 64");
  Json normalizer = {{"type", "NFC"}};
  for (int i = 0; i < 25; ++i)
    normalizer = {{"type", "Sequence"}, {"normalizers", {normalizer}}};
  EXPECT_TRUE(parse(with("/normalizer", normalizer)));
}

TEST(Untrusted, WrongTypes) {
  expectError("/model", 5, "model: expected an object with a type");
  expectError("/model/vocab", Json::array(), "model.vocab: expected an object");
  expectError("/model/merges", "ab", "model.merges: expected an array");
  expectError("/model/byte_fallback", 1, "byte_fallback: expected a boolean");
  expectError("/model/dropout", 0.1, "model.dropout: expected null or 0");
  expectError("/added_tokens", Json::object(), "expected an array");
  expectError("/added_tokens/0", 5, "added_tokens[0]: expected an object");
  expectError("/added_tokens/0/content", nullptr,
              "added_tokens[0].content: expected a string, found null");
  expectError("/normalizer", "NFC", "expected an object with a type");
  expectError("/truncation", 5, "truncation: expected an object");
}

TEST(Untrusted, UnknownKindsNameWhatIsSupported) {
  expectError("/model/type", "Magic",
              "model.type: found 'Magic', but supported are: BPE, WordPiece");
  expectError("/normalizer/type", "Magic",
              "normalizer.type: found 'Magic', but supported are: Sequence");
  expectError("/pre_tokenizer/type", "Magic", "pre_tokenizer.type: found");
  expectError("/post_processor/type", "Magic", "post_processor.type: found");
  expectError("/decoder/type", "Magic", "decoder.type: found");
  expectError("/decoder",
              {{"type", "Sequence"}, {"decoders", {{{"type", "Magic"}}}}},
              "decoder.decoders[0].type: found 'Magic'");
  expectError("/pre_tokenizer",
              {{"type", "Split"},
               {"pattern", {{"String", "a"}}},
               {"behavior", "Magic"}},
              "pre_tokenizer.behavior: found 'Magic', but supported are");
}

TEST(Untrusted, Ids) {
  for (const Json &id :
       {Json(-1), Json(4294967296), Json(1e300), Json(1.5), Json("1"),
        Json(1 << 22), Json(18446744073709551615u)}) {
    expectError("/model/vocab/c", id, "token 'c': expected an id from 0 to");
    expectError("/added_tokens/0/id", id, "added_tokens[0].id: expected an");
  }
  expectError("/model/vocab/c", 1, "its id 1 is also that of 'b'");
  expectError("/added_tokens/0/id", 1, "which in model.vocab is that of 'b'");
  expectError("/added_tokens/0/content", "a", "but model.vocab says 0");
  expectError("/added_tokens/1", {{"id", 3}, {"content", "x"}},
              "is there twice");
  expectError("/added_tokens/1", {{"id", 9}, {"content", "<s>"}},
              "is there twice");
}

TEST(Untrusted, Merges) {
  expectError("/model/merges/1", "a x",
              "model.merges[1]: 'x' isn't in the vocabulary");
  expectError("/model/merges/1", {"b", "a"}, "'ba' isn't in the vocabulary");
  for (const Json &merge :
       {Json("a"), Json("a b c"), Json(" a"), Json(5), Json({"a"}),
        Json({"a", 5}), Json({"a", "b", "c"}), Json({"", "a"})})
    expectError("/model/merges/1", merge, "model.merges[1]: expected two");
}

TEST(Untrusted, Templates) {
  const char *id = "/post_processor/special_tokens/<s>/ids/0";
  expectError(id, 99, "no token has id 99");
  expectError(id, -3, "expected an integer from 0");
  expectError("/post_processor/single/0/SpecialToken/id", "<x>",
              "special_tokens.<x>");
  expectError("/post_processor/single/1/Sequence/id", "B", "expected A once");
  expectError("/post_processor/pair/1/Sequence/id", "C", "found 'C'");
  expectError("/post_processor/single/0", Json::object(),
              "expected one of Sequence and SpecialToken");
  expectError("/post_processor", {{"type", "BertProcessing"}, {"cls", "x"}},
              "post_processor.cls: expected");
}

TEST(Untrusted, Regexes) {
  expectError("/pre_tokenizer", splitBy("(a"), "isn't valid at byte");
  expectError("/pre_tokenizer", splitBy("[a"), "isn't valid");
  expectError("/pre_tokenizer", splitBy("\\p{Magic}"), "isn't valid");
  expectError("/pre_tokenizer", splitBy("\\C"), "isn't valid");
  expectError("/pre_tokenizer", splitBy("[a[bc]]"), "a set within a set");
  expectError("/pre_tokenizer", splitBy("[a&&b]"), "intersection of sets");
  expectError("/pre_tokenizer", splitBy("[\\W]"), "\\W within a set");
  expectError("/pre_tokenizer", splitBy(std::string(70000, 'a')),
              "at most 65536 bytes");
  expectError("/pre_tokenizer", splitBy("((a{900}){900}){900}"), "isn't valid");
  expectError("/pre_tokenizer",
              splitBy(std::string(5000, '(') + std::string(5000, ')')),
              "isn't valid");
  expectError("/pre_tokenizer/type", "Split", "pattern: expected an object");
  // Ends within what translation looks at.
  for (const char *regex : {"\\", "[", "[^", "[[:", "[[:a", "\\p{", "\\p{^",
                            "\\u", "\\x{", "(?", "(?m", "[\\", "a)", "(?m)("})
    parseError(with("/pre_tokenizer", splitBy(regex)));
}

TEST(Untrusted, RegexThatTakesForever) {
  auto tokenizer = parse(with("/pre_tokenizer", splitBy("(a+a+)+[xy]")));
  ASSERT_TRUE(tokenizer);
  std::string error;
  EXPECT_FALSE(tokenizer->encode(std::string(5000, 'a') + "b", {}, error));
  EXPECT_NE(error.find("regular expression failed"), std::string::npos);
}

TEST(Untrusted, RegexThatRecursesDeeply) {
  auto tokenizer = parse(with("/pre_tokenizer", splitBy("(?:a|b|c)*d")));
  ASSERT_TRUE(tokenizer);
  std::string error, text(1000000, 'a');
  text += 'd';
  // Either answer is right, as long as there is one.
  if (!tokenizer->encode(text, {}, error))
    EXPECT_NE(error.find("regular expression failed"), std::string::npos);
}

TEST(Untrusted, TextsThatDouble) {
  auto list = [](const char *name, const Json &step) {
    return Json{{"type", "Sequence"}, {name, Json(60, step)}};
  };
  Json doubling = {
      {"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aa"}};
  Json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}};
  Json prepend = {{"type", "Prepend"}, {"prepend", std::string(70000, 'a')}};
  for (const Json &normalizer :
       {list("normalizers", doubling), list("normalizers", bytes), prepend,
        list("normalizers", list("normalizers", doubling))}) {
    auto tokenizer = parse(with("/normalizer", normalizer));
    ASSERT_TRUE(tokenizer);
    std::string error;
    EXPECT_FALSE(tokenizer->encode("a\xC3\xA4", {}, error));
    EXPECT_NE(error.find("to come of a text of 3"), std::string::npos) << error;
  }
  auto tokenizer = parse(with("/pre_tokenizer", list("pretokenizers", bytes)));
  ASSERT_TRUE(tokenizer);
  std::string error;
  EXPECT_FALSE(tokenizer->encode("a\xC3\xA4", {}, error));
  EXPECT_NE(error.find("to come of a text"), std::string::npos) << error;

  tokenizer = parse(with("/decoder", list("decoders", doubling)));
  ASSERT_TRUE(tokenizer);
  std::optional<int32_t> a = tokenizer->tokenToId("a");
  ASSERT_TRUE(a);
  EXPECT_LT(tokenizer->decode({*a, *a}, true).size(), 1u << 18);
  expectError("/added_tokens/0/content", std::string(5000000, 'a'),
              "at most 4194304 bytes of added tokens");
}

TEST(Untrusted, DamagedFiles) {
  std::mt19937 random(5);
  std::string error;
  for (const char *name : {"gpt2", "llama2", "llama3", "bert-cased"}) {
    std::string json = readInput(std::string(name) + "/tokenizer.json");
    // Structure stands before and after the vocabulary.
    for (int round = 0; round < 60; ++round) {
      std::string damaged = json;
      for (int i = 0; i < 3; ++i) {
        size_t near = random() % std::min<size_t>(2500, json.size());
        size_t at = random() % 2 ? near : random() % json.size();
        const char *bits[] = {"0", "[", "\"", "{", "null", ",", "-1", "}", "x"};
        damaged.replace(at, random() % 3, bits[random() % 9]);
      }
      auto tokenizer = Tokenizer::parse(damaged, "", error);
      EXPECT_EQ(tokenizer == nullptr, !error.empty());
      if (tokenizer)
        tokenizer->encode("Hello <s> \u00e9\n", {}, error);
    }
  }
}

//===----------------------------------------------------------------------===//
// Texts
//===----------------------------------------------------------------------===//

TEST(Untrusted, ByteLevelRoundTrip) {
  std::mt19937 random(11);
  for (const char *name : {"gpt2", "llama3"}) {
    auto tokenizer = parse(readInput(std::string(name) + "/tokenizer.json"));
    ASSERT_TRUE(tokenizer);
    for (size_t round = 0; round < 300; ++round) {
      std::string text =
          randomText(random, round < 20 ? round : random() % 400);
      std::vector<int32_t> ids = encode(*tokenizer, text);
      ASSERT_EQ(tokenizer->decode(ids, false), text);
      StreamDecoder stream(*tokenizer, false);
      std::string streamed;
      for (int32_t id : ids)
        streamed += stream.push(id);
      ASSERT_EQ(streamed + stream.finish(), text);
    }
  }
}

TEST(Untrusted, InvalidUtf8IsReplaced) {
  auto tokenizer = parse(readInput("gpt2/tokenizer.json"));
  ASSERT_TRUE(tokenizer);
  for (auto [bytes, text] : {std::pair("a\xff", "a\ufffd"),
                             {"\xe2\x82", "\ufffd"},
                             {"\xe2\x82z", "\ufffdz"},
                             {"\xf0\x9f\x98\xe2\x82\xac", "\ufffd\u20ac"},
                             {"\xc0\x80", "\ufffd\ufffd"},
                             {"\xed\xa0\x80", "\ufffd\ufffd\ufffd"},
                             {"\xf4\x90\x80\x80", "\ufffd\ufffd\ufffd\ufffd"},
                             {"\xf5", "\ufffd"},
                             {"\x80", "\ufffd"}}) {
    EXPECT_EQ(encode(*tokenizer, bytes), encode(*tokenizer, text));
    EXPECT_EQ(tokenizer->decode(encode(*tokenizer, bytes), true), text);
  }
}

TEST(Untrusted, RandomBytesAndIds) {
  std::mt19937 random(13);
  for (const char *name :
       {"gpt2", "llama2", "llama3", "bert-uncased", "bert-cased"}) {
    auto tokenizer = parse(readInput(std::string(name) + "/tokenizer.json"));
    ASSERT_TRUE(tokenizer);
    int32_t limit = int32_t(tokenizer->vocabularySize());
    for (int round = 0; round < 200; ++round) {
      std::string bytes = randomBytes(random, random() % 200);
      for (int32_t id : encode(*tokenizer, bytes, true))
        ASSERT_TRUE(tokenizer->idToToken(id));
      std::vector<int32_t> ids;
      for (int i = 0; i < 50; ++i)
        ids.push_back(int32_t(random() % uint32_t(limit + 5)) - 2);
      // JSON refuses invalid UTF-8.
      EXPECT_NO_THROW(Json(tokenizer->decode(ids, round % 2)).dump());
      StreamDecoder stream(*tokenizer, round % 2);
      for (int32_t id : ids)
        EXPECT_NO_THROW(Json(stream.push(id)).dump());
      EXPECT_NO_THROW(Json(stream.finish()).dump());
    }
  }
}

TEST(Untrusted, LongRuns) {
  for (const char *name : {"gpt2", "llama3", "llama2", "bert-uncased"}) {
    auto tokenizer = parse(readInput(std::string(name) + "/tokenizer.json"));
    ASSERT_TRUE(tokenizer);
    for (const char *unit : {"a", " ", "\n", "1", ".", "\u00e9", "<", " \n"}) {
      std::string text;
      while (text.size() < 200000)
        text += unit;
      std::vector<int32_t> ids = encode(*tokenizer, text);
      if (name[0] != 'b')
        EXPECT_TRUE(tokenizer->decode(ids, true) == text) << name << unit;
    }
  }
}
