//===- SessionTest.cpp - Steps give what whole sequences give -------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Session.h"

#include "Generate.h"
#include "ToyModel.h"

#include <algorithm>
#include <cstdlib>
#include <gtest/gtest.h>
#include <new>
#include <random>

using namespace smelt;

#ifndef SMELT_IS_SANITIZED // a sanitizer has allocation functions of its own
/// Counts allocations of the whole program, to show that steps make none.
static std::atomic<int64_t> allocations{0};

void *operator new(std::size_t size) {
  ++allocations;
  if (void *memory = std::malloc(size ? size : 1))
    return memory;
  throw std::bad_alloc();
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }
#endif

static std::vector<int32_t> randomIds(std::mt19937 &random, int64_t count) {
  std::vector<int32_t> ids(count);
  for (int32_t &id : ids)
    id = int32_t(random() % toy::vocabulary);
  return ids;
}

static std::unique_ptr<Session> makeSession(int64_t threads, int64_t slots = 1,
                                            int64_t context = 0) {
  std::string error;
  auto session = Session::create(toy::open(toy::decoderManifest()),
                                 {threads, context, slots}, error);
  EXPECT_TRUE(session) << error;
  return session;
}

static void expectRow(const Session &session, int64_t row,
                      const std::vector<int32_t> &ids, int64_t length) {
  std::vector<float> expected =
      toy::logits({ids.begin(), ids.begin() + length});
  EXPECT_TRUE(
      std::equal(expected.begin(), expected.end(), session.output(0, row)))
      << "logits of row " << row << " after " << length << " tokens";
}

TEST(Session, ChunksOfAnySizeGiveTheSameLogits) {
  std::mt19937 random(1);
  std::vector<int32_t> ids = randomIds(random, toy::context);
  for (int64_t threads = 1; threads <= 4; ++threads) {
    auto session = makeSession(threads);
    for (int64_t chunk : {0, 1, 7, 47, 48, 1000}) {
      session->truncate(0, 0);
      std::string error;
      Segment segment{0, ids.data(), nullptr, int64_t(ids.size()), Rows::All};
      int64_t seen = 0;
      auto visit = [&](int64_t begin, int64_t rows) {
        EXPECT_EQ(begin, seen);
        for (int64_t row = 0; row < rows; ++row)
          expectRow(*session, row, ids, begin + row + 1);
        seen += rows;
      };
      ASSERT_TRUE(session->feed(segment, chunk, error, visit)) << error;
      EXPECT_EQ(seen, toy::context);
    }
  }
}

TEST(Session, FeedWantsTheLastRowOnly) {
  std::mt19937 random(2);
  std::vector<int32_t> ids = randomIds(random, 131);
  auto session = makeSession(2);
  std::string error;
  std::vector<int64_t> rows;
  Segment segment{0, ids.data(), nullptr, int64_t(ids.size()), Rows::Last};
  ASSERT_TRUE(session->feed(segment, 48, error, [&](int64_t, int64_t count) {
    rows.push_back(count);
  })) << error;
  EXPECT_EQ(rows, (std::vector<int64_t>{0, 0, 1}));
  expectRow(*session, 0, ids, 131);
}

/// Random mixes of sequences that grow, shrink and restart in shared steps.
TEST(Session, MixedBatchesEqualSequencesAlone) {
  std::mt19937 random(3);
  const int64_t slots = 5;
  for (int64_t threads : {1, 3}) {
    auto session = makeSession(threads, slots);
    std::vector<std::vector<int32_t>> sequences(slots);
    for (int round = 0; round < 120; ++round) {
      std::vector<int64_t> order = {0, 1, 2, 3, 4};
      std::shuffle(order.begin(), order.end(), random);
      order.resize(1 + random() % slots);
      std::vector<std::vector<int32_t>> added;
      std::vector<Segment> segments;
      for (int64_t slot : order) {
        std::vector<int32_t> &ids = sequences[slot];
        int64_t count = 1 + random() % 9;
        if (random() % 8 == 0 || int64_t(ids.size()) + count > toy::context) {
          ids.resize(random() % (ids.size() + 1) / 2);
          session->truncate(slot, ids.size());
        }
        added.push_back(randomIds(random, count));
        ids.insert(ids.end(), added.back().begin(), added.back().end());
        segments.push_back(
            {slot, added.back().data(), nullptr, count, Rows(random() % 3)});
      }
      std::string error;
      ASSERT_TRUE(session->step(segments.data(), segments.size(), error))
          << error;
      int64_t row = 0;
      for (const Segment &segment : segments) {
        const std::vector<int32_t> &ids = sequences[segment.slot];
        EXPECT_EQ(session->length(segment.slot), int64_t(ids.size()));
        if (segment.rows == Rows::Last)
          expectRow(*session, row++, ids, ids.size());
        if (segment.rows == Rows::All)
          for (int64_t i = segment.count; i-- > 0;)
            expectRow(*session, row++, ids, ids.size() - i);
      }
      EXPECT_EQ(row, session->rows());
    }
  }
}

/// Positions in the caches, and pairs of a token and one it attends to.
TEST(Session, CountsWhatTokensAttendTo) {
  auto session = makeSession(1, 2);
  std::mt19937 random(5);
  std::vector<int32_t> ids = randomIds(random, 10);
  std::string error;
  std::vector<Segment> segments = {{0, ids.data(), nullptr, 6, Rows::Last}};
  ASSERT_TRUE(session->step(segments.data(), 1, error)) << error;
  // Four tokens after six, and three at the beginning.
  segments = {{0, ids.data() + 6, nullptr, 4, Rows::Last},
              {1, ids.data(), nullptr, 3, Rows::All}};
  ASSERT_TRUE(session->step(segments.data(), 2, error)) << error;

  auto expect = [&](int64_t window, double positions, double pairs) {
    StepCounts counts = session->counts(window);
    EXPECT_EQ(counts.tokens, 7);
    EXPECT_EQ(counts.rows, 4);
    EXPECT_EQ(counts.sequences, 2);
    EXPECT_EQ(counts.positions, positions) << "window " << window;
    EXPECT_EQ(counts.pairs, pairs) << "window " << window;
  };
  expect(0, 10 + 3, 7 + 8 + 9 + 10 + 1 + 2 + 3);
  expect(100, 10 + 3, 7 + 8 + 9 + 10 + 1 + 2 + 3);
  // The first of the four sees positions 5 and 6, the last one 8 and 9.
  expect(2, 5 + 3, 4 * 2 + 1 + 2 + 2);
  expect(1, 4 + 3, 7);
}

TEST(Session, RefusedStepsChangeNothing) {
  auto session = makeSession(1, 2, 70);
  std::mt19937 random(4);
  std::vector<int32_t> ids = randomIds(random, 71);
  std::string error;
  Segment fill{0, ids.data(), nullptr, 40, Rows::Last};
  ASSERT_TRUE(session->step(&fill, 1, error)) << error;

  auto refuse = [&](std::vector<Segment> segments, const char *what) {
    error.clear();
    EXPECT_FALSE(session->step(segments.data(), segments.size(), error));
    EXPECT_NE(error.find(what), std::string::npos) << error;
    EXPECT_EQ(session->length(0), 40);
    EXPECT_EQ(session->length(1), 0);
  };
  std::vector<int32_t> high = {5, toy::vocabulary}, negative = {-1};
  std::vector<int32_t> types = {0, 2};
  refuse({{1, ids.data(), nullptr, 3}, {0, ids.data(), nullptr, 31}},
         "context of 70 tokens is full");
  refuse({{1, high.data(), nullptr, 2}}, "token id 2048 is out of range");
  refuse({{1, negative.data(), nullptr, 1}}, "token id -1 is out of range");
  refuse({{1, ids.data(), types.data(), 2}}, "token type 2 is out of range");
  refuse({{2, ids.data(), nullptr, 1}}, "slot 2 is out of range");
  refuse({{-1, ids.data(), nullptr, 1}}, "slot -1 is out of range");
  refuse({{1, ids.data(), nullptr, 1}, {1, ids.data(), nullptr, 1}},
         "occurs twice");
  refuse({{1, ids.data(), nullptr, 49}}, "at most 48 tokens");
  refuse({{1, ids.data(), nullptr, 0}}, "without tokens");
  refuse({}, "without sequences");
}

TEST(Session, RefusesTypesThatTheModelHasNot) {
  auto manifest = toy::encoderManifest();
  manifest["model"]["token_types"] = 1;
  std::string error;
  auto session = Session::create(toy::open(manifest), {1, 0, 1}, error);
  ASSERT_TRUE(session) << error;
  const int32_t ids[] = {3, 4}, zeros[] = {0, 0}, ones[] = {0, 1},
                negative[] = {-1, 0};
  Segment segment{0, ids, zeros, 2, Rows::All};
  EXPECT_TRUE(session->step(&segment, 1, error)) << error;
  for (const int32_t *types : {ones, negative}) {
    segment.types = types;
    error.clear();
    EXPECT_FALSE(session->step(&segment, 1, error));
    EXPECT_NE(error.find("is out of range: the model has 1"), std::string::npos)
        << error;
  }
}

TEST(Session, RefusesOptionsBeyondTheModel) {
  auto model = toy::open(toy::decoderManifest());
  for (SessionOptions options :
       {SessionOptions{-1, 0, 1}, SessionOptions{1025, 0, 1},
        SessionOptions{1, toy::context + 1, 1}, SessionOptions{1, -1, 1},
        SessionOptions{1, 0, 0}, SessionOptions{1, 0, 49}}) {
    std::string error;
    EXPECT_FALSE(Session::create(model, options, error));
    EXPECT_NE(error.find("expected 1 to"), std::string::npos) << error;
  }
}

#ifndef SMELT_IS_SANITIZED
TEST(Session, StepsAllocateNothing) {
  auto session = makeSession(3, 2);
  std::mt19937 random(5);
  std::vector<int32_t> ids = randomIds(random, toy::context);
  std::string error;
  int64_t before = allocations;
  Segment segment{1, ids.data(), nullptr, toy::context, Rows::All};
  ASSERT_TRUE(session->feed(segment, 5, error, [](int64_t, int64_t) {}));
  session->truncate(1, 0);
  ASSERT_TRUE(session->feed(segment, 0, error, [](int64_t, int64_t) {}));
  EXPECT_EQ(allocations, before);
}
#endif

/// Greedy continuation by the reference.
static std::vector<int32_t> continueGreedily(std::vector<int32_t> ids,
                                             int64_t count) {
  std::vector<int32_t> added;
  for (int64_t i = 0; i < count; ++i) {
    std::vector<float> row = toy::logits(ids);
    added.push_back(
        int32_t(std::max_element(row.begin(), row.end()) - row.begin()));
    ids.push_back(added.back());
  }
  return added;
}

static std::vector<int32_t> generateIds(Session &session,
                                        const std::vector<int32_t> &prompt,
                                        GenerateOptions options,
                                        GenerateStats &stats,
                                        int64_t stopAfter = -1) {
  std::vector<int32_t> ids;
  std::string error;
  options.sampling.temperature = 0;
  EXPECT_TRUE(generate(
      session, prompt, options,
      [&](int32_t id) {
        ids.push_back(id);
        return int64_t(ids.size()) != stopAfter;
      },
      stats, error))
      << error;
  return ids;
}

TEST(Generate, ContinuesGreedily) {
  std::mt19937 random(6);
  std::vector<int32_t> prompt = randomIds(random, 100);
  auto session = makeSession(2);
  GenerateOptions options;
  options.ignoreEos = true;
  options.maxTokens = 20;
  GenerateStats stats;
  EXPECT_EQ(generateIds(*session, prompt, options, stats),
            continueGreedily(prompt, 20));
  EXPECT_EQ(stats.stop, StopReason::Limit);

  session->truncate(0, 0);
  EXPECT_EQ(generateIds(*session, prompt, options, stats, 4),
            continueGreedily(prompt, 4));
  EXPECT_EQ(stats.stop, StopReason::Callback);

  // All positions are used: the last token needs none.
  session->truncate(0, 0);
  options.maxTokens = -1;
  EXPECT_EQ(generateIds(*session, prompt, options, stats),
            continueGreedily(prompt, toy::context - 100 + 1));
  EXPECT_EQ(stats.stop, StopReason::ContextFull);
}

TEST(Generate, StopsAtEveryEndToken) {
  // Make whatever comes third and fifth the end tokens.
  std::mt19937 random(7);
  std::vector<int32_t> prompt = randomIds(random, 10);
  std::vector<int32_t> expected = continueGreedily(prompt, 5);
  for (size_t end : {2, 4}) {
    toy::Json manifest = toy::decoderManifest();
    manifest["generation"]["eos"] = {0, expected[end]};
    std::string error;
    auto session = Session::create(toy::open(manifest), {1, 0, 1}, error);
    ASSERT_TRUE(session) << error;
    GenerateStats stats;
    EXPECT_EQ(generateIds(*session, prompt, {}, stats),
              std::vector<int32_t>(expected.begin(), expected.begin() + end));
    EXPECT_EQ(stats.stop, StopReason::EndToken);
  }
}

TEST(Generate, RefusesWhatItCannotContinue) {
  auto session = makeSession(1);
  GenerateStats stats;
  std::string error;
  auto onToken = [](int32_t) { return true; };
  EXPECT_FALSE(generate(*session, {}, {}, onToken, stats, error));
  EXPECT_EQ(error, "the prompt has no tokens");
  EXPECT_FALSE(generate(*session, std::vector<int32_t>(toy::context + 1, 5), {},
                        onToken, stats, error));
  EXPECT_NE(error.find("does not fit into the context"), std::string::npos);
  EXPECT_FALSE(generateText(
      *session, "x", {}, [](const std::string &, int32_t) { return true; },
      stats, error));
  EXPECT_EQ(error, "this model takes token ids only: its checkpoint had no "
                   "tokenizer.json");
}
