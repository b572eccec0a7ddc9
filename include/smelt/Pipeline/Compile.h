//===- Compile.h - From a model to a file -----------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_PIPELINE_COMPILE_H
#define SMELT_PIPELINE_COMPILE_H

#include <cstdint>
#include <string>
#include <vector>

namespace smelt {

/// What `smelt compile` is asked to do, as on its command line.
struct CompileOptions {
  std::string input;  // a checkpoint's folder, or a file of IR at any stage
  std::string output; // "-" is standard output; empty chooses NAME.ingot
  std::string name;   // of the model; empty: the checkpoint's folder's
  std::string dtype;  // f32, bf16, or empty: as the checkpoint says
  std::string cache;  // what the KV cache stores, of Formats.def; empty: dtype
  /// SCHEME or PATTERN=SCHEME (Formats.def); the last that matches counts.
  std::vector<std::string> quantize;
  /// host, target records, processors or architectures (all records of one);
  /// empty: host. Several make an ingot with a version of the code for each.
  std::vector<std::string> mcpu;
  std::string emit = "ingot"; // mlir, llvm, asm, obj, shared or ingot
  std::string lastStage;      // of Stages.def; empty: all that `emit` needs
  std::string dumpFolder;     // gets one file for each stage; empty: none
  int64_t maxStepTokens = 512;
  int64_t context = 0; // positions of a sequence; 0: the model's
  unsigned threads = 0;
  bool profile = false; // the step writes down when it did what
  bool printStatistics = false;
  bool isQuiet = false;
};

/// Compiles. False after messages on standard error; no output file has
/// changed then.
bool compile(const CompileOptions &options);

} // namespace smelt

#endif // SMELT_PIPELINE_COMPILE_H
