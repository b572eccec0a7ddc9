//===- StagesTest.cpp - Normalizers, pre-tokenizers, decoders -------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Stages.h"
#include "TestTokenizer.h"

using namespace smelt;
using namespace smelt::tokenizer;

namespace {

/// `text` after the normalizer that `json` describes.
std::string normalize(const char *json, std::string text) {
  std::string error;
  Json parsed = Json::parse(json);
  Normalizer normalizer = parseNormalizer(Node(&parsed, "", error));
  EXPECT_EQ(error, "");
  EXPECT_TRUE(normalizer(text, error)) << error;
  return text;
}

/// The pieces of `text`, separated by bars.
std::string split(const std::string &json, std::string text,
                  bool opens = true) {
  std::string error;
  Json parsed = Json::parse(json);
  PreTokenizer preTokenizer = parsePreTokenizer(Node(&parsed, "", error));
  EXPECT_EQ(error, "");
  Pieces pieces{text, {{0, text.size(), opens}}};
  EXPECT_TRUE(preTokenizer(pieces, error)) << error;
  std::string joined;
  for (size_t i = 0; i < pieces.list.size(); ++i)
    joined += (i ? "|" : "") + std::string(pieces[i]);
  return joined;
}

std::string splitRegex(const std::string &regex, const std::string &text,
                       const char *behaviour = "Isolated") {
  Json json = {{"type", "Split"},
               {"pattern", {{"Regex", regex}}},
               {"behavior", behaviour}};
  return split(json.dump(), text);
}

/// The text of `tokens`.
std::string decode(const char *json, std::vector<std::string> tokens) {
  std::string error, text;
  Json parsed = Json::parse(json);
  Decoder decoder = parseDecoder(Node(&parsed, "", error));
  EXPECT_EQ(error, "");
  decoder(tokens);
  for (const std::string &token : tokens)
    text += token;
  return text;
}

} // namespace

//===----------------------------------------------------------------------===//
// Normalizers
//===----------------------------------------------------------------------===//

TEST(Normalizers, NormalForms) {
  std::string text = "e\u0301 \u00e9 \ufb01 \uac01";
  EXPECT_EQ(normalize(R"({"type": "NFC"})", text),
            "\u00e9 \u00e9 \ufb01 \uac01");
  EXPECT_EQ(normalize(R"({"type": "NFD"})", text),
            "e\u0301 e\u0301 \ufb01 \u1100\u1161\u11a8");
  EXPECT_EQ(normalize(R"({"type": "NFKC"})", text), "\u00e9 \u00e9 fi \uac01");
  EXPECT_EQ(normalize(R"({"type": "NFKD"})", text),
            "e\u0301 e\u0301 fi \u1100\u1161\u11a8");
}

TEST(Normalizers, NormalFormsKeepNul) {
  EXPECT_EQ(normalize(R"({"type": "NFC"})", std::string("e\0\u0301", 4)),
            std::string("e\0\u0301", 4));
}

TEST(Normalizers, Lowercase) {
  EXPECT_EQ(normalize(R"({"type": "Lowercase"})", "AbC \u00c9 \u0130 \u03a3"),
            "abc \u00e9 i\u0307 \u03c3");
}

TEST(Normalizers, Strip) {
  const char *both =
      R"({"type": "Strip", "strip_left": true, "strip_right": true})";
  EXPECT_EQ(normalize(both, " \u3000a b\n"), "a b");
  EXPECT_EQ(normalize(both, "  "), "");
  EXPECT_EQ(
      normalize(
          R"({"type": "Strip", "strip_left": true, "strip_right": false})",
          "  a "),
      "a ");
  EXPECT_EQ(
      normalize(
          R"({"type": "Strip", "strip_left": false, "strip_right": true})",
          "  a "),
      "  a");
}

TEST(Normalizers, Replace) {
  EXPECT_EQ(normalize(R"({"type": "Replace", "pattern": {"String": "aa"},
                          "content": "b"})",
                      "aaaaa"),
            "bba");
  EXPECT_EQ(normalize(R"({"type": "Replace", "pattern": {"Regex": " {2,}"},
                          "content": "$1"})",
                      "a   b c"),
            "a$1b c");
}

TEST(Normalizers, PrependLeavesNothingAlone) {
  const char *json = R"({"type": "Prepend", "prepend": "_"})";
  EXPECT_EQ(normalize(json, "a"), "_a");
  EXPECT_EQ(normalize(json, ""), "");
}

TEST(Normalizers, StripAccentsDoesNotDecompose) {
  EXPECT_EQ(normalize(R"({"type": "StripAccents"})", "e\u0301\u00e9"),
            "e\u00e9");
}

TEST(Normalizers, Bert) {
  const char *uncased = R"({"type": "BertNormalizer", "clean_text": true,
      "handle_chinese_chars": true, "strip_accents": null, "lowercase": true})";
  EXPECT_EQ(normalize(uncased, "\u00c9\ta\u0007b\u4e00c\ufffd"),
            "e ab \u4e00 c");
  const char *bare = R"({"type": "BertNormalizer", "clean_text": false,
      "handle_chinese_chars": false, "strip_accents": true,
      "lowercase": false})";
  EXPECT_EQ(normalize(bare, "\u00c9\t\u4e00"), "E\t\u4e00");
}

TEST(Normalizers, SequenceAndByteLevel) {
  EXPECT_EQ(normalize(R"({"type": "Sequence", "normalizers": [
                {"type": "Lowercase"}, {"type": "ByteLevel"}]})",
                      "A \u00e9"),
            "a\u0120\u00c3\u00a9");
}

//===----------------------------------------------------------------------===//
// Pre-tokenizers
//===----------------------------------------------------------------------===//

TEST(PreTokenizers, SplitBehaviours) {
  std::string text = "the-final--countdown";
  EXPECT_EQ(splitRegex("-", text, "Removed"), "the|final|countdown");
  EXPECT_EQ(splitRegex("-", text, "Isolated"), "the|-|final|-|-|countdown");
  EXPECT_EQ(splitRegex("-", text, "MergedWithPrevious"),
            "the-|final-|-|countdown");
  EXPECT_EQ(splitRegex("-", text, "MergedWithNext"), "the|-final|-|-countdown");
  EXPECT_EQ(splitRegex("-", text, "Contiguous"), "the|-|final|--|countdown");
}

TEST(PreTokenizers, SplitInverted) {
  EXPECT_EQ(split(R"({"type": "Split", "pattern": {"Regex": "[a-z]+"},
                      "behavior": "Removed", "invert": true})",
                  "ab1cd22e"),
            "ab|cd|e");
}

TEST(PreTokenizers, SplitString) {
  EXPECT_EQ(split(R"({"type": "Split", "pattern": {"String": ".."},
                      "behavior": "Isolated"})",
                  "a...b"),
            "a|..|.b");
}

TEST(PreTokenizers, EmptyMatchesSplit) {
  EXPECT_EQ(splitRegex("(?=[A-Z])", "helloWorldAgain"), "hello|World|Again");
  EXPECT_EQ(splitRegex("x*", "axxb"), "a|xx|b");
}

TEST(PreTokenizers, ByteLevel) {
  EXPECT_EQ(split(R"({"type": "ByteLevel", "add_prefix_space": true})",
                  "Don't do\u00e9 12!  x"),
            "\u0120Don|'t|\u0120do\u00c3\u00a9|\u012012|!|\u0120|\u0120x");
  EXPECT_EQ(split(R"({"type": "ByteLevel", "add_prefix_space": false,
                      "use_regex": false})",
                  "a b\n"),
            "a\u0120b\u010a");
}

TEST(PreTokenizers, Digits) {
  EXPECT_EQ(
      split(R"({"type": "Digits", "individual_digits": true})", "a12\u00bdb"),
      "a|1|2|\u00bd|b");
  EXPECT_EQ(split(R"({"type": "Digits"})", "a12b3"), "a|12|b|3");
}

TEST(PreTokenizers, Words) {
  EXPECT_EQ(split(R"({"type": "Whitespace"})", "Hey, you_2 \u00e9\u0301!?"),
            "Hey|,|you_2|\u00e9\u0301|!?");
  EXPECT_EQ(split(R"({"type": "WhitespaceSplit"})", " a,\u3000b\n"), "a,|b");
  EXPECT_EQ(
      split(R"({"type": "CharDelimiterSplit", "delimiter": "-"})", "-a--b"),
      "a|b");
  EXPECT_EQ(split(R"({"type": "BertPreTokenizer"})", "Hey, you\u2026 $5"),
            "Hey|,|you|\u2026|$|5");
  EXPECT_EQ(
      split(R"({"type": "Punctuation", "behavior": "Contiguous"})", "a?!b"),
      "a|?!|b");
}

TEST(PreTokenizers, MetaspaceSchemes) {
  auto metaspace = [](const char *scheme, bool opens) {
    Json json = {{"type", "Metaspace"},
                 {"replacement", "_"},
                 {"prepend_scheme", scheme}};
    return split(json.dump(), "a b", opens);
  };
  EXPECT_EQ(metaspace("always", false), "_a|_b");
  EXPECT_EQ(metaspace("first", true), "_a|_b");
  EXPECT_EQ(metaspace("first", false), "a|_b");
  EXPECT_EQ(metaspace("never", true), "a|_b");
}

TEST(PreTokenizers, MetaspaceBeforeThereWereSchemes) {
  EXPECT_EQ(split(R"({"type": "Metaspace", "replacement": "\u2581",
                      "add_prefix_space": false, "split": false})",
                  "a  b"),
            "a\u2581\u2581b");
}

TEST(PreTokenizers, Sequence) {
  EXPECT_EQ(split(R"({"type": "Sequence", "pretokenizers": [
                {"type": "WhitespaceSplit"}, {"type": "Digits"}]})",
                  "a1 2"),
            "a|1|2");
}

//===----------------------------------------------------------------------===//
// Regular expressions: what Oniguruma means by them
//===----------------------------------------------------------------------===//

TEST(Regex, WhiteSpaceIsTheProperty) {
  // U+180E was white space once and still is to PCRE2.
  EXPECT_EQ(splitRegex("\\s", "a\u180eb\u0085c\u2028d", "Removed"),
            "a\u180eb|c|d");
  EXPECT_EQ(splitRegex("[^\\s]+", "a b", "Removed"), " ");
  EXPECT_EQ(splitRegex("[[:space:]]", "a\u3000b", "Removed"), "a|b");
}

TEST(Regex, WordCharactersIncludeMarks) {
  EXPECT_EQ(splitRegex("\\w+", "e\u0301\u24b6 _\u203f \u00b2"),
            "e\u0301\u24b6| |_\u203f| \u00b2");
  EXPECT_EQ(splitRegex("\\b", "e\u0301 a", "Removed"), "e\u0301| |a");
  EXPECT_EQ(splitRegex("\\W", "a-b", "Removed"), "a|b");
}

TEST(Regex, PunctuationIncludesSymbols) {
  EXPECT_EQ(splitRegex("[[:punct:]]", "a$b\u2581c!d", "Removed"), "a|b|c|d");
  EXPECT_EQ(splitRegex("\\p{Punct}", "a$b!c", "Removed"), "a$b|c");
}

TEST(Regex, OptionMIsDotAll) {
  EXPECT_EQ(splitRegex("a.b", "a\nb"), "a\nb");
  EXPECT_EQ(splitRegex("(?m:a.b)x", "-a\nbx-"), "-|a\nbx|-");
  EXPECT_EQ(splitRegex("^b$", "a\nb\nc"), "a\n|b|\nc");
}

TEST(Regex, PlusBehindAnIntervalRepeats) {
  // As a possessive quantifier it would take all digits and fail.
  EXPECT_EQ(splitRegex("\\p{N}{1,2}+3", "1223", "Removed"), "");
  EXPECT_EQ(splitRegex("(?:ab){2}+", "abababab"), "abababab");
}

TEST(Regex, HexadecimalDigits) {
  EXPECT_EQ(splitRegex("\\h+", "x0aFg "), "x|0aF|g ");
}

TEST(Regex, ScriptsWithoutExtensions) {
  // U+300D is common to several scripts.
  EXPECT_EQ(splitRegex("\\p{Han}+", "a\u4e00\u300d"), "a|\u4e00|\u300d");
  EXPECT_EQ(splitRegex("\\p{^Letter}", "a1b", "Removed"), "a|b");
}

TEST(Regex, CaseFoldsBeyondAscii) {
  EXPECT_EQ(splitRegex("(?i:'s)", "a'\u017fb"), "a|'\u017f|b");
}

//===----------------------------------------------------------------------===//
// Decoders
//===----------------------------------------------------------------------===//

TEST(Decoders, ByteLevel) {
  EXPECT_EQ(decode(R"({"type": "ByteLevel"})",
                   {"\u0120a", "\u00c3", "\u00a9", "\u2581", "\u00c3"}),
            " a\u00e9\u2581\ufffd");
}

TEST(Decoders, ByteFallback) {
  const char *json = R"({"type": "ByteFallback"})";
  EXPECT_EQ(decode(json, {"a", "<0xC3>", "<0xA9>", "b"}), "a\u00e9b");
  EXPECT_EQ(decode(json, {"<0xC3>", "<0x41>"}), "\ufffd\ufffd");
  EXPECT_EQ(decode(json, {"<0xG0>", "<0x4>"}), "<0xG0><0x4>");
}

TEST(Decoders, Strip) {
  const char *json =
      R"({"type": "Strip", "content": "_", "start": 2, "stop": 1})";
  EXPECT_EQ(decode(json, {"___a__"}), "_a_");
  EXPECT_EQ(decode(json, {"__", "_", ""}), "");
}

TEST(Decoders, WordPiece) {
  std::vector<std::string> tokens = {"un", "##want", "##ed", "!", "do", "not"};
  EXPECT_EQ(decode(R"({"type": "WordPiece", "prefix": "##", "cleanup": false})",
                   tokens),
            "unwanted ! do not");
  EXPECT_EQ(decode(R"({"type": "WordPiece", "prefix": "##", "cleanup": true})",
                   tokens),
            "unwanted! do not");
}

TEST(Decoders, Metaspace) {
  EXPECT_EQ(
      decode(R"({"type": "Metaspace", "replacement": "_"})", {"_a", "_b_"}),
      "a b ");
  EXPECT_EQ(decode(R"({"type": "Metaspace", "replacement": "_",
                       "prepend_scheme": "never"})",
                   {"_a", "_b"}),
            " a b");
}

TEST(Decoders, BytePair) {
  EXPECT_EQ(decode(R"({"type": "BPEDecoder", "suffix": "</w>"})",
                   {"a", "b</w>", "c</w>"}),
            "ab c");
}

TEST(Decoders, Sequence) {
  EXPECT_EQ(decode(R"({"type": "Sequence", "decoders": [
                {"type": "Replace", "pattern": {"String": "_"}, "content": " "},
                {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})",
                   {"_a", "_b"}),
            "a b");
}
