//===- PreTokenizers.cpp - Cutting text into words ------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Pattern.h"
#include "Stages.h"
#include "Unicode.h"

using namespace smelt::tokenizer;

/// Splits every piece.
static bool splitPieces(Pieces &pieces, const Pattern &pattern,
                        Behaviour behaviour, bool invert, std::string &error) {
  std::vector<Piece> list;
  std::vector<Span> spans;
  for (size_t i = 0; i < pieces.list.size(); ++i) {
    spans.clear();
    if (!splitText(pieces[i], pattern, behaviour, invert, spans, error))
      return false;
    const Piece &piece = pieces.list[i];
    for (Span span : spans)
      list.push_back({piece.begin + span.begin, piece.begin + span.end,
                      piece.opens && span.begin == 0});
  }
  pieces.list = std::move(list);
  return true;
}

/// Rewrites every piece: `rewrite` appends what the piece becomes to a text.
template <typename Rewrite>
static void rewritePieces(Pieces &pieces, Rewrite rewrite) {
  std::string text;
  text.reserve(pieces.text.size() + pieces.text.size() / 4);
  for (size_t i = 0; i < pieces.list.size(); ++i) {
    Piece &piece = pieces.list[i];
    size_t begin = text.size();
    rewrite(pieces[i], piece.opens, text);
    piece.begin = begin;
    piece.end = text.size();
  }
  pieces.text = std::move(text);
}

static PreTokenizer splitter(Pattern pattern, Behaviour behaviour,
                             bool invert = false) {
  return [=](Pieces &pieces, std::string &error) {
    return splitPieces(pieces, pattern, behaviour, invert, error);
  };
}

static PreTokenizer parseByteLevel(const Node &node) {
  // How GPT-2 cuts words.
  static const Pattern words = Pattern::regex(
      "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+"
      "|\\s+(?!\\S)|\\s+");
  bool addSpace = node.field("add_prefix_space").boolean(true);
  bool split = node.field("use_regex").boolean(true);
  return [=](Pieces &pieces, std::string &error) {
    if (addSpace)
      rewritePieces(pieces, [](std::string_view piece, bool, std::string &out) {
        if (piece.empty() || piece[0] != ' ')
          out += ' ';
        out += piece;
      });
    if (split && !splitPieces(pieces, words, Behaviour::Isolated, false, error))
      return false;
    rewritePieces(pieces, [](std::string_view piece, bool, std::string &out) {
      for (char byte : piece) {
        if (byte >= '!' && byte <= '~')
          out += byte;
        else
          appendUtf8(out, byteToCharacter(uint8_t(byte)));
      }
    });
    return true;
  };
}

static PreTokenizer parseSplit(const Node &node) {
  return splitter(Pattern::parse(node.field("pattern")),
                  parseBehaviour(node.field("behavior"), ""),
                  node.field("invert").boolean(false));
}

static PreTokenizer parseDigits(const Node &node) {
  bool individual = node.field("individual_digits").boolean(false);
  return splitter(Pattern::property(isNumeric),
                  individual ? Behaviour::Isolated : Behaviour::Contiguous);
}

static PreTokenizer parsePunctuation(const Node &node) {
  return splitter(Pattern::property(isPunctuation),
                  parseBehaviour(node.field("behavior"), "Isolated"));
}

static PreTokenizer parseWhitespace(const Node &node) {
  static const Pattern words = Pattern::regex("\\w+|[^\\w\\s]+");
  return splitter(words, Behaviour::Removed, /*invert=*/true);
}

static PreTokenizer parseWhitespaceSplit(const Node &node) {
  return splitter(Pattern::property(isWhitespace), Behaviour::Removed);
}

static PreTokenizer parseDelimiter(const Node &node) {
  std::string delimiter;
  appendUtf8(delimiter, node.field("delimiter").character());
  return splitter(Pattern::literal(delimiter), Behaviour::Removed);
}

static PreTokenizer parseBert(const Node &node) {
  return [](Pieces &pieces, std::string &error) {
    static const Pattern space = Pattern::property(isWhitespace);
    static const Pattern punctuation = Pattern::property(isPunctuation);
    return splitPieces(pieces, space, Behaviour::Removed, false, error) &&
           splitPieces(pieces, punctuation, Behaviour::Isolated, false, error);
  };
}

static PreTokenizer parseMetaspace(const Node &node) {
  static constexpr const char *schemes[] = {"always", "never", "first"};
  enum { Always, Never, First };
  std::string mark;
  appendUtf8(mark, node.field("replacement").character());
  // Before there were schemes, a flag said always or never.
  bool add = node.field("add_prefix_space").boolean(true);
  size_t scheme =
      node.field("prepend_scheme").choice(schemes, add ? "always" : "never");
  bool split = node.field("split").boolean(true);
  Pattern marks = Pattern::literal(mark);
  return [=](Pieces &pieces, std::string &error) {
    rewritePieces(
        pieces, [&](std::string_view piece, bool opens, std::string &out) {
          bool marked = startsWith(piece, " ") || startsWith(piece, mark);
          if (!marked && (scheme == Always || (scheme == First && opens)))
            out += mark;
          out += replaceAll(piece, " ", mark);
        });
    return !split ||
           splitPieces(pieces, marks, Behaviour::MergedWithNext, false, error);
  };
}

static PreTokenizer parseSequence(const Node &node) {
  Node list = node.field("pretokenizers");
  std::vector<PreTokenizer> steps;
  for (size_t i = 0, n = list.size(); i < n && !node.failed(); ++i)
    steps.push_back(parsePreTokenizer(list.element(i)));
  return [steps](Pieces &pieces, std::string &error) {
    const size_t before = pieces.text.size();
    for (const PreTokenizer &step : steps)
      if (!step(pieces, error) ||
          !checkGrowth(before, pieces.text.size(), error))
        return false;
    return true;
  };
}

namespace {
struct PreTokenizerKind {
  const char *name;
  PreTokenizer (*parse)(const Node &);
};
} // namespace

static constexpr PreTokenizerKind kPreTokenizers[] = {
    {"Sequence", parseSequence},
    {"ByteLevel", parseByteLevel},
    {"Split", parseSplit},
    {"Digits", parseDigits},
    {"Punctuation", parsePunctuation},
    {"Whitespace", parseWhitespace},
    {"WhitespaceSplit", parseWhitespaceSplit},
    {"CharDelimiterSplit", parseDelimiter},
    {"BertPreTokenizer", parseBert},
    {"Metaspace", parseMetaspace},
};

PreTokenizer smelt::tokenizer::parsePreTokenizer(const Node &node) {
  const PreTokenizerKind *kind = findKind(node, kPreTokenizers);
  return kind ? kind->parse(node) : PreTokenizer();
}
