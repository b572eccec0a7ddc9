//===- Manifest.cpp - Reads an ingot's manifest ---------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// JSON to struct. A `Reader` walks one JSON object; it keeps the first error it
// meets with the path of the field, and returns harmless values after it, so
// that reading needs no branch per field. Unknown fields are ignored: a newer
// compiler may say more about a model that this runtime can run.
//
//===----------------------------------------------------------------------===//
#include "Manifest.h"

#include "smelt/abi.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

using namespace smelt;
using Json = nlohmann::json;

/// Caps that no sensible model reaches; they bound memory before it is taken.
static constexpr int64_t maxCount = int64_t(1) << 20;     // array elements
static constexpr int64_t maxDimension = int64_t(1) << 28; // width of a row
static constexpr int64_t maxBytes = int64_t(1) << 50;
static constexpr size_t maxSections = 64;
static constexpr size_t maxVersions = 32;
static constexpr size_t maxString = 4096;

namespace {
class Reader {
public:
  Reader(const Json &object, std::string path, std::string &error)
      : object(object), path(std::move(path)), error(error) {}

  /// The member, or null where there is none or an error stands already.
  const Json *find(const char *key) const {
    if (!error.empty() || !object.is_object())
      return nullptr;
    auto it = object.find(key);
    return it == object.end() || it->is_null() ? nullptr : &*it;
  }

  const Json *require(const char *key) const {
    const Json *value = find(key);
    if (!value)
      fail(key, "is missing");
    return value;
  }

  void fail(const char *key, const std::string &what) const {
    if (error.empty())
      error = "manifest field '" + path + key + "' " + what;
  }

  int64_t toInteger(const char *key, const Json &value, int64_t low,
                    int64_t high) const {
    bool fits = value.is_number_integer() &&
                (!value.is_number_unsigned() ||
                 value.get<uint64_t>() <=
                     uint64_t(std::numeric_limits<int64_t>::max()));
    if (fits && value.get<int64_t>() >= low && value.get<int64_t>() <= high)
      return value.get<int64_t>();
    std::string found = value.is_number() ? value.dump() : value.type_name();
    fail(key, "expects an integer from " + std::to_string(low) + " to " +
                  std::to_string(high) + ", found " + found);
    return low;
  }

  int64_t integer(const char *key, int64_t low, int64_t high) const {
    const Json *value = require(key);
    return value ? toInteger(key, *value, low, high) : low;
  }

  int64_t integer(const char *key, int64_t low, int64_t high,
                  int64_t fallback) const {
    const Json *value = find(key);
    return value ? toInteger(key, *value, low, high) : fallback;
  }

  std::optional<double> real(const char *key, double low, double high) const {
    const Json *value = find(key);
    if (!value)
      return std::nullopt;
    if (value->is_number()) {
      double number = value->get<double>();
      if (number >= low && number <= high)
        return number;
    }
    fail(key, "expects a number from " + std::to_string(low) + " to " +
                  std::to_string(high));
    return std::nullopt;
  }

  std::string toText(const char *key, const Json &value) const {
    if (value.is_string()) {
      const std::string &text = value.get_ref<const std::string &>();
      if (text.size() <= maxString)
        return text;
      fail(key, "is a string of " + std::to_string(text.size()) +
                    " bytes, expected at most " + std::to_string(maxString));
      return "";
    }
    fail(key, std::string("expects a string, found ") + value.type_name());
    return "";
  }

  std::string text(const char *key) const {
    const Json *value = require(key);
    return value ? toText(key, *value) : "";
  }

  std::string text(const char *key, const char *fallback) const {
    const Json *value = find(key);
    return value ? toText(key, *value) : fallback;
  }

  /// The elements of an array; an absent one is empty.
  const Json &array(const char *key, size_t most = maxCount) const {
    static const Json none = Json::array();
    const Json *value = find(key);
    if (!value)
      return none;
    if (!value->is_array())
      fail(key, std::string("expects an array, found ") + value->type_name());
    else if (value->size() > most)
      fail(key, "has " + std::to_string(value->size()) +
                    " elements, expected at most " + std::to_string(most));
    else
      return *value;
    return none;
  }

  std::vector<std::string> texts(const char *key) const {
    std::vector<std::string> result;
    for (const Json &value : array(key))
      result.push_back(toText(key, value));
    return result;
  }

  std::vector<int64_t> integers(const char *key, int64_t low,
                                int64_t high) const {
    std::vector<int64_t> result;
    for (const Json &value : array(key))
      result.push_back(toInteger(key, value, low, high));
    return result;
  }

  Reader member(const char *key) const {
    static const Json none = Json::object();
    const Json *value = require(key);
    if (value && !value->is_object())
      fail(key, std::string("expects an object, found ") + value->type_name());
    return Reader(value ? *value : none, path + key + ".", error);
  }

  /// Like `member`, but an absent object is an empty one.
  Reader optionalMember(const char *key) const {
    static const Json none = Json::object();
    return find(key) ? member(key) : Reader(none, path + key + ".", error);
  }

  /// Calls `read` with a reader of each object of an array.
  template <typename F>
  void forEach(const char *key, size_t most, F read) const {
    size_t index = 0;
    for (const Json &value : array(key, most)) {
      std::string place =
          std::string(key) + "[" + std::to_string(index++) + "]";
      if (!value.is_object())
        fail(place.c_str(), "expects an object");
      if (!error.empty())
        return;
      read(Reader(value, path + place + ".", error));
    }
  }

private:
  const Json &object;
  std::string path;
  std::string &error;
};
} // namespace

static void readModel(const Reader &reader, Manifest &manifest) {
  manifest.modelName = reader.text("name", "");
  manifest.family = reader.text("family", "");
  std::string kind = reader.text("kind");
  manifest.kind = kind == "encoder" ? ModelKind::Encoder : ModelKind::Decoder;
  if (kind != "encoder" && kind != "decoder")
    reader.fail("kind", "expects 'decoder' or 'encoder', found '" + kind + "'");
  manifest.vocabulary = reader.integer("vocabulary", 1, maxDimension);
  manifest.hidden = reader.integer("hidden", 1, maxDimension);
  manifest.layers = reader.integer("layers", 0, maxCount);
  manifest.context = reader.integer("context", 1, int64_t(1) << 30);
  manifest.tokenTypes = reader.integer("token_types", 1, maxDimension, 0);
  manifest.dtype = reader.text("dtype", "");
}

static void readOutput(const Reader &reader, Manifest &manifest) {
  OutputInfo output;
  output.name = reader.text("name");
  std::string rows = reader.text("rows");
  output.perSequence = rows == "sequences";
  if (rows != "rows" && rows != "sequences")
    reader.fail("rows", "expects 'rows' or 'sequences', found '" + rows + "'");
  output.width = reader.integer("width", 1, maxDimension);
  if (manifest.findOutput(output.name) >= 0)
    reader.fail("name", "repeats '" + output.name + "'");
  manifest.outputs.push_back(std::move(output));
}

static void readParam(const Reader &reader, Manifest &manifest) {
  ParamInfo param;
  param.name = reader.text("name");
  param.sources = reader.integer("sources", 1, maxCount, 1);
  param.offset = reader.integer("offset", 0, maxBytes);
  param.stride = reader.integer("stride", 0, maxBytes, 0);
  param.bytes = reader.integer("bytes", 0, maxBytes);
  param.shape = reader.integers("shape", 0, maxBytes);
  param.format = reader.text("format", "");
  param.layout = reader.text("layout", "");
  manifest.params.push_back(std::move(param));
}

static void readVersion(const Reader &reader, const Reader &arena,
                        Manifest &manifest) {
  CodeVersion version;
  version.triple = reader.text("triple");
  version.cpu = reader.text("cpu", "");
  version.isa = reader.text("isa");
  version.features = reader.texts("features");
  version.arena.bytes = arena.integer("bytes", 0, maxBytes, 0);
  version.arena.perToken = arena.integer("per_token", 0, maxBytes, 0);
  version.arena.perThread = arena.integer("per_thread", 0, maxBytes, 0);
  version.arena.perTokenThread =
      arena.integer("per_token_thread", 0, maxBytes, 0);
  for (const CodeVersion &other : manifest.versions)
    if (other.isa == version.isa)
      reader.fail("isa", "repeats '" + version.isa + "'");
  manifest.versions.push_back(std::move(version));
}

static void readSection(const Reader &reader, Manifest &manifest) {
  SectionInfo section;
  section.name = reader.text("name");
  section.offset = reader.integer("offset", 0, maxBytes);
  section.size = reader.integer("size", 1, maxBytes);
  std::string hash = reader.text("hash");
  bool isHash = hash.size() == 16;
  for (char c : hash) {
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                       : -1;
    isHash &= digit >= 0;
    section.hash = section.hash << 4 | (digit & 15);
  }
  if (!isHash)
    reader.fail("hash", "expects 16 lower-case hexadecimal digits, found '" +
                            hash + "'");
  if (manifest.findSection(section.name))
    reader.fail("name", "repeats '" + section.name + "'");
  manifest.sections.push_back(std::move(section));
}

static StepCost readCost(const Reader &reader) {
  StepCost cost;
  cost.fixed = reader.integer("fixed", 0, maxBytes, 0);
  cost.perToken = reader.integer("per_token", 0, maxBytes, 0);
  cost.perRow = reader.integer("per_row", 0, maxBytes, 0);
  cost.perSequence = reader.integer("per_sequence", 0, maxBytes, 0);
  cost.perPosition = reader.integer("per_position", 0, maxBytes, 0);
  cost.perPair = reader.integer("per_pair", 0, maxBytes, 0);
  return cost;
}

static void readOp(const Reader &reader, Manifest &manifest) {
  OpInfo op;
  op.name = reader.text("name");
  op.kind = reader.text("kind");
  if (reader.find("fused"))
    op.fused = reader.texts("fused");
  op.runs = reader.integer("runs", 0, maxCount);
  op.bytes = readCost(reader.optionalMember("bytes"));
  op.operations = readCost(reader.optionalMember("operations"));
  op.arithmetic = reader.text("arithmetic", "f32");
  op.window = reader.integer("window", 0, maxCount, 0);
  manifest.profileRecords += op.runs;
  if (manifest.profileRecords > maxCount)
    reader.fail("runs", "expects at most " + std::to_string(maxCount) +
                            " records in a step");
  manifest.ops.push_back(std::move(op));
}

static void readGeneration(const Reader &reader, Manifest &manifest) {
  GenerationDefaults &generation = manifest.generation;
  if (reader.find("bos"))
    generation.bos = reader.integer("bos", 0, manifest.vocabulary - 1);
  generation.eos = reader.integers("eos", 0, manifest.vocabulary - 1);
  generation.temperature = reader.real("temperature", 0, 1e6);
  if (reader.find("top_k"))
    generation.topK = reader.integer("top_k", 0, maxDimension);
  generation.topP = reader.real("top_p", 0, 1);
  generation.minP = reader.real("min_p", 0, 1);
  generation.repetitionPenalty = reader.real("repetition_penalty", 1e-6, 1e6);
}

/// Demands that hold between fields.
static void checkWhole(const Reader &reader, const Manifest &manifest) {
  static const char *const known[] = {
      "ids",  "positions",  "types",    "slots",       "seq_begin", "seq_end",
      "rows", "pool_begin", "pool_end", "block_table", "profile"};
  for (const std::string &input : manifest.inputs)
    if (std::find(std::begin(known), std::end(known), input) == std::end(known))
      reader.fail("inputs", "has '" + input +
                                "', which this runtime does not know; use a "
                                "newer runtime");
  for (const CodeVersion &version : manifest.versions)
    if (!manifest.findSection("code/" + version.isa))
      reader.fail("sections", "has no section 'code/" + version.isa +
                                  "' for a version of that name");
  if (manifest.takesInput("types") && manifest.tokenTypes == 0)
    reader.fail("model.token_types", "is missing, and 'inputs' has 'types'");
  if (manifest.takesInput("profile") && manifest.ops.empty())
    reader.fail("profile.ops", "is missing, and 'inputs' has 'profile'");
  bool isDecoder = manifest.kind == ModelKind::Decoder;
  if (isDecoder && manifest.kvBlockBytes == 0)
    reader.fail("memory.kv.block_bytes", "expects more than 0 for a decoder");
  const char *mainOutput = isDecoder ? "logits" : "last_hidden_state";
  int main = manifest.findOutput(mainOutput);
  if (main < 0 || manifest.outputs[main].perSequence)
    reader.fail("outputs",
                std::string("expects '") + mainOutput + "' with rows 'rows'");
  if (isDecoder && main >= 0 &&
      manifest.outputs[main].width != manifest.vocabulary)
    reader.fail("outputs", "expects 'logits' of width " +
                               std::to_string(manifest.vocabulary) +
                               ", found " +
                               std::to_string(manifest.outputs[main].width));
}

bool Manifest::parse(const char *text, size_t size, Manifest &manifest,
                     std::string &error) {
  manifest = Manifest();
  Json root = Json::parse(text, text + size, nullptr, false);
  if (root.is_discarded() || !root.is_object()) {
    error = "the manifest is not a JSON object";
    return false;
  }
  error.clear();
  Reader reader(root, "", error);
  int64_t format = reader.integer("format", 0, INT32_MAX);
  if (error.empty() && format != SMELT_FORMAT_VERSION)
    reader.fail("format", "is " + std::to_string(format) +
                              ", this runtime reads " +
                              std::to_string(SMELT_FORMAT_VERSION) +
                              "; compile the model again");
  manifest.producer = reader.text("producer", "");
  readModel(reader.member("model"), manifest);

  Reader memory = reader.member("memory");
  readVersion(reader.member("target"), memory.member("arena"), manifest);
  reader.forEach("versions", maxVersions, [&](const Reader &item) {
    readVersion(item, item.member("arena"), manifest);
  });

  manifest.inputs = reader.texts("inputs");
  reader.forEach("outputs", SMELT_MAX_OUTPUTS,
                 [&](const Reader &item) { readOutput(item, manifest); });

  manifest.kvBlockBytes =
      memory.optionalMember("kv").integer("block_bytes", 0, maxBytes, 0);
  manifest.maxStepTokens = memory.integer("max_step_tokens", 1, maxCount);

  Reader cost = reader.optionalMember("cost");
  manifest.weightBytes = cost.integer("weight_bytes", 0, maxBytes, 0);
  manifest.stepBytes = cost.integer("step_bytes", 0, maxBytes, 0);
  manifest.flopsPerToken = cost.integer("flops_per_token", 0, maxBytes, 0);
  manifest.flopsPerRow = cost.integer("flops_per_row", 0, maxBytes, 0);
  manifest.barriers = cost.integer("barriers", 0, maxBytes, 0);
  manifest.arithmetic = cost.text("arithmetic", "f32");

  if (manifest.takesInput("profile"))
    reader.member("profile").forEach(
        "ops", maxCount, [&](const Reader &item) { readOp(item, manifest); });

  readGeneration(reader.optionalMember("generation"), manifest);
  manifest.embeddingMaxLength =
      reader.optionalMember("embedding").integer("max_length", 0, maxBytes, 0);
  reader.forEach("params", maxCount,
                 [&](const Reader &item) { readParam(item, manifest); });
  reader.forEach("sections", maxSections,
                 [&](const Reader &item) { readSection(item, manifest); });
  if (error.empty())
    checkWhole(reader, manifest);
  return error.empty();
}

std::optional<int64_t> LinearBytes::evaluate(int64_t tokens,
                                             int64_t threads) const {
  __int128 total = __int128(bytes) + __int128(perToken) * tokens +
                   __int128(perThread) * threads +
                   __int128(perTokenThread) * tokens * threads;
  if (total < 0 || total > (__int128(1) << 62))
    return std::nullopt;
  return int64_t(total);
}

double StepCost::evaluate(const StepCounts &counts) const {
  return fixed + perToken * counts.tokens + perRow * counts.rows +
         perSequence * counts.sequences + perPosition * counts.positions +
         perPair * counts.pairs;
}

const SectionInfo *Manifest::findSection(const std::string &name) const {
  for (const SectionInfo &section : sections)
    if (section.name == name)
      return &section;
  return nullptr;
}

int Manifest::findOutput(const std::string &name) const {
  for (size_t i = 0; i < outputs.size(); ++i)
    if (outputs[i].name == name)
      return int(i);
  return -1;
}

bool Manifest::takesInput(const std::string &name) const {
  return std::find(inputs.begin(), inputs.end(), name) != inputs.end();
}
