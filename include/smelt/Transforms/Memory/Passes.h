//===- Passes.h - Passes that place buffers and threads -*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TRANSFORMS_MEMORY_PASSES_H
#define SMELT_TRANSFORMS_MEMORY_PASSES_H

#include "mlir/Pass/Pass.h"

namespace smelt {

/// Byte offset of a planned buffer, array<i64: per token, constant>.
inline constexpr llvm::StringLiteral kOffsetAttr = "smelt.offset";
/// Unit attribute: the offset counts from the thread's slice of the arena.
inline constexpr llvm::StringLiteral kPrivateAttr = "smelt.private";
/// The arena's size, a dictionary on the module.
inline constexpr llvm::StringLiteral kMemoryAttr = "llm.memory";
/// Barriers of a step, on the module: how often its threads meet.
inline constexpr llvm::StringLiteral kBarriersAttr = "llm.barriers";
/// Unit attribute of a module whose step is to write records of its time.
inline constexpr llvm::StringLiteral kProfileAttr = "llm.profile";
/// What the entries of these records are, on the module: an array of
/// dictionaries.
inline constexpr llvm::StringLiteral kOpsAttr = "llm.ops";
/// Names and types of a public function's own arguments, an array of
/// dictionaries {input | output = "name", type = memref<...>}.
inline constexpr llvm::StringLiteral kSignatureAttr = "smelt.signature";

#define GEN_PASS_DECL
#include "smelt/Transforms/Memory/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "smelt/Transforms/Memory/Passes.h.inc"

/// Plans memory, checks buffers, derives barriers, makes functions SPMD.
void buildMemoryPipeline(mlir::OpPassManager &pm);

/// Registers `--smelt-memory`.
void registerMemoryPipeline();

} // namespace smelt

#endif // SMELT_TRANSFORMS_MEMORY_PASSES_H
