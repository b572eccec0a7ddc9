//===- Encoder.h - Runs batches of whole sequences --------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Encoders take padded batches from their users and packed tokens in their
// steps. Here the padding goes before a step and comes back, as zeros, after
// it:
//
//   mask      1 1 1 0        step 1: a0 a1 a2 b0        last_hidden_state
//             1 0 0 0   ->   (as many sequences as  ->  h h h 0
//             1 1 1 1        a step takes)              h 0 0 0
//                            step 2: c0 c1 c2 c3        h h h h
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_RUNTIME_ENCODER_H
#define SMELT_RUNTIME_ENCODER_H

#include "Session.h"

#include <string>
#include <string_view>
#include <vector>

namespace smelt {

/// A sequence without padding.
struct Sequence {
  const int32_t *ids = nullptr;   // [count]
  const int32_t *types = nullptr; // [count] or null
  int64_t count = 0;              // >= 1
};

/// Runs sequences in as few steps as hold them in order. Output `o` of the
/// model goes to `destinations[o]` (null: not wanted): for outputs per sequence
/// [sequences, width]; else [sequences, padded, width], of which rows beyond a
/// sequence's tokens are left as they are.
bool encode(Session &session, const std::vector<Sequence> &sequences,
            int64_t padded, float *const *destinations, std::string &error);

/// Tokens that an attention mask row of [padded] keeps: its ones, which must
/// come before its zeros. -1, and a message naming `row`, for any other mask.
int64_t maskedLength(const int64_t *mask, int64_t padded, int64_t row,
                     std::string &error);

/// Embeds texts, each cut to embedding.max_length and to a step: [texts, width]
/// floats into `embeddings`. Fails for models without a pooled output.
bool embed(Session &session, const std::vector<std::string> &texts,
           std::vector<float> &embeddings, std::string &error);

/// Width of an embedding, or 0 for models without a pooled output.
int64_t embeddingWidth(const Manifest &manifest);

} // namespace smelt

#endif // SMELT_RUNTIME_ENCODER_H
