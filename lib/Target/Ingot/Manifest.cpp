//===- Manifest.cpp - What an ingot says of itself --------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// docs/Ingot.md describes every field. Most are attributes of the module that
// the stages have left there, written down as JSON.
//
//===----------------------------------------------------------------------===//
#include "Manifest.h"

#include "smelt/Dialect/LLM/IR/LLM.h"
#include "smelt/abi.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/TypeSwitch.h"
#include <nlohmann/json.hpp>

#include <algorithm>

using namespace mlir;
using namespace smelt;
using Json = nlohmann::ordered_json;

/// An attribute as the value it stands for.
static Json toJson(Attribute attribute) {
  return ::llvm::TypeSwitch<Attribute, Json>(attribute)
      .Case([](BoolAttr value) { return Json(value.getValue()); })
      .Case([](IntegerAttr value) { return Json(value.getInt()); })
      .Case([](FloatAttr value) { return Json(value.getValueAsDouble()); })
      .Case([](StringAttr value) { return Json(value.getValue().str()); })
      .Case([](ArrayAttr value) {
        Json array = Json::array();
        for (Attribute element : value)
          array.push_back(toJson(element));
        return array;
      })
      .Case([](DenseI64ArrayAttr value) {
        return Json(value.asArrayRef().vec());
      })
      .Case([](DictionaryAttr value) {
        Json object = Json::object();
        for (NamedAttribute member : value)
          object[member.getName().str()] = toJson(member.getValue());
        return object;
      })
      .Default([](Attribute) { return Json(); });
}

static std::string layoutText(llm::LayoutAttr layout) {
  if (layout.getKind() == "rows")
    return "rows";
  return layout.getKind().str() + "<n = " + std::to_string(layout.getN()) +
         ", k = " + std::to_string(layout.getK()) + ">";
}

/// The module's rules, as --quantize takes them.
static Json quantizationOf(ModuleOp module) {
  Json rules = Json::array();
  if (auto quantize = module->getAttrOfType<ArrayAttr>("llm.quantize"))
    for (auto rule : quantize.getAsRange<llm::QuantizeAttr>())
      rules.push_back(rule.getPattern().str() + "=" + rule.getScheme().str());
  return rules;
}

static Json paramsOf(ModuleOp module) {
  Json params = Json::array();
  for (auto param : module.getOps<llm::ParamOp>())
    params.push_back({{"name", param.getSymName().str()},
                      {"sources", param.getInstanceCount()},
                      {"offset", *param.getOffset()},
                      {"stride", *param.getStride()},
                      {"bytes", param.getStoredBytes()},
                      {"shape", param.getParamType().getShape().vec()},
                      {"format", param.getFormat()->getName().str()},
                      {"layout", layoutText(*param.getLayout())}});
  return params;
}

static Json sectionsOf(const std::vector<WrittenSection> &sections) {
  Json result = Json::array();
  for (const WrittenSection &section : sections) {
    char hash[17];
    std::snprintf(hash, sizeof(hash), "%016llx",
                  static_cast<unsigned long long>(section.hash));
    result.push_back({{"name", section.name},
                      {"offset", section.offset},
                      {"size", section.size},
                      {"hash", hash}});
  }
  return result;
}

/// What the manifest says of a version of the code, but for its arena.
static Json targetOf(const TargetRecord &target) {
  Json features = Json::array();
  for (StringRef feature : target.runtimeFeatureList())
    features.push_back(feature.str());
  return {{"triple", target.triple.str()},
          {"cpu", target.cpu.str()},
          {"isa", target.name.str()},
          {"features", features}};
}

/// The versions behind the first.
static Json furtherVersions(ArrayRef<IngotCode> versions) {
  Json result = Json::array();
  for (const IngotCode &version : versions.drop_front()) {
    result.push_back(targetOf(*version.target));
    result.back()["arena"] = toJson(version.memory);
  }
  return result;
}

bool smelt::makeManifest(ModuleOp module, ArrayRef<IngotCode> versions,
                         const IngotOptions &options,
                         const std::vector<WrittenSection> &sections,
                         std::string &json, std::string &error) {
  Json attributes = Json::object();
  for (StringRef name : {"llm.model", "llm.interface"}) {
    auto attribute = module->getAttrOfType<DictionaryAttr>(name);
    if (!attribute) {
      error = "expects module attribute " + name.str() +
              " to write the manifest; did all stages run?";
      return false;
    }
    attributes[name.str()] = toJson(attribute);
  }
  for (const IngotCode &version : versions)
    if (!version.memory) {
      error = "expects module attribute llm.memory to write the manifest; did "
              "all stages run?";
      return false;
    }
  Json model = attributes["llm.model"],
       &interface = attributes["llm.interface"];
  Json generation = Json::object(), embedding = Json::object();
  for (auto [key, part] : {std::pair{"generation", &generation},
                           std::pair{"embedding", &embedding}})
    if (model.contains(key)) {
      *part = model[key];
      model.erase(key);
    }
  if (options.context) {
    if (model.contains("context") && options.context > model["context"]) {
      error = "expects a context of at most " + model["context"].dump() +
              " positions, what the model was made for, got " +
              std::to_string(options.context);
      return false;
    }
    model["context"] = options.context;
  }
  // An encoder's text is one step: rows attend to all others.
  int64_t maxStepTokens = options.maxStepTokens;
  if (model.value("kind", "") == "encoder" && model.contains("context"))
    maxStepTokens = std::max(maxStepTokens, model["context"].get<int64_t>());
  Json dtype = model.contains("dtype") ? model["dtype"] : Json();
  Json cost = {{"weight_bytes", 0}};
  for (const char *name :
       {"step_bytes", "flops_per_token", "flops_per_row", "arithmetic"})
    cost[name] = interface[name];
  if (auto barriers = module->getAttrOfType<IntegerAttr>("llm.barriers"))
    cost["barriers"] = barriers.getInt();
  for (const WrittenSection &section : sections)
    if (section.name == "weights")
      cost["weight_bytes"] = section.size;

  // Who doesn't know how to take a profile refuses its input.
  Json inputs = interface["inputs"], profile = Json::object();
  if (auto ops = module->getAttrOfType<ArrayAttr>("llm.ops")) {
    inputs.push_back("profile");
    profile["ops"] = toJson(ops);
  }
  Json manifest = {{"format", SMELT_FORMAT_VERSION},
                   {"producer", "smelt " SMELT_VERSION},
                   {"model", model},
                   {"target", targetOf(*versions.front().target)},
                   {"options",
                    {{"dtype", dtype},
                     {"quantize", quantizationOf(module)},
                     {"max-step-tokens", maxStepTokens}}},
                   {"inputs", inputs},
                   {"outputs", interface["outputs"]},
                   {"memory",
                    {{"arena", toJson(versions.front().memory)},
                     {"kv", {{"block_bytes", interface["kv_block_bytes"]}}},
                     {"max_step_tokens", maxStepTokens}}},
                   {"cost", cost},
                   {"generation", generation},
                   {"embedding", embedding},
                   {"params", paramsOf(module)},
                   {"sections", sectionsOf(sections)}};
  if (!profile.empty())
    manifest["profile"] = profile;
  if (versions.size() > 1)
    manifest["versions"] = furtherVersions(versions);
  json = manifest.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  return true;
}
