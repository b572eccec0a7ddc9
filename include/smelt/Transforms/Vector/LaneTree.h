//===- LaneTree.h - One order for summing the lanes -------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A reduction along a row keeps one partial result per lane. Floating-point
// results depend on the order in which those are combined, so every reduction
// of the compiler uses the same one: the upper half is folded onto the lower
// half until one lane is left.
//
//   8 lanes   a b c d e f g h
//   4         a.e b.f c.g d.h
//   2         (a.e).(c.g) (b.f).(d.h)
//   1         ((a.e).(c.g)).((b.f).(d.h))
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TRANSFORMS_VECTOR_LANETREE_H
#define SMELT_TRANSFORMS_VECTOR_LANETREE_H

#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace smelt {

/// The value e with `combine(e, x) == x` for every x but NaN: -0.0 for floating
/// ADD (0.0 would turn a sum of -0.0 into 0.0), minus infinity for maxima.
/// `type` is a scalar type that fits `kind`.
mlir::TypedAttr getCombinerIdentity(mlir::vector::CombiningKind kind,
                                    mlir::Type type);

/// Folds `vector` (1-D, a power of two of lanes, not scalable) to one scalar by
/// pairwise halving, in the order drawn above.
mlir::Value
emitLaneTree(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value vector,
             llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location,
                                            mlir::Value low, mlir::Value high)>
                 combine);

/// The same with the arith op of `kind`.
mlir::Value emitLaneTree(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Value vector, mlir::vector::CombiningKind kind);

} // namespace smelt

#endif // SMELT_TRANSFORMS_VECTOR_LANETREE_H
