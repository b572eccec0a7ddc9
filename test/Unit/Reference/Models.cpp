//===- Models.cpp - Small random models for tests ---------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Models.h"

#include <cmath>
#include <random>

using namespace mlir;
using namespace smelt;
using namespace smelt::llm;
using namespace smelt::test;

namespace {
/// Writes params and ops of a step as text; values are named %0, %1, ...
struct Writer {
  explicit Writer(const ModelOptions &options) : options(options) {}

  const ModelOptions &options;
  std::string params, body;
  int count = 0;

  std::string compute() const { return options.bf16 ? "bf16" : "f32"; }
  static std::string rows(int width) {
    return "tensor<?x" + std::to_string(width) + "xf32>";
  }
  std::string emit(const std::string &op) {
    std::string name = "%v" + std::to_string(count++);
    body += "    " + name + " = " + op + "\n";
    return name;
  }
  /// Declares a param and reads it; returns the value, then its type.
  std::pair<std::string, std::string> param(const std::string &name, int n,
                                            int k = 0, bool isNew = true) {
    std::string shape = std::to_string(n) + "x";
    if (k)
      shape += std::to_string(k) + "x";
    std::string stored = "tensor<" + shape + compute() + ">";
    std::string type = k ? stored : "tensor<" + shape + "f32>";
    if (isNew)
      params += "  llm.param @" + name + " : " + type +
                " from [[#llm.source<\"" + name +
                "\", file = \"m\", offset = 0, type = " + stored + ">]]" +
                (type == stored ? "" : " recipe [#llm.cast<f32>]") + "\n";
    return {emit("llm.get_param @" + name + " : " + type), type};
  }
  std::string linear(const std::string &x, const std::string &name, int n,
                     int k, bool isNew = true) {
    auto [w, type] = param(name, n, k, isNew);
    std::string bias, biasType;
    if (options.biases && isNew) {
      auto [b, vector] = param(name + "_bias", n);
      bias = " bias " + b;
      biasType = " bias " + vector;
    }
    return emit("llm.linear " + x + ", " + w + bias + " {compute = " +
                compute() + "} : " + rows(k) + ", " + type + biasType);
  }
  std::string unary(const std::string &op, const std::string &x, int width) {
    return emit("llm." + op + " " + x + " : " + rows(width));
  }
  std::string binary(const std::string &op, const std::string &x,
                     const std::string &y, int width) {
    return emit("llm." + op + " " + x + ", " + y + " : " + rows(width));
  }
  std::string rmsNorm(const std::string &x, const std::string &name) {
    auto [w, type] = param(name, options.hidden);
    return emit("llm.rms_norm " + x + " weight " + w +
                " {eps = 1.0e-5 : f32} : " + rows(options.hidden) + " weight " +
                type);
  }
  std::string layerNorm(const std::string &x, const std::string &name) {
    std::string w = param(name, options.hidden).first;
    auto [b, type] = param(name + "_bias", options.hidden);
    return emit("llm.layer_norm " + x + ", " + w + ", " + b +
                " {eps = 1.0e-12 : f32} : " + rows(options.hidden) + ", " +
                type);
  }
  std::string embedding(const std::string &ids, const std::string &name,
                        int n) {
    auto [w, type] = param(name, n, options.hidden);
    return emit("llm.embedding " + ids + ", " + w + " : tensor<?xi32>, " +
                type);
  }
};
} // namespace

static std::string integer(int value) {
  return std::to_string(value) + " : i64";
}

std::string smelt::test::llama(const ModelOptions &o) {
  Writer w(o);
  int q = o.heads * o.size, k = o.kvHeads * o.size;
  std::string ints = "tensor<?xi32>";
  std::string kv = "!llm.kv<layers = " + std::to_string(o.layers) +
                   ", heads = " + std::to_string(o.kvHeads) +
                   ", size = " + std::to_string(o.size) +
                   ", type = " + w.compute() + ">";
  std::string x = w.embedding("%ids", "embed", o.vocabulary);
  for (int i = 0; i < o.layers; ++i) {
    std::string layer = "layers." + std::to_string(i) + ".";
    bool other = o.kinds == 2 && i % 2;
    std::string base = other ? "5.0e5" : "1.0e4";
    std::string index =
        w.emit("arith.constant " + std::to_string(i) + " : index");
    std::string n = w.rmsNorm(x, layer + "norm1");
    std::string queries = w.linear(n, layer + "q", q, o.hidden);
    std::string keys = w.linear(n, layer + "k", k, o.hidden);
    std::string values = w.linear(n, layer + "v", k, o.hidden);
    auto rope = [&](const std::string &x, int heads) {
      return w.emit("llm.rope " + x + ", %positions {heads = " +
                    integer(heads) + ", base = " + base +
                    " : f64} : " + w.rows(heads * o.size) + ", " + ints);
    };
    queries = rope(queries, o.heads);
    keys = rope(keys, o.kvHeads);
    w.body += "    llm.kv_append %kv[" + index + "], " + keys + ", " + values +
              " at %slots, %positions : " + kv + ", " + w.rows(k) + ", " +
              ints + "\n";
    std::string attended =
        w.emit("llm.cached_attention " + queries + ", %kv[" + index +
               "] at %slots, %positions {heads = " + integer(o.heads) +
               ", scale = 0.5 : f32" + (other ? ", window = 3 : i64" : "") +
               "} : " + w.rows(q) + ", " + kv + ", " + ints);
    x = w.binary("add", x, w.linear(attended, layer + "o", o.hidden, q),
                 o.hidden);
    n = w.rmsNorm(x, layer + "norm2");
    std::string gate = w.unary(
        "silu", w.linear(n, layer + "gate", o.inner, o.hidden), o.inner);
    std::string up = w.linear(n, layer + "up", o.inner, o.hidden);
    std::string product = w.binary("mul", gate, up, o.inner);
    x = w.binary("add", x, w.linear(product, layer + "down", o.hidden, o.inner),
                 o.hidden);
  }
  x = w.rmsNorm(x, "norm");
  x = w.linear(x, o.tied ? "embed" : "head", o.vocabulary, o.hidden, !o.tied);
  x = w.emit("llm.gather_rows " + x + ", %rows : " + w.rows(o.vocabulary) +
             ", " + ints);
  std::string arguments;
  for (std::string name : {"ids", "positions", "slots", "rows"})
    arguments += "%" + name + ": " + ints + " {llm.input = \"" + name + "\"}, ";
  return "module {\n" + w.params + "  func.func @step(" + arguments +
         "%kv: " + kv + " {llm.input = \"kv\"}) -> (" + w.rows(o.vocabulary) +
         " {llm.output = \"logits\"}) {\n" + w.body + "    return " + x +
         " : " + w.rows(o.vocabulary) + "\n  }\n}\n";
}

std::string smelt::test::bert(const ModelOptions &o) {
  Writer w(o);
  std::string ints = "tensor<?xi32>";
  int q = o.heads * o.size;
  std::string x = w.embedding("%ids", "embed", o.vocabulary);
  x = w.binary("add", x, w.embedding("%positions", "position_embed", 16),
               o.hidden);
  x = w.binary("add", x, w.embedding("%types", "type_embed", 2), o.hidden);
  x = w.layerNorm(x, "norm");
  for (int i = 0; i < o.layers; ++i) {
    std::string layer = "layers." + std::to_string(i) + ".";
    std::string queries = w.linear(x, layer + "q", q, o.hidden);
    std::string keys = w.linear(x, layer + "k", q, o.hidden);
    std::string values = w.linear(x, layer + "v", q, o.hidden);
    std::string attended =
        w.emit("llm.attention " + queries + ", " + keys + ", " + values +
               " in %seq_begin, %seq_end {heads = " + integer(o.heads) +
               ", kv_heads = " + integer(o.heads) +
               ", scale = 0.5 : f32, compute = " + w.compute() +
               "} : " + w.rows(q) + ", " + w.rows(q) + ", " + ints);
    x = w.binary("add", w.linear(attended, layer + "o", o.hidden, q), x,
                 o.hidden);
    x = w.layerNorm(x, layer + "norm1");
    std::string inner =
        w.unary("gelu", w.linear(x, layer + "up", o.inner, o.hidden), o.inner);
    x = w.binary("add", w.linear(inner, layer + "down", o.hidden, o.inner), x,
                 o.hidden);
    x = w.layerNorm(x, layer + "norm2");
  }
  std::string last = w.emit("llm.gather_rows " + x +
                            ", %rows : " + w.rows(o.hidden) + ", " + ints);
  std::string pooled = w.emit(
      "llm.pool " + x + " in %pool_begin, %pool_end {mode = \"mean\"} : " +
      w.rows(o.hidden) + ", " + ints);
  pooled = w.unary("normalize", pooled, o.hidden);
  std::string arguments;
  for (std::string name : {"ids", "positions", "types", "seq_begin", "seq_end",
                           "rows", "pool_begin", "pool_end"})
    arguments += (arguments.empty() ? "%" : ", %") + name + ": " + ints +
                 " {llm.input = \"" + name + "\"}";
  std::string row = w.rows(o.hidden);
  return "module {\n" + w.params + "  func.func @step(" + arguments + ") -> (" +
         row + " {llm.output = \"last_hidden_state\"}, " + row +
         " {llm.output = \"embedding\"}) {\n" + w.body + "    return " + last +
         ", " + pooled + " : " + row + ", " + row + "\n  }\n}\n";
}

std::vector<float> smelt::test::randomValues(const std::string &name,
                                             int64_t count) {
  uint32_t seed = 2166136261u;
  for (char c : name)
    seed = (seed ^ static_cast<unsigned char>(c)) * 16777619u;
  std::mt19937 random(seed);
  std::vector<float> values(count);
  for (float &value : values)
    value = static_cast<float>(static_cast<int32_t>(random())) * 0x1p-31f;
  return values;
}

bool smelt::test::makeParam(ParamOp param, int64_t instance,
                            std::vector<float> &values, std::string &error) {
  SmallVector<SourceAttr> sources = param.getInstance(instance);
  auto valuesOf = [](SourceAttr source) {
    std::vector<float> values =
        randomValues(source.getName().str(), source.getType().getNumElements());
    StringRef name = source.getName();
    bool isNorm = name.contains("norm") && !name.contains("bias");
    for (float &value : values)
      value = roundTo(source.getType().getElementType(),
                      isNorm ? std::exp2(std::round(value * 2)) : value);
    return values;
  };
  values = valuesOf(sources[0]);
  ArrayAttr recipe = param.getRecipeAttr();
  if (!recipe)
    return true;
  for (Attribute step : recipe) {
    if (auto concat = dyn_cast<ConcatAttr>(step)) {
      values.clear();
      for (int64_t i = 0; i < concat.getParts(); ++i) {
        std::vector<float> part = valuesOf(sources[i]);
        values.insert(values.end(), part.begin(), part.end());
      }
    } else if (auto scale = dyn_cast<ScaleColumnsAttr>(step)) {
      std::vector<float> factors = valuesOf(sources[scale.getBy()]);
      for (size_t i = 0; i < values.size(); ++i)
        values[i] *= factors[i % factors.size()];
    } else if (auto cast = dyn_cast<CastAttr>(step)) {
      for (float &value : values)
        value = roundTo(cast.getType(), value);
    } else {
      error = "recipe step without a meaning here";
      return false;
    }
  }
  return true;
}
