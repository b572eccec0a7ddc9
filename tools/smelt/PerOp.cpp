//===- PerOp.cpp - Where the time of a step goes --------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A profiled model's step writes down when each thread began and ended each op
// and each barrier. Of one step, an op has
//
//     slowest   the sum over its runs of the time of the slowest thread
//     mean      the sum over its runs of the mean of all threads' times
//
// and the median over steps counts. Means of ops, barriers and what lies
// between them add up to the step. An op can't be faster than its floor: the
// bytes that it must move over the bandwidth, or its operations over the peak,
// unless the bytes lie in a cache. One that took less than a tenth of it had
// none of the step's rows to work on, as attention over spans in a prompt, and
// has no floor.
//
//===----------------------------------------------------------------------===//
#include "Bench.h"

#include "CpuFeatures.h"
#include "smelt/Import/Formats/Output.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <iomanip>
#include <iostream>
#include <numeric>
#include <sstream>

using namespace smelt;
using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

/// Generated tokens in a trace, the last ones.
static constexpr size_t tracedTokens = 4;

namespace {
/// Ticks in seconds: two looks at both clocks, some time apart.
class TickRate {
public:
  double perSecond() const {
    while (seconds() < 0.05) {
    }
    double elapsed = seconds();
    return double(readClock() - ticks) / elapsed;
  }

private:
  double seconds() const {
    return std::chrono::duration<double>(Clock::now() - time).count();
  }
  Clock::time_point time = Clock::now();
  uint64_t ticks = readClock();
};

/// Samples of one op, in ticks, one for each step.
struct Samples {
  int64_t runs = 0; // in the last step
  std::vector<double> slowest, mean;
  double bytes = 0, operations = 0; // of one run, summed over the steps
};

/// Steps of one kind.
struct Phase {
  std::string name;
  int64_t tokens = 0;        // of a step
  std::vector<double> steps; // ticks
  std::vector<Samples> ops;  // as in the manifest
};

/// A line of the table: an op, or all barriers, or the rest.
struct Line {
  std::string name, kind;
  int64_t runs = 0;
  double bytes = 0, operations = 0; // of a step
  double slowest = 0, mean = 0;     // seconds of a step
  double share = 0;                 // of the step, by the mean
  double floor = 0;                 // seconds
  std::string resource;             // that sets the floor
};

struct Limits {
  MachineLimits before, after;
};
} // namespace

static double median(std::vector<double> values) {
  if (values.empty())
    return 0;
  auto middle = values.begin() + values.size() / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

//===----------------------------------------------------------------------===//
// Measuring
//===----------------------------------------------------------------------===//

/// Adds what the threads wrote down in the last step.
static bool addSamples(const Session &session, uint64_t ticks, Phase &phase,
                       std::string &error) {
  const int64_t threads = session.threads();
  RecordRange first = session.records(0);
  for (int64_t thread = 1; thread < threads; ++thread)
    if (session.records(thread).size() != first.size()) {
      error = "the threads of a step left unlike numbers of records";
      return false;
    }
  for (Samples &samples : phase.ops) {
    samples.runs = 0;
    samples.slowest.push_back(0);
    samples.mean.push_back(0);
  }
  for (size_t i = 0; i < first.size(); ++i) {
    double slowest = 0, sum = 0;
    for (int64_t thread = 0; thread < threads; ++thread) {
      const SmeltRecord &record = session.records(thread)[i];
      double time = double(record.end - record.begin);
      slowest = std::max(slowest, time);
      sum += time;
    }
    if (first[i].entry < 0 || size_t(first[i].entry) >= phase.ops.size()) {
      error = "the step left a record of entry " +
              std::to_string(first[i].entry) + ", its profile has " +
              std::to_string(phase.ops.size());
      return false;
    }
    Samples &samples = phase.ops[first[i].entry];
    ++samples.runs;
    samples.slowest.back() += slowest;
    samples.mean.back() += sum / threads;
  }
  phase.steps.push_back(double(ticks));
  for (size_t i = 0; i < phase.ops.size(); ++i) {
    const OpInfo &op = session.manifest().ops[i];
    StepCounts counts = session.counts(op.window);
    phase.ops[i].bytes += op.bytes.evaluate(counts);
    phase.ops[i].operations += op.operations.evaluate(counts);
  }
  return true;
}

static ProfiledStep copyRecords(const Session &session, std::string name,
                                uint64_t begin, uint64_t end) {
  ProfiledStep step{std::move(name), begin, end, {}};
  for (int64_t thread = 0; thread < session.threads(); ++thread) {
    RecordRange records = session.records(thread);
    step.threads.emplace_back(records.begin(), records.end());
  }
  return step;
}

/// Runs one step, and adds it to `phase` and, unless that is null, to `kept`.
static bool runStep(Session &session, const std::vector<Segment> &segments,
                    const std::string &name, Phase &phase,
                    std::vector<ProfiledStep> *kept, std::string &error) {
  uint64_t begin = readClock();
  if (!session.step(segments.data(), segments.size(), error))
    return false;
  uint64_t end = readClock();
  if (kept)
    kept->push_back(copyRecords(session, name, begin, end));
  return addSamples(session, end - begin, phase, error);
}

/// The prompts, or as much of each as they share a step.
static bool profilePrompt(Session &session, const BenchOptions &options,
                          Phase &phase, std::vector<ProfiledStep> &kept,
                          std::string &error) {
  std::vector<int64_t> lengths = options.promptLengths();
  const int64_t most =
      std::max<int64_t>(1, session.maxStepTokens() / int64_t(lengths.size()));
  for (int64_t &length : lengths)
    phase.tokens += length = std::min(length, most);
  std::vector<int32_t> ids =
      someIds(phase.tokens, session.manifest().vocabulary);
  std::vector<Segment> segments;
  const int32_t *at = ids.data();
  for (int64_t length : lengths) {
    segments.push_back(
        {int64_t(segments.size()), at, nullptr, length, Rows::Last});
    at += length;
  }
  phase.name = "prompt of " + std::to_string(phase.tokens) + " tokens";
  for (int64_t i = 0; i <= options.repeats; ++i) {
    Phase warmUp = phase;
    forgetAll(session);
    if (!runStep(session, segments, phase.name, i > 0 ? phase : warmUp,
                 i == options.repeats ? &kept : nullptr, error))
      return false;
  }
  return true;
}

static bool profileGeneration(Session &session, const BenchOptions &options,
                              Phase &phase, std::vector<ProfiledStep> &kept,
                              std::string &error) {
  phase.tokens = 1;
  phase.name = "generating " + std::to_string(options.predict) + " tokens";
  if (options.depth > 0)
    phase.name += " after " + std::to_string(options.depth);
  if (!fillCache(session, options.depth, error))
    return false;
  std::vector<int32_t> ids =
      someIds(options.predict, session.manifest().vocabulary);
  for (int64_t i = 0; i <= options.repeats; ++i) {
    Phase warmUp = phase;
    rewindCache(session, options.depth);
    for (size_t token = 0; token < ids.size(); ++token) {
      bool isKept = i == options.repeats && token + tracedTokens >= ids.size();
      std::vector<Segment> segment = {{0, &ids[token], nullptr, 1, Rows::Last}};
      if (!runStep(session, segment, "token " + std::to_string(token),
                   i > 0 ? phase : warmUp, isKept ? &kept : nullptr, error))
        return false;
    }
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

/// The larger of the time for its bytes and the time for its operations.
static void addFloor(const CodeVersion &version, const OpInfo &op,
                     const Limits &limits, Line &line) {
  double memory = limitOf("memory", limits.before, limits.after);
  line.floor = line.bytes / memory;
  line.resource = "memory";
  std::string unit = unitOf(version, op.arithmetic);
  double peak = limitOf(unit, limits.before, limits.after);
  if (peak > 0 && line.operations / peak > line.floor) {
    line.floor = line.operations / peak;
    line.resource = unit;
  }
  constexpr double idle = 0.1;
  if (line.slowest < idle * line.floor)
    line.floor = 0;
}

/// Lines of ops by their share, then the barriers and the rest.
static std::vector<Line> makeLines(const Manifest &manifest,
                                   const CodeVersion &version,
                                   const Phase &phase, double ticksPerSecond,
                                   const Limits &limits) {
  double step = median(phase.steps) / ticksPerSecond;
  Line barriers, rest;
  barriers.name = "(barriers)";
  rest.name = "(between)";
  rest.mean = step;
  std::vector<Line> lines;
  for (size_t i = 0; i < manifest.ops.size(); ++i) {
    const OpInfo &op = manifest.ops[i];
    const Samples &samples = phase.ops[i];
    Line line;
    line.name = op.name;
    for (const std::string &other : op.fused)
      line.name += " + " + other;
    line.kind = op.kind;
    line.runs = samples.runs;
    const double runs = double(samples.runs) / phase.steps.size();
    line.bytes = samples.bytes * runs;
    line.operations = samples.operations * runs;
    line.slowest = median(samples.slowest) / ticksPerSecond;
    line.mean = median(samples.mean) / ticksPerSecond;
    addFloor(version, op, limits, line);
    rest.mean -= line.mean;
    if (!op.isBarrier()) {
      lines.push_back(std::move(line));
      continue;
    }
    barriers.runs += line.runs;
    barriers.mean += line.mean;
  }
  std::sort(lines.begin(), lines.end(),
            [](const Line &a, const Line &b) { return a.mean > b.mean; });
  rest.mean = std::max(rest.mean, 0.0);
  lines.push_back(barriers);
  lines.push_back(rest);
  for (Line &line : lines)
    line.share = line.mean / step;
  return lines;
}

/// A number with three digits and a unit: 1.23 M.
static std::string scaled(double value) {
  static const char *const prefixes[] = {"", " k", " M", " G", " T"};
  int i = 0;
  for (; value >= 999.5 && i < 4; ++i)
    value /= 1000;
  std::ostringstream text;
  text << std::setprecision(3) << value << prefixes[i];
  return text.str();
}

static void printTable(const Phase &phase, const std::vector<Line> &lines,
                       double ticksPerSecond) {
  std::cout << phase.name << ": a step takes " << std::fixed
            << std::setprecision(1)
            << median(phase.steps) / ticksPerSecond * 1e6 << " us (median of "
            << phase.steps.size() << ")\n\n"
            << "| op | runs | bytes | operations | slowest us | mean us | step "
               "| of its floor |\n"
            << "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n";
  for (const Line &line : lines) {
    std::cout << "| " << line.name << " | ";
    if (line.runs)
      std::cout << line.runs;
    std::cout << " | " << (line.bytes > 0 ? scaled(line.bytes) : "") << " | "
              << (line.operations > 0 ? scaled(line.operations) : "") << " | ";
    if (line.slowest > 0)
      std::cout << line.slowest * 1e6;
    std::cout << " | " << line.mean * 1e6 << " | " << 100 * line.share
              << " % | ";
    if (line.floor > 0 && line.slowest > 0)
      std::cout << 100 * line.floor / line.slowest << " % of " << line.resource;
    std::cout << " |\n";
  }
  std::cout << '\n';
}

static Json toJson(const Phase &phase, const std::vector<Line> &lines,
                   double ticksPerSecond) {
  Json json;
  json["phase"] = phase.name;
  json["tokens"] = phase.tokens;
  json["steps"] = phase.steps.size();
  json["median_seconds"] = median(phase.steps) / ticksPerSecond;
  for (const Line &line : lines) {
    Json entry = {{"name", line.name},
                  {"kind", line.kind},
                  {"runs", line.runs},
                  {"bytes", line.bytes},
                  {"operations", line.operations},
                  {"slowest_seconds", line.slowest},
                  {"mean_seconds", line.mean},
                  {"share_of_step", line.share}};
    if (line.floor > 0) {
      entry["floor_seconds"] = line.floor;
      entry["floor_resource"] = line.resource;
    }
    json["ops"].push_back(std::move(entry));
  }
  return json;
}

static void report(const Session &session, const BenchOptions &options,
                   const std::vector<Phase> &phases, double ticksPerSecond,
                   const Limits &limits) {
  const Manifest &manifest = session.manifest();
  Json json;
  json["model"] = manifest.modelName;
  json["cpu"] = cpuName();
  json["threads"] = session.threads();
  json["ticks_per_second"] = ticksPerSecond;
  if (!options.json)
    std::cout << manifest.modelName << ", " << manifest.dtype << ", "
              << session.threads() << " threads, " << cpuName() << "\n\n";
  for (const Phase &phase : phases) {
    std::vector<Line> lines = makeLines(manifest, session.model().version(),
                                        phase, ticksPerSecond, limits);
    if (options.json)
      json["phases"].push_back(toJson(phase, lines, ticksPerSecond));
    else
      printTable(phase, lines, ticksPerSecond);
  }
  if (options.json)
    std::cout << json.dump(2) << '\n';
  else
    printLimits(limits.before, limits.after);
}

bool smelt::runProfile(Session &session, const BenchOptions &options,
                       std::string &error) {
  const Manifest &manifest = session.manifest();
  if (!options.trace.empty() && !checkOutputPath(options.trace, error))
    return false;
  TickRate rate;
  Limits limits;
  std::vector<Phase> phases;
  std::vector<ProfiledStep> kept;
  auto begin = [&]() -> Phase & {
    phases.emplace_back();
    phases.back().ops.resize(manifest.ops.size());
    return phases.back();
  };
  if (options.perOp && !measureMachine(session.threads(), limits.before, error))
    return false;
  if (!options.promptLengths().empty() &&
      !profilePrompt(session, options, begin(), kept, error))
    return false;
  if (options.predict > 0 && manifest.kind == ModelKind::Decoder &&
      !profileGeneration(session, options, begin(), kept, error))
    return false;
  if (options.perOp && !measureMachine(session.threads(), limits.after, error))
    return false;
  double ticksPerSecond = rate.perSecond();
  if (!options.trace.empty() &&
      !writeTrace(manifest, kept, ticksPerSecond, options.trace, error))
    return false;
  if (options.perOp)
    report(session, options, phases, ticksPerSecond, limits);
  return true;
}
