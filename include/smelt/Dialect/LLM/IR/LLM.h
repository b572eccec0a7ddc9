//===- LLM.h - The llm dialect -*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_DIALECT_LLM_IR_LLM_H
#define SMELT_DIALECT_LLM_IR_LLM_H

#include "smelt/Dialect/LLM/IR/Formats.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "smelt/Dialect/LLM/IR/LLMDialect.h.inc"

namespace smelt::llm {

/// Positions in a block of the KV cache, which attention takes at a time.
constexpr int64_t blockPositions = 64;

} // namespace smelt::llm

#define GET_TYPEDEF_CLASSES
#include "smelt/Dialect/LLM/IR/LLMTypes.h.inc"
#define GET_ATTRDEF_CLASSES
#include "smelt/Dialect/LLM/IR/LLMAttrs.h.inc"
#define GET_OP_CLASSES
#include "smelt/Dialect/LLM/IR/LLMOps.h.inc"

namespace smelt::llm {

/// Whether `value` has a row for each row of output that is wanted, not for
/// each token: it comes from llm.gather_rows through ops of this dialect.
bool isGathered(mlir::Value value);

/// Whether products may be made of what is rounded to `type`: f32 or bf16.
inline bool isComputeType(mlir::Type type) {
  return type.isF32() || type.isBF16();
}

} // namespace smelt::llm

#endif // SMELT_DIALECT_LLM_IR_LLM_H
