//===- Sampler.cpp - Chooses the next token -------------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Candidates are (logit, id) pairs. After top-k they are sorted, so each
// further stage keeps a prefix, and drawing walks along it.
//
//===----------------------------------------------------------------------===//
#include "Sampler.h"

#include <algorithm>
#include <cmath>
#include <sstream>

using namespace smelt;

bool Sampler::validate(const SamplerOptions &options, std::string &error) {
  auto expects = [&](const char *name, const char *range, double found) {
    std::ostringstream text;
    text << name << " expects " << range << ", found " << found;
    error = text.str();
    return false;
  };
  // Written so that NaN fails every one.
  if (!(options.temperature >= 0 && std::isfinite(options.temperature)))
    return expects("temperature", "a number of at least 0",
                   options.temperature);
  if (!(options.topK >= 0))
    return expects("top-k", "a number of at least 0", double(options.topK));
  if (!(options.topP >= 0 && options.topP <= 1))
    return expects("top-p", "a number from 0 to 1", options.topP);
  if (!(options.minP >= 0 && options.minP <= 1))
    return expects("min-p", "a number from 0 to 1", options.minP);
  if (!(options.repeatPenalty > 0 && std::isfinite(options.repeatPenalty)))
    return expects("repeat-penalty", "a number above 0", options.repeatPenalty);
  if (!(options.repeatLastN >= 0 && options.repeatLastN <= 1 << 20))
    return expects("repeat-last-n", "0 to 1048576",
                   double(options.repeatLastN));
  return true;
}

Sampler::Sampler(const SamplerOptions &options, int64_t vocabulary)
    : options(options), vocabulary(vocabulary), state(options.seed) {
  candidates.reserve(vocabulary);
  recent.reserve(options.repeatLastN);
}

void Sampler::accept(int32_t id) {
  if (options.repeatLastN == 0)
    return;
  if (int64_t(recent.size()) < options.repeatLastN)
    recent.push_back(id);
  else
    recent[accepted % options.repeatLastN] = id;
  ++accepted;
}

int32_t Sampler::sample(const float *logits) {
  if (!gather(logits))
    return -1;
  if (options.temperature == 0)
    return greedy();
  keepTopK();
  keepTopP();
  keepMinP();
  return draw();
}

/// Fills the candidates in order of their ids, with the penalty applied.
bool Sampler::gather(const float *logits) {
  candidates.resize(vocabulary);
  bool anyFinite = false;
  for (int64_t id = 0; id < vocabulary; ++id) {
    if (std::isnan(logits[id]) || logits[id] == INFINITY)
      return false;
    anyFinite |= std::isfinite(logits[id]);
    candidates[id] = {logits[id], int32_t(id)};
  }
  if (options.repeatPenalty != 1) {
    const float penalty = float(options.repeatPenalty);
    // From the logits, so that a token seen twice is not penalised twice.
    for (int32_t id : recent)
      candidates[id].logit =
          logits[id] > 0 ? logits[id] / penalty : logits[id] * penalty;
  }
  return anyFinite;
}

int32_t Sampler::greedy() const {
  return std::max_element(candidates.begin(), candidates.end(),
                          [](const Candidate &a, const Candidate &b) {
                            return a.logit < b.logit;
                          })
      ->id;
}

void Sampler::keepTopK() {
  int64_t kept =
      options.topK == 0 ? vocabulary : std::min(options.topK, vocabulary);
  std::partial_sort(
      candidates.begin(), candidates.begin() + kept, candidates.end(),
      [](const Candidate &a, const Candidate &b) {
        return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
      });
  candidates.resize(kept);
}

/// Keeps the fewest candidates whose probabilities add up to top-p.
void Sampler::keepTopP() {
  if (options.topP >= 1)
    return;
  double sum = 0;
  for (const Candidate &c : candidates)
    sum += std::exp(double(c.logit) - candidates[0].logit);
  double mass = 0;
  size_t kept = 0;
  while (kept < candidates.size() && (kept == 0 || mass < options.topP * sum))
    mass += std::exp(double(candidates[kept++].logit) - candidates[0].logit);
  candidates.resize(kept);
}

/// Keeps candidates at least min-p times as probable as the first.
void Sampler::keepMinP() {
  if (options.minP <= 0)
    return;
  double least = candidates[0].logit + std::log(options.minP);
  size_t kept = 1;
  while (kept < candidates.size() && candidates[kept].logit >= least)
    ++kept;
  candidates.resize(kept);
}

int32_t Sampler::draw() {
  auto weight = [&](const Candidate &c) {
    return std::exp((double(c.logit) - candidates[0].logit) /
                    options.temperature);
  };
  double sum = 0;
  for (const Candidate &c : candidates)
    sum += weight(c);
  double left = uniform() * sum;
  for (const Candidate &c : candidates)
    if ((left -= weight(c)) < 0)
      return c.id;
  return candidates[0].id; // the sum was rounded down
}

/// SplitMix64: a number in [0, 1).
double Sampler::uniform() {
  uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  return double(z >> 11) * 0x1p-53;
}
