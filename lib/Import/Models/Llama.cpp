//===- Llama.cpp - Llama, Mistral and Qwen2 ---------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A pre-norm decoder with rotary positions, grouped-query attention and a gated
// MLP. The layer:
//
//     x ─┬─ norm1 ─ q, k, v ─ rope(q, k) ─ append, attend ─ o ─┐
//        └─────────────────────────────────────────────────── add
//     x ─┬─ norm2 ─ act(gate) * up ─ down ─┐
//        └──────────────────────────────── add
//
// Mistral's queries may see a window of the last positions only, those of some
// layers of Qwen2 too; Qwen2's q, k and v always have biases.
//
//===----------------------------------------------------------------------===//
#include "Rope.h"
#include "StepBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>

using namespace mlir;
using namespace smelt;

static constexpr Field kFields[] = {
    {"vocab_size", FieldKind::Integer, nullptr, 1, 1 << 24},
    {"hidden_size", FieldKind::Integer, nullptr, 1, 1 << 20},
    {"intermediate_size", FieldKind::Integer, nullptr, 1, 1 << 24},
    {"num_hidden_layers", FieldKind::Integer, nullptr, 1, 4096},
    {"num_attention_heads", FieldKind::Integer, nullptr, 1, 1 << 16},
    {"num_key_value_heads", FieldKind::Integer, "null", 1, 1 << 16},
    // [doc:fields]
    {"head_dim", FieldKind::Integer, "null", 2, kMaxHeadSize},
    {"max_position_embeddings", FieldKind::Integer, nullptr, 1, 1 << 30},
    {"rms_norm_eps", FieldKind::Number, "1e-6", 1e-20, 1},
    // [/doc:fields]
    {"hidden_act", FieldKind::Text, "\"silu\""},
    {"tie_word_embeddings", FieldKind::Flag, "false"},
    {"attention_bias", FieldKind::Flag, "false"},
    {"mlp_bias", FieldKind::Flag, "false"},
    {"sliding_window", FieldKind::Integer, "null", 1, 1 << 30},
    {"use_sliding_window", FieldKind::Flag, "null"},
    {"max_window_layers", FieldKind::Integer, "null", 0, 4096},
};

/// Those of all three, which `derive` checks.
static const Restriction kRestrictions[] = {
    {"partial_rotary_factor", {"1", "null"}},
    {"no_rope_layers", {"null"}},
    {"attn_logit_softcapping", {"null"}},
    {"final_logit_softcapping", {"null"}},
    {"num_local_experts", {"null"}},
};
static const Restriction kLlamaRestrictions[] = {
    {"sliding_window", {"null"}},
    {"use_sliding_window", {"false", "null"}},
};
static const Restriction kMistralRestrictions[] = {
    {"attention_bias", {"false", "null"}},
    {"layer_types", {"null"}},
};
static const Restriction kQwen2Restrictions[] = {
    {"attention_bias", {"true", "null"}},
};

static constexpr char kQuerySize[] = "num_attention_heads * head_dim";
static constexpr char kKeySize[] = "num_key_value_heads * head_dim";

#define ATTENTION "model.layers.#.self_attn."
#define MLP "model.layers.#.mlp."
static constexpr TensorRow kTensors[] = {
    // param, tensor, rows, columns, when, stack
    {"embed", "model.embed_tokens.weight", "vocab_size", "hidden_size"},
    {"layers.#.norm1", "model.layers.#.input_layernorm.weight", "hidden_size"},
    {"layers.#.q", ATTENTION "q_proj.weight", kQuerySize, "hidden_size",
     nullptr, "qkv"},
    // [doc:tensors]
    {"layers.#.k", ATTENTION "k_proj.weight", kKeySize, "hidden_size", nullptr,
     "qkv"},
    {"layers.#.v", ATTENTION "v_proj.weight", kKeySize, "hidden_size", nullptr,
     "qkv"},
    {"layers.#.o", ATTENTION "o_proj.weight", "hidden_size", kQuerySize},
    {"layers.#.q_bias", ATTENTION "q_proj.bias", kQuerySize, nullptr,
     "attention_bias", "qkv_bias"},
    {"layers.#.k_bias", ATTENTION "k_proj.bias", kKeySize, nullptr,
     "attention_bias", "qkv_bias"},
    // [/doc:tensors]
    {"layers.#.v_bias", ATTENTION "v_proj.bias", kKeySize, nullptr,
     "attention_bias", "qkv_bias"},
    {"layers.#.o_bias", ATTENTION "o_proj.bias", "hidden_size", nullptr,
     "output_bias"},
    {"layers.#.norm2", "model.layers.#.post_attention_layernorm.weight",
     "hidden_size"},
    {"layers.#.gate", MLP "gate_proj.weight", "intermediate_size",
     "hidden_size", nullptr, "glu"},
    {"layers.#.up", MLP "up_proj.weight", "intermediate_size", "hidden_size",
     nullptr, "glu"},
    {"layers.#.down", MLP "down_proj.weight", "hidden_size",
     "intermediate_size"},
    {"layers.#.gate_bias", MLP "gate_proj.bias", "intermediate_size", nullptr,
     "mlp_bias", "glu_bias"},
    {"layers.#.up_bias", MLP "up_proj.bias", "intermediate_size", nullptr,
     "mlp_bias", "glu_bias"},
    {"layers.#.down_bias", MLP "down_proj.bias", "hidden_size", nullptr,
     "mlp_bias"},
    {"norm", "model.norm.weight", "hidden_size"},
    {"head", "lm_head.weight", "vocab_size", "hidden_size",
     "!tie_word_embeddings"},
};
#undef ATTENTION
#undef MLP

static constexpr IgnoredTensor kIgnored[] = {
    {"lm_head.weight", "tie_word_embeddings"},
    // Frequencies, which follow from config.json.
    {"*.rotary_emb.inv_freq"},
};

/// Name of a layer's window among the values of the config, if it has one.
static std::string windowOf(int64_t layer) {
  return "window." + std::to_string(layer);
}

static bool derive(Config &config, std::string &error) {
  if (!config.check(kRestrictions, error))
    return false;
  int64_t heads = config.integer("num_attention_heads");
  if (!config.has("num_key_value_heads"))
    config.set("num_key_value_heads", heads);
  if (heads % config.integer("num_key_value_heads"))
    return config.fail(error, "num_key_value_heads",
                       "a divisor of num_attention_heads (" +
                           std::to_string(heads) + ")");
  if (!config.has("head_dim")) {
    if (config.integer("hidden_size") % (2 * heads))
      return config.fail(error, "hidden_size",
                         "a multiple of twice num_attention_heads (" +
                             std::to_string(heads) + "), or head_dim given");
    config.set("head_dim", config.integer("hidden_size") / heads);
  }
  int64_t size = config.integer("head_dim");
  if (size % 2)
    return config.fail(error, "head_dim", "an even integer");
  if (!checkHeadSize(config, size, error))
    return false;
  config.set(kQuerySize, heads * size);
  config.set(kKeySize, config.integer("num_key_value_heads") * size);
  if (!isActivation(config.text("hidden_act")))
    return config.fail(error, "hidden_act", "one of " + activationNames());
  return checkRope(config, error);
}

/// Lets a layer's queries see the last `window` positions only.
static void setWindow(Config &config, int64_t layer, int64_t window) {
  if (window < config.integer("max_position_embeddings"))
    config.set(windowOf(layer), window);
}

static bool deriveLlama(Config &config, std::string &error) {
  config.setFlag("output_bias", config.flag("attention_bias"));
  return derive(config, error);
}

/// What a config.json stands for that doesn't name a key.
static void setDefault(Config &config, llvm::StringRef key, int64_t value) {
  if (!config.isNamed(key))
    config.set(key, value);
}

/// What a config.json doesn't name is what MistralConfig says.
static bool deriveMistral(Config &config, std::string &error) {
  config.setFlag("attention_bias", false);
  config.setFlag("output_bias", false);
  setDefault(config, "num_key_value_heads", 8);
  setDefault(config, "sliding_window", 4096);
  if (config.has("sliding_window"))
    for (int64_t i = 0; i < config.integer("num_hidden_layers"); ++i)
      setWindow(config, i, config.integer("sliding_window"));
  return derive(config, error);
}

/// What a config.json doesn't name is what Qwen2Config says.
static bool deriveQwen2(Config &config, std::string &error) {
  config.setFlag("attention_bias", true);
  config.setFlag("output_bias", false);
  setDefault(config, "num_key_value_heads", 32);
  int64_t layers = config.integer("num_hidden_layers");
  int64_t window =
      config.has("sliding_window") ? config.integer("sliding_window") : 4096;
  bool isUsed =
      config.has("use_sliding_window") && config.flag("use_sliding_window") &&
      (config.has("sliding_window") || !config.isNamed("sliding_window"));
  int64_t first = config.has("max_window_layers")
                      ? config.integer("max_window_layers")
                      : 28;
  const nlohmann::json &types = config.raw("layer_types");
  if (!types.is_null() &&
      (!types.is_array() || static_cast<int64_t>(types.size()) != layers))
    return config.fail(error, "layer_types",
                       "a kind for each of " + std::to_string(layers) +
                           " layers");
  for (int64_t i = 0; i < layers; ++i) {
    bool isWindowed = isUsed && i >= first;
    if (!types.is_null()) {
      isWindowed = types[i] == "sliding_attention";
      if ((!isWindowed && types[i] != "full_attention") ||
          (isWindowed && !isUsed))
        return config.fail(error, "layer_types",
                           isUsed ? "full_attention or sliding_attention"
                                  : "full_attention, for use_sliding_window "
                                    "isn't set");
    }
    if (isWindowed)
      setWindow(config, i, window);
  }
  return derive(config, error);
}

static void emit(StepBuilder &step) {
  const Config &config = step.config;
  OpBuilder &builder = step.builder;
  int64_t layers = config.integer("num_hidden_layers");
  int64_t heads = config.integer("num_attention_heads");
  int64_t kvHeads = config.integer("num_key_value_heads");
  int64_t size = config.integer("head_dim");
  double eps = config.number("rms_norm_eps");
  FloatAttr scale = builder.getF32FloatAttr(
      static_cast<float>(1.0 / std::sqrt(static_cast<double>(size))));
  auto kvType =
      llm::KVType::get(builder.getContext(), layers, kvHeads, size, step.cache);

  Value ids = step.input("ids"), positions = step.input("positions");
  Value slots = step.input("slots"), rows = step.input("rows");
  Value kv = step.input("kv", kvType);

  Value table = step.param("embed");
  Value x = step.emit<llm::EmbeddingOp>(ids, table);
  for (int64_t i = 0; i < layers; ++i) {
    std::string layer = "layers." + std::to_string(i) + ".";
    Value index = step.emit<arith::ConstantIndexOp>(i);
    Value normed = step.rmsNorm(x, layer + "norm1", eps);
    Value q = step.linear(normed, layer + "q");
    Value k = step.linear(normed, layer + "k");
    Value v = step.linear(normed, layer + "v");
    q = emitRope(step, q, positions, heads);
    k = emitRope(step, k, positions, kvHeads);
    step.emit<llm::KVAppendOp>(kv, index, k, v, slots, positions);
    IntegerAttr window;
    if (config.has(windowOf(i)))
      window = builder.getI64IntegerAttr(config.integer(windowOf(i)));
    Value attended = step.emit<llm::CachedAttentionOp>(
        q, kv, index, slots, positions, builder.getI64IntegerAttr(heads), scale,
        window);
    x = step.emit<llm::AddOp>(x.getType(), x,
                              step.linear(attended, layer + "o"));
    normed = step.rmsNorm(x, layer + "norm2", eps);
    Value gate = step.activation(step.linear(normed, layer + "gate"),
                                 config.text("hidden_act"));
    Value up = step.linear(normed, layer + "up");
    Value product = step.emit<llm::MulOp>(gate.getType(), gate, up);
    x = step.emit<llm::AddOp>(x.getType(), x,
                              step.linear(product, layer + "down"));
  }
  x = step.rmsNorm(x, "norm", eps);
  Value logits =
      step.linear(x, config.flag("tie_word_embeddings") ? "embed" : "head");
  step.output("logits", step.emit<llm::GatherRowsOp>(logits, rows));
}

#define OF_LLAMA_FORM(name, architecture, restrictions, derive)                \
  {name,     ModelKind::Decoder, {architecture},        kFields, restrictions, \
   kTensors, kIgnored,           /*optionalPrefix=*/"", derive,  emit}
const Family smelt::kLlama =
    OF_LLAMA_FORM("llama", "LlamaForCausalLM", kLlamaRestrictions, deriveLlama);
const Family smelt::kMistral = OF_LLAMA_FORM(
    "mistral", "MistralForCausalLM", kMistralRestrictions, deriveMistral);
const Family smelt::kQwen2 =
    OF_LLAMA_FORM("qwen2", "Qwen2ForCausalLM", kQwen2Restrictions, deriveQwen2);
