//===- smelt-compile.cpp - Compile a model ----------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The compiler as a program; `smelt compile` runs it.
//
//===----------------------------------------------------------------------===//
#include "smelt/Dialect/LLM/IR/Formats.h"
#include "smelt/Pipeline/Compile.h"
#include "smelt/Pipeline/Pipeline.h"
#include "smelt/Target/CPU/Targets.h"
#include "smelt/Tokenizer.h"

#include <CLI/CLI.hpp>
#include <csignal>
#include <filesystem>
#include <iostream>

static const char *const examples = R"(
Examples:
  smelt compile models/kjv-tiny
      writes kjv-tiny.ingot for this processor
  smelt compile models/kjv-tiny --dtype f32 --mcpu x86-64-v3 -o kjv.ingot
      computes in f32, for any processor with AVX2
  smelt compile models/kjv-tiny --quantize w4a8,head=w8a8
      stores weights in 4 bits, those of the head in 8
  smelt compile models/kjv-tiny --profile -o timed.ingot
      lets smelt bench --per-op timed.ingot say where the time goes
  smelt compile models/kjv-tiny --multiversion
      for any processor of this architecture, with code for the better ones
  smelt compile models/kjv-tiny --mcpu neon-i8mm,neon-dotprod -o arm.ingot
      for AArch64 processors of two generations, from any machine
  smelt compile models/kjv-tiny --compile-to graph -o -
      prints the model after the graph passes
  smelt compile graph.mlir -o kjv.ingot
      goes on from there

Exit status: 0 for success, 1 for a failure that standard error describes,
2 for a wrong command line. A failure leaves no output file behind, and one
that was there before as it was.
)";

/// Whether an ingot of the model will have a tokenizer that can be used, or
/// none: better said now than when it is run.
static bool checkTokenizer(const smelt::CompileOptions &options) {
  std::filesystem::path file(options.input);
  file /= "tokenizer.json";
  std::error_code failure;
  if (options.emit != "ingot" || !std::filesystem::exists(file, failure))
    return true;
  std::string error;
  if (smelt::Tokenizer::load(options.input, error))
    return true;
  std::cerr << "smelt compile: " << error
            << "; without the file the ingot takes token ids only\n";
  return false;
}

/// Help for --quantize, from the tables.
static std::string describeSchemes() {
  std::string text =
      "quantise weights, and what linear layers read; PATTERN is a glob for "
      "names of params, such as head, and the last that matches counts. "
      "Schemes (weights, rows):";
  for (const smelt::llm::SchemeRecord &scheme : smelt::llm::schemeRecords())
    text +=
        "\n" + scheme.name.str() + ": " + scheme.format.str() + ", " +
        (scheme.activation.empty() ? "as --dtype" : scheme.activation.str());
  text += "\nor a format of weights alone:";
  for (const smelt::llm::FormatRecord &format : smelt::llm::formatRecords())
    text += " " + format.name.str();
  return text;
}

int main(int argc, char **argv) {
  // A file that may not grow and a pipe that nobody reads are errors to report.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);

  smelt::CompileOptions options;
  CLI::App app("Compiles a language model to an ingot: machine code, weights "
               "and tokenizer in one file.",
               "smelt compile");
  app.footer(examples);
  app.set_version_flag("--version", "smelt " SMELT_VERSION);
  app.add_option("model", options.input,
                 "folder of a checkpoint, or a file of IR at any stage")
      ->required()
      ->type_name("DIR|FILE.mlir");
  app.add_option("-o,--output", options.output,
                 "file to write (default: the model's name with .ingot; - is "
                 "standard output, for anything but an ingot)")
      ->type_name("FILE");
  app.add_option("--name", options.name,
                 "what to call the model (default: as the checkpoint's folder)")
      ->type_name("NAME");
  app.add_option("--dtype", options.dtype,
                 "what inputs of linear layers are rounded to, and those of an "
                 "encoder's attention may be (default: as the checkpoint)")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->type_name("f32|bf16");
  std::vector<std::string> caches;
  for (const smelt::llm::CacheRecord &record : smelt::llm::cacheRecords())
    caches.push_back(record.name.str());
  app.add_option("--kv-cache", options.cache,
                 "what the KV cache stores; int8 has a scale for each head and "
                 "row (default: as --dtype)")
      ->check(CLI::IsMember(caches))
      ->type_name(CLI::detail::join(caches, "|"));
  app.add_option("--quantize", options.quantize, describeSchemes())
      ->delimiter(',')
      ->type_name("[PATTERN=]SCHEME");
  app.add_option("--mcpu", options.mcpu,
                 "processor: host (default), " + smelt::targetNames() +
                     " or a name that LLVM knows; several, or an architecture "
                     "(x86_64, aarch64) for all of its targets, make an ingot "
                     "with a version of the code for each, of which the best "
                     "that a processor executes runs")
      ->delimiter(',')
      ->type_name("NAME");
  bool isMultiversion = false;
  app.add_flag("--multiversion", isMultiversion,
               "as --mcpu with this machine's architecture: runs on every "
               "processor of it")
      ->excludes("--mcpu");
  app.add_option("--emit", options.emit, "what to write (default: ingot)")
      ->check(CLI::IsMember({"mlir", "llvm", "asm", "obj", "shared", "ingot"}))
      ->type_name("mlir|llvm|asm|obj|shared|ingot");

  std::vector<std::string> names;
  std::string list = "stop after a stage and write its IR; stages in order:";
  for (const smelt::Stage &stage : smelt::stages()) {
    names.push_back(stage.name.str());
    list += "\n" + stage.name.str() + ": " + stage.description.str();
  }
  app.add_option("--compile-to", options.lastStage, list)
      ->check(CLI::IsMember(names))
      ->type_name("STAGE");
  app.add_option("--dump-after-each-stage", options.dumpFolder,
                 "write the IR after each stage to a file of this folder")
      ->type_name("DIR");
  app.add_flag("--print-graph-stats", options.printStatistics,
               "print ops, bytes and flops of a token, by layer and in total, "
               "before and after the graph passes");
  app.add_option(
         "--max-step-tokens", options.maxStepTokens,
         "tokens that one step takes at most (default: 512; an encoder's "
         "step takes at least a whole text)")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 20))
      ->type_name("N");
  app.add_option("--context", options.context,
                 "positions of a sequence (default: the model's)")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 30))
      ->type_name("N");
  app.add_flag("--profile", options.profile,
               "code that writes down when each thread did what, for `smelt "
               "bench --per-op` and `--trace`");
  app.add_option("-j,--threads", options.threads,
                 "threads that pack weights (default: all)")
      ->check(CLI::Range(1u, 1024u))
      ->type_name("N");
  app.add_flag("-q,--quiet", options.isQuiet, "print errors only");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!options.lastStage.empty())
    options.emit = "mlir";
  if (isMultiversion)
    options.mcpu = {smelt::hostArchitectureName().str()};
  try {
    return checkTokenizer(options) && smelt::compile(options) ? 0 : 1;
  } catch (const std::exception &error) { // out of memory or threads
    std::cerr << "smelt compile: " << error.what() << '\n';
    return 1;
  }
}
