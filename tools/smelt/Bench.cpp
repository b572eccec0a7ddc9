//===- Bench.cpp - smelt bench --------------------------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Speed of prefill (pp) and of generation (tg), and how much of this machine
// that is. The machine is measured before and after, for it may change between.
//
//   generation   bytes that a token reads (weights and cache) / bandwidth
//   prefill      operations of its linear layers / peak of the unit they use
//
//===----------------------------------------------------------------------===//
#include "Bench.h"

#include "Commands.h"
#include "CpuFeatures.h"
#include "Encoder.h"
#include "Machine.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iomanip>
#include <iostream>
#include <numeric>

using namespace smelt;
using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

namespace {
/// One row of the table.
struct Result {
  std::string test;
  std::vector<double> seconds; // sorted
  int64_t tokens = 0;
  double work = 0;      // bytes or operations of a run
  std::string resource; // what the work takes
  double limit = 0;     // of the resource, per second; 0: unknown

  double median() const { return seconds[seconds.size() / 2]; }
  double rate() const { return tokens / median(); }
  double share() const { return limit > 0 ? work / median() / limit : 0; }
};
} // namespace

std::vector<int32_t> smelt::someIds(int64_t count, int64_t vocabulary) {
  std::vector<int32_t> ids;
  uint64_t state = 1;
  for (int64_t i = 0; i < count; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    ids.push_back(int32_t((state >> 33) % vocabulary));
  }
  return ids;
}

void smelt::forgetAll(Session &session) {
  if (session.manifest().kind == ModelKind::Decoder)
    for (int64_t slot = 0; slot < session.maxSequences(); ++slot)
      session.truncate(slot, 0);
}

bool smelt::fillCache(Session &session, int64_t depth, std::string &error) {
  forgetAll(session);
  if (depth == 0 || session.pretend(0, depth))
    return true;
  error = "no room for " + std::to_string(depth) + " positions";
  return false;
}

void smelt::rewindCache(Session &session, int64_t depth) {
  if (depth > 0)
    session.truncate(0, depth);
  else
    forgetAll(session);
}

/// Times `body` `repeats` times after once without a clock, each time with
/// `depth` positions in the first slot's cache.
static bool measure(Session &session, int64_t repeats, int64_t depth,
                    Result &result,
                    const std::function<bool(std::string &)> &body,
                    std::string &error) {
  for (int64_t i = 0; i <= repeats; ++i) {
    rewindCache(session, depth);
    auto start = Clock::now();
    if (!body(error))
      return false;
    if (i > 0)
      result.seconds.push_back(
          std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::sort(result.seconds.begin(), result.seconds.end());
  return true;
}

const char *smelt::unitOf(const CodeVersion &version,
                          const std::string &arithmetic) {
  auto has = [&](const char *feature) {
    return std::find(version.features.begin(), version.features.end(),
                     feature) != version.features.end();
  };
  if (arithmetic == "int8")
    return has("amx-int8") ? "int8 tiles" : "int8";
  if (arithmetic == "bf16" && has("avx512bf16"))
    return has("amx-bf16") ? "bf16 tiles" : "bf16";
  return "f32";
}

/// "pp512", "pp8x64", or "pp32:1280" for 32 prompts of 1280 tokens together.
static std::string prefillName(const std::vector<int64_t> &lengths,
                               int64_t tokens) {
  const size_t count = lengths.size();
  if (count == 1)
    return "pp" + std::to_string(tokens);
  if (std::equal(lengths.begin() + 1, lengths.end(), lengths.begin()))
    return "pp" + std::to_string(count) + "x" + std::to_string(lengths[0]);
  return "pp" + std::to_string(count) + ":" + std::to_string(tokens);
}

/// Encoders take as many steps as `smelt embed` does, decoders one for several
/// prompts.
static bool benchPrefill(Session &session, const std::vector<int64_t> &lengths,
                         int64_t repeats, Result &result, std::string &error) {
  const Manifest &manifest = session.manifest();
  result.tokens = std::accumulate(lengths.begin(), lengths.end(), int64_t(0));
  std::vector<int32_t> ids = someIds(result.tokens, manifest.vocabulary);
  std::vector<Segment> segments;
  std::vector<Sequence> sequences;
  const int32_t *at = ids.data();
  for (int64_t length : lengths) {
    segments.push_back(
        {int64_t(segments.size()), at, nullptr, length, Rows::Last});
    sequences.push_back({at, nullptr, length});
    at += length;
  }
  result.test = prefillName(lengths, result.tokens);
  result.work = double(manifest.flopsPerToken) * result.tokens +
                double(manifest.flopsPerRow) * lengths.size();
  result.resource = unitOf(session.model().version(), manifest.arithmetic);
  return measure(
      session, repeats, /*depth=*/0, result,
      [&](std::string &error) {
        if (manifest.kind == ModelKind::Encoder) {
          float *nowhere[SMELT_MAX_OUTPUTS] = {};
          return encode(session, sequences, 0, nowhere, error);
        }
        if (segments.size() > 1)
          return session.step(segments.data(), segments.size(), error);
        return session.feed(segments[0], 0, error, [](int64_t, int64_t) {});
      },
      error);
}

static bool benchGeneration(Session &session, const BenchOptions &options,
                            Result &result, std::string &error) {
  const Manifest &manifest = session.manifest();
  std::vector<int32_t> ids = someIds(options.predict, manifest.vocabulary);
  result.test = "tg" + std::to_string(options.predict) +
                (options.depth ? "@" + std::to_string(options.depth) : "");
  result.tokens = options.predict;
  // Token i reads what depth + i + 1 positions have in the cache.
  double positions = options.predict * (options.predict + 1) / 2.0 +
                     double(options.predict) * options.depth;
  if (!fillCache(session, options.depth, error))
    return false;
  result.work = double(manifest.stepBytes) * options.predict +
                positions * manifest.kvBlockBytes / SMELT_KV_BLOCK_TOKENS;
  result.resource = "memory";
  return measure(
      session, options.repeats, options.depth, result,
      [&](std::string &error) {
        for (const int32_t &id : ids) {
          Segment segment{0, &id, nullptr, 1, Rows::Last};
          if (!session.step(&segment, 1, error))
            return false;
        }
        return true;
      },
      error);
}

double smelt::limitOf(const std::string &resource, const MachineLimits &a,
                      const MachineLimits &b) {
  if (resource == "memory")
    return (a.bandwidth.back().second + b.bandwidth.back().second) / 2;
  return (a.peak(resource)->rate + b.peak(resource)->rate) / 2;
}

static Json toJson(const MachineLimits &limits) {
  Json json;
  for (auto [threads, rate] : limits.bandwidth)
    json["bandwidth"].push_back(
        {{"threads", threads}, {"bytes_per_second", rate}});
  for (const PeakRate &peak : limits.peaks)
    json["peaks"].push_back({{"unit", peak.unit},
                             {"instruction", peak.instruction},
                             {"operations_per_second", peak.rate}});
  json["barrier_seconds"] = limits.barrier;
  json["latency_seconds"] = limits.latency;
  json["placement"] = limits.placement();
  return json;
}

static void printJson(const Session &session,
                      const std::vector<Result> &results,
                      const MachineLimits &before, const MachineLimits &after) {
  Json json;
  json["model"] = session.manifest().modelName;
  json["dtype"] = session.manifest().dtype;
  json["cpu"] = cpuName();
  json["target"] = session.model().version().isa;
  json["threads"] = session.threads();
  for (const Result &result : results)
    json["results"].push_back(
        {{"test", result.test},
         {"tokens", result.tokens},
         {"median_seconds", result.median()},
         {"tokens_per_second", result.rate()},
         {"seconds", result.seconds},
         {"resource", result.resource},
         {"work_per_second", result.work / result.median()},
         {"share_of_limit", result.limit > 0 ? Json(result.share()) : Json()}});
  if (session.manifest().barriers > 0)
    json["barriers_per_step"] = session.manifest().barriers;
  json["machine_before"] = toJson(before);
  json["machine_after"] = toJson(after);
  std::cout << json.dump(2) << '\n';
}

static void printMachine(const char *when, const MachineLimits &limits) {
  std::cout << when << ": read";
  for (auto [threads, rate] : limits.bandwidth)
    std::cout << ' ' << rate * 1e-9 << " GB/s (" << threads << "t)";
  for (const PeakRate &peak : limits.peaks) {
    std::cout << ", " << peak.unit << ' ';
    if (peak.rate > 0)
      std::cout << peak.rate * 1e-9 << " Gop/s (" << peak.instruction << ')';
    else
      std::cout << "n/a";
  }
  std::cout << ", barrier " << limits.barrier * 1e9 << " ns";
  if (limits.latency > 0)
    std::cout << ", core to core " << limits.latency * 1e9 << " ns ("
              << limits.placement() << ')';
  std::cout << "\n";
}

void smelt::printLimits(const MachineLimits &before,
                        const MachineLimits &after) {
  std::cout << std::fixed << std::setprecision(1);
  printMachine("before", before);
  printMachine("after", after);
  if (std::string(before.placement()) != after.placement())
    std::cout << "the placement of the cores changed in between: run again\n";
}

/// What the barriers of a step cost if no thread has to wait for another's
/// work.
static void printBarriers(const Session &session,
                          const std::vector<Result> &results, double seconds) {
  int64_t barriers = session.manifest().barriers;
  if (barriers == 0)
    return;
  std::cout << "barriers: " << barriers << " per step, " << seconds * 1e9
            << " ns each with " << session.threads()
            << " threads: " << barriers * seconds * 1e6 << " us";
  for (const Result &result : results)
    if (result.resource == "memory") // a step is a token
      std::cout << ", " << 100 * barriers * seconds * result.rate()
                << " % of a generated token";
  std::cout << '\n';
}

static void printTable(const Session &session,
                       const std::vector<Result> &results,
                       const MachineLimits &before,
                       const MachineLimits &after) {
  const Manifest &manifest = session.manifest();
  std::cout << std::fixed << std::setprecision(1)
            << "| model | dtype | threads | test | t/s | min..max | limit |\n"
            << "| --- | --- | ---: | ---: | ---: | ---: | --- |\n";
  for (const Result &result : results) {
    std::cout << "| " << manifest.modelName << " | " << manifest.dtype << " | "
              << session.threads() << " | " << result.test << " | "
              << result.rate() << " | " << result.tokens / result.seconds.back()
              << ".." << result.tokens / result.seconds.front() << " | ";
    if (result.limit > 0)
      std::cout << 100 * result.share() << " % of " << result.resource;
    else
      std::cout << "n/a";
    std::cout << " |\n";
  }
  std::cout << '\n';
  printBarriers(session, results, (before.barrier + after.barrier) / 2);
  std::cout << cpuName() << '\n'
            << describeChoice(manifest, session.model().version());
  printLimits(before, after);
}

static int run(const BenchOptions &options) {
  std::unique_ptr<Session> session;
  SessionFlags flags = options.session;
  std::string error;
  std::shared_ptr<const Model> model =
      Model::open(flags.model, error, flags.target);
  if (!model)
    return fail("bench", error);
  const bool isProfile = options.perOp || !options.trace.empty();
  if (isProfile && model->manifest().ops.empty())
    return fail("bench", "'" + flags.model +
                             "' writes no records of time; compile the model "
                             "with --profile");
  const bool isDecoder = model->manifest().kind == ModelKind::Decoder;
  const std::vector<int64_t> lengths = options.promptLengths();
  int64_t context =
      std::max(isDecoder ? options.depth + options.predict : 0, int64_t(1));
  for (int64_t length : lengths)
    context = std::max(context, length);
  const int64_t slots = std::max<int64_t>(lengths.size(), 1);
  session = Session::create(model, {flags.threads, context, slots}, error);
  if (!session)
    return fail("bench", error);
  if (isProfile)
    return runProfile(*session, options, error) ? finishOutput("bench")
                                                : fail("bench", error);
  if (options.ladder)
    return runLadder(*session, options, error) ? finishOutput("bench")
                                               : fail("bench", error);
  MachineLimits before, after;
  if (!measureMachine(session->threads(), before, error))
    return fail("bench", error);
  std::vector<Result> results;
  if (!lengths.empty() && !benchPrefill(*session, lengths, options.repeats,
                                        results.emplace_back(), error))
    return fail("bench", error);
  if (options.predict > 0 && isDecoder &&
      !benchGeneration(*session, options, results.emplace_back(), error))
    return fail("bench", error);
  if (!measureMachine(session->threads(), after, error))
    return fail("bench", error);
  for (Result &result : results)
    result.limit = limitOf(result.resource, before, after);
  if (options.json)
    printJson(*session, results, before, after);
  else
    printTable(*session, results, before, after);
  return finishOutput("bench");
}

void smelt::addBenchCommand(CLI::App &app, std::function<int()> &action) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App *command = app.add_subcommand(
      "bench", "Measure speed, and what part of the machine's limits it is");
  addModelOption(*command, options->session);
  command
      ->add_option("-p,--n-prompt", options->prompt,
                   "Tokens of a prompt; 0: skip (default: 512)")
      ->check(CLI::Range(int64_t(0), int64_t(1) << 30));
  command
      ->add_option("--parallel", options->parallel,
                   "Prompts at a time, of -p tokens each (default: 1)")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 20));
  command
      ->add_option("--lengths", options->lengths,
                   "Tokens of each of several prompts, instead of -p and "
                   "--parallel: 8,40,128")
      ->delimiter(',')
      ->check(CLI::Range(int64_t(1), int64_t(1) << 30));
  command
      ->add_option("-n,--n-gen", options->predict,
                   "Tokens to generate; 0: skip (default: 128)")
      ->check(CLI::Range(int64_t(0), int64_t(1) << 30));
  command
      ->add_option("-d,--depth", options->depth,
                   "Positions in the cache before those tokens (default: 0)")
      ->check(CLI::Range(int64_t(0), int64_t(1) << 30));
  command
      ->add_option("-r,--repetitions", options->repeats,
                   "Runs, of which the median counts (default: 5)")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 20));
  addTargetOption(*command, options->session);
  addThreadsOption(*command, options->session);
  CLI::Option *ladder =
      command->add_flag("--ladder", options->ladder,
                        "Print the time per token of steps of 1, 2, 3, ... up "
                        "to -p tokens, and where it rises");
  command
      ->add_flag("--per-op", options->perOp,
                 "Print the time of each op in a step, of a model compiled "
                 "with --profile")
      ->excludes(ladder);
  command
      ->add_option("--trace", options->trace,
                   "Write a step of the prompt and the last tokens as a trace "
                   "for Perfetto, of a model compiled with --profile")
      ->type_name("FILE.json")
      ->excludes(ladder);
  command->add_flag("--json", options->json, "Print JSON");
  command->footer("Examples:\n"
                  "  smelt bench model.ingot\n"
                  "  smelt bench model.ingot -p 2048 -n 0 -t 8 -r 9 --json\n"
                  "  smelt bench model.ingot -p 0 -n 16 -d 16384\n"
                  "  smelt bench encoder.ingot -p 64 --parallel 8\n"
                  "  smelt bench encoder.ingot --lengths 8,40,128\n"
                  "  smelt bench model.ingot --ladder -r 9\n"
                  "  smelt compile CHECKPOINT --profile -o timed.ingot\n"
                  "  smelt bench timed.ingot --per-op\n"
                  "  smelt bench timed.ingot --trace step.json");
  command->callback([=, &action] { action = [=] { return run(*options); }; });
}
