//===- Kernel.h - The kernel dialect -*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_DIALECT_KERNEL_IR_KERNEL_H
#define SMELT_DIALECT_KERNEL_IR_KERNEL_H

#include "smelt/Dialect/LLM/IR/LLM.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/LLVMIR/LLVMTypes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/TilingInterface.h"

#include "smelt/Dialect/Kernel/IR/KernelDialect.h.inc"

namespace smelt::kernel {

/// Columns of a row of partials before the output.
constexpr int64_t partialHead = 16;

/// Dimension `dim` of operand `operand` advances by `scale` elements for each
/// step of loop `loop`.
struct TileMapEntry {
  unsigned operand, dim, loop;
  int64_t scale = 1;
  /// The dimension may end within the last step.
  bool ragged = false;
};

/// How the loops of a kernel op select parts of its operands. The first entry
/// of a loop gives the loop's trip count: the dimension's size over `scale`.
struct TileMap {
  unsigned loops;
  llvm::SmallVector<TileMapEntry> entries;
};

/// Columns of a tensor or buffer of rank 2.
int64_t columnsOf(mlir::Value rows);

/// Registers the bufferisation of kernel ops.
void registerBufferizableOpInterfaceModels(mlir::DialectRegistry &registry);

} // namespace smelt::kernel

#define GET_OP_CLASSES
#include "smelt/Dialect/Kernel/IR/KernelOps.h.inc"

#endif // SMELT_DIALECT_KERNEL_IR_KERNEL_H
