//===- SentenceTransformers.cpp - How rows become an embedding --*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "SentenceTransformers.h"

#include "smelt/Import/Formats/Json.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"

using namespace smelt;
using llvm::StringRef;
using nlohmann::json;

static constexpr Field kLengthFields[] = {
    {"max_seq_length", FieldKind::Integer, "null", 1, 1 << 30},
};
static const Restriction kTextRestrictions[] = {
    {"do_lower_case", {"false", "null"}},
};

static constexpr Field kPoolingFields[] = {
    {"word_embedding_dimension", FieldKind::Integer, "null", 1, 1 << 20},
    {"embedding_dimension", FieldKind::Integer, "null", 1, 1 << 20},
    {"pooling_mode", FieldKind::Text, "null"},
    {"pooling_mode_cls_token", FieldKind::Flag, "false"},
    {"pooling_mode_mean_tokens", FieldKind::Flag, "false"},
};
static const Restriction kPoolingRestrictions[] = {
    {"pooling_mode", {"\"mean\"", "\"cls\"", "null"}},
    {"pooling_mode_max_tokens", {"false"}},
    {"pooling_mode_mean_sqrt_len_tokens", {"false"}},
    {"pooling_mode_weightedmean_tokens", {"false"}},
    {"pooling_mode_lasttoken", {"false"}},
};

/// The modules that are understood, in the order in which they must come.
static constexpr StringRef kModules[] = {"Transformer", "Pooling", "Normalize"};

/// Reads how to pool from the module's config.json.
static bool readPooling(const std::string &path, const Config &model,
                        Pooling &pooling, std::string &error) {
  std::optional<Config> config = Config::read(path, error);
  if (!config || !config->check(kPoolingRestrictions, error) ||
      !config->check(kPoolingFields, error))
    return false;
  int64_t hidden = model.integer("hidden_size");
  for (StringRef field : {"word_embedding_dimension", "embedding_dimension"})
    if (config->has(field) && config->integer(field) != hidden)
      return config->fail(error, field,
                          "hidden_size of the model (" +
                              std::to_string(hidden) + ")");
  if (config->has("pooling_mode")) {
    pooling.mode = config->text("pooling_mode").str();
    return true;
  }
  bool isMean = config->flag("pooling_mode_mean_tokens");
  if (isMean == config->flag("pooling_mode_cls_token"))
    return config->fail(error, "pooling_mode_mean_tokens",
                        "either it or pooling_mode_cls_token to be true",
                        isMean ? "both" : "neither");
  pooling.mode = isMean ? "mean" : "cls";
  return true;
}

/// Reads modules.json and what it names.
static bool readModules(const std::string &directory, const Config &model,
                        Pooling &pooling, std::string &error) {
  std::string path = directory + "/modules.json";
  json modules;
  if (!readJsonFile(path, modules, error))
    return false;
  auto fail = [&](const std::string &expected, const json &found) {
    error =
        "'" + path + "': expected " + expected + ", found " + jsonText(found);
    return false;
  };
  if (!modules.is_array() || modules.size() < 2 ||
      modules.size() > std::size(kModules))
    return fail("an array of modules Transformer, Pooling and, optionally, "
                "Normalize",
                modules);
  for (auto [i, module] : llvm::enumerate(modules)) {
    std::string field = "module " + std::to_string(i) + " to have a string '";
    for (const char *name : {"type", "path"})
      if (!module.is_object() || !module.contains(name) ||
          !module[name].is_string())
        return fail(field + name + "'", module);
    // The class's name follows the last dot of its package.
    StringRef type = module["type"].get_ref<const std::string &>();
    if (type.rsplit('.').second != kModules[i])
      return fail("type of module " + std::to_string(i) + " to end in ." +
                      kModules[i].str(),
                  module["type"]);
    StringRef folder = module["path"].get_ref<const std::string &>();
    if (i == 0 && !folder.empty())
      return fail("path of the Transformer to be \"\"", module["path"]);
    if (i == 1 &&
        (folder.empty() || folder.starts_with(".") ||
         folder.find_first_of(StringRef("/\\\0", 3)) != StringRef::npos))
      return fail("path of Pooling to be a folder beside modules.json",
                  module["path"]);
  }
  pooling.normalize = modules.size() == 3;
  return readPooling(directory + "/" + modules[1]["path"].get<std::string>() +
                         "/config.json",
                     model, pooling, error);
}

bool smelt::readSentenceTransformers(const std::string &directory,
                                     const Config &config,
                                     std::optional<Pooling> &pooling,
                                     int64_t &maxLength, std::string &error) {
  maxLength = config.integer("max_position_embeddings");
  std::string lengths = directory + "/sentence_bert_config.json";
  if (llvm::sys::fs::exists(lengths)) {
    std::optional<Config> sentence = Config::read(lengths, error);
    if (!sentence || !sentence->check(kTextRestrictions, error) ||
        !sentence->check(kLengthFields, error))
      return false;
    if (sentence->has("max_seq_length"))
      maxLength = std::min(maxLength, sentence->integer("max_seq_length"));
  }
  if (!llvm::sys::fs::exists(directory + "/modules.json"))
    return true;
  pooling.emplace();
  return readModules(directory, config, *pooling, error);
}
