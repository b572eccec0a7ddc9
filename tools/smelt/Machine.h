//===- Machine.h - What this machine can do at best ------------*- C++ -*--===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Limits to hold a benchmark against: read bandwidth, arithmetic peaks of the
// units that generated code uses, and how far apart two cores are. Measured,
// since virtual machines rarely tell, and change from minute to minute.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TOOLS_SMELT_MACHINE_H
#define SMELT_TOOLS_SMELT_MACHINE_H

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace smelt {

/// Rate of one kind of multiply-add with all threads.
struct PeakRate {
  std::string unit;        // "f32", "bf16", "int8", and those of AMX
  std::string instruction; // empty where the processor has none
  double rate = 0;         // operations per second, a multiply-add is two
};

struct MachineLimits {
  /// (threads, bytes per second) for 1, 2, 4, ... and all threads.
  std::vector<std::pair<int64_t, double>> bandwidth;
  std::vector<PeakRate> peaks;
  /// Seconds for a cache line to travel between two threads; 0 for one thread.
  double latency = 0;
  /// Seconds that a barrier of the step takes when all threads come at once.
  double barrier = 0;

  const PeakRate *peak(const std::string &unit) const;
  /// "near" or "far": whether two threads share a cache; "-" for one thread.
  const char *placement() const;
};

/// Takes about a second. Empty, and a message, if memory or threads lack.
bool measureMachine(int64_t threads, MachineLimits &limits, std::string &error);

} // namespace smelt

#endif // SMELT_TOOLS_SMELT_MACHINE_H
