//===- Bench.h - Parts of smelt bench --------------------------*- C++ -*--===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the reports of smelt bench share. Each report is a file: Bench.cpp the
// speed of whole runs, Ladder.cpp that of steps of 1, 2, 3, ... tokens,
// PerOp.cpp where the time of a step goes, and Trace.cpp the same as a picture.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TOOLS_SMELT_BENCH_H
#define SMELT_TOOLS_SMELT_BENCH_H

#include "Machine.h"
#include "Support.h"

#include <cstdint>
#include <string>
#include <vector>

namespace smelt {

struct BenchOptions {
  SessionFlags session;
  int64_t prompt = 512, parallel = 1, predict = 128, depth = 0, repeats = 5;
  std::vector<int64_t> lengths; // of prompts; if given, not the first two
  bool json = false;
  bool ladder = false;
  bool perOp = false;
  std::string trace; // file to write; empty: none

  /// Tokens of each prompt; none: skip.
  std::vector<int64_t> promptLengths() const {
    return lengths.empty() && prompt > 0
               ? std::vector<int64_t>(parallel, prompt)
               : lengths;
  }
};

/// Ids that no two runs or models need to agree on.
std::vector<int32_t> someIds(int64_t count, int64_t vocabulary);

/// Empties every sequence of a decoder.
void forgetAll(Session &session);
/// As if the first sequence had `depth` positions, and no other any.
bool fillCache(Session &session, int64_t depth, std::string &error);
/// As fillCache left it, once steps have added positions.
void rewindCache(Session &session, int64_t depth);

/// The unit that a version's operations on `arithmetic` (f32, bf16 or int8) run
/// on.
const char *unitOf(const CodeVersion &version, const std::string &arithmetic);

/// What a second gives of "memory" (bytes) or a unit (operations): the mean of
/// what was measured before and after.
double limitOf(const std::string &resource, const MachineLimits &before,
               const MachineLimits &after);

/// Prints what was measured of the machine.
void printLimits(const MachineLimits &before, const MachineLimits &after);

/// The records of a step.
struct ProfiledStep {
  std::string name;
  uint64_t begin = 0, end = 0;                   // ticks
  std::vector<std::vector<SmeltRecord>> threads; // in order of time
};

/// Runs a prompt and generation of a model with a profile, and prints the time
/// of each of its ops (options.perOp) or writes slices of time (options.trace).
bool runProfile(Session &session, const BenchOptions &options,
                std::string &error);

/// Writes steps as a trace in Chrome's format, a track for each thread.
bool writeTrace(const Manifest &manifest,
                const std::vector<ProfiledStep> &steps, double ticksPerSecond,
                const std::string &path, std::string &error);

/// Prints the time for each token of steps of 1, 2, 3, ... up to
/// options.prompt tokens of one sequence. False, and a message, on failure.
bool runLadder(Session &session, const BenchOptions &options,
               std::string &error);

} // namespace smelt

#endif // SMELT_TOOLS_SMELT_BENCH_H
