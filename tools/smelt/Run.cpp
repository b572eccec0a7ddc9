//===- Run.cpp - smelt run ------------------------------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Continues a prompt and streams the text to standard output.
//
//===----------------------------------------------------------------------===//
#include "Commands.h"
#include "Generate.h"
#include "Support.h"

#include <CLI/CLI.hpp>

#include <iomanip>
#include <iostream>
#include <random>

using namespace smelt;

namespace {
struct RunOptions {
  SessionFlags session;
  std::string prompt;
  GenerateOptions generate;
  std::vector<std::function<void(SamplerOptions &)>> overrides;
  int64_t seed = -1;
  bool quiet = false, verbose = false;
};
} // namespace

static void printSummary(const GenerateStats &stats,
                         const GenerateOptions &options) {
  static const char *const reasons[] = {"end token", "-n reached",
                                        "context full", "stopped"};
  // The first token came with the prompt.
  int64_t steps = std::max<int64_t>(stats.tokens - 1, 0);
  std::cerr << std::fixed << std::setprecision(1)
            << "prompt: " << stats.promptTokens << " tokens, "
            << stats.promptTokens / std::max(stats.promptSeconds, 1e-9)
            << " tokens/s; generated: " << stats.tokens << " tokens, "
            << steps / std::max(stats.seconds, 1e-9)
            << " tokens/s; stop: " << reasons[int(stats.stop)]
            << "; seed: " << options.sampling.seed << '\n';
}

static int run(const RunOptions &options) {
  std::unique_ptr<Session> session = openSession("run", options.session);
  if (!session)
    return 1;
  if (options.verbose)
    std::cerr << describeChoice(session->manifest(),
                                session->model().version());
  GenerateOptions generate = options.generate;
  generate.sampling = recommendedSampling(session->manifest());
  for (const auto &apply : options.overrides)
    apply(generate.sampling);
  generate.sampling.seed =
      options.seed < 0 ? std::random_device()() : uint64_t(options.seed);

  auto onText = [](const std::string &text, int32_t) {
    std::cout << text << std::flush;
    return bool(std::cout);
  };
  GenerateStats stats;
  std::string error;
  if (!generateText(*session, options.prompt, generate, onText, stats, error))
    return fail("run", error);
  std::cout << '\n';
  if (!options.quiet)
    printSummary(stats, generate);
  return finishOutput("run");
}

void smelt::addRunCommand(CLI::App &app, std::function<int()> &action) {
  auto options = std::make_shared<RunOptions>();
  CLI::App *command = app.add_subcommand("run", "Continue a prompt");
  addModelOption(*command, options->session);
  command->add_option("-p,--prompt", options->prompt, "Text to continue");
  command
      ->add_option("-n,--predict", options->generate.maxTokens,
                   "Tokens to generate (default: -1, until an end token or "
                   "the context is full)")
      ->check(CLI::Range(int64_t(-1), int64_t(1) << 40));
  addTargetOption(*command, options->session);
  addThreadsOption(*command, options->session);
  addContextOption(*command, options->session);

  // Where a flag is absent, the model's recommendation stands.
  auto sampling = [&](const char *name, auto SamplerOptions::*member,
                      double low, double high, const char *what) {
    using Value = std::decay_t<decltype(SamplerOptions().*member)>;
    command
        ->add_option_function<Value>(
            name,
            [=](const Value &value) {
              options->overrides.push_back(
                  [=](SamplerOptions &target) { target.*member = value; });
            },
            what)
        ->check(CLI::Range(Value(low), Value(high)));
  };
  sampling("--temp", &SamplerOptions::temperature, 0, 1e6,
           "Temperature; 0: the most probable token (default: 0.8)");
  sampling("--top-k", &SamplerOptions::topK, 0, 1 << 28,
           "Keep the K most probable; 0: all (default: 40)");
  sampling("--top-p", &SamplerOptions::topP, 0, 1,
           "Keep the fewest of this probability; 1: all (default: 0.95)");
  sampling("--min-p", &SamplerOptions::minP, 0, 1,
           "Keep those this probable beside the first; 0: all (default: 0.05)");
  sampling("--repeat-penalty", &SamplerOptions::repeatPenalty, 1e-6, 1e6,
           "Divide logits of recent tokens; 1: don't (default: 1)");
  sampling("--repeat-last-n", &SamplerOptions::repeatLastN, 0, 1 << 20,
           "Tokens that count as recent (default: 64)");
  command
      ->add_option("-s,--seed", options->seed,
                   "Of the random numbers; -1: another each time "
                   "(default: -1)")
      ->check(CLI::Range(int64_t(-1), INT64_MAX - 1));
  command->add_flag("--ignore-eos", options->generate.ignoreEos,
                    "Go on past end tokens");
  command->add_flag("-v,--verbose", options->verbose,
                    "Say which version of the code runs, and why");
  command->add_flag("-q,--quiet", options->quiet, "No summary of the speed");
  command->footer(
      "Examples:\n"
      "  smelt run model.ingot -p \"In the beginning\" -n 64\n"
      "  smelt run model.ingot -p \"1 + 1 =\" --temp 0 -t 4 -c 512\n"
      "  smelt run model.ingot -p \"Once\" -n 8 --verbose --target avx2");
  command->callback([=, &action] { action = [=] { return run(*options); }; });
}
