//===- Ops.h - The evaluator's table of ops ---------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_REFERENCE_OPS_H
#define SMELT_LIB_REFERENCE_OPS_H

#include "smelt/Reference/Evaluator.h"

namespace smelt {

/// Sets the results of `op`; fails after a diagnostic.
using OpFunction = mlir::LogicalResult (*)(Evaluator &, mlir::Operation *op);

/// The function for ops called `name`, or null. Calls, loops and params are
/// the evaluator's own.
OpFunction lookupOpFunction(llvm::StringRef name);

} // namespace smelt

#endif // SMELT_LIB_REFERENCE_OPS_H
