//===- Generate.cpp - Continues a prompt ----------------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The loop samples before it feeds: the last token wanted costs no step, and
// the context may be used to its last position.
//
//===----------------------------------------------------------------------===//
#include "Generate.h"

#include "smelt/Tokenizer.h"

#include <algorithm>
#include <chrono>

using namespace smelt;
using Clock = std::chrono::steady_clock;

static double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

SamplerOptions smelt::recommendedSampling(const Manifest &manifest) {
  SamplerOptions options;
  const GenerationDefaults &wanted = manifest.generation;
  options.temperature = wanted.temperature.value_or(options.temperature);
  options.topK = wanted.topK.value_or(options.topK);
  options.topP = wanted.topP.value_or(options.topP);
  options.minP = wanted.minP.value_or(options.minP);
  options.repeatPenalty =
      wanted.repetitionPenalty.value_or(options.repeatPenalty);
  return options;
}

bool smelt::generate(Session &session, const std::vector<int32_t> &prompt,
                     const GenerateOptions &options,
                     const std::function<bool(int32_t)> &onToken,
                     GenerateStats &stats, std::string &error) {
  const Manifest &manifest = session.manifest();
  if (manifest.kind != ModelKind::Decoder) {
    error = "'" + manifest.modelName +
            "' is an encoder: it gives embeddings, not text";
    return false;
  }
  if (prompt.empty()) {
    error = "the prompt has no tokens";
    return false;
  }
  if (!Sampler::validate(options.sampling, error))
    return false;
  stats = GenerateStats();
  stats.promptTokens = int64_t(prompt.size());
  if (stats.promptTokens > session.context() - session.length(0)) {
    error = "the prompt of " + std::to_string(prompt.size()) +
            " tokens does not fit into the context of " +
            std::to_string(session.context()) + " tokens, of which " +
            std::to_string(session.length(0)) + " are taken";
    return false;
  }

  Sampler sampler(options.sampling, manifest.vocabulary);
  auto start = Clock::now();
  Segment segment;
  segment.ids = prompt.data();
  segment.count = stats.promptTokens;
  if (!session.feed(segment, options.chunk, error, [](int64_t, int64_t) {}))
    return false;
  for (int32_t id : prompt)
    sampler.accept(id);
  stats.promptSeconds = secondsSince(start);

  start = Clock::now();
  const std::vector<int64_t> &eos = manifest.generation.eos;
  const int logits = manifest.findOutput("logits");
  stats.stop = StopReason::Limit;
  while (options.maxTokens < 0 || stats.tokens < options.maxTokens) {
    int32_t id = sampler.sample(session.output(logits, 0));
    if (id < 0) {
      error = "the model gave logits that are not numbers";
      return false;
    }
    sampler.accept(id);
    if (!options.ignoreEos &&
        std::find(eos.begin(), eos.end(), id) != eos.end()) {
      stats.stop = StopReason::EndToken;
      break;
    }
    ++stats.tokens;
    if (!onToken(id)) {
      stats.stop = StopReason::Callback;
      break;
    }
    if (stats.tokens == options.maxTokens)
      break;
    if (session.length(0) == session.context()) {
      stats.stop = StopReason::ContextFull;
      break;
    }
    Segment next;
    next.ids = &id;
    next.count = 1;
    if (!session.step(&next, 1, error))
      return false;
  }
  stats.seconds = secondsSince(start);
  return true;
}

bool smelt::generateText(
    Session &session, const std::string &prompt, const GenerateOptions &options,
    const std::function<bool(const std::string &, int32_t)> &onText,
    GenerateStats &stats, std::string &error) {
  const Tokenizer *tokenizer = session.model().tokenizer(error);
  if (!tokenizer)
    return false;
  EncodeOptions encoding;
  encoding.maxLength = EncodeOptions::kUnlimited;
  std::optional<Encoding> encoded = tokenizer->encode(prompt, encoding, error);
  if (!encoded)
    return false;
  // Most vocabularies name a first token that their post-processor adds; an
  // empty prompt needs one in any case.
  if (encoded->ids.empty() && session.manifest().generation.bos)
    encoded->ids.push_back(int32_t(*session.manifest().generation.bos));

  StreamDecoder decoder(*tokenizer);
  bool goesOn = true;
  auto onToken = [&](int32_t id) {
    std::string piece = decoder.push(id);
    if (!piece.empty())
      goesOn = onText(piece, id);
    return goesOn;
  };
  if (!generate(session, encoded->ids, options, onToken, stats, error))
    return false;
  std::string rest = decoder.finish();
  if (goesOn && !rest.empty())
    onText(rest, -1);
  return true;
}
