//===- Emit.h - From the llvm dialect to machine code -----------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TARGET_CPU_EMIT_H
#define SMELT_TARGET_CPU_EMIT_H

#include "smelt/Target/CPU/Targets.h"

#include "llvm/ADT/SmallVector.h"
#include <string>

namespace mlir {
class DialectRegistry;
class ModuleOp;
} // namespace mlir

namespace smelt {

/// What to stop at on the way to a shared object.
enum class CodeKind { LLVM, Assembly, Object, Shared };

/// Adds what the translation to LLVM IR asks dialects for.
void registerEmission(mlir::DialectRegistry &registry);

/// Translates a module at stage llvm, which defines smelt_step, for `target`.
/// Ops of other dialects (params) are left out. False, and a message in
/// `error`, if it can't be translated, or if the object asks for symbols that
/// nobody would define, which the message names. The same module yields the
/// same bytes.
bool emitCode(mlir::ModuleOp module, const TargetRecord &target, CodeKind kind,
              llvm::SmallVectorImpl<char> &code, std::string &error);

} // namespace smelt

#endif // SMELT_TARGET_CPU_EMIT_H
