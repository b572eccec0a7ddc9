//===- SamplerTest.cpp - The sampler against its definition ---------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Sampler.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <map>
#include <numeric>
#include <random>

using namespace smelt;

/// The distribution that the options define, one stage after the other, in
/// doubles, with a full sort.
static std::map<int32_t, double>
distribution(std::vector<float> logits, const SamplerOptions &options,
             const std::vector<int32_t> &recent) {
  size_t first = recent.size() > size_t(options.repeatLastN)
                     ? recent.size() - options.repeatLastN
                     : 0;
  std::vector<bool> seen(logits.size());
  for (size_t i = first; i < recent.size(); ++i)
    seen[recent[i]] = true;
  for (size_t id = 0; id < logits.size(); ++id)
    if (seen[id]) {
      float penalty = float(options.repeatPenalty);
      logits[id] = logits[id] > 0 ? logits[id] / penalty : logits[id] * penalty;
    }
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  });
  if (options.topK > 0 && options.topK < int64_t(order.size()))
    order.resize(options.topK);
  auto softmax = [&](double temperature) {
    std::vector<double> p;
    double sum = 0;
    for (int32_t id : order)
      p.push_back(
          std::exp((double(logits[id]) - logits[order[0]]) / temperature));
    for (double x : p)
      sum += x;
    for (double &x : p)
      x /= sum;
    return p;
  };
  std::vector<double> p = softmax(1);
  double mass = 0;
  size_t kept = 0;
  for (; kept < p.size() && (options.topP >= 1 || mass < options.topP || !kept);
       ++kept)
    mass += p[kept];
  order.resize(kept);
  kept = 0;
  while (kept < order.size() && p[kept] >= options.minP * p[0])
    ++kept;
  order.resize(kept);
  p = softmax(options.temperature);
  std::map<int32_t, double> result;
  for (size_t i = 0; i < order.size(); ++i)
    result[order[i]] = p[i];
  return result;
}

static std::vector<float> randomLogits(std::mt19937 &random, size_t count) {
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> logits(count);
  for (float &logit : logits)
    logit = normal(random);
  return logits;
}

/// Frequencies of n draws differ from probabilities p by a binomial's standard
/// deviation, sqrt(p (1 - p) / n); six of them happen once in 10^9.
TEST(Sampler, DrawsFromItsDistribution) {
  std::mt19937 random(1);
  const int draws = 4000;
  for (int round = 0; round < 60; ++round) {
    SamplerOptions options;
    options.temperature = 0.2 + random() % 20 * 0.1;
    options.topK = random() % 3 ? 1 + random() % 60 : 0;
    options.topP = random() % 3 ? 0.05 * (random() % 20) : 1;
    options.minP = random() % 3 ? 0.01 * (random() % 30) : 0;
    options.repeatPenalty = random() % 2 ? 1 + random() % 10 * 0.1 : 1;
    options.repeatLastN = random() % 12;
    options.seed = round;
    std::vector<float> logits = randomLogits(random, 1 + random() % 100);
    std::vector<int32_t> recent;
    Sampler sampler(options, logits.size());
    for (int i = 0; i < 20; ++i) {
      recent.push_back(random() % logits.size());
      sampler.accept(recent.back());
    }
    std::map<int32_t, double> expected = distribution(logits, options, recent);
    std::map<int32_t, int> found;
    for (int i = 0; i < draws; ++i)
      ++found[sampler.sample(logits.data())];
    for (auto [id, count] : found)
      EXPECT_TRUE(expected.count(id)) << id << " is cut off, round " << round;
    for (auto [id, p] : expected)
      EXPECT_NEAR(double(found[id]) / draws, p,
                  6 * std::sqrt(p * (1 - p) / draws) + 1e-12)
          << id << ", round " << round;
  }
}

TEST(Sampler, GreedyTakesTheLowestIdAmongEquals) {
  SamplerOptions options;
  options.temperature = 0;
  std::vector<float> logits = {1, 3, -2, 3, 3, 0};
  EXPECT_EQ(Sampler(options, 6).sample(logits.data()), 1);
  options.repeatPenalty = 2;
  Sampler penalised(options, 6);
  penalised.accept(1);
  penalised.accept(1);
  EXPECT_EQ(penalised.sample(logits.data()), 3);
}

TEST(Sampler, SeedsDecide) {
  std::mt19937 random(2);
  std::vector<float> logits = randomLogits(random, 500);
  auto sequence = [&](uint64_t seed) {
    SamplerOptions options;
    options.topK = 0;
    options.topP = 1;
    options.minP = 0;
    options.temperature = 2;
    options.seed = seed;
    Sampler sampler(options, 500);
    std::vector<int32_t> ids;
    for (int i = 0; i < 32; ++i)
      ids.push_back(sampler.sample(logits.data()));
    return ids;
  };
  EXPECT_EQ(sequence(5), sequence(5));
  EXPECT_NE(sequence(5), sequence(6));
}

TEST(Sampler, RefusesLogitsThatAreNoNumbers) {
  for (double temperature : {0.0, 1.0}) {
    SamplerOptions options;
    options.temperature = temperature;
    std::vector<float> logits = {1, NAN, 2};
    EXPECT_EQ(Sampler(options, 3).sample(logits.data()), -1);
    logits[1] = INFINITY;
    EXPECT_EQ(Sampler(options, 3).sample(logits.data()), -1);
    logits = {-INFINITY, -INFINITY, -INFINITY};
    EXPECT_EQ(Sampler(options, 3).sample(logits.data()), -1);
    logits[2] = -5;
    EXPECT_EQ(Sampler(options, 3).sample(logits.data()), 2);
  }
}

TEST(Sampler, ChecksItsOptions) {
  std::string error;
  EXPECT_TRUE(Sampler::validate({}, error)) << error;
  for (double bad : {-0.1, double(NAN), double(INFINITY)}) {
    SamplerOptions options;
    options.temperature = bad;
    EXPECT_FALSE(Sampler::validate(options, error));
    options = {};
    options.topP = bad;
    EXPECT_FALSE(Sampler::validate(options, error));
    options = {};
    options.minP = bad;
    EXPECT_FALSE(Sampler::validate(options, error));
    options = {};
    options.repeatPenalty = bad;
    EXPECT_FALSE(Sampler::validate(options, error));
  }
}
