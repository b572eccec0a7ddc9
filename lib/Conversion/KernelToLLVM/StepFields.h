//===- StepFields.h - Loads from a SmeltStep --------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_CONVERSION_KERNELTOLLVM_STEPFIELDS_H
#define SMELT_LIB_CONVERSION_KERNELTOLLVM_STEPFIELDS_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"

namespace smelt {

/// The address `bytes` beyond `pointer`.
inline mlir::Value addBytes(mlir::OpBuilder &builder, mlir::Location loc,
                            mlir::Value pointer, mlir::LLVM::GEPArg bytes) {
  return mlir::LLVM::GEPOp::create(builder, loc, pointer.getType(),
                                   builder.getI8Type(), pointer, bytes);
}

/// Loads the field of `type` at `offset`, an offsetof(SmeltStep, ...).
inline mlir::Value loadField(mlir::OpBuilder &builder, mlir::Location loc,
                             mlir::Value step, size_t offset, mlir::Type type) {
  mlir::Value address =
      addBytes(builder, loc, step, static_cast<int32_t>(offset));
  return mlir::LLVM::LoadOp::create(builder, loc, type, address);
}

} // namespace smelt

#endif // SMELT_LIB_CONVERSION_KERNELTOLLVM_STEPFIELDS_H
