//===- Config.cpp - Checked fields of a JSON file ---------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Config.h"

#include "smelt/Import/Formats/Json.h"

#include "llvm/Support/FormatVariadic.h"

#include <cmath>

using namespace smelt;
using llvm::StringRef;
using nlohmann::json;

std::optional<Config> Config::read(const std::string &path,
                                   std::string &error) {
  Config config;
  config.path = path;
  if (!readJsonFile(path, config.file, error))
    return std::nullopt;
  if (!config.file.is_object()) {
    error =
        "'" + path + "': expected an object, found " + jsonText(config.file);
    return std::nullopt;
  }
  return config;
}

/// The object whose fields `parent` names: the file itself, or one of its
/// fields.
const json *Config::object(StringRef parent) const {
  if (parent.empty())
    return &file;
  const json &value = raw(parent);
  return value.is_object() ? &value : nullptr;
}

static std::string qualify(StringRef parent, StringRef name) {
  return parent.empty() ? name.str() : (parent + "." + name).str();
}

/// What a field of this kind may be, for a message.
static std::string describe(const Field &field) {
  switch (field.kind) {
  case FieldKind::Flag:
    return "true or false";
  case FieldKind::Text:
    return "a string";
  case FieldKind::Integer:
    return llvm::formatv("an integer from {0} to {1}",
                         static_cast<int64_t>(field.min),
                         static_cast<int64_t>(field.max));
  case FieldKind::Number:
    return "a number from " + jsonText(field.min) + " to " +
           jsonText(field.max);
  }
  return "";
}

static bool accepts(const Field &field, const json &value) {
  switch (field.kind) {
  case FieldKind::Flag:
    return value.is_boolean();
  case FieldKind::Text:
    return value.is_string();
  case FieldKind::Integer:
    // Ranges are far below 2^53, where a double is exact.
    return value.is_number_integer() && value.get<double>() >= field.min &&
           value.get<double>() <= field.max;
  case FieldKind::Number:
    return value.is_number() && std::isfinite(value.get<double>()) &&
           value.get<double>() >= field.min && value.get<double>() <= field.max;
  }
  return false;
}

bool Config::check(llvm::ArrayRef<Field> fields, std::string &error,
                   StringRef parent) {
  const json *from = object(parent);
  if (!from)
    return fail(error, parent, "an object");
  for (const Field &field : fields) {
    std::string name = qualify(parent, field.name);
    auto it = from->find(field.name);
    bool isNullable = field.fallback && StringRef(field.fallback) == "null";
    if (it == from->end() && !field.fallback)
      return fail(error, name, describe(field), "no such field");
    if (it == from->end() || (isNullable && it->is_null())) {
      if (!isNullable)
        values[name] = json::parse(field.fallback);
      continue;
    }
    if (!accepts(field, *it))
      return fail(error, name, describe(field), jsonText(*it));
    values[name] = *it;
  }
  return true;
}

bool Config::check(llvm::ArrayRef<Restriction> restrictions, std::string &error,
                   StringRef parent) const {
  const json *from = object(parent);
  if (!from)
    return fail(error, parent, "an object");
  for (const Restriction &restriction : restrictions) {
    auto it = from->find(restriction.name);
    if (it == from->end())
      continue;
    std::string expected;
    bool isSupported = false;
    for (const char *value : restriction.values) {
      expected += (expected.empty() ? "" : " or ") + std::string(value);
      isSupported |= *it == json::parse(value);
    }
    if (!isSupported)
      return fail(error, qualify(parent, restriction.name), expected,
                  jsonText(*it));
  }
  return true;
}

int64_t Config::integer(StringRef name) const {
  return values.at(name.str()).get<int64_t>();
}

double Config::number(StringRef name) const {
  return values.at(name.str()).get<double>();
}

bool Config::flag(StringRef name) const {
  return values.at(name.str()).get<bool>();
}

StringRef Config::text(StringRef name) const {
  return values.at(name.str()).get_ref<const std::string &>();
}

const json &Config::raw(StringRef name) const {
  static const json nothing;
  auto it = file.find(name.str());
  return it == file.end() ? nothing : *it;
}

bool Config::fail(std::string &error, StringRef name, StringRef expected,
                  StringRef found) const {
  error = llvm::formatv("'{0}': {1}: expected {2}, found {3}", path, name,
                        expected, found);
  return false;
}

bool Config::fail(std::string &error, StringRef name,
                  StringRef expected) const {
  auto it = file.find(name.str());
  return fail(error, name, expected,
              it == file.end() ? "no such field" : jsonText(*it));
}
