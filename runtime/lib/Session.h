//===- Session.h - Runs steps of a model ------------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A session owns what steps need besides the model: a thread team, the arena,
// the KV pool, and one buffer for each array of SmeltStep, sized for the
// largest step. Making it takes all memory; a step takes none.
//
// A step is a list of segments, each some tokens of one sequence:
//
//   segments   | slot 0: 5 tokens, rows: last | slot 2: 1 token, rows: last |
//   tokens       0   1   2   3   4              5
//   positions    7   8   9  10  11             30
//   rows                         4              5
//
// Decoders continue each slot's sequence; encoders take whole sequences.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_RUNTIME_SESSION_H
#define SMELT_RUNTIME_SESSION_H

#include "KvPool.h"
#include "Model.h"
#include "Pages.h"
#include "Profile.h"
#include "ThreadTeam.h"

#include <algorithm>

#include <memory>
#include <string>

namespace smelt {

/// Context of a session unless asked otherwise, where the model has more.
constexpr int64_t defaultContext = 4096;

struct SessionOptions {
  int64_t threads = 0; // 0: defaultThreads()
  int64_t context = 0; // positions per sequence; 0: the model's, at most
                       // defaultContext
  int64_t slots = 1;   // sequences at the same time
};

enum class Rows { None, Last, All };

struct Segment {
  int64_t slot = 0;
  const int32_t *ids = nullptr;   // [count]
  const int32_t *types = nullptr; // [count], null: all zero; not looked at
                                  // where the model has none
  int64_t count = 0;              // >= 1
  Rows rows = Rows::Last;
};

/// Bytes that a session takes, as planned before it exists.
struct MemoryPlan {
  uint64_t weights = 0;
  uint64_t arena = 0;
  uint64_t kv = 0;
  uint64_t outputs = 0;
};

class Session {
public:
  static std::unique_ptr<Session> create(std::shared_ptr<const Model> model,
                                         const SessionOptions &options,
                                         std::string &error);

  /// Fills in defaults and checks limits of `options` for a model.
  static bool resolve(const Manifest &manifest, SessionOptions &options,
                      std::string &error);
  /// What a session with resolved options takes, running `version` of the code.
  static bool plan(const Manifest &manifest, const CodeVersion &version,
                   const SessionOptions &options, MemoryPlan &plan,
                   std::string &error);

  const Model &model() const { return *shared; }
  const Manifest &manifest() const { return shared->manifest(); }
  int64_t threads() const { return team->size(); }
  int64_t context() const { return contextLimit; }
  int64_t maxSequences() const { return slotCount; }
  int64_t maxStepTokens() const { return manifest().maxStepTokens; }

  /// Runs one step. Segments are of distinct slots. On failure (token out of
  /// range, context full, ...) no slot has changed.
  bool step(const Segment *segments, int64_t count, std::string &error);

  /// Runs a sequence's tokens in steps of at most `chunk` tokens (0: as many as
  /// the model takes), and hands each step's outputs to `visit(begin, rows)`:
  /// rows [begin, begin + rows) of the wanted ones. Null: outputs of the last
  /// step only stay readable.
  template <typename Visit>
  bool feed(Segment segment, int64_t chunk, std::string &error, Visit visit);

  /// Row `row` of an output of the last step, [width] floats.
  const float *output(int index, int64_t row) const {
    return outputs[index].as<float>() + row * manifest().outputs[index].width;
  }
  /// Rows of the last step.
  int64_t rows() const { return rowCount; }

  /// What a thread did in the last step; nothing without a profile.
  RecordRange records(int64_t thread) const { return profile.records(thread); }
  /// What the last step consisted of, for ops of which a token attends to
  /// `window` positions at most (0: to all).
  StepCounts counts(int64_t window = 0) const;

  /// Positions that a slot's sequence has so far.
  int64_t length(int64_t slot) const { return kv.length(slot); }
  /// Appends `count` positions with some keys and values to a slot, for
  /// measuring; false where there is no room for them.
  bool pretend(int64_t slot, int64_t count);
  /// Forgets the positions of a slot from `length` on.
  void truncate(int64_t slot, int64_t length) { kv.shrink(slot, length); }

private:
  Session() = default;
  bool allocate(std::string &error);
  bool check(const Segment *segments, int64_t count, std::string &error) const;
  bool growSlots(const Segment *segments, int64_t count, std::string &error);
  void fill(const Segment *segments, int64_t count);

  std::shared_ptr<const Model> shared;
  std::unique_ptr<ThreadTeam> team;
  int64_t contextLimit = 0;
  int64_t slotCount = 1;
  bool isDecoder = true;
  Pages arena;
  KvPool kv;
  Pages arrays;                     // the step's integer arrays
  Pages outputs[SMELT_MAX_OUTPUTS]; // [maxStepTokens, width] each
  int64_t rowCount = 0;
  ProfileBuffer profile;

  // Parts of `arrays`, [maxStepTokens] each.
  int32_t *ids = nullptr, *positions = nullptr, *types = nullptr,
          *slots = nullptr, *seqBegin = nullptr, *seqEnd = nullptr,
          *rowTokens = nullptr, *poolBegin = nullptr, *poolEnd = nullptr;
  SmeltStep arguments = {};
};

template <typename Visit>
bool Session::feed(Segment segment, int64_t chunk, std::string &error,
                   Visit visit) {
  if (chunk <= 0 || chunk > maxStepTokens())
    chunk = maxStepTokens();
  Rows wanted = segment.rows;
  int64_t total = segment.count;
  for (int64_t begin = 0; begin < total; begin += chunk) {
    segment.count = std::min(chunk, total - begin);
    bool isLast = begin + segment.count == total;
    segment.rows = wanted == Rows::Last && !isLast ? Rows::None : wanted;
    if (!step(&segment, 1, error))
      return false;
    visit(begin, rows());
    segment.ids += segment.count;
    if (segment.types)
      segment.types += segment.count;
  }
  return true;
}

} // namespace smelt

#endif // SMELT_RUNTIME_SESSION_H
