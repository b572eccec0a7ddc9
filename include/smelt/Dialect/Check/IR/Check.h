//===- Check.h - The check dialect -*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_DIALECT_CHECK_IR_CHECK_H
#define SMELT_DIALECT_CHECK_IR_CHECK_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"

#include "smelt/Dialect/Check/IR/CheckDialect.h.inc"
#define GET_OP_CLASSES
#include "smelt/Dialect/Check/IR/CheckOps.h.inc"

#endif // SMELT_DIALECT_CHECK_IR_CHECK_H
