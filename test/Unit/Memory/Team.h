//===- Team.h - Threads that run a compiled step ----------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TEST_UNIT_MEMORY_TEAM_H
#define SMELT_TEST_UNIT_MEMORY_TEAM_H

#include "smelt/abi.h"

#include <cstdint>

namespace smelt::test {

/// Runs the step's threads one at a time, each up to its next barrier, in an
/// order drawn from `seed` anew between any two barriers: what a missing
/// barrier leaves to chance goes wrong in some order. Returns the number of
/// barriers, or -1 if the threads don't all meet at each.
int64_t runInTurns(SmeltStepFunction function, SmeltStep step, int numThreads,
                   unsigned seed);

/// Runs the step on threads of the system.
void runTogether(SmeltStepFunction function, SmeltStep step, int numThreads);

} // namespace smelt::test

#endif // SMELT_TEST_UNIT_MEMORY_TEAM_H
