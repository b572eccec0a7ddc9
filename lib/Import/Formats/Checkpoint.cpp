//===- Checkpoint.cpp - The tensors of a model's folder ---------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "smelt/Import/Formats/Checkpoint.h"

#include "smelt/Import/Formats/Json.h"

#include <nlohmann/json.hpp>

#include <sys/stat.h>

using namespace smelt;
using nlohmann::json;

static constexpr char kSingleFile[] = "model.safetensors";
static constexpr char kIndexFile[] = "model.safetensors.index.json";
static constexpr size_t kMaxShards = 10'000;

static bool exists(const std::string &path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0;
}

/// A plain name of a file in the folder itself.
static bool isPlainFileName(const std::string &name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string("/\\\0", 3)) == std::string::npos;
}

std::unique_ptr<Checkpoint> Checkpoint::open(const std::string &directory,
                                             std::string &error) {
  std::unique_ptr<Checkpoint> checkpoint(new Checkpoint());
  std::string single = directory + "/" + kSingleFile;
  if (exists(single)) {
    std::unique_ptr<SafetensorsFile> file =
        SafetensorsFile::open(single, error);
    if (!file)
      return nullptr;
    for (const NamedTensor &tensor : file->tensors())
      checkpoint->entries[tensor.name] = {&tensor, kSingleFile};
    checkpoint->files[kSingleFile] = std::move(file);
    return checkpoint;
  }
  if (!exists(directory + "/" + kIndexFile)) {
    error = "expected '" + std::string(kSingleFile) + "' or '" + kIndexFile +
            "' in '" + directory +
            "', found neither; convert weights of other formats to "
            "safetensors first";
    return nullptr;
  }
  if (!checkpoint->openShards(directory, error))
    return nullptr;
  return checkpoint;
}

bool Checkpoint::openShards(const std::string &directory, std::string &error) {
  std::string indexPath = directory + "/" + kIndexFile;
  json index;
  if (!readJsonFile(indexPath, index, error))
    return false;
  auto fail = [&](const std::string &message) {
    error = "'" + indexPath + "': " + message;
    return false;
  };
  if (!index.is_object() || !index.contains("weight_map") ||
      !index["weight_map"].is_object() || index["weight_map"].empty())
    return fail("expected a non-empty object 'weight_map'");

  for (const auto &[name, value] : index["weight_map"].items()) {
    std::string shown = jsonText(name);
    if (!value.is_string())
      return fail("expected the name of a file for tensor " + shown +
                  ", found " + jsonText(value));
    const std::string &fileName = value.get_ref<const std::string &>();
    if (!isPlainFileName(fileName))
      return fail("expected the name of a file in the same folder for tensor " +
                  shown + ", found " + jsonText(value));
    auto it = files.find(fileName);
    if (it == files.end()) {
      if (files.size() == kMaxShards)
        return fail("expected at most " + std::to_string(kMaxShards) +
                    " shards");
      std::string shardError;
      std::unique_ptr<SafetensorsFile> file =
          SafetensorsFile::open(directory + "/" + fileName, shardError);
      if (!file)
        return fail("shard of tensor " + shown + ": " + shardError);
      it = files.emplace(fileName, std::move(file)).first;
    }
    const NamedTensor *tensor = it->second->find(name);
    if (!tensor)
      return fail("expected tensor " + shown + " in shard '" + fileName +
                  "', which lacks it");
    entries[tensor->name] = {tensor, it->first};
  }
  return true;
}

const Checkpoint::Entry *Checkpoint::find(std::string_view name) const {
  auto it = entries.find(name);
  return it == entries.end() ? nullptr : &it->second;
}
