//===- Embed.cpp - smelt embed --------------------------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A filter from texts to embeddings: each input line is a text, or a JSON
// object
// {"text": "..."}; each output line {"embedding": [...]}. With --similarity,
// the cosine of two texts, or of all lines with each other.
//
//===----------------------------------------------------------------------===//
#include "Commands.h"
#include "Encoder.h"
#include "Support.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>
#include <iomanip>
#include <iostream>

using namespace smelt;
using Json = nlohmann::json;

namespace {
struct EmbedOptions {
  SessionFlags session;
  std::string input;
  std::vector<std::string> texts;
  bool similarity = false;
};
} // namespace

/// Lines per batch: enough to fill steps, few enough to stream.
static constexpr size_t batchLines = 256;

/// The text of a line; lines that begin with '{' are JSON.
static bool readText(const std::string &line, std::string &text,
                     std::string &error) {
  text = line;
  if (line.empty() || line[0] != '{')
    return true;
  Json object = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object() || !object.contains("text") ||
      !object["text"].is_string()) {
    error = "expected a JSON object with a string \"text\"";
    return false;
  }
  text = object["text"].get<std::string>();
  return true;
}

/// Reads up to `limit` texts; false on a malformed line.
static bool readTexts(std::istream &input, size_t limit, size_t &lineNumber,
                      std::vector<std::string> &texts, std::string &error) {
  texts.clear();
  for (std::string line; texts.size() < limit && std::getline(input, line);) {
    ++lineNumber;
    if (!line.empty() && line.back() == '\r')
      line.pop_back();
    texts.emplace_back();
    if (!readText(line, texts.back(), error)) {
      error = "line " + std::to_string(lineNumber) + ": " + error;
      return false;
    }
  }
  return true;
}

static double cosine(const float *a, const float *b, int64_t width) {
  double product = 0, squareA = 0, squareB = 0;
  for (int64_t i = 0; i < width; ++i) {
    product += double(a[i]) * b[i];
    squareA += double(a[i]) * a[i];
    squareB += double(b[i]) * b[i];
  }
  double norm = std::sqrt(squareA) * std::sqrt(squareB);
  return norm > 0 ? product / norm : 0;
}

static void printEmbeddings(const std::vector<float> &values, int64_t width) {
  // Nine digits bring back every float.
  std::cout << std::setprecision(9);
  for (size_t row = 0; row < values.size(); row += width) {
    std::cout << "{\"embedding\":[";
    for (int64_t i = 0; i < width; ++i)
      std::cout << (i ? "," : "") << values[row + i];
    std::cout << "]}\n";
  }
}

/// A matrix of cosines; of two texts, their cosine alone.
static void printSimilarity(const std::vector<float> &values, int64_t width,
                            bool isPair) {
  const size_t rows = values.size() / width;
  std::cout << std::fixed << std::setprecision(6);
  for (size_t a = 0; a < (isPair ? 1 : rows); ++a) {
    for (size_t b = isPair ? 1 : 0; b < rows; ++b)
      std::cout << (b > (isPair ? 1u : 0u) ? "\t" : "")
                << cosine(&values[a * width], &values[b * width], width);
    std::cout << '\n';
  }
}

static int run(const EmbedOptions &options) {
  std::unique_ptr<Session> session = openSession("embed", options.session);
  if (!session)
    return 1;
  const int64_t width = embeddingWidth(session->manifest());
  std::string error;
  std::vector<float> values;
  std::vector<std::string> texts = options.texts;
  std::ifstream file;
  if (!options.input.empty()) {
    file.open(options.input);
    if (!file)
      return fail("embed", "cannot read '" + options.input + "'");
  }
  std::istream &input = options.input.empty() ? std::cin : file;
  size_t line = 0;
  size_t limit = options.similarity ? SIZE_MAX : batchLines;
  do {
    if (options.texts.empty() && !readTexts(input, limit, line, texts, error))
      return fail("embed", error);
    if (texts.empty())
      break;
    if (!embed(*session, texts, values, error))
      return fail("embed", error);
    for (float value : values)
      if (!std::isfinite(value))
        return fail("embed", "the model gave a number that is not finite");
    if (options.similarity)
      printSimilarity(values, width, options.texts.size() == 2);
    else
      printEmbeddings(values, width);
  } while (options.texts.empty() && std::cout);
  if (input.bad())
    return fail("embed", "cannot read the input");
  return finishOutput("embed");
}

void smelt::addEmbedCommand(CLI::App &app, std::function<int()> &action) {
  auto options = std::make_shared<EmbedOptions>();
  CLI::App *command = app.add_subcommand("embed", "Embed lines of text");
  addModelOption(*command, options->session);
  command->add_option("TEXT", options->texts,
                      "Texts (default: the lines of standard input)");
  command->add_option("-f,--file", options->input,
                      "Read lines of this file: texts, or JSON objects with a "
                      "\"text\"");
  command->add_flag("--similarity", options->similarity,
                    "Print the cosine of two texts, or of all texts with each "
                    "other");
  addTargetOption(*command, options->session);
  addThreadsOption(*command, options->session);
  command->footer("Examples:\n"
                  "  smelt embed model.ingot < lines.txt > embeddings.jsonl\n"
                  "  smelt embed model.ingot --similarity \"a cat\" \"a dog\"");
  command->callback([=, &action] { action = [=] { return run(*options); }; });
}
