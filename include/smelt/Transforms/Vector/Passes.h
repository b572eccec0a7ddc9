//===- Passes.h - From linalg on memrefs to vectors -------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The vector phase: loops over rows become loops over vectors of a fixed
// number of lanes, and what a CPU has no instruction for (transcendental
// functions, conversions of 16-bit floats) becomes arithmetic that it has.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TRANSFORMS_VECTOR_PASSES_H
#define SMELT_TRANSFORMS_VECTOR_PASSES_H

#include "mlir/Pass/Pass.h"

namespace smelt {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "smelt/Transforms/Vector/Passes.h.inc"

/// linalg on memrefs to vectors, and those to what the target has.
void buildVectorPipeline(mlir::OpPassManager &pm);
} // namespace smelt

#endif // SMELT_TRANSFORMS_VECTOR_PASSES_H
