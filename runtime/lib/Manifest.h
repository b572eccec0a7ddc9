//===- Manifest.h - What an ingot says about itself -------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The manifest as a struct, checked once when it is read (docs/Ingot.md names
// the fields): every number is within a stated range, every count is capped, so
// that no code behind the reader has to doubt them.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_RUNTIME_MANIFEST_H
#define SMELT_RUNTIME_MANIFEST_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace smelt {

enum class ModelKind { Decoder, Encoder };

/// Bytes as a linear function of a step's tokens and threads.
struct LinearBytes {
  int64_t bytes = 0;
  int64_t perToken = 0;
  int64_t perThread = 0;
  int64_t perTokenThread = 0;

  /// The value, or nothing where it exceeds 2^62.
  std::optional<int64_t> evaluate(int64_t tokens, int64_t threads) const;
};

/// What a step consists of.
struct StepCounts {
  double tokens = 0, rows = 0, sequences = 0;
  double positions = 0; // in the caches of its sequences, the step's included
  double pairs = 0;     // of a token and a position that it attends to
};

/// Bytes or operations as a linear function of these.
struct StepCost {
  int64_t fixed = 0;
  int64_t perToken = 0;
  int64_t perRow = 0;
  int64_t perSequence = 0;
  int64_t perPosition = 0;
  int64_t perPair = 0;

  double evaluate(const StepCounts &counts) const;
};

/// An entry of a step's profile.
struct OpInfo {
  std::string name;
  std::string kind;
  std::vector<std::string> fused; // names of what else it does
  int64_t runs = 1;               // in a step, at most
  StepCost bytes, operations;     // of one run, all threads together
  std::string arithmetic;         // of the operations: f32, bf16 or int8
  int64_t window = 0; // positions that a token attends to at most; 0: all

  bool isBarrier() const { return kind == "barrier"; }
};

/// The code of a step for one target. Its section is "code/<isa>".
struct CodeVersion {
  std::string triple;
  std::string cpu;
  std::string isa; // the target's name
  std::vector<std::string> features;
  LinearBytes arena; // what its steps take
};

/// An output of a step: a matrix of f32.
struct OutputInfo {
  std::string name;
  bool perSequence = false; // else one row for each of the step's `rows`
  int64_t width = 0;
};

/// A packed weight: `sources` pieces of `bytes` bytes, `stride` bytes apart,
/// the first at `offset` of the weights section.
struct ParamInfo {
  std::string name;
  int64_t sources = 1;
  int64_t offset = 0;
  int64_t stride = 0;
  int64_t bytes = 0;
  std::vector<int64_t> shape; // logical
  std::string format;
  std::string layout;
};

struct SectionInfo {
  std::string name;
  uint64_t offset = 0; // from the start of the file
  uint64_t size = 0;
  uint64_t hash = 0; // XXH3_64bits of its bytes
};

/// Sampling parameters of generation_config.json; unset ones are absent.
struct GenerationDefaults {
  std::optional<int64_t> bos;
  std::vector<int64_t> eos;
  std::optional<double> temperature;
  std::optional<int64_t> topK;
  std::optional<double> topP;
  std::optional<double> minP;
  std::optional<double> repetitionPenalty;
};

struct Manifest {
  std::string producer;

  std::string modelName;
  std::string family;
  ModelKind kind = ModelKind::Decoder;
  int64_t vocabulary = 0;
  int64_t hidden = 0;
  int64_t layers = 0;
  int64_t context = 0;
  int64_t tokenTypes = 0; // token type ids are below this; 0: none
  std::string dtype;

  std::vector<CodeVersion> versions; // at least one, best first

  std::vector<std::string> inputs;
  std::vector<OutputInfo> outputs;

  int64_t kvBlockBytes = 0; // all layers, SMELT_KV_BLOCK_TOKENS positions
  int64_t maxStepTokens = 0;

  int64_t weightBytes = 0;
  int64_t stepBytes = 0;
  int64_t flopsPerToken = 0;
  int64_t flopsPerRow = 0; // of output, on top
  int64_t barriers = 0;    // of a step; 0: none, or not recorded
  std::string arithmetic;  // of most of them: f32, bf16 or int8

  std::vector<OpInfo> ops;    // entries of the profile; empty without one
  int64_t profileRecords = 0; // that a step writes for each thread, at most

  GenerationDefaults generation;
  int64_t embeddingMaxLength = 0; // 0: no limit but the context

  std::vector<ParamInfo> params;
  std::vector<SectionInfo> sections;

  /// Reads JSON text. Section offsets are not compared with the file here.
  static bool parse(const char *text, size_t size, Manifest &manifest,
                    std::string &error);

  const SectionInfo *findSection(const std::string &name) const;
  /// Index of the output, or -1.
  int findOutput(const std::string &name) const;
  bool takesInput(const std::string &name) const;
};

} // namespace smelt

#endif // SMELT_RUNTIME_MANIFEST_H
