//===- Passes.h - Passes of stage quantize ----------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TRANSFORMS_QUANTIZE_PASSES_H
#define SMELT_TRANSFORMS_QUANTIZE_PASSES_H

#include "mlir/Pass/Pass.h"

namespace smelt {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "smelt/Transforms/Quantize/Passes.h.inc"

/// Stage quantize: every param gets its format.
void buildQuantizePipeline(mlir::OpPassManager &pm);
} // namespace smelt

#endif // SMELT_TRANSFORMS_QUANTIZE_PASSES_H
