//===- LaneTree.cpp - One order for summing the lanes -----------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "smelt/Transforms/Vector/LaneTree.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using vector::CombiningKind;

/// Identity of a combiner on floats; all of its kinds are listed.
static APFloat getFloatIdentity(CombiningKind kind,
                                const llvm::fltSemantics &semantics) {
  switch (kind) {
  case CombiningKind::ADD:
    return APFloat::getZero(semantics, /*Negative=*/true);
  case CombiningKind::MUL:
    return APFloat::getOne(semantics);
  case CombiningKind::MAXNUMF:
  case CombiningKind::MAXIMUMF:
    return APFloat::getInf(semantics, /*Negative=*/true);
  case CombiningKind::MINNUMF:
  case CombiningKind::MINIMUMF:
    return APFloat::getInf(semantics);
  default:
    llvm_unreachable("a combiner of integers on floats");
  }
}

static APInt getIntegerIdentity(CombiningKind kind, unsigned width) {
  switch (kind) {
  case CombiningKind::ADD:
  case CombiningKind::OR:
  case CombiningKind::XOR:
  case CombiningKind::MAXUI:
    return APInt::getZero(width);
  case CombiningKind::MUL:
    return APInt(width, 1);
  case CombiningKind::AND:
  case CombiningKind::MINUI:
    return APInt::getAllOnes(width);
  case CombiningKind::MAXSI:
    return APInt::getSignedMinValue(width);
  case CombiningKind::MINSI:
    return APInt::getSignedMaxValue(width);
  default:
    llvm_unreachable("a combiner of floats on integers");
  }
}

TypedAttr smelt::getCombinerIdentity(CombiningKind kind, Type type) {
  if (auto floatType = dyn_cast<FloatType>(type))
    return FloatAttr::get(
        type, getFloatIdentity(kind, floatType.getFloatSemantics()));
  unsigned width = type.isIndex() ? IndexType::kInternalStorageBitWidth
                                  : type.getIntOrFloatBitWidth();
  return IntegerAttr::get(type, getIntegerIdentity(kind, width));
}

Value smelt::emitLaneTree(
    OpBuilder &builder, Location loc, Value vector,
    function_ref<Value(OpBuilder &, Location, Value low, Value high)> combine) {
  auto type = cast<VectorType>(vector.getType());
  assert(type.getRank() == 1 && !type.isScalable() &&
         llvm::isPowerOf2_64(type.getDimSize(0)) &&
         "a lane tree needs a 1-D vector of a power of two of lanes");
  for (int64_t half = type.getDimSize(0) / 2; half >= 1; half /= 2) {
    auto slice = [&](int64_t offset) -> Value {
      return vector::ExtractStridedSliceOp::create(builder, loc, vector, offset,
                                                   half, /*strides=*/1);
    };
    Value low = slice(0), high = slice(half);
    vector = combine(builder, loc, low, high);
  }
  return vector::ExtractOp::create(builder, loc, vector, 0);
}

Value smelt::emitLaneTree(OpBuilder &builder, Location loc, Value vector,
                          CombiningKind kind) {
  return emitLaneTree(builder, loc, vector,
                      [&](OpBuilder &b, Location at, Value low, Value high) {
                        return vector::makeArithReduction(b, at, kind, low,
                                                          high);
                      });
}
