//===- Decoders.cpp - Making text of tokens -------------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Pattern.h"
#include "Stages.h"
#include "Unicode.h"

using namespace smelt::tokenizer;
using Tokens = std::vector<std::string>;

std::string smelt::tokenizer::cleanUpSpaces(std::string text, bool contract) {
  static constexpr struct {
    const char *from, *to;
    bool contraction;
  } rules[] = {{" .", ".", false},    {" ?", "?", false},
               {" !", "!", false},    {" ,", ",", false},
               {" ' ", "'", false},   {" n't", "n't", false},
               {" 'm", "'m", false},  {" do not", " don't", true},
               {" 's", "'s", false},  {" 've", "'ve", false},
               {" 're", "'re", false}};
  for (const auto &rule : rules)
    if (contract || !rule.contraction)
      text = replaceAll(text, rule.from, rule.to);
  return text;
}

/// Makes `text` the only token.
static void replaceTokens(Tokens &tokens, std::string text) {
  tokens.clear();
  tokens.push_back(std::move(text));
}

/// The byte of "<0x41>", or -1.
static int fallbackByte(const std::string &token) {
  if (token.size() != 6 || !startsWith(token, "<0x") || token[5] != '>')
    return -1;
  int byte = 0;
  for (char c : {token[3], token[4]}) {
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                       : -1;
    if (digit < 0)
      return -1;
    byte = byte * 16 + digit;
  }
  return byte;
}

std::string smelt::tokenizer::spelledBytes(const std::string &token,
                                           ByteSpelling spelling) {
  if (spelling == ByteSpelling::None)
    return token;
  if (spelling == ByteSpelling::Fallback) {
    int byte = fallbackByte(token);
    return byte < 0 ? token : std::string(1, char(byte));
  }
  std::string bytes;
  for (size_t at = 0; at < token.size();) {
    int byte = characterToByte(nextCodePoint(token, at));
    if (byte < 0)
      return token;
    bytes += char(byte);
  }
  return bytes;
}

/// Each character spells a byte; tokens with others stand for themselves.
static Decoder parseByteLevel(const Node &node) {
  return [](Tokens &tokens) {
    std::string bytes;
    for (const std::string &token : tokens)
      bytes += spelledBytes(token, ByteSpelling::Level);
    replaceTokens(tokens, sanitizeUtf8(bytes));
  };
}

/// A run of byte tokens is the text it encodes, or U+FFFD for each byte where
/// it isn't UTF-8.
static Decoder parseByteFallback(const Node &node) {
  return [](Tokens &tokens) {
    Tokens result;
    std::string run;
    auto flush = [&] {
      if (isValidUtf8(run)) {
        if (!run.empty())
          result.push_back(run);
      } else {
        for (size_t i = 0; i < run.size(); ++i)
          result.emplace_back(kReplacement);
      }
      run.clear();
    };
    for (std::string &token : tokens) {
      if (int byte = fallbackByte(token); byte >= 0) {
        run += char(byte);
      } else {
        flush();
        result.push_back(std::move(token));
      }
    }
    flush();
    tokens = std::move(result);
  };
}

static Decoder parseFuse(const Node &node) {
  return [](Tokens &tokens) {
    std::string text;
    for (const std::string &token : tokens)
      text += token;
    replaceTokens(tokens, std::move(text));
  };
}

/// Takes up to `start` and `stop` of one character off both ends.
static Decoder parseStrip(const Node &node) {
  std::string mark;
  appendUtf8(mark, node.field("content").character());
  auto start = node.field("start").integer(0, INT32_MAX);
  auto stop = node.field("stop").integer(0, INT32_MAX);
  return [=](Tokens &tokens) {
    for (std::string &token : tokens) {
      std::string_view rest = token;
      for (int64_t i = 0; i < start && startsWith(rest, mark); ++i)
        rest.remove_prefix(mark.size());
      for (int64_t i = 0; i < stop && endsWith(rest, mark); ++i)
        rest.remove_suffix(mark.size());
      token = std::string(rest);
    }
  };
}

static Decoder parseReplace(const Node &node) {
  return [pattern = Pattern::parse(node.field("pattern")),
          content = node.field("content").string()](Tokens &tokens) {
    // A token on which the pattern exceeds its limits stays as it is.
    std::string error;
    for (std::string &token : tokens)
      pattern.replace(token, content, error);
  };
}

/// Marks are spaces, but those of the first token were not in the text.
static Decoder parseMetaspace(const Node &node) {
  static constexpr const char *schemes[] = {"always", "never", "first"};
  std::string mark;
  appendUtf8(mark, node.field("replacement").character());
  bool add = node.field("add_prefix_space").boolean(true);
  bool never =
      node.field("prepend_scheme").choice(schemes, add ? "always" : "never") ==
      1;
  return [=](Tokens &tokens) {
    for (size_t i = 0; i < tokens.size(); ++i)
      tokens[i] = replaceAll(tokens[i], mark, i || never ? " " : "");
  };
}

static Decoder parseWordPiece(const Node &node) {
  return [prefix = node.field("prefix").string("##"),
          cleanup = node.field("cleanup").boolean(true)](Tokens &tokens) {
    for (size_t i = 0; i < tokens.size(); ++i) {
      std::string &token = tokens[i];
      if (i && startsWith(token, prefix))
        token.erase(0, prefix.size());
      else if (i)
        token.insert(0, " ");
      if (cleanup)
        token = cleanUpSpaces(std::move(token), /*contract=*/true);
    }
  };
}

/// The suffix of a word's last token is a space, except at the end.
static Decoder parseBytePair(const Node &node) {
  return [suffix = node.field("suffix").string("</w>")](Tokens &tokens) {
    if (suffix.empty())
      return;
    for (size_t i = 0; i < tokens.size(); ++i)
      tokens[i] =
          replaceAll(tokens[i], suffix, i + 1 < tokens.size() ? " " : "");
  };
}

static size_t countBytes(const Tokens &tokens) {
  size_t bytes = 0;
  for (const std::string &token : tokens)
    bytes += token.size();
  return bytes;
}

static Decoder parseSequence(const Node &node) {
  Node list = node.field("decoders");
  std::vector<Decoder> steps;
  for (size_t i = 0, n = list.size(); i < n && !node.failed(); ++i)
    steps.push_back(parseDecoder(list.element(i)));
  return [steps](Tokens &tokens) {
    // Decoding can't fail: steps behind one that made too much are left out.
    const size_t most = growthLimit(countBytes(tokens));
    for (const Decoder &step : steps)
      if (countBytes(tokens) <= most)
        step(tokens);
  };
}

namespace {
struct DecoderKind {
  const char *name;
  Decoder (*parse)(const Node &);
  ByteSpelling spelling;
};
} // namespace

static constexpr DecoderKind kDecoders[] = {
    {"Sequence", parseSequence, ByteSpelling::None},
    {"ByteLevel", parseByteLevel, ByteSpelling::Level},
    {"ByteFallback", parseByteFallback, ByteSpelling::Fallback},
    {"Fuse", parseFuse, ByteSpelling::None},
    {"Strip", parseStrip, ByteSpelling::None},
    {"Replace", parseReplace, ByteSpelling::None},
    {"Metaspace", parseMetaspace, ByteSpelling::None},
    {"WordPiece", parseWordPiece, ByteSpelling::None},
    {"BPEDecoder", parseBytePair, ByteSpelling::None},
};

Decoder smelt::tokenizer::parseDecoder(const Node &node) {
  const DecoderKind *kind = findKind(node, kDecoders);
  return kind ? kind->parse(node) : Decoder();
}

ByteSpelling smelt::tokenizer::findByteSpelling(const Node &node) {
  const DecoderKind *kind = findKind(node, kDecoders);
  ByteSpelling spelling = kind ? kind->spelling : ByteSpelling::None;
  if (!kind || kind->parse != parseSequence)
    return spelling;
  Node list = node.field("decoders");
  for (size_t i = 0, n = list.size(); i < n && spelling == ByteSpelling::None;
       ++i)
    spelling = findByteSpelling(list.element(i));
  return spelling;
}
