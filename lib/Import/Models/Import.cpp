//===- Import.cpp - A checkpoint becomes llm ops ----------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What every family has in common: choosing the family by the architecture that
// config.json names, the compute type, the module's attributes, and a last
// verification.
//
//===----------------------------------------------------------------------===//
#include "smelt/Import/Models/Import.h"

#include "Generation.h"
#include "StepBuilder.h"

#include "smelt/Import/Formats/Json.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace smelt;
using nlohmann::json;

static const Family *const kFamilies[] = {&kLlama, &kMistral, &kQwen2, &kBert};

/// Of every family.
static const Restriction kRestrictions[] = {
    {"quantization_config", {"null"}},
    {"is_encoder_decoder", {"false", "null"}},
    {"add_cross_attention", {"false", "null"}},
};

static const Family *chooseFamily(const Config &config, std::string &error) {
  std::string expected;
  const json &architectures = config.raw("architectures");
  for (const Family *family : kFamilies)
    for (const char *name : family->architectures) {
      if (architectures == json::array({name}))
        return family;
      expected += (expected.empty() ? "one of [\"" : ", [\"") +
                  std::string(name) + "\"]";
    }
  config.fail(error, "architectures", expected);
  return nullptr;
}

/// The type asked for, or that of config.json, or that of the first tensor.
static std::optional<ComputeType> chooseCompute(const ImportOptions &options,
                                                const Config &config,
                                                const NamedTensor &firstTensor,
                                                std::string &error) {
  if (options.dtype)
    return options.dtype;
  for (StringRef field : {"dtype", "torch_dtype"}) {
    const json &value = config.raw(field);
    if (value.is_null())
      continue;
    std::string text = value.is_string() ? value.get<std::string>() : "";
    StringRef name(text);
    name.consume_front("torch.");
    auto type = llvm::StringSwitch<std::optional<ComputeType>>(name)
                    .Case("bfloat16", ComputeType::BF16)
                    .Cases({"float32", "float16"}, ComputeType::F32)
                    .Default(std::nullopt);
    if (!type)
      config.fail(error, field, "float32, float16 or bfloat16");
    return type;
  }
  return firstTensor.type == ElementType::BF16 ? ComputeType::BF16
                                               : ComputeType::F32;
}

/// The last component of the folder's real path, as UTF-8: it goes into JSON.
static std::string modelName(const std::string &directory) {
  SmallString<256> real;
  if (llvm::sys::fs::real_path(directory, real))
    real = directory;
  return llvm::json::fixUTF8(llvm::sys::path::filename(real));
}

/// The model card of the manifest, without what only some kinds have.
static NamedAttrList modelCard(Builder &builder, const Family &family,
                               const Config &config, StringRef name,
                               ComputeType compute) {
  bool isDecoder = family.kind == ModelKind::Decoder;
  auto integer = [&](StringRef field) {
    return builder.getI64IntegerAttr(config.integer(field));
  };
  NamedAttrList card;
  card.append("name", builder.getStringAttr(name));
  card.append("family", builder.getStringAttr(family.name));
  card.append("kind", builder.getStringAttr(isDecoder ? "decoder" : "encoder"));
  card.append("vocabulary", integer("vocab_size"));
  card.append("hidden", integer("hidden_size"));
  card.append("layers", integer("num_hidden_layers"));
  card.append("context", integer("max_position_embeddings"));
  if (config.has("type_vocab_size"))
    card.append("token_types", integer("type_vocab_size"));
  card.append("dtype", builder.getStringAttr(
                           compute == ComputeType::BF16 ? "bf16" : "f32"));
  return card;
}

/// Reads what decoders or encoders have beside config.json, for the model card
/// and the step.
static bool readKindFiles(MLIRContext &context, const std::string &folder,
                          const Family &family, const Config &config,
                          NamedAttrList &card, std::optional<Pooling> &pooling,
                          std::string &error) {
  if (family.kind == ModelKind::Decoder) {
    DictionaryAttr generation = readGeneration(context, folder, config, error);
    if (generation)
      card.append("generation", generation);
    return static_cast<bool>(generation);
  }
  int64_t maxLength;
  if (!readSentenceTransformers(folder, config, pooling, maxLength, error))
    return false;
  Builder builder(&context);
  card.append("embedding",
              builder.getDictionaryAttr(builder.getNamedAttr(
                  "max_length", builder.getI64IntegerAttr(maxLength))));
  return true;
}

/// Runs the verifier, with its messages in a string instead of on the screen.
static bool verifies(ModuleOp module, std::string &messages) {
  ScopedDiagnosticHandler handler(
      module.getContext(), [&](Diagnostic &diagnostic) {
        messages += (messages.empty() ? "" : "; ") + diagnostic.str();
        return success();
      });
  return succeeded(verify(module));
}

OwningOpRef<ModuleOp> smelt::importCheckpoint(MLIRContext &context,
                                              StringRef directory,
                                              const ImportOptions &options,
                                              std::string &error) {
  std::string folder = directory.str();
  std::optional<Config> config = Config::read(folder + "/config.json", error);
  if (!config)
    return {};
  const Family *family = chooseFamily(*config, error);
  if (!family || !config->check(kRestrictions, error) ||
      !config->check(family->restrictions, error) ||
      !config->check(family->fields, error) || !family->derive(*config, error))
    return {};

  std::unique_ptr<Checkpoint> checkpoint = Checkpoint::open(folder, error);
  if (!checkpoint)
    return {};
  std::vector<FoundTensor> tensors;
  if (!findTensors(*family, *config, *checkpoint, tensors, error)) {
    error = "'" + folder + "': " + error;
    return {};
  }
  std::optional<ComputeType> compute =
      chooseCompute(options, *config, *tensors.front().entry.tensor, error);
  if (!compute)
    return {};

  context
      .loadDialect<llm::LLMDialect, func::FuncDialect, arith::ArithDialect>();
  Builder builder(&context);
  Type computeType = *compute == ComputeType::BF16 ? Type(builder.getBF16Type())
                                                   : Type(builder.getF32Type());
  NamedAttrList card =
      modelCard(builder, *family, *config, modelName(folder), *compute);
  std::string cache = options.cache;
  if (cache.empty())
    cache = *compute == ComputeType::BF16 ? "bf16" : "f32";
  if (family->kind == ModelKind::Decoder)
    card.append("kv_cache", builder.getStringAttr(cache));
  std::optional<Pooling> pooling;
  if (!readKindFiles(context, folder, *family, *config, card, pooling, error))
    return {};

  OwningOpRef<ModuleOp> module = ModuleOp::create(builder.getUnknownLoc());
  (*module)->setAttr("llm.stage", builder.getStringAttr("import"));
  (*module)->setAttr("llm.checkpoint", builder.getStringAttr(directory));
  (*module)->setAttr("llm.compute", TypeAttr::get(computeType));
  (*module)->setAttr("llm.model", card.getDictionary(&context));

  StepBuilder step(*module, *config, computeType, cache, pooling);
  for (const FoundTensor &tensor : tensors)
    step.addParam(tensor);
  step.begin();
  family->emit(step);
  step.finish();

  std::string messages;
  if (!verifies(*module, messages)) {
    error = "'" + folder + "': the imported module is invalid: " + messages;
    return {};
  }
  return module;
}
