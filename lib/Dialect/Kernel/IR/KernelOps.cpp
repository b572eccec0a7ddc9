//===- KernelOps.cpp - Verifiers of kernel ops -*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The numbers (C1), (C2), ... are those of the op's description in
// KernelOps.td.
//
//===----------------------------------------------------------------------===//
#include "smelt/Dialect/Kernel/IR/Kernel.h"

#include "smelt/Dialect/LLM/IR/LLM.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpImplementation.h"

using namespace mlir;
using namespace smelt::kernel;

#define GET_OP_CLASSES
#include "smelt/Dialect/Kernel/IR/KernelOps.cpp.inc"

LogicalResult BarrierOp::verify() {
  if (static_cast<bool>(getThread()) != static_cast<bool>(getStep())) // (C1)
    return emitOpError("expects thread and step together, or neither");
  return success();
}

LogicalResult RecordOp::verify() {
  if (static_cast<bool>(getThread()) != static_cast<bool>(getStep())) // (C1)
    return emitOpError("expects thread and step together, or neither");
  if (static_cast<int64_t>(getEntry()) < 0) // (C2)
    return emitOpError("expects an entry of at least 0, got ")
           << static_cast<int64_t>(getEntry());
  return success();
}

LogicalResult DotBytesOp::verify() {
  if (getU().getType().getNumElements() !=
      4 * getAcc().getType().getNumElements()) // (C1)
    return emitOpError("expects four bytes for each sum, got ")
           << getU().getType() << " and " << getAcc().getType();
  return success();
}

LogicalResult MultiplyAddOp::verify() {
  VectorType x = getX().getType(), result = getResult().getType();
  if (x.getNumElements() != 2 * result.getNumElements() ||
      2 * x.getElementTypeBitWidth() != result.getElementTypeBitWidth()) // (C1)
    return emitOpError("expects half the elements of ")
           << x << ", twice as wide, got " << result;
  return success();
}

LogicalResult TileDotOp::verify() {
  MemRefType a = getA().getType(), c = getC().getType();
  SmallVector<MemRefType> all = {a, c};
  for (Value b : getB())
    all.push_back(cast<MemRefType>(b.getType()));
  ArrayRef<MemRefType> columnsOfPanels = ArrayRef(all).drop_front(2);
  int64_t rows = a.getDimSize(0), depth = getDepth(), k = a.getDimSize(1);
  int64_t panels = columnsOfPanels.size();
  for (MemRefType b : columnsOfPanels)
    if (a.getElementType() != b.getElementType() ||
        a.getElementType().isBF16() != c.getElementType().isF32()) // (C1)
      return emitOpError("expects products of i8 with sums of i32, or of bf16 "
                         "with f32, got ")
             << a << ", " << b << " and " << c;
  if (!a.hasStaticShape() || rows < 1 ||
      (rows > maxRows && rows != maxRows * maxRowTiles) || k < 1 ||
      k * a.getElementTypeBitWidth() % (8 * rowBytes)) // (C2)
    return emitOpError("expects 1 to 16 or 32 rows of a multiple of 64 bytes, "
                       "got ")
           << a;
  if (panels < 1 || panels > maxPanels) // (C2)
    return emitOpError("expects 1 or 2 panels, got ") << panels;
  for (MemRefType b : columnsOfPanels)
    if (b.getShape() != ArrayRef<int64_t>{k / depth, columns * depth} ||
        c.getShape() != ArrayRef<int64_t>{rows, panels * columns}) // (C2)
      return emitOpError("expects columns of ")
             << k / depth << "x" << columns * depth << " and sums of " << rows
             << "x" << panels * columns << ", got " << b << " and " << c;
  for (MemRefType type : all)
    if (!type.isLastDimUnitStride()) // (C3)
      return emitOpError("expects rows whose elements are neighbours, got ")
             << type;
  return success();
}

LogicalResult ParamOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto param =
      symbols.lookupNearestSymbolFrom<llm::ParamOp>(*this, getParamAttr());
  if (!param) // (C1)
    return emitOpError("expects ") << getParamAttr() << " to be an llm.param";
  RankedTensorType stored = param.getStoredType();
  MemRefType type = getType();
  if (stored.getShape() != type.getShape() ||
      stored.getElementType() != type.getElementType()) { // (C1)
    InFlightDiagnostic error = emitOpError("expects a view of the stored type ")
                               << stored << ", got " << type;
    error.attachNote(param.getLoc()) << "the param is here";
    return error;
  }
  if (static_cast<bool>(getLayer()) != (param.getInstanceCount() > 1)) { // (C2)
    InFlightDiagnostic error =
        emitOpError(getLayer() ? "expects no layer, since "
                               : "expects a layer, since ")
        << getParamAttr() << " has " << param.getInstanceCount()
        << (param.getInstanceCount() == 1 ? " instance" : " instances");
    error.attachNote(param.getLoc()) << "the param is here";
    return error;
  }
  if (!type.getLayout().isIdentity()) // (C3)
    return emitOpError("expects identity layout, got ") << type;
  return success();
}
