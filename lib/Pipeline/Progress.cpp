//===- Progress.cpp - What a person at a terminal sees ----------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Progress.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <unistd.h>

using namespace smelt;

/// Clears the line and puts the cursor at its start.
static constexpr const char *clearLine = "\r\x1b[K";

Progress::Progress(bool isQuiet) : isShown(!isQuiet && isatty(2)) {}

double Progress::seconds() const {
  return std::chrono::duration<double>(Clock::now() - started).count();
}

void Progress::begin(llvm::StringRef newName) {
  end();
  name = newName.str();
  started = drawn = Clock::now();
  isRunning = true;
  if (isShown)
    llvm::errs() << "  " << llvm::left_justify(name, 10);
}

void Progress::end() {
  if (isRunning && isShown)
    llvm::errs() << clearLine << "  " << llvm::left_justify(name, 10)
                 << llvm::format("%7.2f s\n", seconds());
  isRunning = false;
}

void Progress::bar(int64_t done, int64_t total) {
  const int width = 30;
  Clock::time_point now = Clock::now();
  if (!isShown || total <= 0 || now - drawn < std::chrono::milliseconds(100))
    return;
  drawn = now;
  int filled = static_cast<int>(done * width / total);
  llvm::errs() << clearLine << "  " << llvm::left_justify(name, 10) << " ["
               << std::string(filled, '#') << std::string(width - filled, ' ')
               << "] "
               << llvm::format("%3d %%  %.0f MB/s", int(done * 100 / total),
                               done / 1e6 / seconds());
}
