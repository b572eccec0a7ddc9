//===- Node.h - Checked access to untrusted JSON ----------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A Node is a JSON value and the path that led to it. Its getters return a
// harmless default when the value isn't what is expected and leave the first
// such error in a string shared by all nodes of the document, so that parsers
// read as the list of their fields and the check stands at their end.
//
// parseKind() looks an object's "type" up in a table of kinds; every stage of
// the tokenizer is such a table.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_TOKENIZER_NODE_H
#define SMELT_LIB_TOKENIZER_NODE_H

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace smelt::tokenizer {

using Json = nlohmann::json;

/// Parses JSON text of at most 64 levels; sets `error` and returns nothing when
/// it isn't that. `file` is what errors call the text.
std::optional<Json> parseJson(std::string_view text, const char *file,
                              std::string &error);

class Node {
public:
  Node(const Json *value, std::string path, std::string &error)
      : value(value), path(std::move(path)), error(&error) {}

  const Json *json() const { return value; }
  bool isNull() const { return !value || value->is_null(); }
  bool isObject() const { return value && value->is_object(); }
  bool isArray() const { return value && value->is_array(); }
  bool isString() const { return value && value->is_string(); }
  bool failed() const { return !error->empty(); }

  /// Records `message` about this node unless an error stands already.
  void fail(const std::string &message) const;
  /// Records that `expected` was expected here, and what was found.
  void mismatch(const char *expected) const;

  /// The field `key`; a null node where absent. This must be an object.
  Node field(const char *key) const;
  /// Element `index` of an array.
  Node element(size_t index) const;
  /// Elements of an array; mismatch and 0 otherwise.
  size_t size() const;

  /// Required values.
  std::string string() const;
  bool boolean() const;
  /// An integer in [low, high].
  int64_t integer(int64_t low, int64_t high) const;
  /// A string of exactly one character.
  char32_t character() const;

  /// Values that fall back to a default where null or absent.
  std::string string(const char *fallback) const;
  bool boolean(bool fallback) const;
  int64_t integer(int64_t low, int64_t high, int64_t fallback) const;

  /// One of `names`, by index.
  template <size_t N>
  size_t choice(const char *const (&names)[N], const char *fallback) const {
    return choice(names, N, fallback);
  }

  const std::string &where() const { return path; }

private:
  size_t choice(const char *const *names, size_t count,
                const char *fallback) const;

  const Json *value;
  std::string path;
  std::string *error;
};

/// Names of a table of kinds as "a, b, c".
template <typename Kind, size_t N>
std::string listNames(const Kind (&kinds)[N]) {
  std::string names;
  for (const Kind &kind : kinds)
    names += (names.empty() ? "" : ", ") + std::string(kind.name);
  return names;
}

/// The entry of `kinds` that the object's "type" names; null and an error that
/// lists what is supported otherwise.
template <typename Kind, size_t N>
const Kind *findKind(const Node &node, const Kind (&kinds)[N]) {
  if (!node.isObject()) {
    node.mismatch("an object with a type");
    return nullptr;
  }
  Node type = node.field("type");
  std::string name = type.string();
  if (node.failed())
    return nullptr;
  for (const Kind &kind : kinds)
    if (name == kind.name)
      return &kind;
  type.fail("found '" + name.substr(0, 64) +
            "', but supported are: " + listNames(kinds));
  return nullptr;
}

} // namespace smelt::tokenizer

#endif // SMELT_LIB_TOKENIZER_NODE_H
