//===- Encoder.cpp - Runs batches of whole sequences ----------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sequences go into steps in their order, as many as fit; since a sequence's
// result doesn't depend on its neighbours, how they meet changes no bit.
//
//===----------------------------------------------------------------------===//
#include "Encoder.h"

#include "smelt/Tokenizer.h"

#include <algorithm>
#include <cstring>

using namespace smelt;

/// Copies the outputs of one step, whose first sequence has index `first`.
static void scatter(const Session &session, const Segment *segments,
                    int64_t count, int64_t first, int64_t padded,
                    float *const *destinations) {
  const std::vector<OutputInfo> &outputs = session.manifest().outputs;
  for (size_t o = 0; o < outputs.size(); ++o) {
    if (!destinations[o])
      continue;
    const int64_t width = outputs[o].width;
    int64_t row = 0;
    for (int64_t s = 0; s < count; ++s) {
      int64_t rows = outputs[o].perSequence ? 1 : segments[s].count;
      int64_t target = (first + s) * (outputs[o].perSequence ? 1 : padded);
      std::memcpy(destinations[o] + target * width, session.output(int(o), row),
                  rows * width * sizeof(float));
      row += rows;
    }
  }
}

bool smelt::encode(Session &session, const std::vector<Sequence> &sequences,
                   int64_t padded, float *const *destinations,
                   std::string &error) {
  bool wantsRows = false;
  for (size_t o = 0; o < session.manifest().outputs.size(); ++o)
    wantsRows |= destinations[o] && !session.manifest().outputs[o].perSequence;
  std::vector<Segment> segments;
  for (size_t first = 0; first < sequences.size();) {
    int64_t tokens = 0;
    segments.clear();
    for (size_t s = first; s < sequences.size(); ++s) {
      const Sequence &sequence = sequences[s];
      if (s > first && sequence.count > session.maxStepTokens() - tokens)
        break;
      tokens += sequence.count;
      segments.push_back({int64_t(s - first), sequence.ids, sequence.types,
                          sequence.count, wantsRows ? Rows::All : Rows::None});
    }
    if (!session.step(segments.data(), segments.size(), error)) {
      error = "sequence " + std::to_string(first) + ": " + error;
      return false;
    }
    scatter(session, segments.data(), segments.size(), first, padded,
            destinations);
    first += segments.size();
  }
  return true;
}

int64_t smelt::maskedLength(const int64_t *mask, int64_t padded, int64_t row,
                            std::string &error) {
  int64_t ones = 0;
  while (ones < padded && mask[ones] == 1)
    ++ones;
  int64_t end = ones;
  while (end < padded && mask[end] == 0)
    ++end;
  if (ones > 0 && end == padded)
    return ones;
  error = "row " + std::to_string(row) +
          " of attention_mask expects ones, then zeros, found " +
          (ones == 0 && end == padded
               ? std::string("no one")
               : std::to_string(mask[end]) + " at " + std::to_string(end));
  return -1;
}

int64_t smelt::embeddingWidth(const Manifest &manifest) {
  int index = manifest.findOutput("embedding");
  return index < 0 || !manifest.outputs[index].perSequence
             ? 0
             : manifest.outputs[index].width;
}

bool smelt::embed(Session &session, const std::vector<std::string> &texts,
                  std::vector<float> &embeddings, std::string &error) {
  const Manifest &manifest = session.manifest();
  const int64_t width = embeddingWidth(manifest);
  if (manifest.kind != ModelKind::Encoder || width == 0) {
    error = "'" + manifest.modelName +
            "' gives no embeddings: it has no pooled output";
    return false;
  }
  const Tokenizer *tokenizer = session.model().tokenizer(error);
  if (!tokenizer)
    return false;
  EncodeOptions options;
  int64_t longest = std::min(session.maxStepTokens(), session.context());
  if (manifest.embeddingMaxLength > 0)
    longest = std::min(longest, manifest.embeddingMaxLength);
  options.maxLength = size_t(longest);

  std::vector<Encoding> encodings;
  std::vector<Sequence> sequences;
  for (size_t i = 0; i < texts.size(); ++i) {
    std::optional<Encoding> encoding =
        tokenizer->encode(texts[i], options, error);
    if (encoding && encoding->ids.empty()) {
      error = "it has no tokens";
      encoding.reset();
    }
    if (!encoding) {
      error = "text " + std::to_string(i) + " cannot be embedded: " + error;
      return false;
    }
    encodings.push_back(std::move(*encoding));
    sequences.push_back({encodings.back().ids.data(),
                         encodings.back().typeIds.data(),
                         int64_t(encodings.back().ids.size())});
  }
  embeddings.assign(texts.size() * width, 0.0f);
  float *destinations[SMELT_MAX_OUTPUTS] = {};
  destinations[manifest.findOutput("embedding")] = embeddings.data();
  return encode(session, sequences, 0, destinations, error);
}
