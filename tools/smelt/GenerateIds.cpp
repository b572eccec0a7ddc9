//===- GenerateIds.cpp - smelt generate-ids -------------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Continues token ids with the most probable ones, for comparing with another
// implementation: end tokens are tokens like any other here.
//
//===----------------------------------------------------------------------===//
#include "Commands.h"
#include "Generate.h"
#include "Support.h"
#include "smelt/Import/Formats/Safetensors.h"

#include <CLI/CLI.hpp>

#include <iostream>

using namespace smelt;

namespace {
struct GenerateIdsOptions {
  SessionFlags session;
  std::string ids, idsFile, output;
  GenerateOptions generate;
};
} // namespace

static bool readPrompt(const GenerateIdsOptions &options,
                       std::vector<int32_t> &ids, std::string &error) {
  if (options.idsFile.empty())
    return parseIds(options.ids, ids, error);
  IntegerTensor prompt;
  std::unique_ptr<IdsFile> file = IdsFile::open(options.idsFile, error);
  return file && file->read("prompt_ids", 1, prompt, error) &&
         toIds(prompt.values, ids, error);
}

static int run(const GenerateIdsOptions &options) {
  std::string error;
  std::vector<int32_t> prompt;
  if (!readPrompt(options, prompt, error))
    return fail("generate-ids", error);
  std::unique_ptr<Session> session =
      openSession("generate-ids", options.session);
  if (!session)
    return 1;
  std::vector<int64_t> ids;
  auto onToken = [&](int32_t id) {
    ids.push_back(id);
    return true;
  };
  GenerateStats stats;
  if (!generate(*session, prompt, options.generate, onToken, stats, error))
    return fail("generate-ids", error);
  if (stats.stop == StopReason::ContextFull)
    return fail("generate-ids",
                "the context of " + std::to_string(session->context()) +
                    " tokens was full after " + std::to_string(stats.tokens) +
                    " of " + std::to_string(options.generate.maxTokens));

  if (options.output.empty()) {
    for (size_t i = 0; i < ids.size(); ++i)
      std::cout << (i ? "," : "") << ids[i];
    std::cout << '\n';
    return finishOutput("generate-ids");
  }
  NamedTensor tensor;
  tensor.name = "ids";
  tensor.type = ElementType::I64;
  tensor.shape = {int64_t(ids.size())};
  tensor.bytes = ids.size() * sizeof(int64_t);
  tensor.data = reinterpret_cast<const uint8_t *>(ids.data());
  if (!writeSafetensors(options.output, {tensor}, error))
    return fail("generate-ids", error);
  return 0;
}

void smelt::addGenerateIdsCommand(CLI::App &app, std::function<int()> &action) {
  auto options = std::make_shared<GenerateIdsOptions>();
  options->generate.ignoreEos = true;
  options->generate.sampling.temperature = 0;
  options->generate.maxTokens = 16;
  CLI::App *command = app.add_subcommand(
      "generate-ids", "Continue token ids with the most probable ones");
  addModelOption(*command, options->session);
  auto *input = command->add_option_group("ids")->require_option(1);
  input->add_option("--ids", options->ids, "Token ids: 1,2,3");
  input->add_option("--ids-file", options->idsFile,
                    "A safetensors file with prompt_ids [n] of I64");
  command
      ->add_option("-n,--n", options->generate.maxTokens,
                   "Tokens to generate, past end tokens (default: 16)")
      ->check(CLI::Range(int64_t(0), int64_t(1) << 40));
  command
      ->add_option("--chunk", options->generate.chunk,
                   "Prompt tokens of a step (default: as many as the model "
                   "takes)")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 40));
  addTargetOption(*command, options->session);
  addThreadsOption(*command, options->session);
  addContextOption(*command, options->session);
  command->add_option("-o,--output", options->output,
                      "A safetensors file: ids [n] of I64, the new ones "
                      "(default: print them)");
  command->footer(
      "Example:\n  smelt generate-ids model.ingot --ids 1,2,3 --n 8");
  command->callback([=, &action] { action = [=] { return run(*options); }; });
}
