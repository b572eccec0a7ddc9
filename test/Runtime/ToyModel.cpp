//===- ToyModel.cpp - Ingots for tests, and what they compute -------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ToyModel.h"

#include "CpuFeatures.h"

#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace smelt;
using namespace smelt::toy;

static constexpr uint8_t weight = 77;

static Json manifest(const char *kind) {
  return Json{
      {"format", SMELT_FORMAT_VERSION},
      {"producer", "a test"},
      {"model",
       {{"name", "toy"},
        {"family", "toy"},
        {"kind", kind},
        {"vocabulary", vocabulary},
        {"hidden", hidden},
        {"layers", 1},
        {"context", context},
        {"token_types", 2},
        {"dtype", "f32"}}},
      {"target",
       {{"triple", std::string(hostArchitecture()) + "-unknown-linux-gnu"},
        {"cpu", "generic"},
        {"isa", "generic"},
        {"features", Json::array()}}},
      {"inputs", {"ids", "positions", "types", "slots", "rows"}},
      {"memory",
       {{"arena", {{"bytes", 64}, {"per_token", 4}}},
        {"max_step_tokens", maxStepTokens}}},
      {"cost",
       {{"weight_bytes", 64}, {"step_bytes", 64}, {"flops_per_token", 128}}},
      {"params",
       {{{"name", "seed"},
         {"offset", 0},
         {"bytes", 64},
         {"shape", {64}},
         {"format", "u8"},
         {"layout", "rows"}}}}};
}

Json toy::decoderManifest() {
  Json json = manifest("decoder");
  json["memory"]["kv"]["block_bytes"] = 4 * SMELT_KV_BLOCK_TOKENS;
  json["outputs"] = {
      {{"name", "logits"}, {"rows", "rows"}, {"width", vocabulary}}};
  json["generation"] = {{"bos", 0}, {"eos", {1, 9}}};
  return json;
}

Json toy::encoderManifest() {
  Json json = manifest("encoder");
  json["outputs"] = {
      {{"name", "last_hidden_state"}, {"rows", "rows"}, {"width", hidden}},
      {{"name", "embedding"}, {"rows", "sequences"}, {"width", hidden}}};
  json["embedding"]["max_length"] = 12;
  return json;
}

Sections toy::sections(bool text) {
  Sections result = {{"code/generic", readFile(SMELT_TOY_CODE)},
                     {"weights", std::string(100, char(weight))}};
  if (text)
    result.emplace_back("tokenizer.json", readFile(SMELT_TOY_TOKENIZER));
  return result;
}

static std::string hashText(const std::string &bytes) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx",
                (unsigned long long)XXH3_64bits(bytes.data(), bytes.size()));
  return text;
}

static uint64_t align(uint64_t offset) {
  return (offset + SMELT_SECTION_ALIGNMENT - 1) / SMELT_SECTION_ALIGNMENT *
         SMELT_SECTION_ALIGNMENT;
}

std::string toy::assembleText(const std::string &text,
                              const Sections &sections) {
  std::string file(sizeof(SmeltIngotHeader), 0);
  for (const auto &[name, bytes] : sections) {
    file.resize(align(file.size()), 0);
    file += bytes;
  }
  file.resize(align(file.size()), 0);
  SmeltIngotHeader header = {};
  std::memcpy(header.magic, SMELT_INGOT_MAGIC, sizeof(header.magic));
  header.version = SMELT_FORMAT_VERSION;
  header.headerSize = sizeof(header);
  header.manifestOffset = file.size();
  header.manifestSize = text.size();
  header.manifestHash = XXH3_64bits(text.data(), text.size());
  file += text;
  header.fileSize = file.size();
  std::memcpy(&file[0], &header, sizeof(header));
  return file;
}

std::string toy::assemble(Json manifest, const Sections &sections) {
  if (!manifest.contains("sections")) {
    uint64_t end = sizeof(SmeltIngotHeader);
    manifest["sections"] = Json::array();
    for (const auto &[name, bytes] : sections) {
      manifest["sections"].push_back({{"name", name},
                                      {"offset", align(end)},
                                      {"size", bytes.size()},
                                      {"hash", hashText(bytes)}});
      end = align(end) + bytes.size();
    }
  }
  return assembleText(manifest.dump(), sections);
}

void toy::writeFile(const std::string &path, const std::string &bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << bytes;
  file.close();
  ASSERT_TRUE(bool(file)) << "cannot write " << path;
}

std::string toy::readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  EXPECT_TRUE(bool(file)) << "cannot read " << path;
  return content.str();
}

TempFile::TempFile(const std::string &bytes) {
  static int count = 0;
  name = testing::TempDir() + "smelt-" + std::to_string(getpid()) + "-" +
         std::to_string(count++);
  writeFile(name, bytes);
}

TempFile::~TempFile() { unlink(name.c_str()); }

std::shared_ptr<const Model> toy::open(const Json &manifest, bool text) {
  TempFile file(assemble(manifest, sections(text)));
  std::string error;
  std::shared_ptr<const Model> model = Model::open(file.path(), error);
  EXPECT_TRUE(model) << error;
  return model;
}

static uint32_t mix(uint32_t state, uint32_t value) {
  state = (state ^ value) * 2654435761u;
  return state ^ state >> 15;
}

static void appendNumbers(uint32_t state, int64_t width,
                          std::vector<float> &row) {
  for (int64_t c = 0; c < width; ++c)
    row.push_back(float(mix(state, uint32_t(c)) >> 8) / 1048576.0f - 8.0f);
}

std::vector<float> toy::logits(const std::vector<int32_t> &ids) {
  uint32_t state = 1;
  for (size_t p = 0; p < ids.size(); ++p)
    state = mix(state, mix(mix(weight, ids[p]), 0) + uint32_t(p));
  std::vector<float> row;
  appendNumbers(state, vocabulary, row);
  return row;
}

static std::vector<uint32_t> tokenNumbers(const std::vector<int32_t> &ids,
                                          const int32_t *types) {
  std::vector<uint32_t> numbers;
  for (size_t i = 0; i < ids.size(); ++i)
    numbers.push_back(
        mix(mix(mix(weight, ids[i]), types ? types[i] : 0), uint32_t(i)));
  return numbers;
}

std::vector<float> toy::hiddenStates(const std::vector<int32_t> &ids,
                                     const int32_t *types) {
  std::vector<float> rows;
  std::vector<uint32_t> numbers = tokenNumbers(ids, types);
  for (uint32_t state : numbers) {
    for (uint32_t other : numbers)
      state = mix(state, other);
    appendNumbers(state, hidden, rows);
  }
  return rows;
}

std::vector<float> toy::embedding(const std::vector<int32_t> &ids,
                                  const int32_t *types) {
  uint32_t state = 1;
  for (uint32_t number : tokenNumbers(ids, types))
    state = mix(state, number);
  std::vector<float> row;
  appendNumbers(state, hidden, row);
  return row;
}
