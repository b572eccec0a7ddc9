//===- Sampler.h - Chooses the next token -----------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The chain that users of llama.cpp know, in its order:
//
//   repeat penalty -> top-k -> top-p -> min-p -> temperature -> draw
//
// At temperature 0 the largest logit wins, the lowest id among equals. The same
// seed gives the same tokens on every machine.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_RUNTIME_SAMPLER_H
#define SMELT_RUNTIME_SAMPLER_H

#include <cstdint>
#include <string>
#include <vector>

namespace smelt {

struct SamplerOptions {
  double temperature = 0.8;
  int64_t topK = 40;          // 0: all
  double topP = 0.95;         // 1: all
  double minP = 0.05;         // 0: all
  double repeatPenalty = 1.0; // 1: none
  int64_t repeatLastN = 64;   // tokens that the penalty looks back on
  uint64_t seed = 0;
};

class Sampler {
public:
  /// Checks the ranges of the options.
  static bool validate(const SamplerOptions &options, std::string &error);

  Sampler(const SamplerOptions &options, int64_t vocabulary);

  /// A token that the penalty shall see, of the prompt or chosen.
  void accept(int32_t id);

  /// Chooses from logits [vocabulary]; -1 if a logit is NaN or none is finite.
  int32_t sample(const float *logits);

private:
  struct Candidate {
    float logit;
    int32_t id;
  };
  bool gather(const float *logits);
  int32_t greedy() const;
  void keepTopK();
  void keepTopP();
  void keepMinP();
  int32_t draw();
  double uniform();

  const SamplerOptions options;
  const int64_t vocabulary;
  uint64_t state;                    // of the random numbers
  std::vector<Candidate> candidates; // sorted, largest first, from keepTopK on
  std::vector<int32_t> recent;       // a ring of repeatLastN ids
  int64_t accepted = 0;
};

} // namespace smelt

#endif // SMELT_RUNTIME_SAMPLER_H
