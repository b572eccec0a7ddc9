//===- AddedTokens.cpp - Tokens found before anything else ----------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "AddedTokens.h"
#include "Unicode.h"

using namespace smelt::tokenizer;

void TokenFinder::add(const AddedToken &token, std::string_view spelling) {
  firstBytes.set(uint8_t(spelling[0]));
  uint32_t node = 0;
  for (char byte : spelling) {
    uint64_t edge = uint64_t(node) << 8 | uint8_t(byte);
    node = edges.emplace(edge, uint32_t(edges.size() + 1)).first->second;
  }
  ends.emplace(node, token);
}

const AddedToken *TokenFinder::match(std::string_view text, size_t at,
                                     size_t &length) const {
  const AddedToken *longest = nullptr;
  uint32_t node = 0;
  for (size_t i = at; i < text.size(); ++i) {
    auto edge = edges.find(uint64_t(node) << 8 | uint8_t(text[i]));
    if (edge == edges.end())
      break;
    node = edge->second;
    if (auto end = ends.find(node); end != ends.end()) {
      longest = &end->second;
      length = i + 1 - at;
    }
  }
  return longest;
}

/// Bytes that all added tokens of a file may have.
static constexpr size_t kMaxAddedBytes = 1 << 22;

/// The code point that ends before byte `at`, and `at` moved to it.
static char32_t previousCodePoint(std::string_view text, size_t &at) {
  do
    --at;
  while (at && (text[at] & 0xC0) == 0x80);
  size_t begin = at;
  return nextCodePoint(text, begin);
}

static bool isWithinWord(std::string_view text, size_t begin, size_t end) {
  return (begin && isWordCharacter(previousCodePoint(text, begin))) ||
         (end < text.size() && isWordCharacter(nextCodePoint(text, end)));
}

static size_t skipSpaceBackwards(std::string_view text, size_t at) {
  for (size_t before = at; before;) {
    if (!isWhitespace(previousCodePoint(text, before)))
      break;
    at = before;
  }
  return at;
}

static size_t skipSpace(std::string_view text, size_t at) {
  for (size_t behind = at; behind < text.size();) {
    if (!isWhitespace(nextCodePoint(text, behind)))
      break;
    at = behind;
  }
  return at;
}

std::vector<Segment> TokenFinder::split(std::string_view text) const {
  std::vector<Segment> segments;
  size_t done = 0; // everything before this is in `segments`
  size_t next = 0;
  for (size_t at = 0; at < text.size(); at = next) {
    next = at + 1;
    size_t length = 0;
    const AddedToken *token =
        firstBytes[uint8_t(text[at])] ? match(text, at, length) : nullptr;
    if (!token)
      continue;
    size_t begin = at, end = next = at + length;
    if (token->singleWord && isWithinWord(text, begin, end))
      continue;
    if (token->leftStrip)
      begin = std::max(skipSpaceBackwards(text, begin), done);
    if (token->rightStrip)
      end = skipSpace(text, end);
    if (done < begin)
      segments.push_back({{done, begin}, -1});
    segments.push_back({{begin, end}, token->id});
    done = end;
  }
  if (done < text.size())
    segments.push_back({{done, text.size()}, -1});
  return segments;
}

void AddedTokens::parse(const Node &node, const Vocabulary &model) {
  if (node.isNull())
    return;
  size_t bytes = 0;
  for (size_t i = 0, n = node.size(); i < n && !node.failed(); ++i) {
    Node entry = node.element(i);
    AddedToken token;
    token.content = entry.field("content").string();
    token.id = int32_t(entry.field("id").integer(0, kMaxIds - 1));
    token.singleWord = entry.field("single_word").boolean(false);
    token.leftStrip = entry.field("lstrip").boolean(false);
    token.rightStrip = entry.field("rstrip").boolean(false);
    token.special = entry.field("special").boolean(false);
    token.normalized = entry.field("normalized").boolean(!token.special);
    bytes += token.content.size();
    if (bytes > kMaxAddedBytes)
      entry.fail("expected at most " + std::to_string(kMaxAddedBytes) +
                 " bytes of added tokens, found more");
    if (node.failed() || token.content.empty())
      continue;
    int32_t known = model.find(token.content);
    const std::string *other = model.token(token.id);
    std::string name = "'" + token.content.substr(0, 64) + "' ";
    if (known >= 0 && known != token.id)
      entry.fail(name + "has id " + std::to_string(token.id) +
                 ", but model.vocab says " + std::to_string(known));
    else if (other && *other != token.content)
      entry.fail(name + "has id " + std::to_string(token.id) +
                 ", which in model.vocab is that of '" + other->substr(0, 64) +
                 "'");
    else if (!vocabulary.add(token.content, token.id))
      entry.fail(name + "or its id " + std::to_string(token.id) +
                 " is there twice");
    if (token.special)
      special.insert(token.id);
    tokens.push_back(std::move(token));
  }
}

void AddedTokens::addSpecial(const std::string &content, int32_t id) {
  special.insert(id);
  if (content.empty() || !vocabulary.add(content, id))
    return;
  AddedToken token;
  token.content = content;
  token.id = id;
  token.special = true;
  tokens.push_back(std::move(token));
}

bool AddedTokens::finish(const Normalizer &normalizer, std::string &error) {
  for (const AddedToken &token : tokens) {
    std::string spelling = token.content;
    if (token.normalized && normalizer && !normalizer(spelling, error))
      return false;
    if (!spelling.empty())
      (token.normalized ? normalized : raw).add(token, spelling);
  }
  return true;
}
