//===- Buffers.h - Where buffers come from and how large they are -*- C++
//-*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the memory passes ask about functions of memrefs: the call graph, the
// buffers that a value may be a view of, and the size of an allocation.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_TRANSFORMS_MEMORY_BUFFERS_H
#define SMELT_LIB_TRANSFORMS_MEMORY_BUFFERS_H

#include "smelt/Transforms/Memory/Linear.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SetVector.h"

namespace smelt {

/// Bytes that every planned buffer's size and offset is a multiple of.
inline constexpr int64_t kBufferAlignment = 64;

/// The functions with a body, callers before the functions they call. Fails
/// with a diagnostic on recursion and on calls inside of scf.forall.
mlir::FailureOr<llvm::SmallVector<mlir::func::FuncOp>>
sortCallersFirst(mlir::ModuleOp module);

/// The function that `call` names; fails with a diagnostic if it has no body.
mlir::FailureOr<mlir::func::FuncOp> getCallee(mlir::func::CallOp call);

/// How often a step executes `op`: trips of the loops around it, times calls of
/// its function, from all public functions. Both ways of a branch count.
/// Nothing if a loop's bounds aren't constant.
std::optional<int64_t> countRuns(mlir::Operation *op);

/// The buffers that `memref` may be a view of: results of allocating ops,
/// globals and params, arguments of the function, or any value of unknown
/// origin. Follows views, loops, branches and selections.
llvm::SetVector<mlir::Value> findBuffers(mlir::Value memref);

/// An upper bound of an index value in terms of the tokens of the step, the
/// size of a function argument's dimension 0; failure if there is none that
/// is linear. Values are taken to be at least 0, M at least 1.
mlir::FailureOr<Linear> boundLinearly(mlir::Value index);

/// Bytes of a buffer, rounded up to kBufferAlignment; fails with a diagnostic.
mlir::FailureOr<Linear> getBufferSize(mlir::memref::AllocOp alloc);

/// Whether a buffer belongs to a thread: it is allocated inside scf.forall.
bool isPrivate(mlir::Operation *alloc);

/// The range of the arena that the plan gave a shared buffer; failure, with a
/// diagnostic, without a plan.
mlir::FailureOr<ByteRange> getPlannedRange(mlir::memref::AllocOp alloc);

} // namespace smelt

#endif // SMELT_LIB_TRANSFORMS_MEMORY_BUFFERS_H
