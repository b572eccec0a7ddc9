//===- GraphTest.cpp - Graph passes keep the numbers ------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every pass and the whole stage, on random decoders and encoders: the results
// before and after are the same bits. Folded norm weights are powers of two in
// these models, so that even that product is exact; NormWeights bounds it for
// any others.
//
//===----------------------------------------------------------------------===//
#include "Models.h"
#include "smelt/Transforms/Graph/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/STLExtras.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

using namespace mlir;
using namespace smelt;
using namespace smelt::test;

namespace {
using Ints = std::vector<int32_t>;
using Step = std::map<std::string, Ints>;
using Outputs = std::map<std::string, Datum>;

struct GraphTest : testing::Test {
  GraphTest() {
    context.loadDialect<llm::LLMDialect, arith::ArithDialect, func::FuncDialect,
                        scf::SCFDialect, tensor::TensorDialect>();
  }
  OwningOpRef<ModuleOp>
  parse(const std::string &text,
        const std::function<void(OpPassManager &)> &passes = nullptr) {
    auto module = parseSourceString<ModuleOp>(text, &context);
    EXPECT_TRUE(module) << text;
    PassManager pm(&context);
    if (module && passes) {
      passes(pm);
      EXPECT_TRUE(succeeded(pm.run(*module)));
    }
    return module;
  }
  /// Outputs of steps that share a cache.
  static std::vector<Outputs> run(ModuleOp module,
                                  const std::vector<Step> &steps) {
    Evaluator evaluator(module, makeParam);
    KVState kv;
    std::vector<Outputs> all(steps.size());
    for (auto [step, outputs] : llvm::zip_equal(steps, all))
      EXPECT_TRUE(succeeded(evaluator.run(step, &kv, outputs)));
    return all;
  }
  MLIRContext context;
};

struct NamedPasses {
  const char *name;
  std::function<void(OpPassManager &)> add;
};
} // namespace

static const NamedPasses kPasses[] = {
    {"fold-rope", [](OpPassManager &pm) { pm.addPass(createFoldRope()); }},
    {"fuse-gate-up", [](OpPassManager &pm) { pm.addPass(createFuseGateUp()); }},
    {"fuse-qkv", [](OpPassManager &pm) { pm.addPass(createFuseQKV()); }},
    {"fuse-residual",
     [](OpPassManager &pm) { pm.addPass(createFuseResidual()); }},
    {"fold-norm-weights",
     [](OpPassManager &pm) { pm.addPass(createFoldNormWeights()); }},
    {"gather-early",
     [](OpPassManager &pm) { pm.addPass(createGatherEarly()); }},
    {"outline-layer",
     [](OpPassManager &pm) { pm.addPass(createOutlineLayer()); }},
    {"stage", buildGraphPipeline},
};

static std::vector<ModelOptions> getModels() {
  std::vector<ModelOptions> models(7);
  models[0].layers = 1;
  models[1].layers = 3;
  models[1].biases = true;
  models[2].kinds = 2;
  models[2].layers = 5;
  models[3].bf16 = true;
  models[3].tied = true;
  models[4].heads = models[4].kvHeads = 1;
  models[4].size = 2;
  models[4].hidden = models[4].inner = models[4].vocabulary = 1;
  models[5].hidden = 13;
  models[5].inner = 17;
  models[5].biases = models[5].tied = true;
  models[6].kinds = 2;
  models[6].layers = 4;
  models[6].bf16 = models[6].biases = true;
  models[6].kvHeads = 3;
  return models;
}

/// Positions [begin, begin + ids.size()) of a sequence, all outputs wanted.
static Step makeStep(const Ints &ids, int begin, int slot) {
  Step step;
  step["ids"] = ids;
  for (size_t i = 0; i < ids.size(); ++i) {
    step["positions"].push_back(begin + i);
    step["slots"].push_back(slot);
    step["rows"].push_back(i);
  }
  return step;
}

static Ints makeIds(int count, int vocabulary) {
  Ints ids;
  for (int i = 0; i < count; ++i)
    ids.push_back((i * 7 + 3) % vocabulary);
  return ids;
}

/// Two steps: parts of two sequences, then one token of each, in other order.
static std::vector<Step> makeMixedSteps(int vocabulary) {
  Step first = makeStep(makeIds(5, vocabulary), 0, 2);
  Step other = makeStep(makeIds(2, vocabulary), 0, 0);
  for (auto &[name, values] : other)
    if (name != "rows")
      first[name].insert(first[name].end(), values.begin(), values.end());
  first["rows"] = {6, 4};
  Step second = makeStep(makeIds(1, vocabulary), 2, 0);
  for (auto &[name, values] : makeStep(makeIds(1, vocabulary), 5, 2))
    second[name].push_back(name == "rows" ? 1 : values[0]);
  return {first, second};
}

static Step makeEncoderStep(int vocabulary) {
  Step step;
  step["ids"] = makeIds(6, vocabulary);
  step["positions"] = {0, 1, 2, 3, 0, 1};
  step["types"] = {0, 0, 1, 1, 0, 0};
  step["seq_begin"] = {0, 0, 0, 0, 4, 4};
  step["seq_end"] = {4, 4, 4, 4, 6, 6};
  step["rows"] = {5, 0, 3};
  step["pool_begin"] = {0, 4};
  step["pool_end"] = {4, 6};
  return step;
}

static void expectSame(const std::vector<Outputs> &a,
                       const std::vector<Outputs> &b) {
  ASSERT_EQ(a.size(), b.size());
  for (auto [x, y] : llvm::zip_equal(a, b)) {
    ASSERT_FALSE(x.empty());
    for (auto &[name, datum] : x) {
      ASSERT_TRUE(y.count(name)) << name;
      ASSERT_EQ(datum.shape, y.at(name).shape);
      ASSERT_EQ(datum.floats, y.at(name).floats) << name; // false for NaN
    }
  }
}

TEST_F(GraphTest, PassesKeepTheBitsOfDecoders) {
  for (auto [i, model] : llvm::enumerate(getModels())) {
    std::vector<Step> steps = makeMixedSteps(model.vocabulary);
    auto before = parse(llama(model));
    std::vector<Outputs> expected = run(*before, steps);
    for (const NamedPasses &passes : kPasses) {
      SCOPED_TRACE(std::string(passes.name) + ", model " + std::to_string(i));
      auto after = parse(llama(model), passes.add);
      expectSame(expected, run(*after, steps));
    }
  }
}

TEST_F(GraphTest, PassesKeepTheBitsOfEncoders) {
  for (auto [i, model] : llvm::enumerate(getModels())) {
    std::vector<Step> steps = {makeEncoderStep(model.vocabulary)};
    auto before = parse(bert(model));
    std::vector<Outputs> expected = run(*before, steps);
    for (const NamedPasses &passes : kPasses) {
      SCOPED_TRACE(std::string(passes.name) + ", model " + std::to_string(i));
      auto after = parse(bert(model), passes.add);
      expectSame(expected, run(*after, steps));
    }
  }
}

/// A sequence token by token, in chunks, whole, and beside another one.
TEST_F(GraphTest, ChunksKeepTheBits) {
  for (const ModelOptions &model : getModels()) {
    auto module = parse(llama(model), buildGraphPipeline);
    Ints ids = makeIds(11, model.vocabulary);
    auto logitsOf = [&](const std::vector<Step> &steps) {
      std::vector<float> logits;
      for (const Outputs &outputs : run(*module, steps))
        logits.insert(logits.end(), outputs.at("logits").floats.begin(),
                      outputs.at("logits").floats.end());
      return logits;
    };
    std::vector<float> whole = logitsOf({makeStep(ids, 0, 0)});
    ASSERT_EQ(whole.size(), ids.size() * model.vocabulary);
    for (std::vector<int> chunks :
         {std::vector<int>(11, 1), {4, 1, 6}, {1, 10}, {7, 3, 1}}) {
      std::vector<Step> steps;
      int begin = 0;
      for (int chunk : chunks) {
        steps.push_back(makeStep(
            Ints(ids.begin() + begin, ids.begin() + begin + chunk), begin, 3));
        // Another sequence in front; its outputs aren't asked for.
        Step other = makeStep({0, 0}, 2 * steps.size() - 2, 1);
        for (const char *name : {"ids", "positions", "slots"})
          steps.back()[name].insert(steps.back()[name].begin(),
                                    other[name].begin(), other[name].end());
        for (int32_t &row : steps.back()["rows"])
          row += 2;
        begin += chunk;
      }
      ASSERT_EQ(whole, logitsOf(steps));
    }
  }
}

/// Any factor g: of x g w, x g is rounded on one side, x and g w on the other,
/// each by at most 2^-24 of itself, and each result once: they differ by at
/// most 2^-24 * (3.01 * sum |x g w| + 2 |y|).
TEST_F(GraphTest, NormWeightsAreFoldedWithinRounding) {
  std::string text = R"(module {
    llm.param @w : tensor<7x31xf32> from [[#llm.source<"w", file = "m", offset = 0, type = tensor<7x31xf32>>]]
    llm.param @g : tensor<31xf32> from [[#llm.source<"g", file = "m", offset = 0, type = tensor<31xf32>>]]
    func.func @step(%x: tensor<?x31xf32>) -> tensor<?x7xf32> {
      %g = llm.get_param @g : tensor<31xf32>
      %n = llm.rms_norm %x weight %g {eps = 1.0e-5 : f32} : tensor<?x31xf32> weight tensor<31xf32>
      %w = llm.get_param @w : tensor<7x31xf32>
      %y = llm.linear %n, %w {compute = f32} : tensor<?x31xf32>, tensor<7x31xf32>
      return %y : tensor<?x7xf32>
    }
  })";
  auto x = std::make_shared<const Datum>(
      Datum::matrix(5, 31, randomValues("x", 5 * 31)));
  std::vector<float> w = randomValues("w", 7 * 31), g = randomValues("g", 31);
  auto resultOf = [&](ModuleOp module) {
    Evaluator evaluator(module, makeParam);
    std::vector<Evaluator::Data> results;
    EXPECT_TRUE(succeeded(
        evaluator.call(*module.getOps<func::FuncOp>().begin(), {x}, results)));
    return *results.at(0);
  };
  auto before = parse(text);
  auto after = parse(
      text, [](OpPassManager &pm) { pm.addPass(createFoldNormWeights()); });
  EXPECT_EQ(llvm::range_size(after->getOps<llm::ParamOp>()), 1);
  Datum a = resultOf(*before), b = resultOf(*after);
  for (int64_t m = 0; m < 5; ++m) {
    double squares = 0;
    for (int64_t k = 0; k < 31; ++k)
      squares += static_cast<double>(x->row(m)[k]) * x->row(m)[k];
    double root = std::sqrt(squares / 31 + 1e-5);
    for (int64_t n = 0; n < 7; ++n) {
      double sum = 0;
      for (int64_t k = 0; k < 31; ++k)
        sum += std::abs(x->row(m)[k] / root * g[k] * w[n * 31 + k]);
      double bound = 0x1p-24 * (3.01 * sum + 2 * std::abs(a.row(m)[n]));
      EXPECT_LE(std::abs(static_cast<double>(a.row(m)[n]) - b.row(m)[n]),
                bound);
    }
  }
}
