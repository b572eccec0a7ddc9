//===- IngotTest.cpp - Damaged files are refused --------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Ingot.h"
#include "CpuFeatures.h"
#include "Model.h"

#include "ToyModel.h"

#include <cstdio>
#include <functional>
#include <gtest/gtest.h>
#include <random>
#include <sys/stat.h>

using namespace smelt;
using toy::Json;

static std::string sound() {
  return toy::assemble(toy::decoderManifest(), toy::sections());
}

/// Opens bytes; the error, or "" where they were accepted.
static std::string tryOpen(const std::string &bytes) {
  toy::TempFile file(bytes);
  std::string error;
  std::unique_ptr<Ingot> ingot = Ingot::open(file.path(), error);
  EXPECT_EQ(ingot == nullptr, !error.empty());
  return error;
}

static void expectError(const std::string &error, const std::string &what) {
  EXPECT_NE(error.find(what), std::string::npos)
      << "expected '" << what << "' in '" << error << "'";
}

TEST(Ingot, ReadsWhatTheWriterWrote) {
  toy::TempFile file(sound());
  std::string error;
  std::unique_ptr<Ingot> ingot = Ingot::open(file.path(), error);
  ASSERT_TRUE(ingot) << error;
  const Manifest &manifest = ingot->manifest();
  EXPECT_EQ(manifest.vocabulary, toy::vocabulary);
  EXPECT_EQ(manifest.generation.eos, (std::vector<int64_t>{1, 9}));
  EXPECT_EQ(manifest.versions[0].arena.evaluate(10, 3), 64 + 4 * 10);
  EXPECT_EQ(ingot->section("weights"), toy::sections()[1].second);
  EXPECT_EQ(ingot->section("code/generic"), toy::sections()[0].second);
  EXPECT_EQ(ingot->section("absent").data(), nullptr);
  EXPECT_TRUE(ingot->verifyWeights(error)) << error;
}

TEST(Ingot, RefusesWhatIsNoFile) {
  toy::TempFile pipe;
  ASSERT_EQ(std::remove(pipe.path().c_str()), 0);
  ASSERT_EQ(mkfifo(pipe.path().c_str(), 0600), 0);
  for (const std::string &path :
       {pipe.path(), std::string("/"), std::string("/dev/zero")}) {
    std::string error;
    EXPECT_FALSE(Ingot::open(path, error));
    expectError(error, "cannot load '" + path + "': not a regular file");
  }
}

TEST(Ingot, RefusesEveryTruncation) {
  const std::string bytes = sound();
  for (size_t size = 0; size < bytes.size();
       size += size < 128 || size + 128 > bytes.size() ? 1 : 97)
    EXPECT_NE(tryOpen(bytes.substr(0, size)), "") << size << " bytes";
  EXPECT_NE(tryOpen(bytes + '\0'), "") << "a byte more";
}

TEST(Ingot, RefusesEveryChangedByteButOfTheWeights) {
  std::string bytes = sound();
  std::string weights = toy::sections()[1].second;
  size_t begin = bytes.find(weights), end = begin + weights.size();
  toy::TempFile file(bytes);
  for (size_t i = 0; i < bytes.size();
       i += i < 64 || (i >= begin && i < end) ? 1 : 13) {
    std::string damaged = bytes;
    damaged[i] ^= char(1 << i % 8);
    toy::writeFile(file.path(), damaged);
    std::string error;
    std::unique_ptr<Ingot> ingot = Ingot::open(file.path(), error);
    if (i >= begin && i < end) {
      ASSERT_TRUE(ingot) << error;
      EXPECT_FALSE(ingot->verifyWeights(error));
      expectError(error, "section 'weights' is damaged");
    } else {
      EXPECT_FALSE(ingot) << "byte " << i;
    }
  }
}

TEST(Ingot, NamesWhatIsWrongWithTheHeader) {
  struct Case {
    size_t offset, size;
    uint64_t value;
    const char *message;
  };
  for (const Case &c : {
           Case{0, 8, 0x4141414141414141, "not an ingot"},
           {8, 4, 2, "format version 2, this runtime reads 1"},
           {12, 4, 65, "claims 65 bytes"},
           {16, 8, 1, "incomplete or damaged"},
           {24, 8, UINT64_MAX, "does not end the file"},
           {24, 8, 0, "does not end the file"},
           {32, 8, UINT64_MAX, "does not end the file"},
           {40, 8, 0, "manifest is damaged"},
           {48, 8, 1, "reserved fields"},
           {56, 8, 1, "reserved fields"},
       }) {
    std::string bytes = sound();
    std::memcpy(&bytes[c.offset], &c.value, c.size);
    expectError(tryOpen(bytes), c.message);
  }
}

namespace {
struct Lie {
  const char *name;
  std::function<void(Json &)> tell;
  const char *message;
};
} // namespace

/// Adds a version of the code, for this machine, and returns it.
static Json &addVersion(Json &manifest, const std::string &isa) {
  Json version = manifest["target"];
  version["isa"] = isa;
  version["arena"] = {{"bytes", 64}, {"per_token", 4}};
  manifest["versions"].push_back(version);
  return manifest["versions"].back();
}

/// Manifests that contradict the file or themselves, with hashes that hold.
static const Lie lies[] = {
    {"format", [](Json &j) { j["format"] = 2; }, "this runtime reads 1"},
    {"no model", [](Json &j) { j.erase("model"); }, "'model' is missing"},
    {"model is text", [](Json &j) { j["model"] = "x"; }, "expects an object"},
    {"kind", [](Json &j) { j["model"]["kind"] = "diffusion"; },
     "expects 'decoder' or 'encoder'"},
    {"no vocabulary", [](Json &j) { j["model"]["vocabulary"] = 0; },
     "'model.vocabulary' expects an integer from 1"},
    {"huge vocabulary", [](Json &j) { j["model"]["vocabulary"] = UINT64_MAX; },
     "'model.vocabulary' expects an integer"},
    {"fractional", [](Json &j) { j["model"]["context"] = 1.5; },
     "'model.context' expects an integer"},
    {"no token types", [](Json &j) { j["model"].erase("token_types"); },
     "'model.token_types' is missing"},
    {"no type of tokens", [](Json &j) { j["model"]["token_types"] = 0; },
     "'model.token_types' expects an integer from 1"},
    {"unknown input", [](Json &j) { j["inputs"].push_back("images"); },
     "'images', which this runtime does not know"},
    {"no outputs", [](Json &j) { j["outputs"] = Json::array(); },
     "expects 'logits'"},
    {"many outputs", [](Json &j) { j["outputs"] = Json(5, j["outputs"][0]); },
     "expected at most 4"},
    {"same output twice",
     [](Json &j) { j["outputs"].push_back(j["outputs"][0]); },
     "repeats 'logits'"},
    {"narrow logits", [](Json &j) { j["outputs"][0]["width"] = 7; },
     "expects 'logits' of width 2048, found 7"},
    {"negative arena", [](Json &j) { j["memory"]["arena"]["per_token"] = -1; },
     "'memory.arena.per_token'"},
    {"no cache", [](Json &j) { j["memory"].erase("kv"); },
     "expects more than 0 for a decoder"},
    {"no steps", [](Json &j) { j["memory"]["max_step_tokens"] = 0; },
     "'memory.max_step_tokens'"},
    {"end token", [](Json &j) { j["generation"]["eos"] = {2048}; },
     "'generation.eos'"},
    {"param beyond", [](Json &j) { j["params"][0]["offset"] = 37; },
     "reaches beyond the weights of 100 bytes"},
    {"param overflows",
     [](Json &j) {
       j["params"][0]["sources"] = 1 << 20;
       j["params"][0]["stride"] = int64_t(1) << 50;
     },
     "reaches beyond the weights"},
    {"huge shape",
     [](Json &j) { j["params"][0]["shape"] = {int64_t(1) << 62}; },
     "'params[0].shape'"},
    {"sections overlap", [](Json &j) { j["sections"][1]["offset"] = 4096; },
     "begins at 4096"},
    {"hole",
     [](Json &j) {
       j["sections"][1]["offset"] =
           j["sections"][1]["offset"].get<int64_t>() + 4096;
     },
     "section 'weights' begins at"},
    {"order", [](Json &j) { std::swap(j["sections"][0], j["sections"][1]); },
     "section 'weights' begins at"},
    {"section beyond",
     [](Json &j) { j["sections"][1]["size"] = int64_t(1) << 49; },
     "reaches beyond the manifest"},
    {"empty section", [](Json &j) { j["sections"][1]["size"] = 0; },
     "'sections[1].size'"},
    {"short section", [](Json &j) { j["sections"][1]["size"] = 99; },
     "are padding, but not zero"},
    {"section left out", [](Json &j) { j["sections"].erase(1); },
     "the manifest begins at"},
    {"same section twice",
     [](Json &j) { j["sections"].push_back(j["sections"][1]); },
     "repeats 'weights'"},
    {"many sections",
     [](Json &j) { j["sections"] = Json(65, j["sections"][0]); },
     "expected at most 64"},
    {"hash", [](Json &j) { j["sections"][0]["hash"] = "0123456789abcdef"; },
     "section 'code/generic' is damaged"},
    {"no hash", [](Json &j) { j["sections"][0]["hash"] = "zz"; },
     "16 lower-case hexadecimal digits"},
    {"profile without ops", [](Json &j) { j["inputs"].push_back("profile"); },
     "'profile' is missing"},
    {"empty profile",
     [](Json &j) {
       j["inputs"].push_back("profile");
       j["profile"]["ops"] = Json::array();
     },
     "'profile.ops' is missing"},
    {"records beyond count",
     [](Json &j) {
       j["inputs"].push_back("profile");
       Json op = {{"name", "x"}, {"kind", "matmul"}, {"runs", 1 << 20}};
       j["profile"]["ops"] = Json::array({op, op});
     },
     "'profile.ops[1].runs' expects at most"},
    {"versions are text", [](Json &j) { j["versions"] = "avx2"; },
     "'versions' expects an array"},
    {"a version is text", [](Json &j) { j["versions"] = {"avx2"}; },
     "'versions[0]' expects an object"},
    {"version without name", [](Json &j) { addVersion(j, "x").erase("isa"); },
     "'versions[0].isa' is missing"},
    {"version without triple",
     [](Json &j) { addVersion(j, "x").erase("triple"); },
     "'versions[0].triple' is missing"},
    {"version without arena",
     [](Json &j) { addVersion(j, "x").erase("arena"); },
     "'versions[0].arena' is missing"},
    {"arena of a version",
     [](Json &j) { addVersion(j, "x")["arena"]["bytes"] = -1; },
     "'versions[0].arena.bytes'"},
    {"feature is no text",
     [](Json &j) { addVersion(j, "x")["features"] = {7}; },
     "'versions[0].features' expects a string"},
    {"same version twice", [](Json &j) { addVersion(j, "generic"); },
     "'versions[0].isa' repeats 'generic'"},
    {"version without code", [](Json &j) { addVersion(j, "avx2"); },
     "no section 'code/avx2'"},
    {"many versions",
     [](Json &j) {
       addVersion(j, "x");
       j["versions"] = Json(33, j["versions"][0]);
     },
     "expected at most 32"},
    {"long name", [](Json &j) { j["model"]["name"] = std::string(5000, 'x'); },
     "expected at most 4096"},
};

TEST(Ingot, RefusesLyingManifests) {
  std::string bytes = sound();
  uint64_t offset;
  std::memcpy(&offset, &bytes[24], sizeof(offset));
  const Json truth = Json::parse(bytes.substr(offset));
  for (const Lie &lie : lies) {
    SCOPED_TRACE(lie.name);
    Json manifest = truth;
    lie.tell(manifest);
    expectError(tryOpen(toy::assemble(manifest, toy::sections())), lie.message);
  }
}

TEST(Ingot, RefusesManifestsThatAreNoObjects) {
  for (const char *text : {"", "[]", "{", "null", "{\"format\":1}x", "\xff"})
    expectError(tryOpen(toy::assembleText(text, toy::sections())), "manifest");
  std::string deep(100000, '[');
  expectError(tryOpen(toy::assembleText(deep, toy::sections())), "manifest");
}

/// Whatever stands in any place of the manifest: an error, or a sound struct.
TEST(Ingot, SurvivesRandomManifests) {
  std::mt19937 random(11);
  std::string bytes = sound();
  uint64_t offset;
  std::memcpy(&offset, &bytes[24], sizeof(offset));
  const Json truth = Json::parse(bytes.substr(offset)).flatten();
  const Json values = {nullptr, -1,  0,  1.5,  UINT64_MAX,      INT64_MIN,
                       "",      "x", {}, {{}}, {{"a", "b"}},    true,
                       1e300,   7,   64, 4096, int64_t(1) << 40};
  for (int round = 0; round < 2000; ++round) {
    Json flat = truth;
    auto it = flat.begin();
    std::advance(it, random() % flat.size());
    *it = values[random() % values.size()];
    std::string text;
    try {
      text = flat.unflatten().dump();
    } catch (const Json::exception &) {
      // Objects and arrays can't be unflattened: put them in as text.
      text = truth.unflatten().dump();
      text.insert(random() % text.size(), values[random() % 17].dump());
    }
    Manifest manifest;
    std::string error;
    bool accepted = Manifest::parse(text.data(), text.size(), manifest, error);
    EXPECT_EQ(accepted, error.empty()) << text;
  }
}

TEST(Model, RefusesWhatThisMachineCannotExecute) {
  auto tryModel = [](std::function<void(Json &)> edit) {
    Json manifest = toy::decoderManifest();
    edit(manifest);
    toy::TempFile file(toy::assemble(manifest, toy::sections()));
    std::string error;
    EXPECT_FALSE(Model::open(file.path(), error));
    return error;
  };
  expectError(tryModel([](Json &j) { j["target"]["isa"] = "avx1024"; }),
              "no section 'code/avx1024'");
  expectError(tryModel([](Json &j) { j["target"]["triple"] = "mips64-linux"; }),
              "its code is for mips64");
  expectError(tryModel([](Json &j) { j["target"]["features"] = {"avx1024"}; }),
              "needs avx1024, which this runtime cannot detect");
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx512bf16"))
    expectError(tryModel([](Json &j) {
                  j["target"]["features"] = {"sse2", "avx512bf16"};
                }),
                "lacks avx512bf16, which");
#endif
}

/// A model with the toy's code three times: for another machine, for one with
/// features that nobody has, and for this one.
static toy::TempFile threeVersions() {
  Json manifest = toy::decoderManifest();
  const Json triple = manifest["target"]["triple"];
  manifest["target"]["isa"] = "foreign";
  manifest["target"]["triple"] = "pdp11-unknown-linux-gnu";
  manifest["target"]["features"] = {"fpp"};
  Json &better = addVersion(manifest, "better");
  better["triple"] = triple;
  better["features"] = {"avx1024"};
  Json &base = addVersion(manifest, "base");
  base["triple"] = triple;
  base["features"] = Json::array();
  base["arena"]["bytes"] = 128;
  toy::Sections sections = toy::sections();
  const std::string code = sections[0].second;
  sections[0].first = "code/foreign";
  sections.insert(sections.begin() + 1, {"code/better", code});
  sections.insert(sections.begin() + 2, {"code/base", code});
  return toy::TempFile(toy::assemble(manifest, sections));
}

TEST(Model, ChoosesTheBestVersionThatRuns) {
  toy::TempFile file = threeVersions();
  std::string error;
  std::shared_ptr<const Model> model = Model::open(file.path(), error);
  ASSERT_TRUE(model) << error;
  EXPECT_EQ(model->version().isa, "base");
  EXPECT_EQ(model->version().arena.evaluate(10, 3), 128 + 4 * 10);
  EXPECT_EQ(describeChoice(model->manifest(), model->version()),
            "code: base\n"
            "  not foreign: its code is for pdp11\n"
            "  not better: this runtime cannot detect avx1024\n");
}

TEST(Model, RunsTheVersionThatIsAskedFor) {
  toy::TempFile file = threeVersions();
  std::string error;
  std::shared_ptr<const Model> model = Model::open(file.path(), error, "base");
  ASSERT_TRUE(model) << error;
  EXPECT_EQ(model->version().isa, "base");
  EXPECT_FALSE(Model::open(file.path(), error, "better"));
  expectError(error, "needs avx1024, which this runtime cannot detect");
  EXPECT_FALSE(Model::open(file.path(), error, "foreign"));
  expectError(error, "its code is for pdp11");
  EXPECT_FALSE(Model::open(file.path(), error, "Base"));
  expectError(error, "no code for 'Base'; it has foreign, better, base");
  setenv(versionVariable, "best", 1);
  EXPECT_FALSE(Model::open(file.path(), error));
  expectError(error, "no code for 'best', which SMELT_TARGET asks for");
  EXPECT_TRUE(Model::open(file.path(), error, "base"));
  setenv(versionVariable, "", 1);
  EXPECT_TRUE(Model::open(file.path(), error));
  unsetenv(versionVariable);
}

TEST(Model, NamesWhatIsWrongWithEveryVersion) {
  Json manifest = toy::decoderManifest();
  manifest["target"]["features"] = {"avx1024"};
  toy::Sections sections = toy::sections();
  addVersion(manifest, "other")["triple"] = "pdp11-unknown-linux-gnu";
  sections.insert(sections.begin() + 1, {"code/other", sections[0].second});
  toy::TempFile file(toy::assemble(manifest, sections));
  std::string error;
  EXPECT_FALSE(Model::open(file.path(), error));
  expectError(error, "executes none of its versions: generic: this runtime "
                     "cannot detect avx1024; other: its code is for pdp11; "
                     "compile it for this processor");
}

TEST(Model, RefusesCodeThatIsNone) {
  for (const std::string &code : {std::string(1000, 'x'),
                                  std::string("\x7f"
                                              "ELF\x02"),
                                  "\x7f"
                                  "ELF\x02" +
                                      std::string(1000, '\0')}) {
    toy::Sections sections = toy::sections();
    sections[0].second = code;
    toy::TempFile file(toy::assemble(toy::decoderManifest(), sections));
    std::string error;
    EXPECT_FALSE(Model::open(file.path(), error));
    expectError(error, "code section");
  }
}
