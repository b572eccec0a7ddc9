//===- Pattern.cpp - What to look for, and how to split there -------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Pattern.h"
#include "Unicode.h"

#include <algorithm>

using namespace smelt::tokenizer;

Pattern Pattern::literal(std::string text) {
  Pattern pattern;
  pattern.text = std::move(text);
  return pattern;
}

Pattern Pattern::property(Property property) {
  Pattern pattern;
  pattern.isMember = property;
  return pattern;
}

Pattern Pattern::regex(const char *source) {
  Pattern pattern;
  std::string error;
  pattern.compiled = Regex::compile(source, error);
  return pattern;
}

Pattern Pattern::parse(const Node &node) {
  Pattern pattern;
  if (!node.isObject()) {
    node.mismatch("an object with String or Regex");
    return pattern;
  }
  Node string = node.field("String"), regex = node.field("Regex");
  if (!string.isNull()) {
    pattern.text = string.string();
    if (pattern.text.empty())
      string.fail("expected a string that isn't empty");
  } else if (!regex.isNull()) {
    std::string source = regex.string(), error;
    if (regex.failed())
      return pattern;
    pattern.compiled = Regex::compile(source, error);
    if (!pattern.compiled)
      regex.fail(error);
  } else {
    node.fail("expected String or Regex, found neither");
  }
  return pattern;
}

bool Pattern::findAll(std::string_view in, std::vector<Span> &matches,
                      std::string &error) const {
  if (compiled)
    return compiled->findAll(in, matches, error);
  if (isMember) {
    for (size_t at = 0; at < in.size();) {
      size_t begin = at;
      if (isMember(nextCodePoint(in, at)))
        matches.push_back({begin, at});
    }
    return true;
  }
  for (size_t at = 0; (at = in.find(text, at)) != std::string_view::npos;
       at += text.size())
    matches.push_back({at, at + text.size()});
  return true;
}

bool smelt::tokenizer::checkGrowth(size_t before, size_t now,
                                   std::string &error) {
  if (now <= growthLimit(before))
    return true;
  error = "expected at most " + std::to_string(growthLimit(before)) +
          " bytes to come of a text of " + std::to_string(before) +
          ", found more";
  return false;
}

bool Pattern::replace(std::string &in, std::string_view by,
                      std::string &error) const {
  std::vector<Span> matches;
  if (!findAll(in, matches, error))
    return false;
  if (matches.empty())
    return true;
  std::string result;
  result.reserve(in.size());
  size_t done = 0;
  for (Span match : matches) {
    result.append(in, done, match.begin - done);
    result += by;
    done = match.end;
    if (!checkGrowth(in.size(), result.size(), error))
      return false;
  }
  result.append(in, done, std::string::npos);
  in = std::move(result);
  return true;
}

Behaviour smelt::tokenizer::parseBehaviour(const Node &node,
                                           const char *fallback) {
  static constexpr const char *names[] = {"Removed", "Isolated",
                                          "MergedWithPrevious",
                                          "MergedWithNext", "Contiguous"};
  return Behaviour(node.choice(names, fallback));
}

namespace {
/// A match or what lies between two.
struct Part {
  Span span;
  bool isMatch;
};
} // namespace

/// Joins each of `parts` with the one before it where `join` says so.
template <typename Join>
static void merge(std::vector<Part> &parts, Join join) {
  size_t kept = 0;
  bool previous = false;
  for (const Part &part : parts) {
    if (kept && join(previous, part.isMatch)) {
      Span &last = parts[kept - 1].span;
      last = {std::min(last.begin, part.span.begin),
              std::max(last.end, part.span.end)};
    } else {
      parts[kept++].span = part.span;
    }
    previous = part.isMatch;
  }
  parts.resize(kept);
}

bool smelt::tokenizer::splitText(std::string_view text, const Pattern &pattern,
                                 Behaviour behaviour, bool invert,
                                 std::vector<Span> &pieces,
                                 std::string &error) {
  std::vector<Span> matches;
  if (!pattern.findAll(text, matches, error))
    return false;
  std::vector<Part> parts;
  parts.reserve(2 * matches.size() + 1);
  size_t done = 0;
  for (Span match : matches) {
    if (match.begin > done)
      parts.push_back({{done, match.begin}, invert});
    parts.push_back({match, !invert});
    done = match.end;
  }
  if (done < text.size())
    parts.push_back({{done, text.size()}, invert});

  auto closesMatch = [](bool previous, bool isMatch) {
    return isMatch && !previous;
  };
  switch (behaviour) {
  case Behaviour::Isolated:
    break;
  case Behaviour::Removed:
    parts.erase(std::remove_if(parts.begin(), parts.end(),
                               [](const Part &part) { return part.isMatch; }),
                parts.end());
    break;
  case Behaviour::MergedWithPrevious:
    merge(parts, closesMatch);
    break;
  case Behaviour::MergedWithNext:
    std::reverse(parts.begin(), parts.end());
    merge(parts, closesMatch);
    std::reverse(parts.begin(), parts.end());
    break;
  case Behaviour::Contiguous:
    merge(parts,
          [](bool previous, bool isMatch) { return previous == isMatch; });
    break;
  }
  for (const Part &part : parts)
    if (part.span.begin < part.span.end)
      pieces.push_back(part.span);
  return true;
}
