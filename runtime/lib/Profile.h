//===- Profile.h - Where a step writes down its time -----------*- C++ -*--===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A profiled step leaves for each thread one record for each run of an entry of
// the manifest's `profile`, in the order in which they ended. All threads take
// the same way: record i of one is the same run as record i of another.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_RUNTIME_PROFILE_H
#define SMELT_RUNTIME_PROFILE_H

#include "Pages.h"
#include "smelt/abi.h"

#include <cstdint>
#include <string>

namespace smelt {

/// The counter that generated code reads, in ticks.
inline uint64_t readClock() {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  uint64_t ticks;
  __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
  return ticks;
#else
  return 0;
#endif
}

/// Records of a thread.
struct RecordRange {
  const SmeltRecord *first, *last;
  const SmeltRecord *begin() const { return first; }
  const SmeltRecord *end() const { return last; }
  size_t size() const { return last - first; }
  const SmeltRecord &operator[](size_t i) const { return first[i]; }
};

class ProfileBuffer {
public:
  /// Room for `records` records of each of `threads` threads.
  bool allocate(int64_t threads, int64_t records, std::string &error);
  /// Forgets all records, before a step.
  void reset();
  /// For SmeltStep; null without room.
  SmeltProfile *threads() { return memory.as<SmeltProfile>(); }
  RecordRange records(int64_t thread) const;

private:
  SmeltRecord *firstOf(int64_t thread) const;

  int64_t threadCount = 0, recordCount = 0;
  Pages memory; // [threadCount] SmeltProfile, then [threadCount, stride] bytes
};

} // namespace smelt

#endif // SMELT_RUNTIME_PROFILE_H
