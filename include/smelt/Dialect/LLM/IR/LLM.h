//===- LLM.h - The llm dialect -*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_DIALECT_LLM_IR_LLM_H
#define SMELT_DIALECT_LLM_IR_LLM_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "smelt/Dialect/LLM/IR/LLMDialect.h.inc"
#define GET_TYPEDEF_CLASSES
#include "smelt/Dialect/LLM/IR/LLMTypes.h.inc"
#define GET_ATTRDEF_CLASSES
#include "smelt/Dialect/LLM/IR/LLMAttrs.h.inc"
#define GET_OP_CLASSES
#include "smelt/Dialect/LLM/IR/LLMOps.h.inc"

#endif // SMELT_DIALECT_LLM_IR_LLM_H
