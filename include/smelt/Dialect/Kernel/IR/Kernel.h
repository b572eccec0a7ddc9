//===- Kernel.h - The kernel dialect -*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_DIALECT_KERNEL_IR_KERNEL_H
#define SMELT_DIALECT_KERNEL_IR_KERNEL_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/LLVMIR/LLVMTypes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "smelt/Dialect/Kernel/IR/KernelDialect.h.inc"
#define GET_OP_CLASSES
#include "smelt/Dialect/Kernel/IR/KernelOps.h.inc"

#endif // SMELT_DIALECT_KERNEL_IR_KERNEL_H
