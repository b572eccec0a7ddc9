//===- RefusalsTest.cpp - What the importer refuses, and how ----*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ImportTest.h"

#include <random>

using namespace smelt;
using namespace smelt::test;
using nlohmann::json;

namespace {

/// Values that no size, count, width or list of names may have.
const char *const kHostile[] = {
    "0",
    "-1",
    "1e30",
    "-1e30",
    "1.5",
    "\"8\"",
    "true",
    "false",
    "null",
    "[]",
    "[8]",
    "{}",
    "{\"a\": 8}",
    "9223372036854775807",
    "18446744073709551615",
    "2147483648",
    "1e-300",
};

/// Sets one field of a JSON file to each hostile value and expects a refusal
/// that names it, but for the values that are fine there.
void expectHostileRefused(const std::string &checkpointName,
                          const std::string &file, const json::json_pointer &at,
                          const std::string &shownName,
                          const std::vector<std::string> &fine) {
  EditedCheckpoint checkpoint(checkpointName);
  for (const char *value : kHostile) {
    if (std::find(fine.begin(), fine.end(), value) != fine.end())
      continue;
    checkpoint.edit(file, [&](json &root) { root[at] = json::parse(value); });
    expectRefused(checkpoint.path(), {shownName}, shownName + " = " + value);
  }
}

TEST(ImportRefusals, HostileLlamaConfig) {
  struct {
    const char *field;
    std::vector<std::string> fine;
  } fields[] = {
      {"architectures", {}},
      {"vocab_size", {}},
      {"hidden_size", {}},
      {"intermediate_size", {}},
      {"num_hidden_layers", {}},
      {"num_attention_heads", {}},
      {"num_key_value_heads", {}},
      {"head_dim", {"null"}},
      {"max_position_embeddings", {}},
      {"rms_norm_eps", {}},
      {"hidden_act", {}},
      // A tied head needs no tensor, and one that is there is ignored.
      {"tie_word_embeddings", {"false", "true"}},
      {"attention_bias", {"false"}},
      {"mlp_bias", {"false"}},
      {"rope_theta",
       {"1.5", "null", "9223372036854775807", "18446744073709551615",
        "2147483648"}},
      {"rope_scaling", {"null", "{}"}},
      {"torch_dtype", {"null"}},
      {"sliding_window", {"null"}},
      {"quantization_config", {"null"}},
      {"partial_rotary_factor", {"null"}},
  };
  for (const auto &field : fields)
    expectHostileRefused("llama-gqa-bf16", "config.json",
                         json::json_pointer(std::string("/") + field.field),
                         field.field, field.fine);
}

TEST(ImportRefusals, HostileRope) {
  for (const char *field : {"factor", "low_freq_factor", "high_freq_factor",
                            "original_max_position_embeddings", "rope_type"})
    expectHostileRefused(
        "llama-rope-llama3", "config.json",
        json::json_pointer(std::string("/rope_scaling/") + field), field,
        std::string(field) == "rope_type" ? std::vector<std::string>{}
                                          : std::vector<std::string>{"1.5"});
  expectHostileRefused("llama-rope-v5", "config.json",
                       json::json_pointer("/rope_parameters/rope_theta"),
                       "rope_parameters.rope_theta",
                       {"null", "1.5", "9223372036854775807",
                        "18446744073709551615", "2147483648"});

  EditedCheckpoint checkpoint("llama-mha");
  const std::pair<const char *, const char *> cases[] = {
      {R"({"rope_scaling": {"type": "yarn", "factor": 4}})",
       "rope_scaling.type: expected one of default, linear, llama3, found "
       "\"yarn\""},
      {R"({"rope_scaling": {"rope_type": "dynamic", "factor": 4}})",
       "rope_scaling.rope_type: expected one of"},
      {R"({"rope_scaling": {"rope_type": "linear", "type": "llama3"}})",
       "rope_scaling.rope_type: expected \"llama3\" as in type"},
      {R"({"rope_scaling": {"factor": 4}})",
       "rope_scaling.rope_type: expected one of default, linear, llama3, found "
       "no such field"},
      {R"({"rope_scaling": {"type": "linear"}})",
       "rope_scaling.factor: expected a number from 1e-06 to 1000000.0, found "
       "no such field"},
      {R"({"rope_scaling": {"type": "default", "rope_theta": 5.0}})",
       "rope_theta: expected the value of rope_scaling.rope_theta, found "
       "10000.0"},
      {R"({"rope_parameters": {"rope_type": "default",
          "partial_rotary_factor": 0.5}})",
       "rope_parameters.partial_rotary_factor: expected 1 or null, found 0.5"},
      {R"({"rope_parameters": {"rope_type": "default"},
          "rope_scaling": {"type": "linear", "factor": 2}})",
       "rope_parameters: expected either it or rope_scaling"},
      {R"({"rope_scaling": {"type": "llama3", "factor": 2,
          "low_freq_factor": 4, "high_freq_factor": 4,
          "original_max_position_embeddings": 64}})",
       "rope_scaling.high_freq_factor: expected a number above"},
  };
  for (const auto &[text, message] : cases) {
    const char *fields = text;
    checkpoint.edit("config.json",
                    [&](json &config) { config.update(json::parse(fields)); });
    expectRefused(checkpoint.path(), {"config.json", message}, fields);
  }
}

TEST(ImportRefusals, HostileBertConfig) {
  struct {
    const char *field;
    std::vector<std::string> fine;
  } fields[] = {
      {"vocab_size", {}},
      {"hidden_size", {}},
      {"intermediate_size", {}},
      {"num_hidden_layers", {}},
      {"num_attention_heads", {}},
      {"max_position_embeddings", {}},
      {"type_vocab_size", {}},
      {"layer_norm_eps", {}},
      {"hidden_act", {}},
      {"torch_dtype", {"null"}},
      {"is_decoder", {"false"}},
      {"add_cross_attention", {"false", "null"}},
      {"position_embedding_type", {"null"}},
      {"pruned_heads", {"{}", "null"}},
  };
  for (const auto &field : fields)
    expectHostileRefused("bert-mean", "config.json",
                         json::json_pointer(std::string("/") + field.field),
                         field.field, field.fine);
  expectHostileRefused("bert-mean", "sentence_bert_config.json",
                       json::json_pointer("/max_seq_length"), "max_seq_length",
                       {"null"});
  const struct {
    const char *field;
    std::vector<std::string> fine;
  } pooling[] = {
      {"word_embedding_dimension", {"null"}},
      {"pooling_mode", {"null"}},
      {"pooling_mode_mean_tokens", {"true"}},
      {"pooling_mode_cls_token", {"false"}},
      {"pooling_mode_max_tokens", {"false"}},
      {"pooling_mode_mean_sqrt_len_tokens", {"false"}},
      {"pooling_mode_weightedmean_tokens", {"false"}},
      {"pooling_mode_lasttoken", {"false"}},
  };
  for (const auto &field : pooling)
    expectHostileRefused("bert-mean", "1_Pooling/config.json",
                         json::json_pointer(std::string("/") + field.field),
                         field.field, field.fine);
}

TEST(ImportRefusals, SentenceTransformers) {
  EditedCheckpoint checkpoint("bert-mean");
  const std::pair<const char *, const char *> pooling[] = {
      {R"({"word_embedding_dimension": 47})",
       "word_embedding_dimension: expected hidden_size of the model (48), "
       "found 47"},
      {R"({"pooling_mode_max_tokens": true})",
       "pooling_mode_max_tokens: expected false, found true"},
      {R"({"pooling_mode_cls_token": true})",
       "pooling_mode_mean_tokens: expected either it or "
       "pooling_mode_cls_token to be true, found both"},
      {R"({"pooling_mode_mean_tokens": false})",
       "pooling_mode_cls_token to be true, found neither"},
      {R"({"pooling_mode": "max"})",
       "pooling_mode: expected \"mean\" or \"cls\" or null, found \"max\""},
  };
  for (const auto &[text, message] : pooling) {
    json change = json::parse(text);
    checkpoint.edit("1_Pooling/config.json",
                    [&](json &config) { config.update(change); });
    expectRefused(checkpoint.path(), {"1_Pooling/config.json", message}, text);
  }

  EditedCheckpoint other("bert-mean");
  const std::tuple<const char *, const char *, const char *> modules[] = {
      {"/0/type", "\"sentence_transformers.models.CLIPModel\"",
       "type of module 0 to end in .Transformer"},
      {"/0/path", "\"0_Transformer\"", "path of the Transformer to be \"\""},
      {"/1/type", "\"sentence_transformers.models.Dense\"",
       "type of module 1 to end in .Pooling"},
      {"/1/type", "7", "module 1 to have a string 'type'"},
      {"/1/path", "\"../1_Pooling\"", "folder beside modules.json"},
      {"/1/path", "\"/etc\"", "folder beside modules.json"},
      {"/1/path", "\"\"", "folder beside modules.json"},
      {"/1/path", "null", "module 1 to have a string 'path'"},
      {"/1/path", "\"3_Pooling\"", "3_Pooling/config.json': No such file"},
      {"/2/type", "\"sentence_transformers.models.Dense\"",
       "type of module 2 to end in .Normalize, found "
       "\"sentence_transformers.models.Dense\""},
      {"/1", "null", "module 1 to have a string 'type', found null"},
      {"", "{}", "expected an array of modules"},
      {"", "[]", "expected an array of modules"},
      {"", "[1, 2, 3, 4]", "expected an array of modules"},
  };
  for (const auto &[pointer, value, message] : modules) {
    json::json_pointer at(pointer);
    json replacement = json::parse(value);
    other.edit("modules.json", [&](json &root) { root[at] = replacement; });
    expectRefused(other.path(), {message}, pointer);
  }

  EditedCheckpoint lower("bert-mean");
  lower.replace("sentence_bert_config.json", "{\"do_lower_case\": true}");
  expectRefused(lower.path(),
                {"do_lower_case: expected false or null, found true"},
                "do_lower_case");
}

TEST(ImportRefusals, UnsupportedBertValues) {
  EditedCheckpoint checkpoint("bert-mean");
  const std::pair<const char *, const char *> cases[] = {
      {R"({"position_embedding_type": "relative_key"})",
       "position_embedding_type: expected \"absolute\" or null, found "
       "\"relative_key\""},
      {R"({"is_decoder": true})", "is_decoder: expected false, found true"},
      {R"({"num_attention_heads": 5})",
       "num_attention_heads: expected a divisor of hidden_size (48), found 5"},
      {R"({"hidden_size": 524288, "num_attention_heads": 1})",
       "num_attention_heads: expected heads of at most 4096 elements, found "
       "524288"},
      {R"({"architectures": ["BertForMaskedLM"]})",
       "expected one of [\"LlamaForCausalLM\"], [\"MistralForCausalLM\"], "
       "[\"Qwen2ForCausalLM\"], [\"BertModel\"], found "
       "[\"BertForMaskedLM\"]"},
      {R"({"type_vocab_size": 1})",
       "[type_vocab_size, hidden_size] = [1, 48], found [2, 48]"},
      {R"({"max_position_embeddings": 97})",
       "[max_position_embeddings, hidden_size] = [97, 48], found [96, 48]"},
      {R"({"num_hidden_layers": 1})", "num_hidden_layers of config.json is 1"},
  };
  for (const auto &[text, message] : cases) {
    json change = json::parse(text);
    checkpoint.edit("config.json",
                    [&](json &config) { config.update(change); });
    expectRefused(checkpoint.path(), {message}, text);
  }
}

TEST(ImportRefusals, UnsupportedValues) {
  EditedCheckpoint checkpoint("llama-gqa-bf16");
  const std::pair<const char *, const char *> cases[] = {
      {R"({"architectures": ["GPT2LMHeadModel"]})",
       "architectures: expected one of [\"LlamaForCausalLM\"]"},
      {R"({"architectures": ["GPT2LMHeadModel"]})",
       "found [\"GPT2LMHeadModel\"]"},
      {R"({"architectures": ["LlamaForCausalLM", "x"]})", "architectures"},
      {R"({"hidden_act": "quick_gelu"})",
       "hidden_act: expected one of silu, swish, gelu, gelu_new, "
       "gelu_pytorch_tanh, relu, found \"quick_gelu\""},
      {R"({"sliding_window": 4096})",
       "sliding_window: expected null, found 4096"},
      {R"({"quantization_config": {"quant_method": "gptq"}})",
       "quantization_config: expected null, found {\"quant_method\":\"gptq\"}"},
      {R"({"torch_dtype": "float64"})",
       "torch_dtype: expected float32, float16 or bfloat16, found \"float64\""},
      {R"({"num_key_value_heads": 4})",
       "num_key_value_heads: expected a divisor of num_attention_heads (6), "
       "found 4"},
      {R"({"num_attention_heads": 7, "num_key_value_heads": 7,
          "head_dim": null})",
       "hidden_size: expected a multiple of twice num_attention_heads (7), or "
       "head_dim given, found 48"},
      {R"({"head_dim": 7})", "head_dim: expected an even integer, found 7"},
      {R"({"head_dim": 4098})",
       "head_dim: expected an integer from 2 to 4096, found 4098"},
      {R"({"hidden_size": 524288, "num_attention_heads": 1,
          "num_key_value_heads": 1, "head_dim": null})",
       "num_attention_heads: expected heads of at most 4096 elements, found "
       "524288"},
      {R"({"hidden_size": 64})",
       "tensor \"model.embed_tokens.weight\": expected shape [vocab_size, "
       "hidden_size] = [307, 64], found [307, 48]"},
      {R"({"num_hidden_layers": 2})", "num_hidden_layers of config.json is 2"},
      {R"({"num_hidden_layers": 4})",
       "tensor \"model.layers.3.input_layernorm.weight\": missing from the "
       "checkpoint, which config.json asks for with num_hidden_layers = 4"},
      {R"({"attention_bias": true})",
       "q_proj.bias\": missing from the checkpoint, which config.json asks for "
       "with attention_bias = true"},
  };
  for (const auto &[text, message] : cases) {
    const char *fields = text;
    checkpoint.edit("config.json",
                    [&](json &config) { config.update(json::parse(fields)); });
    expectRefused(checkpoint.path(), {message}, fields);
  }
}

TEST(ImportRefusals, Tensors) {
  auto expectTensorsRefused =
      [](const char *name,
         const std::function<void(std::vector<NamedTensor> &)> &change,
         const std::vector<std::string> &parts) {
        EditedCheckpoint checkpoint(name);
        checkpoint.editTensors(change);
        expectRefused(checkpoint.path(), parts, parts[0]);
      };
  auto find = [](std::vector<NamedTensor> &tensors,
                 const char *name) -> NamedTensor & {
    for (NamedTensor &tensor : tensors)
      if (tensor.name == name)
        return tensor;
    ADD_FAILURE() << name;
    return tensors[0];
  };
  const char *q = "model.layers.1.self_attn.q_proj.weight";
  const char *k = "model.layers.1.self_attn.k_proj.weight";
  expectTensorsRefused("llama-gqa-bf16",
                       [&](auto &tensors) { find(tensors, q).name = "q"; },
                       {q, "missing from the checkpoint"});
  expectTensorsRefused(
      "llama-gqa-bf16",
      [&](auto &tensors) {
        std::swap(find(tensors, q).name, find(tensors, k).name);
      },
      {q, "[num_attention_heads * head_dim, hidden_size] = [48, 48], found "
          "[16, 48]"});
  expectTensorsRefused(
      "llama-gqa-bf16",
      [&](auto &tensors) { find(tensors, q).shape = {48 * 48}; },
      {q, "found [2304]"});
  expectTensorsRefused(
      "llama-gqa-bf16",
      [&](auto &tensors) { find(tensors, q).type = ElementType::I16; },
      {q, "expected elements of type F32, F16 or BF16, found I16"});
  expectTensorsRefused(
      "llama-gqa-bf16",
      [&](auto &tensors) { find(tensors, k).type = ElementType::F16; },
      {k, q, "expected type BF16", "found F16"});
  expectTensorsRefused(
      "llama-gqa-bf16",
      [&](auto &tensors) {
        tensors.push_back(find(tensors, "model.norm.weight"));
        tensors.back().name = "model.layers.0.self_attn.q_norm.weight";
      },
      {"tensor \"model.layers.0.self_attn.q_norm.weight\": not expected in a "
       "checkpoint of family llama"});
  expectTensorsRefused(
      "llama-gqa-bf16",
      [&](auto &tensors) {
        tensors.push_back(find(tensors, "model.norm.weight"));
        tensors.back().name = "model.layers.0.self_attn.q_proj.bias";
      },
      {"not expected, config.json rules it out with attention_bias = false"});
  expectTensorsRefused(
      "llama-gqa-bf16",
      [&](auto &tensors) {
        tensors.erase(tensors.begin() +
                      (&find(tensors, "lm_head.weight") - tensors.data()));
      },
      {"lm_head.weight", "asks for with tie_word_embeddings = false"});
  expectTensorsRefused(
      "llama-mqa-tied",
      [&](auto &tensors) { find(tensors, "model.norm.weight").name = "x"; },
      {"tensor \"model.norm.weight\": missing"});
}

TEST(ImportRefusals, Files) {
  EditedCheckpoint checkpoint("llama-odd-sharded");
  expectRefused(checkpoint.path() + "/nowhere",
                {"nowhere/config.json", "No such file"}, "no folder");
  checkpoint.replace("config.json", "[1, 2");
  expectRefused(checkpoint.path(), {"config.json': invalid JSON"}, "not JSON");
  checkpoint.replace("config.json", "[1, 2]");
  expectRefused(checkpoint.path(), {"expected an object, found [1,2]"},
                "an array");
  checkpoint.edit("config.json", [](json &) {});
  checkpoint.remove("model-00002-of-00003.safetensors");
  expectRefused(checkpoint.path(),
                {"model-00002-of-00003.safetensors", "No such file"},
                "missing shard");
  checkpoint.remove("model.safetensors.index.json");
  expectRefused(checkpoint.path(), {"model.safetensors.index.json"},
                "missing index");
}

TEST(ImportRefusals, HostileGenerationConfig) {
  struct {
    const char *field;
    std::vector<std::string> fine;
  } fields[] = {
      {"bos_token_id", {"0", "null"}},
      {"eos_token_id", {"0", "null", "[]", "[8]"}},
      {"temperature", {"0", "1.5", "null", "1e-300"}},
      {"top_k", {"0", "null"}},
      {"top_p", {"0", "null", "1e-300"}},
      {"do_sample", {"true", "false", "null"}},
      {"repetition_penalty", {"1.5", "null"}},
  };
  for (const auto &field : fields)
    expectHostileRefused("llama-gqa-bf16", "generation_config.json",
                         json::json_pointer(std::string("/") + field.field),
                         field.field, field.fine);
}

/// Whatever several fields are replaced with, the importer refuses with one
/// line or imports a module that it verified.
TEST(ImportRefusals, RandomMutations) {
  std::mt19937 random(5);
  for (const char *name : {"llama-rope-llama3", "llama-biases", "bert-mean"}) {
    EditedCheckpoint checkpoint(name);
    json original = readJson(bundled(name) + "/config.json");
    std::vector<std::string> fields;
    for (auto &[field, value] : original.items())
      fields.push_back(field);
    int imported = 0;
    for (int round = 0; round < 200; ++round) {
      checkpoint.edit("config.json", [&](json &config) {
        for (int i = 1 + random() % 3; i; --i) {
          const std::string &field = fields[random() % fields.size()];
          if (random() % 4)
            config[field] =
                json::parse(kHostile[random() % std::size(kHostile)]);
          else
            config.erase(field);
        }
      });
      mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
      std::string error;
      bool isImported =
          bool(importCheckpoint(context, checkpoint.path(), {}, error));
      imported += isImported;
      EXPECT_EQ(isImported, error.empty());
      EXPECT_EQ(error.find('\n'), std::string::npos) << error;
    }
    EXPECT_GT(imported, 0);
  }
}

} // namespace
