//===- Support.h - What several commands do alike --------------*- C++ -*--===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TOOLS_SMELT_SUPPORT_H
#define SMELT_TOOLS_SMELT_SUPPORT_H

#include "Session.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace smelt {

/// Options of a session as a command line gives them.
struct SessionFlags {
  std::string model;
  std::string target; // version of the code; empty: the best
  int64_t threads = 0;
  int64_t context = 0;
};

void addModelOption(CLI::App &command, SessionFlags &flags);
void addTargetOption(CLI::App &command, SessionFlags &flags);
void addThreadsOption(CLI::App &command, SessionFlags &flags);
void addContextOption(CLI::App &command, SessionFlags &flags);

/// Opens the model and makes a session; null, and a message on standard error
/// that begins with `command`, on failure.
std::unique_ptr<Session>
openSession(const char *command, const SessionFlags &flags, int64_t slots = 1);

/// Prints "smelt COMMAND: MESSAGE" to standard error and returns 1.
int fail(const char *command, const std::string &message);

/// Flushes standard output; 1, and a message, if anything of it was lost.
int finishOutput(const char *command);

/// Token ids from "1,2,3".
bool parseIds(const std::string &list, std::vector<int32_t> &ids,
              std::string &error);

/// An I64 tensor of a file, of rank `rank`, with its values.
struct IntegerTensor {
  std::vector<int64_t> shape;
  std::vector<int64_t> values;
};

/// Integer tensors of a safetensors file, by name.
class IdsFile {
public:
  static std::unique_ptr<IdsFile> open(const std::string &path,
                                       std::string &error);
  ~IdsFile();

  bool has(const std::string &name) const;
  /// Reads a tensor that must be there, be I64 and have this rank.
  bool read(const std::string &name, size_t rank, IntegerTensor &tensor,
            std::string &error) const;

private:
  IdsFile();
  struct Impl;
  std::unique_ptr<Impl> impl;
};

/// Ids of [n] values; fails for values that no id can have.
bool toIds(const std::vector<int64_t> &values, std::vector<int32_t> &ids,
           std::string &error);

} // namespace smelt

#endif // SMELT_TOOLS_SMELT_SUPPORT_H
