//===- ToolTest.cpp - The commands, the example, the exports --------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs programs of the build on toy ingots: what they print and write, and that
// they fail with a code, a message and no output where they should.
//
//===----------------------------------------------------------------------===//
#include "ToyModel.h"
#include "smelt/Import/Formats/Safetensors.h"
#include "smelt/Tokenizer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <set>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

using namespace smelt;
using toy::Json;

namespace {
struct Output {
  int code;
  std::string out, err;
};
} // namespace

/// Runs a shell command; -1 for one that a signal ended.
static Output shell(const std::string &command) {
  toy::TempFile out, err;
  int status =
      std::system((command + " >" + out.path() + " 2>" + err.path()).c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1,
          toy::readFile(out.path()), toy::readFile(err.path())};
}

static Output smeltTool(const std::string &arguments) {
  return shell(SMELT_TOOL " " + arguments);
}

static std::string ingot(const Json &manifest, bool text) {
  return toy::assemble(manifest, toy::sections(text));
}

static NamedTensor integers(const char *name, std::vector<int64_t> shape,
                            const std::vector<int64_t> &values) {
  NamedTensor tensor;
  tensor.name = name;
  tensor.type = ElementType::I64;
  tensor.shape = std::move(shape);
  tensor.bytes = values.size() * sizeof(int64_t);
  tensor.data = reinterpret_cast<const uint8_t *>(values.data());
  return tensor;
}

static std::vector<float> readFloats(const std::string &path, const char *name,
                                     const std::vector<int64_t> &shape) {
  std::string error;
  auto file = SafetensorsFile::open(path, error);
  const NamedTensor *tensor = file ? file->find(name) : nullptr;
  EXPECT_TRUE(tensor) << error << name;
  if (!tensor)
    return {};
  EXPECT_EQ(tensor->type, ElementType::F32);
  EXPECT_EQ(tensor->shape, shape);
  std::vector<float> values(tensor->bytes / sizeof(float));
  std::memcpy(values.data(), tensor->data, tensor->bytes);
  return values;
}

/// [n, vocabulary] logits of a sequence.
static std::vector<float> allLogits(const std::vector<int32_t> &ids) {
  std::vector<float> rows;
  for (size_t n = 1; n <= ids.size(); ++n) {
    std::vector<float> row = toy::logits({ids.begin(), ids.begin() + n});
    rows.insert(rows.end(), row.begin(), row.end());
  }
  return rows;
}

TEST(Tool, LogitsOfAPromptInAnyChunks) {
  toy::TempFile model(ingot(toy::decoderManifest(), false)), input, output;
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < 130; ++i)
    ids.push_back(i * 31 % toy::vocabulary);
  std::string error;
  ASSERT_TRUE(writeSafetensors(input.path(),
                               {integers("prompt_ids", {130}, ids)}, error))
      << error;
  std::vector<float> expected = allLogits({ids.begin(), ids.end()});
  for (const char *options : {"", "--chunk 1 -t 1", "--chunk 33 -t 3"}) {
    Output run =
        smeltTool("logits " + model.path() + " --ids-file " + input.path() +
                  " -o " + output.path() + " " + options);
    ASSERT_EQ(run.code, 0) << run.err;
    EXPECT_EQ(readFloats(output.path(), "logits", {130, toy::vocabulary}),
              expected);
  }
}

TEST(Tool, LogitsOfSequencesThatShareSteps) {
  toy::TempFile model(ingot(toy::decoderManifest(), false)), input, output;
  // Tokens of 60 sequences in a shuffled file; few of them live at a time.
  std::vector<int64_t> ids, sequences, steps;
  std::vector<std::vector<int32_t>> texts(60);
  std::vector<std::vector<size_t>> places(60);
  for (int64_t step = 0; step < 80; ++step)
    for (int64_t s = 59; s >= 0; --s)
      if (step >= s && step < s + 2 + s % 5)
        for (int64_t k = 0; k <= s % 3; ++k) {
          places[s].push_back(ids.size());
          ids.push_back((step * 97 + s * 13 + k) % toy::vocabulary);
          texts[s].push_back(int32_t(ids.back()));
          sequences.push_back(s * 1000 - 7);
          steps.push_back(step * 2 - 9);
        }
  int64_t n = int64_t(ids.size());
  std::string error;
  ASSERT_TRUE(writeSafetensors(input.path(),
                               {integers("prompt_ids", {n}, ids),
                                integers("sequence_ids", {n}, sequences),
                                integers("step_ids", {n}, steps)},
                               error))
      << error;
  Output run = smeltTool("logits " + model.path() + " --ids-file " +
                         input.path() + " -o " + output.path());
  ASSERT_EQ(run.code, 0) << run.err;
  std::vector<float> found =
      readFloats(output.path(), "logits", {n, toy::vocabulary});
  ASSERT_EQ(found.size(), size_t(n * toy::vocabulary));
  for (size_t s = 0; s < texts.size(); ++s) {
    std::vector<float> expected = allLogits(texts[s]);
    for (size_t i = 0; i < places[s].size(); ++i)
      EXPECT_TRUE(std::equal(expected.begin() + i * toy::vocabulary,
                             expected.begin() + (i + 1) * toy::vocabulary,
                             found.begin() + places[s][i] * toy::vocabulary))
          << "sequence " << s << ", token " << i;
  }
}

TEST(Tool, LogitsOfAnEncoderBatch) {
  toy::TempFile model(ingot(toy::encoderManifest(), false)), input, output;
  std::vector<int64_t> ids, mask, types;
  const int64_t lengths[] = {30, 1, 40};
  for (int64_t row = 0; row < 3; ++row)
    for (int64_t i = 0; i < 40; ++i) {
      ids.push_back((row * 100 + i * 7) % toy::vocabulary);
      mask.push_back(i < lengths[row]);
      types.push_back(i % 2);
    }
  std::string error;
  ASSERT_TRUE(writeSafetensors(input.path(),
                               {integers("input_ids", {3, 40}, ids),
                                integers("attention_mask", {3, 40}, mask),
                                integers("token_type_ids", {3, 40}, types)},
                               error))
      << error;
  Output run = smeltTool("logits " + model.path() + " --ids-file " +
                         input.path() + " -o " + output.path());
  ASSERT_EQ(run.code, 0) << run.err;
  std::vector<float> states, pooled;
  for (int64_t row = 0; row < 3; ++row) {
    std::vector<int32_t> own(ids.begin() + row * 40,
                             ids.begin() + row * 40 + lengths[row]);
    std::vector<int32_t> ownTypes(types.begin(), types.begin() + lengths[row]);
    std::vector<float> part = toy::hiddenStates(own, ownTypes.data());
    part.resize(40 * toy::hidden, 0);
    states.insert(states.end(), part.begin(), part.end());
    part = toy::embedding(own, ownTypes.data());
    pooled.insert(pooled.end(), part.begin(), part.end());
  }
  EXPECT_EQ(
      readFloats(output.path(), "last_hidden_state", {3, 40, toy::hidden}),
      states);
  EXPECT_EQ(readFloats(output.path(), "embedding", {3, toy::hidden}), pooled);

  mask[5] = 0;
  ASSERT_TRUE(writeSafetensors(input.path(),
                               {integers("input_ids", {3, 40}, ids),
                                integers("attention_mask", {3, 40}, mask)},
                               error));
  run = smeltTool("logits " + model.path() + " --ids-file " + input.path());
  EXPECT_EQ(run.code, 1);
  EXPECT_NE(run.err.find("row 0 of attention_mask expects ones, then zeros"),
            std::string::npos)
      << run.err;
}

/// What greedy continuation of the reference gives.
static std::vector<int32_t> greedy(std::vector<int32_t> ids, int64_t count) {
  std::vector<int32_t> added;
  while (int64_t(added.size()) < count) {
    std::vector<float> row = toy::logits(ids);
    added.push_back(
        int32_t(std::max_element(row.begin(), row.end()) - row.begin()));
    ids.push_back(added.back());
  }
  return added;
}

TEST(Tool, GeneratesIds) {
  toy::TempFile model(ingot(toy::decoderManifest(), false));
  Output run = smeltTool("generate-ids " + model.path() + " --ids 5,6,7 --n 9");
  ASSERT_EQ(run.code, 0) << run.err;
  std::string expected;
  for (int32_t id : greedy({5, 6, 7}, 9))
    expected += (expected.empty() ? "" : ",") + std::to_string(id);
  EXPECT_EQ(run.out, expected + "\n");
}

/// The text that the bundled tokenizer makes of a greedy continuation.
static std::string greedyText(const std::string &prompt, int64_t count) {
  std::string error;
  auto tokenizer =
      Tokenizer::parse(toy::readFile(SMELT_TOY_TOKENIZER), "", error);
  StreamDecoder decoder(*tokenizer);
  std::string text;
  for (int32_t id : greedy(tokenizer->encode(prompt, {}, error)->ids, count))
    text += decoder.push(id);
  return text + decoder.finish();
}

TEST(Tool, RunStreamsText) {
  toy::TempFile model(ingot(toy::decoderManifest(), true));
  Output run = smeltTool("run " + model.path() +
                         " -p 'In the beginning' -n 7 --temp 0 --ignore-eos");
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.out, greedyText("In the beginning", 7) + "\n");
  EXPECT_NE(run.err.find("generated: 7 tokens"), std::string::npos) << run.err;

  std::string seeded = "run " + model.path() +
                       " -p x -n 20 --temp 2 --top-k 0 "
                       "--quiet --seed ";
  Output first = smeltTool(seeded + "1"), second = smeltTool(seeded + "1");
  EXPECT_EQ(first.out, second.out);
  EXPECT_EQ(first.err, "");
  EXPECT_NE(first.out, smeltTool(seeded + "2").out);
}

TEST(Tool, TokenizesWithAnIngot) {
  Json manifest = toy::decoderManifest();
  // Nothing is executed: an ingot for another processor will do.
  manifest["target"]["triple"] = "pdp11-unknown-linux-gnu";
  manifest["target"]["features"] = {"fpp"};
  toy::TempFile model(ingot(manifest, true)),
      lines("{\"text\": \"In the beginning\"}\n"
            "{\"text\": \"God\", \"pair\": \"said\"}\n"
            "{\"bytes\": \"c3a9ff\"}\n{\"ids\": [5, 6]}\n");
  Output run = smeltTool("tokenize " + model.path() + " < " + lines.path());
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(std::count(run.out.begin(), run.out.end(), '\n'), 4);
  Output other =
      smeltTool("tokenize " SMELT_TOY_TOKENIZER " < " + lines.path());
  EXPECT_EQ(run.out, other.out) << other.err;

  toy::writeFile(model.path(), ingot(toy::decoderManifest(), false));
  run = smeltTool("tokenize " + model.path() + " < " + lines.path());
  EXPECT_EQ(run.code, 1);
  EXPECT_NE(run.err.find("has no tokenizer"), std::string::npos) << run.err;
  std::string damaged = toy::readFile(model.path());
  toy::writeFile(model.path(), damaged.substr(0, damaged.size() - 1));
  run = smeltTool("tokenize " + model.path() + " < " + lines.path());
  EXPECT_EQ(run.code, 1);
  EXPECT_NE(run.err.find("incomplete or damaged"), std::string::npos);
}

TEST(Tool, ExampleStreamsAndStops) {
  toy::TempFile model(ingot(toy::decoderManifest(), true));
  Output run = shell(SMELT_STREAM " " + model.path() + " 'In the beginning' 3");
  ASSERT_EQ(run.code, 0) << run.err;
  size_t note = run.out.rfind("\n[");
  ASSERT_NE(note, std::string::npos) << run.out;
  std::string whole = greedyText("In the beginning", 12);
  EXPECT_EQ(whole.substr(0, note), run.out.substr(0, note));
  EXPECT_LT(note, whole.size());
  EXPECT_GT(note, 0u);

  run = shell(SMELT_STREAM " /nonexistent x 3");
  EXPECT_EQ(run.code, 1);
  EXPECT_NE(run.err.find("cannot load '/nonexistent'"), std::string::npos);
}

TEST(Tool, EmbedsLines) {
  toy::TempFile model(ingot(toy::encoderManifest(), true));
  toy::TempFile lines("one\n{\"text\": \"two\\nlines\"}\n\xff!\n");
  Output run = smeltTool("embed " + model.path() + " -f " + lines.path());
  ASSERT_EQ(run.code, 0) << run.err;
  std::string error;
  auto tokenizer =
      Tokenizer::parse(toy::readFile(SMELT_TOY_TOKENIZER), "", error);
  std::istringstream out(run.out);
  for (const char *text : {"one", "two\nlines", "\xff!"}) {
    std::string line;
    ASSERT_TRUE(std::getline(out, line));
    EXPECT_EQ(Json::parse(line)["embedding"].get<std::vector<float>>(),
              toy::embedding(tokenizer->encode(text, {}, error)->ids, nullptr));
  }
  run = smeltTool("embed " + model.path() + " --similarity cat cat");
  EXPECT_EQ(run.out, "1.000000\n") << run.err;
  toy::writeFile(lines.path(), "fine\n{\"txt\": 1}\n");
  run = smeltTool("embed " + model.path() + " -f " + lines.path());
  EXPECT_EQ(run.code, 1);
  EXPECT_NE(run.err.find("line 2: expected a JSON object"), std::string::npos);
}

TEST(Tool, ClimbsALadder) {
  toy::TempFile model(ingot(toy::decoderManifest(), false));
  Output run =
      smeltTool("bench " + model.path() + " --ladder --json -r 2 -p 20 -t 2");
  ASSERT_EQ(run.code, 0) << run.err;
  Json ladder = Json::parse(run.out)["ladder"];
  std::vector<int64_t> tokens;
  double before = 0;
  for (const Json &rung : ladder) {
    tokens.push_back(rung["tokens"]);
    double perToken = rung["seconds_per_token"];
    EXPECT_GT(perToken, 0);
    EXPECT_DOUBLE_EQ(perToken * tokens.back(), rung["median_seconds"]);
    if (before > 0)
      EXPECT_EQ(rung["is_cliff"], perToken / before - 1 > 0.03);
    before = perToken;
  }
  EXPECT_EQ(tokens, (std::vector<int64_t>{1, 2, 3, 4, 6, 8, 12, 16}));

  for (const char *report : {"--per-op", "--trace /nonexistent/trace.json"}) {
    run = smeltTool("bench " + model.path() + " " + report);
    EXPECT_EQ(run.code, 1);
    EXPECT_NE(run.err.find("compile the model with --profile"),
              std::string::npos)
        << run.err;
  }
  EXPECT_EQ(smeltTool("bench " + model.path() + " --ladder --per-op").code, 2);
}

TEST(Tool, InspectsAndVerifies) {
  std::string bytes = ingot(toy::decoderManifest(), false);
  toy::TempFile model(bytes);
  Output run = smeltTool("inspect --verify --json -c 65 -t 2 " + model.path());
  ASSERT_EQ(run.code, 0) << run.err;
  Json json = Json::parse(run.out);
  EXPECT_EQ(json["verified"], true);
  EXPECT_EQ(json["memory"]["kv"], 2 * 4 * 64);
  EXPECT_EQ(json["memory"]["arena"], 64 + 4 * toy::maxStepTokens);
  EXPECT_EQ(json["manifest"]["model"]["vocabulary"], toy::vocabulary);
  run = smeltTool("inspect " + model.path());
  EXPECT_EQ(run.code, 0);
  EXPECT_NE(run.out.find("code/generic"), std::string::npos);

  std::string weights = toy::sections()[1].second;
  bytes[bytes.find(weights) + 50] ^= 1;
  toy::writeFile(model.path(), bytes);
  EXPECT_EQ(smeltTool("inspect " + model.path()).code, 0);
  run = smeltTool("inspect --verify " + model.path());
  EXPECT_EQ(run.code, 1);
  EXPECT_NE(run.err.find("section 'weights' is damaged"), std::string::npos);
}

TEST(Tool, BenchPrintsRates) {
  toy::TempFile model(ingot(toy::decoderManifest(), false));
  Output run = smeltTool("bench --json -p 100 -n 20 -r 3 -t 2 " + model.path());
  ASSERT_EQ(run.code, 0) << run.err;
  Json json = Json::parse(run.out);
  ASSERT_EQ(json["results"].size(), 2u);
  EXPECT_EQ(json["results"][0]["test"], "pp100");
  EXPECT_EQ(json["results"][1]["test"], "tg20");
  for (const Json &result : json["results"]) {
    EXPECT_EQ(result["seconds"].size(), 3u);
    EXPECT_GT(result["tokens_per_second"].get<double>(), 0);
  }
  for (const char *when : {"machine_before", "machine_after"})
    EXPECT_GT(json[when]["bandwidth"][1]["bytes_per_second"].get<double>(),
              1e8);
}

TEST(Tool, SaysWhatIsWrong) {
  toy::TempFile decoder(ingot(toy::decoderManifest(), false));
  toy::TempFile encoder(ingot(toy::encoderManifest(), false));
  struct Case {
    std::string arguments;
    int code;
    const char *message;
  };
  for (const Case &c : {
           Case{"", 2, "subcommand is required"},
           {"melt", 2, ""},
           {"run", 2, "MODEL is required"},
           {"run /nonexistent -p x", 1, "No such file"},
           {"run / -p x", 1, "not a regular file"},
           {"run " + decoder.path() + " -p x", 1,
            "this model takes token ids only: its checkpoint had no "
            "tokenizer.json"},
           {"run " + decoder.path() + " -t 0", 2, "--threads"},
           {"run " + decoder.path() + " -n -2", 2, "--predict"},
           {"run " + decoder.path() + " --temp -1", 2, "--temp"},
           {"run " + decoder.path() + " --temp hot", 2, "--temp"},
           {"run " + decoder.path() + " --top-k -1", 2, "--top-k"},
           {"run " + decoder.path() + " --top-p 1.5", 2, "--top-p"},
           {"run " + decoder.path() + " --min-p 2", 2, "--min-p"},
           {"run " + decoder.path() + " --repeat-penalty 0", 2,
            "--repeat-penalty"},
           {"run " + decoder.path() + " --repeat-last-n -1", 2,
            "--repeat-last-n"},
           {"run " + decoder.path() + " --seed -2", 2, "--seed"},
           {"run " + decoder.path() + " --seed 9999999999999999999999", 2,
            "--seed"},
           {"run " + decoder.path() + " -c 201 -p x", 1,
            "context of 201 tokens, expected 1 to the model's 200"},
           {"logits " + decoder.path() + " --ids 1,2048", 1,
            "token id 2048 is out of range: the vocabulary has 2048"},
           {"logits " + decoder.path() + " --ids 1,x", 1, "found 'x'"},
           {"logits " + decoder.path() + " --ids 1, ", 1, "found ''"},
           {"logits " + decoder.path() + " --ids 1 --chunk 0", 2, "--chunk"},
           {"logits " + decoder.path(), 2, "ids"},
           {"logits " + decoder.path() + " --ids 1 -o /nonexistent/x", 1,
            "/nonexistent"},
           {"generate-ids " + decoder.path() + " --ids 1 --n 201", 1,
            "was full after 200 of 201"},
           {"generate-ids " + encoder.path() + " --ids 1", 1, "is an encoder"},
           {"embed " + decoder.path() + " x", 1, "gives no embeddings"},
           {"embed " + encoder.path() + " x", 1, "takes token ids only"},
           {"bench " + decoder.path() + " -p 512", 1,
            "context of 512 tokens, expected 1 to the model's 200"},
       }) {
    Output run = smeltTool(c.arguments);
    EXPECT_EQ(run.code, c.code) << c.arguments;
    EXPECT_NE(run.err.find(c.message), std::string::npos)
        << c.arguments << ": " << run.err;
    EXPECT_EQ(run.out, "") << c.arguments;
  }
  if (access("/dev/full", W_OK) == 0) {
    Output full = shell("sh -c '" SMELT_TOOL " inspect " + decoder.path() +
                        " > /dev/full'");
    EXPECT_EQ(full.code, 1);
    EXPECT_NE(full.err.find("cannot write to standard output"),
              std::string::npos);
  }
}

TEST(Tool, HelpHasExamples) {
  for (const char *command : {"run", "embed", "bench", "inspect", "logits",
                              "generate-ids", "tokenize"}) {
    Output run = smeltTool(std::string(command) + " --help");
    EXPECT_EQ(run.code, 0);
    EXPECT_NE(run.out.find(std::string("  smelt ") + command + " model.ingot"),
              std::string::npos)
        << run.out;
  }
  EXPECT_EQ(smeltTool("--version").out, "smelt " SMELT_VERSION "\n");
}

TEST(Library, ExportsWhatIsListed) {
  std::set<std::string> listed, found;
  std::istringstream list(toy::readFile(SMELT_EXPORTS));
  for (std::string line; std::getline(list, line);)
    if (!line.empty() && line[0] != '#')
      listed.insert(line);
  Output run =
      shell(SMELT_NM " -D --defined-only --format=posix " SMELT_SHARED);
  ASSERT_EQ(run.code, 0) << run.err;
  std::istringstream symbols(run.out);
  for (std::string line; std::getline(symbols, line);)
    found.insert(line.substr(0, line.find(' ')));
  EXPECT_EQ(found, listed);
}

#ifndef SMELT_IS_SANITIZED
/// The example builds outside of the tree with find_package, with pkg-config,
/// and with the static library.
TEST(Library, InstalledPackageServesTheExample) {
  toy::TempFile model(ingot(toy::decoderManifest(), true)), name;
  const std::string folder = name.path() + ".d", prefix = folder + "/prefix",
                    source = SMELT_EXAMPLE "/stream.c ";
  const std::string cc = SMELT_CC " -I" + prefix + "/include " + source;
  const std::string find = "$(PKG_CONFIG_PATH=$(dirname $(find " + prefix +
                           " -name smelt.pc)) pkg-config --cflags --libs ";
  for (const std::string &command : {
           SMELT_CMAKE " --install " SMELT_BUILD
                       " --component runtime --prefix " +
               prefix,
           SMELT_CMAKE " -G '" SMELT_GENERATOR "' -S " SMELT_EXAMPLE " -B " +
               folder +
               "/build -DCMAKE_C_COMPILER=" SMELT_CC " -DCMAKE_PREFIX_PATH=" +
               prefix,
           SMELT_CMAKE " --build " + folder + "/build",
           cc + "-o " + folder + "/shared " + find + "smelt) -Wl,-rpath," +
               prefix + "/lib",
           cc + "-o " + folder + "/static $(find " + prefix +
               " -name 'libsmelt.a') $(find " + prefix +
               " -name 'libSmeltTokenizer.a') " + find +
               "--static smelt | sed 's/-lsmelt //;s/-lSmeltTokenizer//')",
       }) {
    Output run = shell(command);
    ASSERT_EQ(run.code, 0) << command << '\n' << run.out << run.err;
  }
  std::string expected = shell(SMELT_STREAM " " + model.path() + " x 3").out;
  EXPECT_NE(expected, "");
  for (const char *program : {"/build/smelt-stream", "/shared", "/static"})
    EXPECT_EQ(shell(folder + program + " " + model.path() + " x 3").out,
              expected)
        << program;
  std::filesystem::remove_all(folder);
}
#endif
