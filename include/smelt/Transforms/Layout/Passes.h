//===- Passes.h - Passes of stage layout ------------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TRANSFORMS_LAYOUT_PASSES_H
#define SMELT_TRANSFORMS_LAYOUT_PASSES_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Pass/Pass.h"

namespace smelt {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "smelt/Transforms/Layout/Passes.h.inc"

/// Stage layout: every param gets its layout and its place.
void buildLayoutPipeline(mlir::OpPassManager &pm);
} // namespace smelt

#endif // SMELT_TRANSFORMS_LAYOUT_PASSES_H
