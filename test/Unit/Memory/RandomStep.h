//===- RandomStep.h - Random programs of parallel loops ---------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A random step: buffers of integers, parallel loops that fill one from others,
// views, choices by data, loops that swap buffers, branches and calls. It can
// be printed as IR for the memory passes, and evaluated here, where every
// buffer has storage of its own and one statement runs after the other.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TEST_UNIT_MEMORY_RANDOMSTEP_H
#define SMELT_TEST_UNIT_MEMORY_RANDOMSTEP_H

#include <cstdint>
#include <string>
#include <vector>

namespace smelt::test {

/// Columns of the step's output.
constexpr int kColumns = 3;

struct Statement {
  enum Kind {
    Alloc,  // result = new buffer of perToken * M + constant integers
    View,   // result = all but the first element of operands[0], if it has two
    Choose, // result = operands[0] or, if operands[2][0] is odd, operands[1]
    Fill,   // operands[0] = function of operands[1...]
    Loop,   // `constant` times body
    Swap,   // `constant` times body, for (result, result + 1) = operands,
            // swapped after each
    If,     // body if operands[0][0] is odd, else other
    Call    // function `constant` with operands
  } kind;
  int result = -1;
  std::vector<int> operands = {};
  int64_t perToken = 0, constant = 0;
  int32_t salt = 0;
  bool accumulates = false; // Fill: starts from what was there
  bool isBlocked = false;   // Fill: threads own blocks instead of every nth
  bool usesPrivate = false; // Fill: through a buffer of the thread's own
  std::vector<Statement> body = {}, other = {};
  int id = 0; // of Alloc: its place in the plan
};

/// Handles 0 to numArguments - 1 are its arguments, buffers with values.
struct Function {
  int numArguments = 0;
  int numHandles = 0;
  std::vector<Statement> body;
  std::vector<int> outputs; // of the last function: handles to show
};

/// From which access to which, counted in time, a buffer of perToken * M +
/// constant integers was in use.
struct Lifetime {
  int alloc; // its `test.id`
  int64_t perToken, constant;
  int64_t first, last;
};

struct Result {
  std::vector<float> logits; // [M, kColumns]
  std::vector<Lifetime> lifetimes;
};

class RandomStep {
public:
  explicit RandomStep(unsigned seed);

  /// A module with @step(ids, logits); allocations carry `test.id`.
  std::string print() const;

  /// Runs the step for M tokens.
  Result evaluate(int64_t tokens) const;

private:
  std::vector<Function> functions; // the last is @step; they call earlier ones
};

} // namespace smelt::test

#endif // SMELT_TEST_UNIT_MEMORY_RANDOMSTEP_H
