//===- EncoderTest.cpp - Packed batches and pool blocks -------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Encoder.h"

#include "KvPool.h"
#include "ToyModel.h"
#include "smelt/Tokenizer.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <random>
#include <set>

using namespace smelt;

static std::unique_ptr<Session> makeEncoder(int64_t threads,
                                            bool text = false) {
  std::string error;
  auto session = Session::create(toy::open(toy::encoderManifest(), text),
                                 {threads, 0, 1}, error);
  EXPECT_TRUE(session) << error;
  return session;
}

TEST(Encoder, BatchesEqualSequencesAloneAndPaddingStaysZero) {
  std::mt19937 random(1);
  for (int64_t threads : {1, 2, 3}) {
    auto session = makeEncoder(threads);
    for (int64_t batch : {1, 2, 7, 40}) {
      const int64_t padded = toy::maxStepTokens;
      std::vector<int32_t> ids(batch * padded), types(batch * padded);
      std::vector<Sequence> sequences;
      for (int64_t b = 0; b < batch; ++b) {
        int64_t count = b == 1 ? padded : 1 + random() % padded;
        for (int64_t i = 0; i < padded; ++i) {
          ids[b * padded + i] = random() % toy::vocabulary;
          types[b * padded + i] = random() % 2;
        }
        sequences.push_back(
            {&ids[b * padded], b % 3 ? &types[b * padded] : nullptr, count});
      }
      std::vector<float> states(batch * padded * toy::hidden);
      std::vector<float> embeddings(batch * toy::hidden);
      float *destinations[] = {states.data(), embeddings.data(), nullptr,
                               nullptr};
      std::string error;
      ASSERT_TRUE(encode(*session, sequences, padded, destinations, error))
          << error;
      for (int64_t b = 0; b < batch; ++b) {
        const Sequence &s = sequences[b];
        std::vector<int32_t> own(s.ids, s.ids + s.count);
        std::vector<float> expected = toy::hiddenStates(own, s.types);
        expected.resize(padded * toy::hidden, 0);
        auto begin = states.begin() + b * padded * toy::hidden;
        EXPECT_TRUE(std::equal(expected.begin(), expected.end(), begin));
        expected = toy::embedding(own, s.types);
        EXPECT_TRUE(std::equal(expected.begin(), expected.end(),
                               embeddings.begin() + b * toy::hidden));
      }
      // Embeddings alone are the same.
      std::vector<float> again(embeddings.size());
      float *second[] = {nullptr, again.data(), nullptr, nullptr};
      ASSERT_TRUE(encode(*session, sequences, 0, second, error)) << error;
      EXPECT_EQ(again, embeddings);
    }
  }
}

TEST(Encoder, RefusesSequencesThatFitNoStep) {
  auto session = makeEncoder(1);
  std::vector<int32_t> ids(toy::maxStepTokens + 1, 3);
  float *none[SMELT_MAX_OUTPUTS] = {};
  std::string error;
  EXPECT_FALSE(encode(
      *session,
      {{ids.data(), nullptr, 2}, {ids.data(), nullptr, toy::maxStepTokens + 1}},
      0, none, error));
  EXPECT_NE(error.find("sequence 1: a sequence of 49 tokens does not fit"),
            std::string::npos)
      << error;
}

TEST(Encoder, MasksAreOnesThenZeros) {
  std::string error;
  auto length = [&](std::vector<int64_t> mask) {
    error.clear();
    return maskedLength(mask.data(), mask.size(), 3, error);
  };
  EXPECT_EQ(length({1}), 1);
  EXPECT_EQ(length({1, 1, 0, 0}), 2);
  EXPECT_EQ(length({1, 1, 1, 1}), 4);
  for (const std::vector<int64_t> &mask : std::vector<std::vector<int64_t>>{
           {0, 1}, {1, 0, 1}, {0, 0}, {2, 0}, {1, -1}, {1, 0, 2}, {}}) {
    EXPECT_EQ(length(mask), -1);
    EXPECT_NE(error.find("row 3 of attention_mask expects ones, then zeros"),
              std::string::npos)
        << error;
  }
}

TEST(Encoder, EmbedsTextsCutToTheirLength) {
  auto session = makeEncoder(2, /*text=*/true);
  std::string error;
  const Tokenizer *tokenizer = session->model().tokenizer(error);
  ASSERT_TRUE(tokenizer) << error;
  std::vector<std::string> texts(30, "In the beginning God created the heaven");
  for (size_t i = 0; i < texts.size(); ++i)
    texts[i] = texts[i].substr(0, 1 + i) + texts[i];
  std::vector<float> embeddings;
  ASSERT_TRUE(embed(*session, texts, embeddings, error)) << error;
  bool wasCut = false;
  for (size_t i = 0; i < texts.size(); ++i) {
    EncodeOptions options;
    options.maxLength = EncodeOptions::kUnlimited;
    std::vector<int32_t> ids = tokenizer->encode(texts[i], options, error)->ids;
    wasCut |= ids.size() > 12;
    ids.resize(std::min<size_t>(ids.size(), 12)); // embedding.max_length
    std::vector<float> expected = toy::embedding(ids, nullptr);
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(),
                           embeddings.begin() + i * toy::hidden))
        << texts[i];
  }
  EXPECT_TRUE(wasCut);
}

TEST(KvPool, SlotsNeverShareBlocks) {
  std::mt19937 random(2);
  const int64_t slots = 4, context = 300;
  KvPool pool;
  std::string error;
  ASSERT_TRUE(pool.create(slots, context, 1024, error)) << error;
  EXPECT_EQ(pool.blocks(), 4 * 5);
  EXPECT_EQ(pool.bytes(), 20 * 1024u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(pool.data()) % 64, 0u);
  std::vector<int64_t> lengths(slots);
  for (int round = 0; round < 3000; ++round) {
    int64_t slot = random() % slots;
    if (random() % 3 == 0) {
      lengths[slot] = random() % (lengths[slot] + 1);
      pool.shrink(slot, lengths[slot]);
    } else {
      int64_t count = 1 + random() % 90;
      bool fits = lengths[slot] + count <= 5 * 64;
      EXPECT_EQ(pool.grow(slot, count), fits);
      lengths[slot] += fits ? count : 0;
    }
    std::set<int32_t> used;
    for (int64_t s = 0; s < slots; ++s) {
      EXPECT_EQ(pool.length(s), lengths[s]);
      for (int64_t b = 0; b < 5; ++b) {
        int32_t block = pool.table()[s * 5 + b];
        if (b < (lengths[s] + 63) / 64) {
          EXPECT_TRUE(block >= 0 && block < 20);
          EXPECT_TRUE(used.insert(block).second) << "block " << block;
        } else {
          EXPECT_EQ(block, -1);
        }
      }
    }
  }
}

TEST(KvPool, RefusesSizesThatOverflow) {
  std::string error;
  KvPool pool;
  EXPECT_FALSE(pool.create(1 << 20, 1 << 30, int64_t(1) << 50, error));
  EXPECT_NE(error.find("too large"), std::string::npos) << error;
}
