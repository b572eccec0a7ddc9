//===- Progress.h - What a person at a terminal sees ------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_PIPELINE_PROGRESS_H
#define SMELT_LIB_PIPELINE_PROGRESS_H

#include "llvm/ADT/StringRef.h"
#include <chrono>
#include <cstdint>

namespace smelt {

/// Names of steps with their times, and a bar, on standard error if that is a
/// terminal; otherwise nothing.
class Progress {
public:
  explicit Progress(bool isQuiet);

  /// Ends the last step, if there was one, and begins the next.
  void begin(llvm::StringRef name);
  void end();
  /// Draws how far the current step is, in bytes.
  void bar(int64_t done, int64_t total);

private:
  using Clock = std::chrono::steady_clock;
  double seconds() const;

  bool isShown;
  bool isRunning = false;
  std::string name;
  Clock::time_point started, drawn;
};

} // namespace smelt

#endif // SMELT_LIB_PIPELINE_PROGRESS_H
