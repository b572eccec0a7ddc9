//===- Node.cpp - Checked access to untrusted JSON ------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Node.h"
#include "Unicode.h"

using namespace smelt::tokenizer;

/// Deeper documents are refused before they are parsed.
static constexpr size_t kMaxDepth = 64;

/// How deeply brackets outside of strings nest.
static size_t nesting(std::string_view text) {
  size_t depth = 0, deepest = 0;
  bool inString = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (inString) {
      i += c == '\\';
      inString = c != '"';
    } else if (c == '"') {
      inString = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == ']' || c == '}') && depth) {
      --depth;
    }
  }
  return deepest;
}

std::optional<Json> smelt::tokenizer::parseJson(std::string_view text,
                                                const char *file,
                                                std::string &error) {
  if (size_t depth = nesting(text); depth > kMaxDepth) {
    error = std::string(file) + ": nests " + std::to_string(depth) +
            " levels, expected at most " + std::to_string(kMaxDepth);
    return std::nullopt;
  }
  try {
    Json json = Json::parse(text.begin(), text.end());
    if (json.is_object())
      return json;
    error =
        std::string(file) + ": expected an object, found " + json.type_name();
  } catch (const Json::exception &e) {
    // The library's message quotes what it last read, which may be long.
    std::string what = e.what();
    error = std::string(file) +
            ": is not valid JSON: " + sanitizeUtf8(what.substr(0, 200));
  }
  return std::nullopt;
}

void Node::fail(const std::string &message) const {
  // What is quoted may have been cut within a character.
  if (error->empty())
    *error = sanitizeUtf8(path + ": " + message);
}

void Node::mismatch(const char *expected) const {
  fail(std::string("expected ") + expected + ", found " +
       (value ? value->type_name() : "nothing"));
}

Node Node::field(const char *key) const {
  std::string name =
      path + (path.empty() || path.back() == ' ' ? "" : ".") + key;
  if (!isObject()) {
    mismatch("an object");
    return Node(nullptr, std::move(name), *error);
  }
  auto it = value->find(key);
  return Node(it == value->end() ? nullptr : &*it, std::move(name), *error);
}

Node Node::element(size_t index) const {
  bool valid = isArray() && index < value->size();
  if (!valid)
    mismatch("an array");
  return Node(valid ? &(*value)[index] : nullptr,
              path + "[" + std::to_string(index) + "]", *error);
}

size_t Node::size() const {
  if (!isArray()) {
    mismatch("an array");
    return 0;
  }
  return value->size();
}

std::string Node::string() const {
  if (!isString()) {
    mismatch("a string");
    return "";
  }
  return value->get_ref<const std::string &>();
}

bool Node::boolean() const {
  if (!value || !value->is_boolean()) {
    mismatch("a boolean");
    return false;
  }
  return value->get<bool>();
}

int64_t Node::integer(int64_t low, int64_t high) const {
  if (!value || !value->is_number_integer()) {
    mismatch("an integer");
    return low;
  }
  bool huge = value->is_number_unsigned() &&
              value->get<uint64_t>() > uint64_t(INT64_MAX);
  int64_t number = huge ? INT64_MAX : value->get<int64_t>();
  if (huge || number < low || number > high) {
    fail("expected an integer from " + std::to_string(low) + " to " +
         std::to_string(high) + ", found " + value->dump());
    return low;
  }
  return number;
}

char32_t Node::character() const {
  std::string text = string();
  size_t at = 0;
  char32_t c = text.empty() ? 0 : nextCodePoint(text, at);
  if (text.empty() || at != text.size())
    fail("expected a string of one character");
  return c;
}

std::string Node::string(const char *fallback) const {
  return isNull() ? fallback : string();
}

bool Node::boolean(bool fallback) const {
  return isNull() ? fallback : boolean();
}

int64_t Node::integer(int64_t low, int64_t high, int64_t fallback) const {
  return isNull() ? fallback : integer(low, high);
}

size_t Node::choice(const char *const *names, size_t count,
                    const char *fallback) const {
  std::string name = string(fallback), supported;
  for (size_t i = 0; i < count; ++i) {
    if (name == names[i])
      return i;
    supported += (i ? ", " : "") + std::string(names[i]);
  }
  fail("found '" + name.substr(0, 64) + "', but supported are: " + supported);
  return 0;
}
