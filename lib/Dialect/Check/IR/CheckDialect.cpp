//===- CheckDialect.cpp - The check dialect -*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "smelt/Dialect/Check/IR/Check.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpImplementation.h"

using namespace mlir;
using namespace smelt::check;

#include "smelt/Dialect/Check/IR/CheckDialect.cpp.inc"
#define GET_OP_CLASSES
#include "smelt/Dialect/Check/IR/CheckOps.cpp.inc"

void CheckDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "smelt/Dialect/Check/IR/CheckOps.cpp.inc"
      >();
}

LogicalResult ExpectAlmostEqOp::verify() {
  std::pair<StringRef, APFloat> tolerances[] = {{"absolute", getAbsolute()},
                                                {"relative", getRelative()}};
  for (const auto &[name, value] : tolerances)
    if (!value.isFinite() || value.isNegative()) // (C1)
      return emitOpError("expects ")
             << name << " to be finite and not negative, got "
             << value.convertToDouble();
  return success();
}
