//===- Rope.cpp - Rotary positions of config.json ---------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Rope.h"

using namespace mlir;
using namespace smelt;

static constexpr double kDefaultBase = 10000;

static constexpr Field kBase[] = {
    {"rope_theta", FieldKind::Number, "null", 1e-3, 1e15},
};
static constexpr Field kTypes[] = {
    {"type", FieldKind::Text, "null"},
    {"rope_type", FieldKind::Text, "null"},
};
static const Restriction kRestrictions[] = {
    {"partial_rotary_factor", {"1", "null"}},
};

static constexpr Field kLinear[] = {
    {"factor", FieldKind::Number, nullptr, 1e-6, 1e6},
};
static constexpr Field kLlama3[] = {
    {"factor", FieldKind::Number, nullptr, 1e-6, 1e6},
    {"low_freq_factor", FieldKind::Number, nullptr, 1e-6, 1e6},
    {"high_freq_factor", FieldKind::Number, nullptr, 1e-6, 1e6},
    {"original_max_position_embeddings", FieldKind::Integer, nullptr, 1,
     1 << 30},
};

namespace {
/// A value of "rope_type" and the fields that go with it.
struct ScalingRecord {
  StringRef type;
  ArrayRef<Field> fields;
};
} // namespace

static const ScalingRecord kScalings[] = {
    {"default", {}},
    {"linear", kLinear},
    {"llama3", kLlama3},
};

static const ScalingRecord *findScaling(StringRef type) {
  for (const ScalingRecord &record : kScalings)
    if (record.type == type)
      return &record;
  return nullptr;
}

/// The field of config.json that holds the dictionary; empty if none does.
static StringRef dictionary(const Config &config) {
  for (StringRef name : {"rope_scaling", "rope_parameters"})
    if (config.isPresent(name))
      return name;
  return "";
}

static std::string inDictionary(const Config &config, StringRef name) {
  return (dictionary(config) + "." + name).str();
}

/// The type of scaling in a checked config.
static StringRef scalingType(const Config &config) {
  for (StringRef name : {"rope_type", "type"})
    if (config.has(inDictionary(config, name)))
      return config.text(inDictionary(config, name));
  return "default";
}

bool smelt::checkRope(Config &config, std::string &error) {
  if (!config.check(kBase, error))
    return false;
  StringRef parent = dictionary(config);
  if (parent.empty())
    return true;
  if (config.isPresent("rope_scaling") && config.isPresent("rope_parameters") &&
      config.raw("rope_scaling") != config.raw("rope_parameters"))
    return config.fail(error, "rope_parameters",
                       "either it or rope_scaling, or the same in both");
  if (!config.check(kTypes, error, parent) ||
      !config.check(kBase, error, parent) ||
      !config.check(kRestrictions, error, parent))
    return false;

  std::string type = inDictionary(config, "type");
  std::string ropeType = inDictionary(config, "rope_type");
  if (config.has(type) && config.has(ropeType) &&
      config.text(type) != config.text(ropeType))
    return config.fail(error, ropeType,
                       ("\"" + config.text(type) + "\" as in type").str(),
                       ("\"" + config.text(ropeType) + "\"").str());
  // A dictionary without a type may hold the base, and nothing else.
  const auto &given = config.raw(parent);
  bool isTyped = config.has(type) || config.has(ropeType);
  const ScalingRecord *record = findScaling(scalingType(config));
  if (!record || (!isTyped && given.size() > given.count("rope_theta"))) {
    std::string expected;
    for (const ScalingRecord &known : kScalings)
      expected += (expected.empty() ? "one of " : ", ") + known.type.str();
    return config.fail(
        error, config.has(type) && !config.has(ropeType) ? type : ropeType,
        expected,
        isTyped ? ("\"" + scalingType(config) + "\"").str() : "no such field");
  }
  if (!config.check(record->fields, error, parent))
    return false;
  std::string base = inDictionary(config, "rope_theta");
  if (config.has("rope_theta") && config.has(base) &&
      config.number("rope_theta") != config.number(base))
    return config.fail(error, "rope_theta", "the value of " + base);
  if (record->type == "llama3") {
    std::string high = inDictionary(config, "high_freq_factor");
    std::string low = inDictionary(config, "low_freq_factor");
    if (config.number(high) <= config.number(low))
      return config.fail(error, high, "a number above low_freq_factor",
                         std::to_string(config.number(high)));
  }
  return true;
}

Value smelt::emitRope(StepBuilder &step, Value x, Value positions,
                      int64_t heads) {
  const Config &config = step.config;
  OpBuilder &builder = step.builder;
  double base = kDefaultBase;
  for (const std::string &name :
       {std::string("rope_theta"), inDictionary(config, "rope_theta")})
    if (config.has(name))
      base = config.number(name);

  DictionaryAttr scaling;
  const ScalingRecord *record = findScaling(scalingType(config));
  if (!record->fields.empty()) {
    NamedAttrList attributes;
    attributes.append("type", builder.getStringAttr(record->type));
    for (const Field &field : record->fields)
      attributes.append(field.name, builder.getF64FloatAttr(config.number(
                                        inDictionary(config, field.name))));
    scaling = attributes.getDictionary(builder.getContext());
  }
  return step.emit<llm::RopeOp>(x, positions, builder.getI64IntegerAttr(heads),
                                builder.getF64FloatAttr(base), scaling);
}
