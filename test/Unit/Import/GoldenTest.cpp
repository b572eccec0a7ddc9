//===- GoldenTest.cpp - Imported models and reference outputs ---*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The reference evaluator runs what the importer made, and its outputs are
// compared with those that Hugging Face transformers computed from the same
// files. Deviations are relative to the range of the reference: in f32 the two
// implementations differ by sums of a few hundred f32 terms, far below 1e-5. In
// bf16 the evaluator rounds less than the reference, which rounds every
// intermediate; it may be off by what bf16 costs there, and half of that more.
//
//===----------------------------------------------------------------------===//
#include "ImportTest.h"

#include "smelt/Reference/Evaluator.h"

#include <cmath>
#include <cstring>

using namespace smelt;
using namespace smelt::test;

namespace {

/// Reference tensors of a bundled checkpoint.
class Golden {
public:
  explicit Golden(const std::string &name) {
    std::string error;
    file = SafetensorsFile::open(bundled(name) + "/golden.safetensors", error);
    EXPECT_TRUE(file) << error;
  }

  template <typename T> std::vector<T> read(const std::string &name) const {
    const NamedTensor *tensor = file ? file->find(name) : nullptr;
    EXPECT_TRUE(tensor) << name;
    if (!tensor)
      return {};
    EXPECT_EQ(tensor->type,
              std::is_integral_v<T> ? ElementType::I64 : ElementType::F32);
    std::vector<T> values(tensor->bytes / sizeof(T));
    memcpy(values.data(), tensor->data, tensor->bytes);
    return values;
  }

private:
  std::unique_ptr<SafetensorsFile> file;
};

/// Largest difference, relative to the range of `expected`; infinite if a value
/// is no number.
double deviation(const std::vector<float> &actual,
                 const std::vector<float> &expected) {
  EXPECT_EQ(actual.size(), expected.size());
  EXPECT_FALSE(expected.empty());
  if (actual.size() != expected.size() || expected.empty())
    return INFINITY;
  double largest = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    double difference = std::abs(double(actual[i]) - expected[i]);
    if (!(difference <= largest))
      largest = std::isnan(difference) ? INFINITY : difference;
  }
  auto [low, high] = std::minmax_element(expected.begin(), expected.end());
  return largest / (double(*high) - *low);
}

using Inputs = std::map<std::string, std::vector<int32_t>>;
using Outputs = std::map<std::string, Datum>;

/// Imports a bundled checkpoint and runs one step of it.
Outputs runStep(const std::string &name, ComputeType compute,
                const Inputs &inputs, bool isDecoder) {
  mlir::MLIRContext context;
  std::string error;
  auto module = importCheckpoint(context, bundled(name), {compute, ""}, error);
  EXPECT_TRUE(module) << error;
  if (!module)
    return {};
  Evaluator evaluator(*module, readCheckpoint(*module));
  KVState kv;
  Outputs outputs;
  EXPECT_TRUE(
      succeeded(evaluator.run(inputs, isDecoder ? &kv : nullptr, outputs)));
  return outputs;
}

constexpr double kTolerance = 1e-5;

class GoldenDecoder : public testing::TestWithParam<const char *> {};

TEST_P(GoldenDecoder, Logits) {
  Golden golden(GetParam());
  std::vector<int64_t> ids = golden.read<int64_t>("prompt_ids");
  Inputs inputs;
  for (size_t i = 0; i < ids.size(); ++i) {
    inputs["ids"].push_back(ids[i]);
    inputs["positions"].push_back(i);
    inputs["slots"].push_back(0);
    inputs["rows"].push_back(i);
  }
  std::vector<float> exact = golden.read<float>("logits_f32");
  Outputs f32 = runStep(GetParam(), ComputeType::F32, inputs, true);
  EXPECT_LE(deviation(f32["logits"].floats, exact), kTolerance);

  double cost = deviation(golden.read<float>("logits_bf16"), exact);
  Outputs bf16 = runStep(GetParam(), ComputeType::BF16, inputs, true);
  double actual = deviation(bf16["logits"].floats, exact);
  EXPECT_LE(actual, 1.5 * cost);
  // It does round: the difference to f32 isn't the noise of f32 sums.
  EXPECT_GT(actual, 10 * kTolerance);
}

INSTANTIATE_TEST_SUITE_P(, GoldenDecoder,
                         testing::Values("llama-mha", "llama-gqa-bf16",
                                         "llama-mqa-tied", "llama-odd-sharded",
                                         "llama-rope-linear",
                                         "llama-rope-llama3", "llama-rope-v5",
                                         "llama-biases"));

class GoldenEncoder : public testing::TestWithParam<const char *> {};

TEST_P(GoldenEncoder, HiddenStatesAndEmbeddings) {
  Golden golden(GetParam());
  std::vector<int64_t> ids = golden.read<int64_t>("input_ids");
  std::vector<int64_t> mask = golden.read<int64_t>("attention_mask");
  std::vector<int64_t> types = golden.read<int64_t>("token_type_ids");
  constexpr size_t kSequences = 4;
  size_t length = ids.size() / kSequences;

  // Packs the sequences; `places` are the packed tokens' rows in the padded
  // arrays of the reference.
  Inputs inputs;
  std::vector<size_t> places;
  for (size_t s = 0; s < kSequences; ++s) {
    int32_t begin = places.size();
    for (size_t i = s * length; i < (s + 1) * length; ++i)
      if (mask[i]) {
        inputs["ids"].push_back(ids[i]);
        inputs["types"].push_back(types[i]);
        inputs["positions"].push_back(places.size() - begin);
        inputs["rows"].push_back(places.size());
        places.push_back(i);
      }
    int32_t end = places.size();
    inputs["seq_begin"].resize(end, begin);
    inputs["seq_end"].resize(end, end);
    inputs["pool_begin"].push_back(begin);
    inputs["pool_end"].push_back(end);
  }
  auto packed = [&](const std::vector<float> &padded) {
    size_t width = padded.size() / ids.size();
    std::vector<float> rows;
    for (size_t place : places)
      rows.insert(rows.end(), padded.begin() + place * width,
                  padded.begin() + (place + 1) * width);
    return rows;
  };
  std::vector<float> hidden =
      packed(golden.read<float>("last_hidden_state_f32"));
  std::vector<float> embedding = golden.read<float>("embedding_f32");
  Outputs f32 = runStep(GetParam(), ComputeType::F32, inputs, false);
  EXPECT_LE(deviation(f32["last_hidden_state"].floats, hidden), kTolerance);
  EXPECT_LE(deviation(f32["embedding"].floats, embedding), kTolerance);

  Outputs bf16 = runStep(GetParam(), ComputeType::BF16, inputs, false);
  double hiddenCost =
      deviation(packed(golden.read<float>("last_hidden_state_bf16")), hidden);
  double embeddingCost =
      deviation(golden.read<float>("embedding_bf16"), embedding);
  EXPECT_LE(deviation(bf16["last_hidden_state"].floats, hidden),
            1.5 * hiddenCost);
  EXPECT_LE(deviation(bf16["embedding"].floats, embedding),
            1.5 * embeddingCost);
}

INSTANTIATE_TEST_SUITE_P(, GoldenEncoder,
                         testing::Values("bert-mean", "bert-cls-bf16"));

} // namespace
