//===- Linear.h - Byte counts that are linear in the tokens -*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The sizes and offsets of a memory plan are functions a * M + b of the number
// of tokens M >= 1, never negative. One is at most another for every M if it
// is so for M = 1 and grows no faster.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TRANSFORMS_MEMORY_LINEAR_H
#define SMELT_TRANSFORMS_MEMORY_LINEAR_H

#include <algorithm>
#include <cstdint>

namespace smelt {

struct Linear {
  int64_t perToken = 0;
  int64_t constant = 0;

  int64_t at(int64_t tokens) const { return perToken * tokens + constant; }

  bool isAtMost(const Linear &other) const {
    return perToken <= other.perToken && at(1) <= other.at(1);
  }

  Linear operator+(const Linear &other) const {
    return {perToken + other.perToken, constant + other.constant};
  }

  bool operator==(const Linear &other) const {
    return perToken == other.perToken && constant == other.constant;
  }
};

/// The least linear function that is at least both.
inline Linear join(const Linear &a, const Linear &b) {
  int64_t perToken = std::max(a.perToken, b.perToken);
  return {perToken, std::max(a.at(1), b.at(1)) - perToken};
}

/// Bytes [begin, end).
struct ByteRange {
  Linear begin, end;

  /// Whether for some M the ranges may share a byte.
  bool mayOverlap(const ByteRange &other) const {
    return !end.isAtMost(other.begin) && !other.end.isAtMost(begin);
  }
};

} // namespace smelt

#endif // SMELT_TRANSFORMS_MEMORY_LINEAR_H
