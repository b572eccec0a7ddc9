//===- Ladder.cpp - Time per token by tokens in a step --------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Code has tiles of rows, so steps of some numbers of tokens fit it better than
// others. More tokens share what a step reads: a token should never take longer
// in a larger step. Where one does, there is a cliff.
//
// Rungs take turns within each repetition, so that a slow moment of the machine
// meets all of them.
//
//===----------------------------------------------------------------------===//
#include "Bench.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <iomanip>
#include <iostream>

using namespace smelt;
using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

static constexpr int64_t rungs[] = {1,  2,  3,  4,  6,   8,   12,
                                    16, 24, 32, 64, 128, 256, 512};
/// A rise of the time per token that is more than noise.
static constexpr double cliff = 0.03;
/// Shorter steps are run several times between two looks at the clock.
static constexpr double shortest = 0.01;

namespace {
struct Rung {
  int64_t tokens = 1;
  int64_t steps = 1;           // between two looks at the clock
  std::vector<double> seconds; // of one step
  double change = 0;           // of the time per token, against the rung before

  double median() const { return seconds[seconds.size() / 2]; }
  double perToken() const { return median() / tokens; }
  bool isCliff() const { return change > cliff; }
};
} // namespace

/// Seconds of one step, the mean of `rung.steps`.
static bool timeStep(Session &session, const std::vector<int32_t> &ids,
                     const Rung &rung, double &seconds, std::string &error) {
  Segment segment{0, ids.data(), nullptr, rung.tokens, Rows::Last};
  auto start = Clock::now();
  for (int64_t i = 0; i < rung.steps; ++i) {
    forgetAll(session);
    if (!session.step(&segment, 1, error))
      return false;
  }
  seconds =
      std::chrono::duration<double>(Clock::now() - start).count() / rung.steps;
  return true;
}

static bool climb(Session &session, const BenchOptions &options,
                  std::vector<Rung> &ladder, std::string &error) {
  int64_t most =
      std::min({options.prompt, session.maxStepTokens(), session.context()});
  for (int64_t tokens : rungs)
    if (tokens <= most)
      ladder.emplace_back().tokens = tokens;
  std::vector<int32_t> ids = someIds(most, session.manifest().vocabulary);
  double seconds;
  for (Rung &rung : ladder) {
    // Once to warm up, once to see how long it takes.
    if (!timeStep(session, ids, rung, seconds, error) ||
        !timeStep(session, ids, rung, seconds, error))
      return false;
    rung.steps =
        std::clamp(int64_t(shortest / seconds), int64_t(1), int64_t(100000));
  }
  for (int64_t i = 0; i < options.repeats; ++i)
    for (Rung &rung : ladder) {
      if (!timeStep(session, ids, rung, seconds, error))
        return false;
      rung.seconds.push_back(seconds);
    }
  for (size_t i = 0; i < ladder.size(); ++i) {
    std::sort(ladder[i].seconds.begin(), ladder[i].seconds.end());
    if (i > 0)
      ladder[i].change = ladder[i].perToken() / ladder[i - 1].perToken() - 1;
  }
  return true;
}

static void printJson(const Session &session, const std::vector<Rung> &ladder) {
  Json json;
  json["model"] = session.manifest().modelName;
  json["threads"] = session.threads();
  for (const Rung &rung : ladder)
    json["ladder"].push_back({{"tokens", rung.tokens},
                              {"median_seconds", rung.median()},
                              {"seconds_per_token", rung.perToken()},
                              {"seconds", rung.seconds},
                              {"change", rung.change},
                              {"is_cliff", rung.isCliff()}});
  std::cout << json.dump(2) << '\n';
}

static void printTable(const Session &session,
                       const std::vector<Rung> &ladder) {
  std::cout << session.manifest().modelName << ", " << session.threads()
            << " threads: steps of one sequence, from its beginning\n\n"
            << "| tokens | ms per step | us per token | against the rung "
               "before |\n| ---: | ---: | ---: | --- |\n"
            << std::fixed;
  int64_t cliffs = 0;
  for (const Rung &rung : ladder) {
    std::cout << "| " << rung.tokens << " | " << std::setprecision(3)
              << rung.median() * 1e3 << " | " << std::setprecision(1)
              << rung.perToken() * 1e6 << " | ";
    if (&rung != &ladder.front())
      std::cout << std::showpos << 100 * rung.change << " %" << std::noshowpos;
    if (rung.isCliff())
      std::cout << " CLIFF";
    cliffs += rung.isCliff();
    std::cout << " |\n";
  }
  std::cout << "\nrungs where a token takes over " << std::setprecision(0)
            << 100 * cliff << " % longer than on the rung before: " << cliffs
            << '\n';
}

bool smelt::runLadder(Session &session, const BenchOptions &options,
                      std::string &error) {
  std::vector<Rung> ladder;
  if (!climb(session, options, ladder, error))
    return false;
  if (options.json)
    printJson(session, ladder);
  else
    printTable(session, ladder);
  return true;
}
