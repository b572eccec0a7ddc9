//===- JitContext.h - A context for tests that execute IR -------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TEST_UNIT_SUPPORT_JITCONTEXT_H
#define SMELT_TEST_UNIT_SUPPORT_JITCONTEXT_H

#include "mlir/IR/MLIRContext.h"

namespace smelt::test {

/// The context of all modules of a test program: every dialect and pass of
/// Smelt, translation to LLVM IR, and code generation for this machine. It is
/// made once, since passes register once in a process.
mlir::MLIRContext &getJitContext();

} // namespace smelt::test

#endif // SMELT_TEST_UNIT_SUPPORT_JITCONTEXT_H
