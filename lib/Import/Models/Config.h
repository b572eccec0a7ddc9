//===- Config.h - Checked fields of a JSON file -----------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a family reads of config.json is a table of fields, each with its kind,
// range and default. A Config holds the values once all of them were checked,
// so that the code behind it sees sane numbers only.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_IMPORT_MODELS_CONFIG_H
#define SMELT_LIB_IMPORT_MODELS_CONFIG_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>

namespace smelt {

enum class FieldKind { Integer, Number, Flag, Text };

struct Field {
  const char *name;
  FieldKind kind;
  /// JSON text of the value of an absent field; null for a required one. With
  /// the text "null" the field may also be null, and then has() is false.
  const char *fallback = nullptr;
  /// Range of integers and numbers, both ends included.
  double min = 0, max = 0;
};

/// A field that changes the model in ways that are supported for some of its
/// values only.
struct Restriction {
  const char *name;
  /// JSON texts of the values supported; an absent field is fine.
  std::initializer_list<const char *> values;
};

class Config {
public:
  /// Nothing, and a message in `error`, unless the file holds an object.
  static std::optional<Config> read(const std::string &path,
                                    std::string &error);

  /// Checks fields of the file, or of the object that the file has as its field
  /// `parent`, and keeps their values as "name" or "parent.name".
  bool check(llvm::ArrayRef<Field> fields, std::string &error,
             llvm::StringRef parent = "");
  bool check(llvm::ArrayRef<Restriction> restrictions, std::string &error,
             llvm::StringRef parent = "") const;

  /// Values of checked fields.
  bool has(llvm::StringRef name) const { return values.contains(name.str()); }
  int64_t integer(llvm::StringRef name) const;
  double number(llvm::StringRef name) const;
  bool flag(llvm::StringRef name) const;
  llvm::StringRef text(llvm::StringRef name) const;
  /// Adds a value that follows from others.
  void set(llvm::StringRef name, int64_t value) { values[name.str()] = value; }
  void setFlag(llvm::StringRef name, bool value) { values[name.str()] = value; }

  /// What the file has as this field, checked or not; null if it's absent.
  const nlohmann::json &raw(llvm::StringRef name) const;
  bool isPresent(llvm::StringRef name) const { return !raw(name).is_null(); }
  /// Whether the file has this field, if only as null.
  bool isNamed(llvm::StringRef name) const { return file.contains(name.str()); }

  /// Sets `error` to "'FILE': NAME: expected EXPECTED, found FOUND"; false.
  bool fail(std::string &error, llvm::StringRef name, llvm::StringRef expected,
            llvm::StringRef found) const;
  /// The same, with what the file has there.
  bool fail(std::string &error, llvm::StringRef name,
            llvm::StringRef expected) const;

private:
  const nlohmann::json *object(llvm::StringRef parent) const;

  std::string path;
  nlohmann::json file;
  nlohmann::json values = nlohmann::json::object();
};

} // namespace smelt

#endif // SMELT_LIB_IMPORT_MODELS_CONFIG_H
