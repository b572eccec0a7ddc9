//===- Profile.cpp - Where a step writes down its time --------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Profile.h"

using namespace smelt;

/// Bytes of a thread's records; they share no cache line with another's.
static uint64_t strideOf(int64_t records) {
  return (records * sizeof(SmeltRecord) + 127) / 128 * 128;
}

bool ProfileBuffer::allocate(int64_t threads, int64_t records,
                             std::string &error) {
  static_assert(sizeof(SmeltProfile) == 64, "a cache line for each thread");
  threadCount = threads;
  recordCount = records;
  return memory.allocate(threads * (sizeof(SmeltProfile) + strideOf(records)),
                         "profile", error);
}

SmeltRecord *ProfileBuffer::firstOf(int64_t thread) const {
  return reinterpret_cast<SmeltRecord *>(memory.data() +
                                         threadCount * sizeof(SmeltProfile) +
                                         thread * strideOf(recordCount));
}

void ProfileBuffer::reset() {
  for (int64_t thread = 0; thread < threadCount; ++thread)
    threads()[thread].next = firstOf(thread);
}

RecordRange ProfileBuffer::records(int64_t thread) const {
  if (recordCount == 0)
    return {nullptr, nullptr};
  return {firstOf(thread), memory.as<SmeltProfile>()[thread].next};
}
