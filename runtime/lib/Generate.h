//===- Generate.h - Continues a prompt --------------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The loop of generation: the prompt in steps of at most max_step_tokens, then
// a token at a time.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_RUNTIME_GENERATE_H
#define SMELT_RUNTIME_GENERATE_H

#include "Sampler.h"
#include "Session.h"

#include <functional>
#include <string>
#include <vector>

namespace smelt {

enum class StopReason { EndToken, Limit, ContextFull, Callback };

struct GenerateOptions {
  int64_t maxTokens = -1; // -1: until an end token or the context is full
  bool ignoreEos = false;
  int64_t chunk = 0; // tokens per prefill step; 0: as many as a step takes
  SamplerOptions sampling;
};

struct GenerateStats {
  int64_t promptTokens = 0;
  int64_t tokens = 0;
  double promptSeconds = 0;
  double seconds = 0; // of the tokens after the first
  StopReason stop = StopReason::Limit;
};

/// Sampling options with what the model's author recommends filled in.
SamplerOptions recommendedSampling(const Manifest &manifest);

/// Feeds `prompt` to slot 0 behind what it holds and generates. `onToken`
/// receives every token but the end token and returns whether to go on.
bool generate(Session &session, const std::vector<int32_t> &prompt,
              const GenerateOptions &options,
              const std::function<bool(int32_t)> &onToken, GenerateStats &stats,
              std::string &error);

/// The same from text to text: `onText` receives pieces that are whole UTF-8
/// characters, with the token that completed them (-1 at the end).
bool generateText(
    Session &session, const std::string &prompt, const GenerateOptions &options,
    const std::function<bool(const std::string &, int32_t)> &onText,
    GenerateStats &stats, std::string &error);

} // namespace smelt

#endif // SMELT_RUNTIME_GENERATE_H
