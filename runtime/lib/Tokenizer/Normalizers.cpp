//===- Normalizers.cpp - Rewriting text before it is cut ------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Pattern.h"
#include "Stages.h"
#include "Unicode.h"

using namespace smelt::tokenizer;

/// Copies the characters of `text` for which `keep` holds.
template <typename Keep>
static std::string filter(std::string_view text, Keep keep) {
  std::string result;
  result.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    size_t begin = at;
    if (keep(nextCodePoint(text, at)))
      result += text.substr(begin, at - begin);
  }
  return result;
}

template <NormalForm form> static Normalizer parseForm(const Node &node) {
  return [](std::string &text, std::string &error) {
    text = toNormalForm(text, form);
    return true;
  };
}

static Normalizer parseLowercase(const Node &node) {
  return [](std::string &text, std::string &error) {
    text = toLower(text);
    return true;
  };
}

static Normalizer parseStripAccents(const Node &node) {
  return [](std::string &text, std::string &error) {
    text = filter(text, [](char32_t c) { return !isMark(c); });
    return true;
  };
}

static Normalizer parsePrepend(const Node &node) {
  return [prefix = node.field("prepend").string()](std::string &text,
                                                   std::string &error) {
    if (!text.empty())
      text.insert(0, prefix);
    return true;
  };
}

static Normalizer parseReplace(const Node &node) {
  return [pattern = Pattern::parse(node.field("pattern")),
          content = node.field("content").string()](std::string &text,
                                                    std::string &error) {
    return pattern.replace(text, content, error);
  };
}

static Normalizer parseStrip(const Node &node) {
  return [left = node.field("strip_left").boolean(),
          right = node.field("strip_right").boolean()](std::string &text,
                                                       std::string &error) {
    size_t begin = 0, end = 0;
    for (size_t at = 0, start = 0; at < text.size(); start = at)
      if (!isWhitespace(nextCodePoint(text, at))) {
        if (!end)
          begin = start;
        end = at;
      }
    // Nothing but spaces: either side alone takes all of them.
    if (!end && (left || right)) {
      text.clear();
      return true;
    }
    if (right)
      text.resize(end);
    if (left)
      text.erase(0, begin);
    return true;
  };
}

static Normalizer parseByteLevel(const Node &node) {
  return [](std::string &text, std::string &error) {
    std::string result;
    for (char byte : text)
      appendUtf8(result, byteToCharacter(uint8_t(byte)));
    text = std::move(result);
    return true;
  };
}

/// What BERT's original preprocessing calls Chinese; its ranges are part of the
/// definition, whatever Unicode says now.
static bool isBertIdeograph(char32_t c) {
  static constexpr char32_t ranges[][2] = {
      {0x4E00, 0x9FFF},   {0x3400, 0x4DBF},   {0x20000, 0x2A6DF},
      {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F}, {0x2B920, 0x2CEAF},
      {0xF900, 0xFAFF},   {0x2F800, 0x2FA1F}};
  if (c < 0x3400)
    return false;
  for (const auto &range : ranges)
    if (c >= range[0] && c <= range[1])
      return true;
  return false;
}

/// Drops control characters, makes every white space a space and, if asked to,
/// sets ideographs apart.
static std::string cleanBertText(std::string_view text, bool clean,
                                 bool ideographs) {
  std::string result;
  result.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    size_t begin = at;
    char32_t c = nextCodePoint(text, at);
    bool isBreak = c == '\t' || c == '\n' || c == '\r';
    if (clean && !isBreak && (c == 0 || c == 0xFFFD || isOther(c)))
      continue;
    bool apart = ideographs && isBertIdeograph(c);
    if (apart)
      result += ' ';
    if (clean && isWhitespace(c))
      result += ' ';
    else
      result += text.substr(begin, at - begin);
    if (apart)
      result += ' ';
  }
  return result;
}

static Normalizer parseBert(const Node &node) {
  bool clean = node.field("clean_text").boolean(true);
  bool ideographs = node.field("handle_chinese_chars").boolean(true);
  bool lowercase = node.field("lowercase").boolean(true);
  bool accents = node.field("strip_accents").boolean(lowercase);
  return [=](std::string &text, std::string &error) {
    text = cleanBertText(text, clean, ideographs);
    if (accents)
      text = filter(toNormalForm(text, NormalForm::NFD),
                    [](char32_t c) { return !isNonspacingMark(c); });
    if (lowercase)
      text = toLower(text);
    return true;
  };
}

static Normalizer parseSequence(const Node &node) {
  Node list = node.field("normalizers");
  std::vector<Normalizer> steps;
  for (size_t i = 0, n = list.size(); i < n && !node.failed(); ++i)
    steps.push_back(parseNormalizer(list.element(i)));
  return [steps](std::string &text, std::string &error) {
    const size_t before = text.size();
    for (const Normalizer &step : steps)
      if (!step(text, error) || !checkGrowth(before, text.size(), error))
        return false;
    return true;
  };
}

namespace {
struct NormalizerKind {
  const char *name;
  Normalizer (*parse)(const Node &);
};
} // namespace

static constexpr NormalizerKind kNormalizers[] = {
    {"Sequence", parseSequence},
    {"NFC", parseForm<NormalForm::NFC>},
    {"NFD", parseForm<NormalForm::NFD>},
    {"NFKC", parseForm<NormalForm::NFKC>},
    {"NFKD", parseForm<NormalForm::NFKD>},
    {"Lowercase", parseLowercase},
    {"StripAccents", parseStripAccents},
    {"Strip", parseStrip},
    {"Prepend", parsePrepend},
    {"Replace", parseReplace},
    {"ByteLevel", parseByteLevel},
    {"BertNormalizer", parseBert},
};

Normalizer smelt::tokenizer::parseNormalizer(const Node &node) {
  const NormalizerKind *kind = findKind(node, kNormalizers);
  return kind ? kind->parse(node) : Normalizer();
}
