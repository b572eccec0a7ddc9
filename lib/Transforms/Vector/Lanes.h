//===- Lanes.h - Arithmetic on scalars or vectors alike ---------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The expansions of this phase are formulas over f32 and i32 that hold for a
// scalar and for every lane of a vector. Lanes writes them for one shape.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_TRANSFORMS_VECTOR_LANES_H
#define SMELT_LIB_TRANSFORMS_VECTOR_LANES_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/TypeUtilities.h"

namespace smelt {

class Lanes {
public:
  using Value = mlir::Value;
  using FloatPredicate = mlir::arith::CmpFPredicate;

  /// Writes code for values shaped like `like` (scalar or vector). Without
  /// `hasFma`, fma() rounds its product.
  Lanes(mlir::OpBuilder &builder, mlir::Location loc, mlir::Type like,
        bool hasFma)
      : b(builder), loc(loc), shape(like), hasFma(hasFma) {}

  mlir::Type f32() { return withElement(b.getF32Type()); }
  mlir::Type f64() { return withElement(b.getF64Type()); }
  mlir::Type integer(unsigned width) {
    return withElement(b.getIntegerType(width));
  }

  Value constant(double value) { return splat(b.getF32FloatAttr(value)); }
  Value constant64(double value) { return splat(b.getF64FloatAttr(value)); }
  Value bits(uint32_t value) { return splat(b.getI32IntegerAttr(value)); }

  Value add(Value x, Value y) { return make<mlir::arith::AddFOp>(x, y); }
  Value sub(Value x, Value y) { return make<mlir::arith::SubFOp>(x, y); }
  Value mul(Value x, Value y) { return make<mlir::arith::MulFOp>(x, y); }
  Value div(Value x, Value y) { return make<mlir::arith::DivFOp>(x, y); }
  Value abs(Value x) { return make<mlir::math::AbsFOp>(x); }
  Value copySign(Value magnitude, Value sign) {
    return make<mlir::math::CopySignOp>(magnitude, sign);
  }
  Value fma(Value x, Value y, Value z) {
    return hasFma ? make<mlir::math::FmaOp>(x, y, z) : add(mul(x, y), z);
  }

  Value addBits(Value x, Value y) { return make<mlir::arith::AddIOp>(x, y); }
  Value subBits(Value x, Value y) { return make<mlir::arith::SubIOp>(x, y); }
  Value andBits(Value x, Value y) { return make<mlir::arith::AndIOp>(x, y); }
  Value orBits(Value x, Value y) { return make<mlir::arith::OrIOp>(x, y); }
  Value xorBits(Value x, Value y) { return make<mlir::arith::XOrIOp>(x, y); }
  Value shiftLeft(Value x, uint32_t count) {
    return make<mlir::arith::ShLIOp>(x, bits(count));
  }
  Value shiftRight(Value x, uint32_t count) {
    return make<mlir::arith::ShRUIOp>(x, bits(count));
  }
  Value shiftRightSigned(Value x, uint32_t count) {
    return make<mlir::arith::ShRSIOp>(x, bits(count));
  }

  Value toBits(Value x) {
    return convert<mlir::arith::BitcastOp>(integer(32), x);
  }
  Value toFloat(Value x) { return convert<mlir::arith::BitcastOp>(f32(), x); }
  template <typename Op> Value convert(mlir::Type type, Value x) {
    return Op::create(b, loc, type, x);
  }

  Value compare(FloatPredicate predicate, Value x, Value y) {
    return mlir::arith::CmpFOp::create(b, loc, predicate, x, y);
  }
  Value compareBits(mlir::arith::CmpIPredicate predicate, Value x, Value y) {
    return mlir::arith::CmpIOp::create(b, loc, predicate, x, y);
  }
  Value select(Value condition, Value x, Value y) {
    return make<mlir::arith::SelectOp>(condition, x, y);
  }
  /// min(x, limit) and max(x, limit) that keep a NaN in x.
  Value atMost(Value x, double limit) {
    Value bound = constant(limit);
    return select(compare(FloatPredicate::OGT, x, bound), bound, x);
  }
  Value atLeast(Value x, double limit) {
    Value bound = constant(limit);
    return select(compare(FloatPredicate::OLT, x, bound), bound, x);
  }

  /// c[0] + x c[1] + x^2 c[2] ... by Horner's rule.
  Value polynomial(Value x, llvm::ArrayRef<double> coefficients) {
    Value result = constant(coefficients.back());
    for (double c : llvm::reverse(coefficients.drop_back()))
      result = fma(result, x, constant(c));
    return result;
  }

private:
  mlir::Type withElement(mlir::Type element) {
    if (auto vector = mlir::dyn_cast<mlir::VectorType>(shape))
      return vector.clone(element);
    return element;
  }
  Value splat(mlir::TypedAttr scalar) {
    mlir::Type type = withElement(scalar.getType());
    if (auto vector = mlir::dyn_cast<mlir::VectorType>(type))
      scalar = mlir::DenseElementsAttr::get(
          vector, mlir::cast<mlir::Attribute>(scalar));
    return mlir::arith::ConstantOp::create(b, loc, scalar);
  }
  template <typename Op, typename... Values> Value make(Values... values) {
    return Op::create(b, loc, values...);
  }

  mlir::OpBuilder &b;
  mlir::Location loc;
  mlir::Type shape;
  bool hasFma;
};

} // namespace smelt

#endif // SMELT_LIB_TRANSFORMS_VECTOR_LANES_H
