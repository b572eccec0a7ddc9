//===- Json.h - JSON from untrusted files -----------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// nlohmann::json builds what the text says, however deep or large, and lets the
// last of two equal keys win. Files of a checkpoint go through here instead:
// depth, number of values and file size are capped, equal keys are an error,
// and no exception leaves.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_IMPORT_FORMATS_JSON_H
#define SMELT_IMPORT_FORMATS_JSON_H

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace smelt {

struct JsonLimits {
  size_t depth = 64;
  size_t values = 8'000'000;
  uint64_t fileBytes = 100'000'000;
};

/// Parses `text`; false with a message that doesn't name the file.
bool parseJson(std::string_view text, nlohmann::json &result,
               std::string &error, const JsonLimits &limits = {});

/// Reads and parses a file; the message names it.
bool readJsonFile(const std::string &path, nlohmann::json &result,
                  std::string &error, const JsonLimits &limits = {});

/// A value as an error message shows it: JSON of at most about 60 characters.
std::string jsonText(const nlohmann::json &value);

} // namespace smelt

#endif // SMELT_IMPORT_FORMATS_JSON_H
