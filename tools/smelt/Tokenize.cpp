//===- Tokenize.cpp - smelt tokenize --------------------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A filter: each line of standard input is a JSON object, and so is each line
// of the output.
//
//     {"text": "Hi"}               ids, ids_without_special, decoded,
//     {"bytes": "ff4869"}          decoded_with_special
//     {"text": "Hi", "pair": "x"}  the same and type_ids
//     {"ids": [1, 2]}              decoded, decoded_with_special
//
// The first line that is none of these ends the program with an error.
//
//===----------------------------------------------------------------------===//
#include "Commands.h"
#include "Ingot.h"
#include "smelt/Tokenizer.h"
#include "smelt/abi.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <iostream>

using namespace smelt;
using Json = nlohmann::json;

static bool isIngot(const std::filesystem::path &path) {
  char magic[sizeof(SMELT_INGOT_MAGIC) - 1] = {};
  std::error_code failure;
  return std::filesystem::is_regular_file(path, failure) &&
         std::ifstream(path, std::ios::binary).read(magic, sizeof(magic)) &&
         std::string_view(magic, sizeof(magic)) == SMELT_INGOT_MAGIC;
}

/// The tokenizer of an ingot, of a checkpoint's folder, or a tokenizer.json. An
/// ingot for another processor will do: none of its code is executed.
static std::unique_ptr<Tokenizer> loadTokenizer(const std::string &model,
                                                std::string &error) {
  if (!isIngot(model))
    return Tokenizer::load(model, error);
  std::unique_ptr<Ingot> ingot = Ingot::open(model, error);
  if (!ingot)
    return nullptr;
  std::string_view text = ingot->section("tokenizer.json");
  if (text.empty()) {
    error = "'" + model +
            "' has no tokenizer: its checkpoint had no tokenizer.json";
    return nullptr;
  }
  std::unique_ptr<Tokenizer> tokenizer =
      Tokenizer::parse(text, ingot->section("tokenizer_config.json"), error);
  if (!tokenizer)
    error = "'" + model + "': " + error;
  return tokenizer;
}

static bool parseHex(const std::string &hex, std::string &bytes) {
  auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    int high = digit(hex[i]), low = digit(hex[i + 1]);
    if (high < 0 || low < 0)
      return false;
    bytes += char(high * 16 + low);
  }
  return hex.size() % 2 == 0;
}

static bool parseIds(const Json &json, std::vector<int32_t> &ids) {
  if (!json.is_array())
    return false;
  for (const Json &id : json) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > INT32_MAX)
      return false;
    ids.push_back(id.get<int32_t>());
  }
  return true;
}

static void addDecoded(Json &output, const Tokenizer &tokenizer,
                       const std::vector<int32_t> &ids) {
  output["decoded"] = tokenizer.decode(ids, /*skipSpecial=*/true);
  output["decoded_with_special"] = tokenizer.decode(ids, /*skipSpecial=*/false);
}

/// The answer to one line; null and an error where there is none.
static Json answer(const Tokenizer &tokenizer, const std::string &line,
                   const EncodeOptions &options, std::string &error) {
  Json input = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!input.is_object()) {
    error = "expected a JSON object";
    return nullptr;
  }
  Json output;
  if (input.contains("ids")) {
    std::vector<int32_t> ids;
    if (!parseIds(input["ids"], ids)) {
      error = "expected \"ids\" to be an array of token ids";
      return nullptr;
    }
    addDecoded(output, tokenizer, ids);
    return output;
  }

  const char *key = input.contains("bytes") ? "bytes" : "text";
  if (!input.contains(key) || !input[key].is_string()) {
    error = "expected a string \"text\" or \"bytes\", or an array \"ids\"";
    return nullptr;
  }
  std::string text = input[key].get<std::string>(), bytes, pair;
  if (input.contains("bytes") && !parseHex(text, bytes)) {
    error = "expected \"bytes\" to be pairs of hexadecimal digits";
    return nullptr;
  }
  if (input.contains("bytes"))
    text = bytes;
  bool isPair = input.contains("pair");
  if (isPair && !input["pair"].is_string()) {
    error = "expected \"pair\" to be a string";
    return nullptr;
  }
  if (isPair)
    pair = input["pair"].get<std::string>();

  for (bool special : {true, false}) {
    EncodeOptions with = options;
    with.addSpecial = special;
    std::optional<Encoding> encoding =
        isPair ? tokenizer.encodePair(text, pair, with, error)
               : tokenizer.encode(text, with, error);
    if (!encoding)
      return nullptr;
    output[special ? "ids" : "ids_without_special"] = encoding->ids;
    if (special && isPair)
      output["type_ids"] = encoding->typeIds;
    if (special)
      addDecoded(output, tokenizer, encoding->ids);
  }
  return output;
}

static int tokenizeMain(const std::string &model,
                        const EncodeOptions &options) {
  std::string error;
  std::unique_ptr<Tokenizer> tokenizer = loadTokenizer(model, error);
  if (!tokenizer) {
    std::cerr << "smelt tokenize: " << error << '\n';
    return 1;
  }
  std::string line;
  for (size_t number = 1; std::getline(std::cin, line); ++number) {
    Json output = answer(*tokenizer, line, options, error);
    if (output.is_null()) {
      std::cerr << "smelt tokenize: line " << number << ": " << error << '\n';
      return 1;
    }
    // In ASCII: some readers also end lines at U+0085 and U+2028.
    std::cout << output.dump(-1, ' ', /*ensure_ascii=*/true) << '\n';
  }
  std::cout.flush();
  return std::cout ? 0 : 1;
}

void smelt::addTokenizeCommand(CLI::App &app, std::function<int()> &action) {
  struct Options {
    std::string model;
    size_t maxLength = 0;
  };
  auto options = std::make_shared<Options>();
  CLI::App *command = app.add_subcommand(
      "tokenize", "Turn lines of JSON with texts into ids and back");
  command
      ->add_option("MODEL", options->model,
                   "An ingot, a checkpoint's folder, or a tokenizer.json")
      ->required();
  CLI::Option *maxLength = command->add_option(
      "--max-length", options->maxLength,
      "Truncate to this many ids, special tokens included; 0: don't truncate "
      "(default: what tokenizer.json says)");
  command->footer("Examples:\n"
                  "  smelt tokenize model.ingot <<< '{\"text\": \"Hi\"}'\n"
                  "  smelt tokenize CHECKPOINT < texts.jsonl");
  command->callback([=, &action] {
    action = [=] {
      EncodeOptions encode;
      if (*maxLength)
        encode.maxLength =
            options->maxLength ? options->maxLength : EncodeOptions::kUnlimited;
      return tokenizeMain(options->model, encode);
    };
  });
}
