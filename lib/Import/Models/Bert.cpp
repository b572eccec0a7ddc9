//===- Bert.cpp - BERT encoders ---------------------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A post-norm encoder with learned absolute positions and token types. The
// layer:
//
//     x ─┬─ q, k, v ─ attend ─ o ─┐
//        └────────────────────── add ─ norm1
//     x ─┬─ act(up) ─ down ─┐
//        └──────────────── add ─ norm2
//
// The step's tokens are packed: `seq_begin` and `seq_end` say which rows a
// token attends to, so that no padding is computed.
//
//===----------------------------------------------------------------------===//
#include "StepBuilder.h"

#include <cmath>

using namespace mlir;
using namespace smelt;

static constexpr Field kFields[] = {
    {"vocab_size", FieldKind::Integer, nullptr, 1, 1 << 24},
    {"hidden_size", FieldKind::Integer, nullptr, 1, 1 << 20},
    {"intermediate_size", FieldKind::Integer, nullptr, 1, 1 << 24},
    {"num_hidden_layers", FieldKind::Integer, nullptr, 1, 4096},
    {"num_attention_heads", FieldKind::Integer, nullptr, 1, 1 << 16},
    {"max_position_embeddings", FieldKind::Integer, nullptr, 1, 1 << 30},
    {"type_vocab_size", FieldKind::Integer, "2", 1, 1 << 16},
    {"layer_norm_eps", FieldKind::Number, "1e-12", 1e-20, 1},
    {"hidden_act", FieldKind::Text, "\"gelu\""},
};

static const Restriction kRestrictions[] = {
    {"position_embedding_type", {"\"absolute\"", "null"}},
    {"is_decoder", {"false"}},
    {"pruned_heads", {"{}", "null"}},
};

#define ATTENTION "encoder.layer.#.attention."
static constexpr TensorRow kTensors[] = {
    // param, tensor, rows, columns, when, stack
    {"embed", "embeddings.word_embeddings.weight", "vocab_size", "hidden_size"},
    {"embed_positions", "embeddings.position_embeddings.weight",
     "max_position_embeddings", "hidden_size"},
    {"embed_types", "embeddings.token_type_embeddings.weight",
     "type_vocab_size", "hidden_size"},
    {"embed_norm", "embeddings.LayerNorm.weight", "hidden_size"},
    {"embed_norm_bias", "embeddings.LayerNorm.bias", "hidden_size"},
    {"layers.#.q", ATTENTION "self.query.weight", "hidden_size", "hidden_size",
     nullptr, "qkv"},
    {"layers.#.k", ATTENTION "self.key.weight", "hidden_size", "hidden_size",
     nullptr, "qkv"},
    {"layers.#.v", ATTENTION "self.value.weight", "hidden_size", "hidden_size",
     nullptr, "qkv"},
    {"layers.#.q_bias", ATTENTION "self.query.bias", "hidden_size", nullptr,
     nullptr, "qkv_bias"},
    {"layers.#.k_bias", ATTENTION "self.key.bias", "hidden_size", nullptr,
     nullptr, "qkv_bias"},
    {"layers.#.v_bias", ATTENTION "self.value.bias", "hidden_size", nullptr,
     nullptr, "qkv_bias"},
    {"layers.#.o", ATTENTION "output.dense.weight", "hidden_size",
     "hidden_size"},
    {"layers.#.o_bias", ATTENTION "output.dense.bias", "hidden_size"},
    {"layers.#.norm1", ATTENTION "output.LayerNorm.weight", "hidden_size"},
    {"layers.#.norm1_bias", ATTENTION "output.LayerNorm.bias", "hidden_size"},
    {"layers.#.up", "encoder.layer.#.intermediate.dense.weight",
     "intermediate_size", "hidden_size"},
    {"layers.#.up_bias", "encoder.layer.#.intermediate.dense.bias",
     "intermediate_size"},
    {"layers.#.down", "encoder.layer.#.output.dense.weight", "hidden_size",
     "intermediate_size"},
    {"layers.#.down_bias", "encoder.layer.#.output.dense.bias", "hidden_size"},
    {"layers.#.norm2", "encoder.layer.#.output.LayerNorm.weight",
     "hidden_size"},
    {"layers.#.norm2_bias", "encoder.layer.#.output.LayerNorm.bias",
     "hidden_size"},
};
#undef ATTENTION

static constexpr IgnoredTensor kIgnored[] = {
    // 0, 1, 2, ...
    {"embeddings.position_ids"},
    // Heads, which neither the hidden state nor the embedding goes through.
    {"pooler.*"},
    {"cls.*"},
};

static bool derive(Config &config, std::string &error) {
  int64_t heads = config.integer("num_attention_heads");
  if (config.integer("hidden_size") % heads)
    return config.fail(error, "num_attention_heads",
                       "a divisor of hidden_size (" +
                           std::to_string(config.integer("hidden_size")) + ")");
  if (!isActivation(config.text("hidden_act")))
    return config.fail(error, "hidden_act", "one of " + activationNames());
  return checkHeadSize(config, config.integer("hidden_size") / heads, error);
}

static void emit(StepBuilder &step) {
  const Config &config = step.config;
  OpBuilder &builder = step.builder;
  int64_t heads = config.integer("num_attention_heads");
  int64_t size = config.integer("hidden_size") / heads;
  double eps = config.number("layer_norm_eps");
  IntegerAttr headCount = builder.getI64IntegerAttr(heads);
  FloatAttr scale = builder.getF32FloatAttr(
      static_cast<float>(1.0 / std::sqrt(static_cast<double>(size))));

  Value ids = step.input("ids"), positions = step.input("positions");
  Value types = step.input("types");
  Value begin = step.input("seq_begin"), end = step.input("seq_end");
  Value rows = step.input("rows");

  auto embed = [&](Value indices, StringRef table) {
    return step.emit<llm::EmbeddingOp>(indices, step.param(table));
  };
  auto add = [&](Value a, Value b) {
    return step.emit<llm::AddOp>(a.getType(), a, b);
  };
  Value words = embed(ids, "embed");
  Value x = add(words, embed(types, "embed_types"));
  x = add(x, embed(positions, "embed_positions"));
  x = step.layerNorm(x, "embed_norm", eps);
  for (int64_t i = 0; i < config.integer("num_hidden_layers"); ++i) {
    std::string layer = "layers." + std::to_string(i) + ".";
    Value q = step.linear(x, layer + "q");
    Value k = step.linear(x, layer + "k");
    Value v = step.linear(x, layer + "v");
    Value attended =
        step.emit<llm::AttentionOp>(q, k, v, begin, end, headCount, headCount,
                                    scale, TypeAttr::get(step.compute));
    x = add(x, step.linear(attended, layer + "o"));
    x = step.layerNorm(x, layer + "norm1", eps);
    Value up = step.activation(step.linear(x, layer + "up"),
                               config.text("hidden_act"));
    x = add(x, step.linear(up, layer + "down"));
    x = step.layerNorm(x, layer + "norm2", eps);
  }
  step.output("last_hidden_state", step.emit<llm::GatherRowsOp>(x, rows));
  if (step.pooling)
    step.outputPooled(x);
}

const Family smelt::kBert = {"bert",
                             ModelKind::Encoder,
                             {"BertModel"},
                             kFields,
                             kRestrictions,
                             kTensors,
                             kIgnored,
                             /*optionalPrefix=*/"bert.",
                             derive,
                             emit};
