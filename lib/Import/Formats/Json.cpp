//===- Json.cpp - JSON from untrusted files ---------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "smelt/Import/Formats/Json.h"

#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <sys/stat.h>
#include <vector>

using namespace smelt;
using nlohmann::json;

namespace {

/// Builds a document from parser events, within limits. Nodes are filled in
/// place: pointers into a container stay valid while its parent doesn't grow,
/// and a parent grows only after its child is closed.
class DocumentBuilder : public nlohmann::json_sax<json> {
public:
  DocumentBuilder(json &root, std::string &error, const JsonLimits &limits)
      : root(root), error(error), limits(limits) {}

  bool null() override { return add(json()); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t &) override {
    return add(value);
  }
  bool string(string_t &value) override { return add(std::move(value)); }
  bool binary(binary_t &) override { return fail("unexpected binary value"); }

  bool start_object(size_t) override { return open(json::object()); }
  bool start_array(size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t &name) override {
    auto [it, isNew] = stack.back()->emplace(std::move(name), nullptr);
    if (!isNew)
      return fail("key " + jsonText(it.key()) + " appears twice");
    member = &it.value();
    return true;
  }

  bool parse_error(size_t position, const std::string &,
                   const nlohmann::detail::exception &) override {
    return fail("invalid JSON at byte " + std::to_string(position));
  }

private:
  bool fail(std::string message) {
    error = std::move(message);
    return false;
  }

  /// Puts `value` where the parser stands; null if there are too many.
  json *put(json &&value) {
    if (++count > limits.values) {
      fail("expected at most " + std::to_string(limits.values) + " values");
      return nullptr;
    }
    if (stack.empty())
      return &(root = std::move(value));
    if (stack.back()->is_array())
      return &stack.back()->emplace_back(std::move(value));
    return &(*member = std::move(value));
  }

  bool add(json &&value) { return put(std::move(value)) != nullptr; }

  bool open(json &&container) {
    if (stack.size() == limits.depth)
      return fail("expected nesting of at most " +
                  std::to_string(limits.depth) + " levels");
    json *placed = put(std::move(container));
    if (!placed)
      return false;
    stack.push_back(placed);
    return true;
  }

  bool close() {
    stack.pop_back();
    return true;
  }

  json &root;
  std::string &error;
  const JsonLimits &limits;
  std::vector<json *> stack;
  json *member = nullptr;
  size_t count = 0;
};

} // namespace

bool smelt::parseJson(std::string_view text, json &result, std::string &error,
                      const JsonLimits &limits) {
  // The parser would take a zero byte for the end of the text.
  if (size_t zero = text.find('\0'); zero != std::string_view::npos) {
    error = "invalid JSON at byte " + std::to_string(zero + 1);
    return false;
  }
  json parsed;
  DocumentBuilder builder(parsed, error, limits);
  if (!json::sax_parse(text.begin(), text.end(), &builder))
    return false;
  result = std::move(parsed);
  return true;
}

bool smelt::readJsonFile(const std::string &path, json &result,
                         std::string &error, const JsonLimits &limits) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) {
    error = "cannot read '" + path + "': " + strerror(errno);
    return false;
  }
  if (!S_ISREG(info.st_mode)) {
    error = "cannot read '" + path + "': expected a regular file";
    return false;
  }
  if (static_cast<uint64_t>(info.st_size) > limits.fileBytes) {
    error = "cannot read '" + path + "': expected at most " +
            std::to_string(limits.fileBytes) + " bytes, found " +
            std::to_string(info.st_size);
    return false;
  }
  std::unique_ptr<FILE, int (*)(FILE *)> file(fopen(path.c_str(), "rb"),
                                              fclose);
  std::string text(static_cast<size_t>(info.st_size), '\0');
  if (!file || fread(text.data(), 1, text.size(), file.get()) != text.size()) {
    error = "cannot read '" + path + "': " + strerror(errno);
    return false;
  }
  if (!parseJson(text, result, error, limits)) {
    error = "'" + path + "': " + error;
    return false;
  }
  return true;
}

std::string smelt::jsonText(const json &value) {
  constexpr size_t kLongest = 60;
  // A container is shown by its size when it is long: dumping it whole could
  // take as much memory as the file.
  if (value.is_structured() && value.size() > 8)
    return std::string(value.is_array() ? "an array" : "an object") + " of " +
           std::to_string(value.size()) + " values";
  if (value.is_string() && value.get_ref<const std::string &>().size() > 200)
    return "a string of " +
           std::to_string(value.get_ref<const std::string &>().size()) +
           " bytes";
  std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true,
                                json::error_handler_t::replace);
  if (text.size() > kLongest)
    text = text.substr(0, kLongest) + "...";
  return text;
}
