//===- Tensors.cpp - A family's tensors in a checkpoint ---------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Tensors.h"

#include "smelt/Import/Formats/Json.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <set>

using namespace smelt;
using llvm::StringRef;

static bool isEnabled(const Config &config, const char *when) {
  if (!when)
    return true;
  StringRef flag(when);
  bool isNegated = flag.consume_front("!");
  return config.flag(flag) != isNegated;
}

/// The flag of a condition and its value: "attention_bias = true".
static std::string describeFlag(const Config &config, const char *when) {
  StringRef flag = StringRef(when).ltrim('!');
  return flag.str() + (config.flag(flag) ? " = true" : " = false");
}

/// `pattern` with its `#` replaced by a layer.
static std::string withLayer(StringRef pattern, int64_t layer) {
  auto [before, after] = pattern.split('#');
  if (before.size() == pattern.size())
    return pattern.str();
  return (before + llvm::Twine(layer) + after).str();
}

/// Whether `name` is `pattern` with some number for `#`.
static bool matchesLayer(StringRef pattern, StringRef name) {
  auto [before, after] = pattern.split('#');
  if (before.size() == pattern.size())
    return name == pattern;
  if (!name.consume_front(before) || !name.consume_back(after))
    return false;
  return !name.empty() && llvm::all_of(name, llvm::isDigit);
}

static bool matchesStar(StringRef pattern, StringRef name) {
  if (pattern.consume_front("*"))
    return name.ends_with(pattern);
  if (pattern.consume_back("*"))
    return name.starts_with(pattern);
  return name == pattern;
}

namespace {

class TensorFinder {
public:
  TensorFinder(const Family &family, const Config &config,
               const Checkpoint &checkpoint, std::string &error)
      : family(family), config(config), checkpoint(checkpoint), error(error) {}

  bool run(std::vector<FoundTensor> &found);

private:
  bool take(const TensorRow &row, int64_t layer,
            std::vector<FoundTensor> &found);
  bool checkShape(const TensorRow &row, const NamedTensor &tensor);
  bool checkStack(llvm::ArrayRef<FoundTensor> layerTensors,
                  llvm::ArrayRef<const TensorRow *> rows);
  bool checkLeftOver();
  bool fail(StringRef tensor, const llvm::Twine &message) {
    error = ("tensor " + jsonText(tensor.str()) + ": " + message).str();
    return false;
  }

  const Family &family;
  const Config &config;
  const Checkpoint &checkpoint;
  std::string &error;
  std::string prefix;
  std::set<std::string_view> used;
};

} // namespace

bool TensorFinder::checkShape(const TensorRow &row, const NamedTensor &tensor) {
  std::vector<int64_t> expected = {config.integer(row.rows)};
  std::string names = row.rows;
  if (row.columns) {
    expected.push_back(config.integer(row.columns));
    names += std::string(", ") + row.columns;
  }
  if (tensor.shape != expected)
    return fail(tensor.name, "expected shape [" + names +
                                 "] = " + shapeText(expected) + ", found " +
                                 shapeText(tensor.shape));
  if (tensor.type != ElementType::F32 && tensor.type != ElementType::F16 &&
      tensor.type != ElementType::BF16)
    return fail(tensor.name,
                "expected elements of type F32, F16 or BF16, found " +
                    llvm::Twine(elementTypeName(tensor.type)));
  return true;
}

bool TensorFinder::take(const TensorRow &row, int64_t layer,
                        std::vector<FoundTensor> &found) {
  std::string name = prefix + withLayer(row.tensor, layer);
  const Checkpoint::Entry *entry = checkpoint.find(name);
  if (!entry) {
    std::string reason;
    if (row.when)
      reason = describeFlag(config, row.when);
    else if (StringRef(row.tensor).contains('#'))
      reason = llvm::formatv("num_hidden_layers = {0}",
                             config.integer("num_hidden_layers"));
    return fail(name, "missing from the checkpoint" +
                          (reason.empty() ? reason
                                          : ", which config.json asks for "
                                            "with " +
                                                reason));
  }
  if (!checkShape(row, *entry->tensor))
    return false;
  used.insert(entry->tensor->name);
  found.push_back({withLayer(row.param, layer), *entry});
  return true;
}

bool TensorFinder::checkStack(llvm::ArrayRef<FoundTensor> layerTensors,
                              llvm::ArrayRef<const TensorRow *> rows) {
  for (auto [i, row] : llvm::enumerate(rows))
    for (size_t j = 0; j < i; ++j) {
      if (!row->stack || !rows[j]->stack ||
          StringRef(row->stack) != rows[j]->stack)
        continue;
      const NamedTensor &a = *layerTensors[j].entry.tensor;
      const NamedTensor &b = *layerTensors[i].entry.tensor;
      if (a.type != b.type)
        return fail(b.name,
                    llvm::formatv("expected type {0}, as {1} has it, found {2}",
                                  elementTypeName(a.type), jsonText(a.name),
                                  elementTypeName(b.type))
                        .str());
    }
  return true;
}

bool TensorFinder::checkLeftOver() {
  for (const auto &[view, entry] : checkpoint.tensors()) {
    if (used.count(view))
      continue;
    StringRef name(view);
    name.consume_front(family.optionalPrefix);
    if (llvm::any_of(family.ignored, [&](const IgnoredTensor &ignored) {
          return matchesStar(ignored.tensor, name) &&
                 isEnabled(config, ignored.when);
        }))
      continue;
    for (const TensorRow &row : family.tensors) {
      if (!matchesLayer(row.tensor, name))
        continue;
      if (!isEnabled(config, row.when))
        return fail(view, "not expected, config.json rules it out with " +
                              describeFlag(config, row.when));
      return fail(view, llvm::formatv("not expected, num_hidden_layers of "
                                      "config.json is {0}",
                                      config.integer("num_hidden_layers"))
                            .str());
    }
    return fail(view, llvm::formatv("not expected in a checkpoint of family "
                                    "{0}",
                                    family.name)
                          .str());
  }
  return true;
}

bool TensorFinder::run(std::vector<FoundTensor> &found) {
  // The prefix is there if the first tensor of the table has it.
  StringRef probe = family.tensors.front().tensor;
  std::string prefixed = (family.optionalPrefix + probe).str();
  if (checkpoint.find(prefixed))
    prefix = family.optionalPrefix;

  auto isLayered = [](const TensorRow &row) {
    return StringRef(row.tensor).contains('#');
  };
  const TensorRow *first = llvm::find_if(family.tensors, isLayered);
  const TensorRow *last =
      std::find_if_not(first, family.tensors.end(), isLayered);
  auto takeAll = [&](const TensorRow *from, const TensorRow *to,
                     int64_t layer) {
    std::vector<FoundTensor> taken;
    std::vector<const TensorRow *> rows;
    for (const TensorRow *row = from; row != to; ++row) {
      if (!isEnabled(config, row->when))
        continue;
      if (!take(*row, layer, taken))
        return false;
      rows.push_back(row);
    }
    if (!checkStack(taken, rows))
      return false;
    found.insert(found.end(), taken.begin(), taken.end());
    return true;
  };
  if (!takeAll(family.tensors.begin(), first, 0))
    return false;
  for (int64_t i = 0; i < config.integer("num_hidden_layers"); ++i)
    if (!takeAll(first, last, i))
      return false;
  return takeAll(last, family.tensors.end(), 0) && checkLeftOver();
}

bool smelt::findTensors(const Family &family, const Config &config,
                        const Checkpoint &checkpoint,
                        std::vector<FoundTensor> &found, std::string &error) {
  return TensorFinder(family, config, checkpoint, error).run(found);
}
