//===- Load.cpp - A tokenizer from files ----------------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "smelt/Tokenizer.h"

#include <filesystem>
#include <fstream>

using namespace smelt;
namespace fs = std::filesystem;

/// Larger files are no tokenizer.
static constexpr uint64_t kMaxFileBytes = uint64_t(256) << 20;

/// Reads a whole file; anything but a regular one is an error.
static bool readFile(const fs::path &path, std::string &content,
                     std::string &error) {
  std::error_code failure;
  uint64_t size = fs::file_size(path, failure);
  error = "cannot read '" + path.string() + "'";
  if (failure) {
    error += ": " + failure.message();
    return false;
  }
  if (size > kMaxFileBytes) {
    error += ": expected at most " + std::to_string(kMaxFileBytes) +
             " bytes, found " + std::to_string(size);
    return false;
  }
  content.resize(size);
  if (!std::ifstream(path, std::ios::binary)
           .read(content.data(), std::streamsize(size)))
    return false;
  error.clear();
  return true;
}

std::unique_ptr<Tokenizer> Tokenizer::load(const std::string &path,
                                           std::string &error) {
  std::error_code failure;
  fs::path file(path);
  if (fs::is_directory(file, failure))
    file /= "tokenizer.json";
  fs::path beside = file.parent_path() / "tokenizer_config.json";
  std::string text, config;
  if (!readFile(file, text, error) ||
      (fs::exists(beside, failure) && !readFile(beside, config, error)))
    return nullptr;
  std::unique_ptr<Tokenizer> tokenizer = parse(text, config, error);
  if (!tokenizer)
    error = "'" + path + "': " + error;
  return tokenizer;
}
