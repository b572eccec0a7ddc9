//===- Passes.h - Passes of stage tile --------------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TRANSFORMS_TILE_PASSES_H
#define SMELT_TRANSFORMS_TILE_PASSES_H

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Pass/Pass.h"

#include "smelt/Dialect/Kernel/IR/Kernel.h"

namespace smelt {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "smelt/Transforms/Tile/Passes.h.inc"

/// From llm ops with packed params to tiles of linalg and kernel ops.
void buildTilePipeline(mlir::OpPassManager &pm);
/// From tensors to buffers, each op's result in place.
void buildBufferizePipeline(mlir::OpPassManager &pm);
} // namespace smelt

#endif // SMELT_TRANSFORMS_TILE_PASSES_H
