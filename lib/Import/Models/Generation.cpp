//===- Generation.cpp - Special ids and sampling defaults -------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Generation.h"

#include "mlir/IR/Builders.h"
#include "llvm/Support/FileSystem.h"

using namespace mlir;
using namespace smelt;
using nlohmann::json;

static constexpr size_t kMaxEndIds = 1024;

/// Fields that go into the manifest under their own names.
static constexpr Field kSampling[] = {
    {"do_sample", FieldKind::Flag, "null"},
    {"temperature", FieldKind::Number, "null", 0, 1e6},
    {"top_k", FieldKind::Integer, "null", 0, 1 << 24},
    {"top_p", FieldKind::Number, "null", 0, 1},
    {"min_p", FieldKind::Number, "null", 0, 1},
    {"repetition_penalty", FieldKind::Number, "null", 1e-3, 1e3},
};

/// Appends an id, or each one of a list of them.
static bool readIds(const Config &from, StringRef name, int64_t vocabulary,
                    bool isList, SmallVectorImpl<int64_t> &ids,
                    std::string &error) {
  const json &value = from.raw(name);
  auto append = [&](const json &id) {
    if (!id.is_number_unsigned() ||
        id.get<uint64_t>() >= static_cast<uint64_t>(vocabulary))
      return from.fail(error, name,
                       (isList ? "ids from 0 to " : "an id from 0 to ") +
                           std::to_string(vocabulary - 1) +
                           " (vocab_size - 1)");
    ids.push_back(id.get<int64_t>());
    return true;
  };
  if (!isList || !value.is_array())
    return append(value);
  if (value.size() > kMaxEndIds)
    return from.fail(error, name,
                     "at most " + std::to_string(kMaxEndIds) + " ids");
  return llvm::all_of(value, append);
}

DictionaryAttr smelt::readGeneration(MLIRContext &context,
                                     const std::string &directory,
                                     const Config &config, std::string &error) {
  std::optional<Config> generation;
  std::string path = directory + "/generation_config.json";
  if (llvm::sys::fs::exists(path)) {
    generation = Config::read(path, error);
    if (!generation || !generation->check(kSampling, error))
      return {};
  }
  Builder builder(&context);
  NamedAttrList attributes;
  int64_t vocabulary = config.integer("vocab_size");
  auto find = [&](StringRef name) -> const Config * {
    if (generation && generation->isPresent(name))
      return &*generation;
    return config.isPresent(name) ? &config : nullptr;
  };
  if (const Config *from = find("bos_token_id")) {
    SmallVector<int64_t> ids;
    if (!readIds(*from, "bos_token_id", vocabulary, /*isList=*/false, ids,
                 error))
      return {};
    attributes.append("bos", builder.getI64IntegerAttr(ids.front()));
  }
  SmallVector<int64_t> ends;
  if (const Config *from = find("eos_token_id"))
    if (!readIds(*from, "eos_token_id", vocabulary, /*isList=*/true, ends,
                 error))
      return {};
  attributes.append("eos", builder.getI64ArrayAttr(ends));
  for (const Field &field : kSampling) {
    if (!generation || !generation->has(field.name))
      continue;
    Attribute value;
    if (field.kind == FieldKind::Flag)
      value = builder.getBoolAttr(generation->flag(field.name));
    else if (field.kind == FieldKind::Integer)
      value = builder.getI64IntegerAttr(generation->integer(field.name));
    else
      value = builder.getF64FloatAttr(generation->number(field.name));
    attributes.append(field.name, value);
  }
  return attributes.getDictionary(&context);
}
