//===- ImportTest.cpp - What checkpoints are imported as --------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ImportTest.h"

#include "smelt/Dialect/LLM/IR/LLM.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"

#include <cstring>

using namespace smelt;
using namespace smelt::test;

namespace {

/// Occurrences of `part` in `text`.
size_t count(const std::string &text, const std::string &part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos;
       at = text.find(part, at + part.size()))
    ++found;
  return found;
}

/// Expects each of `parts`, behind the one before.
void expectInOrder(const std::string &text,
                   const std::vector<std::string> &parts) {
  size_t at = 0;
  for (const std::string &part : parts) {
    size_t found = text.find(part, at);
    ASSERT_NE(found, std::string::npos) << "missing: " << part;
    at = found + part.size();
  }
}

class Bundled : public testing::TestWithParam<const char *> {};

/// Each source is the tensor that the file's own header gives: the bytes at its
/// offset are those that the reader maps.
TEST_P(Bundled, SourcesNameTheirBytes) {
  mlir::MLIRContext context;
  std::string error, directory = bundled(GetParam());
  auto module = importCheckpoint(context, directory, {}, error);
  ASSERT_TRUE(module) << error;
  EXPECT_TRUE(succeeded(mlir::verify(*module)));
  EXPECT_EQ((*module)->getAttrOfType<mlir::StringAttr>("llm.stage"), "import");
  EXPECT_EQ((*module)->getAttrOfType<mlir::StringAttr>("llm.checkpoint"),
            directory);
  size_t params = 0;
  for (llm::ParamOp param : module->getOps<llm::ParamOp>()) {
    ++params;
    ASSERT_EQ(param.getInstanceCount(), 1);
    ASSERT_EQ(param.getInstance(0).size(), 1u);
    llm::SourceAttr source = param.getInstance(0)[0];
    auto file =
        SafetensorsFile::open(directory + "/" + source.getFile().str(), error);
    ASSERT_TRUE(file) << error;
    const NamedTensor *tensor = file->find(source.getName().str());
    ASSERT_TRUE(tensor) << source.getName().str();
    std::ifstream stream(file->path(), std::ios::binary);
    std::string bytes(tensor->bytes, '\0');
    stream.seekg(source.getOffset()).read(bytes.data(), bytes.size());
    EXPECT_EQ(memcmp(bytes.data(), tensor->data, bytes.size()), 0);
    EXPECT_EQ(source.getType().getShape(),
              llvm::ArrayRef<int64_t>(tensor->shape));
    EXPECT_EQ(source.getType().getElementTypeBitWidth(),
              elementTypeBits(tensor->type));
    bool isVector = source.getType().getRank() == 1;
    EXPECT_EQ(param.getParamType().getElementType(),
              isVector ? mlir::Float32Type::get(&context)
                       : source.getType().getElementType());
  }
  EXPECT_GE(params, 2u + 3 * 9);
}

TEST_P(Bundled, PrintsWhatParses) {
  std::string text = importText(bundled(GetParam()));
  mlir::MLIRContext context;
  context.loadDialect<llm::LLMDialect, mlir::func::FuncDialect,
                      mlir::arith::ArithDialect>();
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  ASSERT_TRUE(module);
  std::string again;
  llvm::raw_string_ostream stream(again);
  module->print(stream);
  EXPECT_EQ(text, again);
}

INSTANTIATE_TEST_SUITE_P(, Bundled,
                         testing::Values("llama-mha", "llama-gqa-bf16",
                                         "llama-mqa-tied", "llama-odd-sharded",
                                         "llama-rope-linear",
                                         "llama-rope-llama3", "llama-rope-v5",
                                         "llama-biases", "bert-mean",
                                         "bert-cls-bf16"));

TEST(ImportLlama, EmitsTheLayer) {
  std::string text = importText(bundled("llama-gqa-bf16"));
  expectInOrder(
      text, {"llm.compute = bf16", "context = 256 : i64", "dtype = \"bf16\"",
             "family = \"llama\"", "generation = {bos = 1 : i64, eos = [2]}",
             "hidden = 48 : i64", "kind = \"decoder\"", "layers = 3 : i64",
             "name = \"llama-gqa-bf16\"", "vocabulary = 307 : i64",
             "llm.stage = \"import\"", "llm.param @embed : tensor<307x48xbf16>",
             "llm.param @layers.0.norm1 : tensor<48xf32>",
             "type = tensor<48xbf16>>]] recipe [#llm.cast<f32>]",
             "llm.param @layers.0.k : tensor<16x48xbf16>",
             "llm.param @layers.2.down : tensor<48x80xbf16>",
             "llm.param @norm : tensor<48xf32>",
             "llm.param @head : tensor<307x48xbf16>"});
  expectInOrder(text,
                {"func.func @step(%arg0: tensor<?xi32> {llm.input = \"ids\"}",
                 "%arg1: tensor<?xi32> {llm.input = \"positions\"}",
                 "%arg2: tensor<?xi32> {llm.input = \"slots\"}",
                 "%arg3: tensor<?xi32> {llm.input = \"rows\"}",
                 "%arg4: !llm.kv<layers = 3, heads = 2, size = 8, type = bf16> "
                 "{llm.input = \"kv\"}",
                 "-> (tensor<?x307xf32> {llm.output = \"logits\"})",
                 "llm.embedding",
                 "llm.rms_norm",
                 "{eps = 9.99999997E-7 : f32}",
                 "@layers.0.q",
                 "{compute = bf16}",
                 "@layers.0.k",
                 "@layers.0.v",
                 "{base = 1.000000e+04 : f64, heads = 6 : i64}",
                 "{base = 1.000000e+04 : f64, heads = 2 : i64}",
                 "llm.kv_append",
                 "llm.cached_attention",
                 "heads = 6 : i64, scale = 0.353553385 : f32",
                 "@layers.0.o",
                 "llm.add",
                 "@layers.0.norm2",
                 "llm.rms_norm",
                 "@layers.0.gate",
                 "llm.silu",
                 "@layers.0.up",
                 "llm.mul",
                 "@layers.0.down",
                 "llm.add",
                 "@layers.1.norm1",
                 "@layers.2.down",
                 "@norm",
                 "llm.rms_norm",
                 "@head",
                 "llm.linear",
                 "llm.gather_rows",
                 "return"});
  EXPECT_EQ(count(text, "llm.linear"), 3u * 7 + 1);
  EXPECT_EQ(count(text, "llm.kv_append"), 3u);
}

TEST(ImportLlama, TiesTheHead) {
  EditedCheckpoint checkpoint("llama-mqa-tied");
  std::string text = importText(checkpoint.path());
  EXPECT_EQ(text.find("@head"), std::string::npos);
  EXPECT_EQ(count(text, "llm.get_param @embed"), 2u);
  // A copy of the table under the head's name changes nothing.
  checkpoint.editTensors([](std::vector<NamedTensor> &tensors) {
    for (const NamedTensor &tensor : std::vector<NamedTensor>(tensors))
      if (tensor.name == "model.embed_tokens.weight") {
        tensors.push_back(tensor);
        tensors.back().name = "lm_head.weight";
      }
  });
  text = importText(checkpoint.path());
  EXPECT_EQ(text.find("lm_head"), std::string::npos);
}

TEST(ImportLlama, AddsBiases) {
  std::string text = importText(bundled("llama-biases"));
  EXPECT_EQ(count(text, " bias %"), 3u * 7);
  EXPECT_EQ(count(text, "llm.linear"), 3u * 7 + 1);
}

TEST(ImportLlama, ReadsRopeInEveryStyle) {
  const std::string llama3 =
      "scaling = {factor = 4.000000e+00 : f64, high_freq_factor = 4.000000e+00 "
      ": f64, low_freq_factor = 1.000000e+00 : f64, "
      "original_max_position_embeddings = 6.400000e+01 : f64, type = "
      "\"llama3\"}";
  const std::string linear =
      "scaling = {factor = 4.000000e+00 : f64, type = \"linear\"}";
  EXPECT_EQ(count(importText(bundled("llama-rope-llama3")), llama3), 6u);
  EXPECT_EQ(count(importText(bundled("llama-rope-linear")), linear), 6u);

  EditedCheckpoint checkpoint("llama-rope-llama3");
  auto expectRope = [&](const char *fields, const std::string &expected,
                        bool isScaled) {
    checkpoint.edit("config.json", [&](nlohmann::json &config) {
      config.erase("rope_theta");
      config.erase("rope_scaling");
      config.update(nlohmann::json::parse(fields));
    });
    std::string text = importText(checkpoint.path());
    EXPECT_EQ(count(text, expected), 6u) << fields;
    EXPECT_EQ(text.find("scaling") != std::string::npos, isScaled) << fields;
  };
  const std::string tenThousand = "base = 1.000000e+04 : f64";
  const std::string million = "base = 1.000000e+06 : f64";
  expectRope("{}", tenThousand, false);
  expectRope("{\"rope_theta\": 1000000}", million, false);
  expectRope("{\"rope_theta\": 1e6, \"rope_scaling\": null}", million, false);
  expectRope("{\"rope_scaling\": {\"rope_type\": \"default\"}}", tenThousand,
             false);
  expectRope("{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4}}",
             linear, true);
  expectRope("{\"rope_scaling\": {\"type\": \"linear\", \"rope_type\": "
             "\"linear\", \"factor\": 4.0}}",
             linear, true);
  expectRope("{\"rope_parameters\": {\"rope_theta\": 1e6, \"rope_type\": "
             "\"default\"}}",
             million, false);
  expectRope("{\"rope_parameters\": {\"rope_theta\": 1e6, \"rope_type\": "
             "\"llama3\", \"factor\": 4, \"low_freq_factor\": 1, "
             "\"high_freq_factor\": 4, \"original_max_position_embeddings\": "
             "64}, \"rope_scaling\": null, \"rope_theta\": 1e6}",
             llama3, true);
}

TEST(ImportLlama, DerivesWhatConfigLeavesOut) {
  EditedCheckpoint checkpoint("llama-mha");
  std::string whole = importText(bundled("llama-mha"));
  checkpoint.edit("config.json", [](nlohmann::json &config) {
    for (const char *field :
         {"head_dim", "num_key_value_heads", "hidden_act", "rope_theta",
          "rope_scaling", "attention_bias", "mlp_bias", "rms_norm_eps",
          "tie_word_embeddings", "torch_dtype"})
      config.erase(field);
  });
  std::string text = importText(checkpoint.path());
  size_t body = whole.find("llm.param"), other = text.find("llm.param");
  EXPECT_EQ(whole.substr(body), text.substr(other));
}

TEST(ImportLlama, ChoosesTheActivation) {
  EditedCheckpoint checkpoint("llama-mha");
  const std::pair<const char *, const char *> names[] = {
      {"silu", "llm.silu "},
      {"swish", "llm.silu "},
      {"gelu", "llm.gelu "},
      {"gelu_new", "llm.gelu_tanh "},
      {"gelu_pytorch_tanh", "llm.gelu_tanh "},
      {"relu", "llm.relu "},
  };
  for (const auto &[activation, op] : names) {
    const char *name = activation;
    checkpoint.edit("config.json", [&](nlohmann::json &config) {
      config["hidden_act"] = name;
    });
    EXPECT_EQ(count(importText(checkpoint.path()), op), 3u) << name;
  }
}

TEST(ImportBert, EmitsTheLayer) {
  std::string text = importText(bundled("bert-cls-bf16"));
  expectInOrder(text,
                {"llm.compute = bf16", "context = 96 : i64",
                 "embedding = {max_length = 96 : i64}", "family = \"bert\"",
                 "kind = \"encoder\"", "vocabulary = 307 : i64",
                 "llm.param @embed : tensor<307x48xbf16>",
                 "llm.param @embed_positions : tensor<96x48xbf16>",
                 "llm.param @embed_types : tensor<2x48xbf16>",
                 "llm.param @embed_norm_bias : tensor<48xf32>",
                 "llm.param @layers.2.up : tensor<80x48xbf16>"});
  EXPECT_EQ(text.find("generation"), std::string::npos);
  expectInOrder(text,
                {"%arg0: tensor<?xi32> {llm.input = \"ids\"}",
                 "%arg1: tensor<?xi32> {llm.input = \"positions\"}",
                 "%arg2: tensor<?xi32> {llm.input = \"types\"}",
                 "%arg3: tensor<?xi32> {llm.input = \"seq_begin\"}",
                 "%arg4: tensor<?xi32> {llm.input = \"seq_end\"}",
                 "%arg5: tensor<?xi32> {llm.input = \"rows\"}",
                 "%arg6: tensor<?xi32> {llm.input = \"pool_begin\"}",
                 "%arg7: tensor<?xi32> {llm.input = \"pool_end\"}",
                 "-> (tensor<?x48xf32> {llm.output = \"last_hidden_state\"}, "
                 "tensor<?x48xf32> {llm.output = \"embedding\"})",
                 "llm.embedding %arg0",
                 "llm.embedding %arg2",
                 "llm.embedding %arg1",
                 "llm.layer_norm",
                 "{eps = 9.99999996E-13 : f32}",
                 "@layers.0.q",
                 " bias %",
                 "{compute = bf16}",
                 "@layers.0.k",
                 "@layers.0.v",
                 "llm.attention",
                 "in %arg3, %arg4",
                 "compute = bf16",
                 "heads = 4",
                 "kv_heads = 4",
                 "scale = 0.288675129 : f32",
                 "@layers.0.o",
                 "llm.add",
                 "@layers.0.norm1",
                 "llm.layer_norm",
                 "@layers.0.up",
                 "llm.gelu_tanh",
                 "@layers.0.down",
                 "llm.add",
                 "@layers.0.norm2",
                 "llm.layer_norm",
                 "@layers.1.q",
                 "@layers.2.norm2",
                 "llm.gather_rows",
                 "%arg5",
                 "llm.pool",
                 "in %arg6, %arg7 {mode = \"cls\"}",
                 "llm.normalize",
                 "return"});
  EXPECT_EQ(count(text, " bias %"), 3u * 6);
}

TEST(ImportBert, PoolsAsModulesSay) {
  EXPECT_NE(importText(bundled("bert-mean")).find("{mode = \"mean\"}"),
            std::string::npos);
  EditedCheckpoint checkpoint("bert-mean");
  checkpoint.edit("modules.json",
                  [](nlohmann::json &modules) { modules.erase(2); });
  std::string text = importText(checkpoint.path());
  EXPECT_NE(text.find("llm.pool"), std::string::npos);
  EXPECT_EQ(text.find("llm.normalize"), std::string::npos);
  for (const char *mode : {"cls", "mean"}) {
    checkpoint.replace("1_Pooling/config.json",
                       "{\"embedding_dimension\": 48, \"pooling_mode\": \"" +
                           std::string(mode) + "\"}");
    EXPECT_NE(importText(checkpoint.path())
                  .find("{mode = \"" + std::string(mode) + "\"}"),
              std::string::npos);
  }
  checkpoint.remove("modules.json");
  text = importText(checkpoint.path());
  EXPECT_EQ(text.find("pool"), std::string::npos);
  EXPECT_EQ(text.find("llm.output = \"embedding\""), std::string::npos);
}

TEST(ImportBert, TakesTheShorterLength) {
  EditedCheckpoint checkpoint("bert-mean");
  const std::pair<const char *, const char *> cases[] = {
      {"{\"max_seq_length\": 64, \"do_lower_case\": false}", "64"},
      {"{\"max_seq_length\": 512}", "96"},
      {"{\"max_seq_length\": null}", "96"},
      {"{}", "96"},
  };
  for (const auto &[file, length] : cases) {
    checkpoint.replace("sentence_bert_config.json", file);
    EXPECT_NE(importText(checkpoint.path())
                  .find("{max_length = " + std::string(length) + " : i64}"),
              std::string::npos)
        << file;
  }
}

TEST(ImportBert, AcceptsPrefixAndHeads) {
  std::string plain = importText(bundled("bert-mean"));
  EditedCheckpoint checkpoint("bert-mean");
  checkpoint.editTensors([](std::vector<NamedTensor> &tensors) {
    NamedTensor pooler = tensors[0];
    for (NamedTensor &tensor : tensors)
      tensor.name = "bert." + tensor.name;
    for (const char *name : {"bert.pooler.dense.bias", "cls.predictions.bias",
                             "bert.embeddings.position_ids"}) {
      tensors.push_back(pooler);
      tensors.back().name = name;
    }
  });
  std::string text = importText(checkpoint.path());
  EXPECT_NE(text.find("#llm.source<\"bert.encoder.layer.0"), std::string::npos);
  EXPECT_EQ(text.find("pooler"), std::string::npos);
  EXPECT_EQ(text.substr(text.find("func.func")),
            plain.substr(plain.find("func.func")));
}

TEST(Import, ChoosesTheComputeType) {
  EditedCheckpoint checkpoint("llama-gqa-bf16");
  auto computeWith = [&](const char *fields, const ImportOptions &options) {
    checkpoint.edit("config.json", [&](nlohmann::json &config) {
      config.erase("torch_dtype");
      config.update(nlohmann::json::parse(fields));
    });
    std::string text = importText(checkpoint.path(), options);
    size_t at = text.find("llm.compute = ") + 14;
    std::string name = text.substr(at, text.find(',', at) - at);
    EXPECT_NE(text.find("dtype = \"" + name + "\""), std::string::npos);
    EXPECT_EQ(count(text, "{compute = " + name + "}"), 22u);
    EXPECT_NE(text.find("size = 8, type = " + name), std::string::npos);
    return name;
  };
  EXPECT_EQ(computeWith("{}", {}), "bf16");
  EXPECT_EQ(computeWith("{\"torch_dtype\": \"float32\"}", {}), "f32");
  EXPECT_EQ(computeWith("{\"torch_dtype\": \"float16\"}", {}), "f32");
  EXPECT_EQ(computeWith("{\"dtype\": \"bfloat16\"}", {}), "bf16");
  EXPECT_EQ(computeWith("{\"dtype\": \"torch.float32\"}", {}), "f32");
  EXPECT_EQ(computeWith("{}", {ComputeType::F32, ""}), "f32");
  EXPECT_EQ(
      computeWith("{\"torch_dtype\": \"float32\"}", {ComputeType::BF16, ""}),
      "bf16");
  EXPECT_NE(importText(bundled("llama-odd-sharded")).find("llm.compute = f32"),
            std::string::npos);
}

TEST(Import, ReadsGenerationConfig) {
  EditedCheckpoint checkpoint("llama-mha");
  auto expectGeneration = [&](const char *fields, const char *expected) {
    checkpoint.replace("generation_config.json", fields);
    EXPECT_NE(importText(checkpoint.path()).find(expected), std::string::npos)
        << fields;
  };
  expectGeneration("{\"bos_token_id\": 3, \"eos_token_id\": [4, 5]}",
                   "generation = {bos = 3 : i64, eos = [4, 5]}");
  expectGeneration("{\"temperature\": 0.5, \"top_k\": 20, \"top_p\": 1, "
                   "\"do_sample\": true}",
                   "generation = {bos = 1 : i64, do_sample = true, eos = [2], "
                   "temperature = 5.000000e-01 : f64, top_k = 20 : i64, top_p "
                   "= 1.000000e+00 : f64}");
  expectGeneration("{\"eos_token_id\": null, \"top_k\": null}",
                   "generation = {bos = 1 : i64, eos = [2]}");
  checkpoint.remove("generation_config.json");
  checkpoint.edit("config.json", [](nlohmann::json &config) {
    config["bos_token_id"] = nullptr;
    config["eos_token_id"] = {6, 7};
  });
  EXPECT_NE(importText(checkpoint.path()).find("generation = {eos = [6, 7]}"),
            std::string::npos);
}

} // namespace
