//===- CheckToSCF.cpp - Make loops of expectations -*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An expectation becomes a nest of loops over the elements of both operands:
//
//     sizes differ? ──yes──► print, exit(1)
//     for each index:  close enough? ──no──► print, exit(1)
//
// A scalar has no loops around its test. A vector is seen as one of rank 1,
// because only the last dimension of a vector takes a dynamic index.
//
//===----------------------------------------------------------------------===//
#include "smelt/Conversion/CheckToSCF/Passes.h"

#include "smelt/Dialect/Check/IR/Check.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <limits>

namespace smelt {
#define GEN_PASS_DEF_CONVERTCHECKTOSCF
#include "smelt/Conversion/CheckToSCF/Passes.h.inc"
} // namespace smelt

using namespace mlir;
using namespace smelt;

namespace {

/// Declares libc's `void exit(int)` unless the module has it.
void declareExit(ModuleOp module) {
  if (module.lookupSymbol("exit"))
    return;
  OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
  auto type = builder.getFunctionType({builder.getI32Type()}, {});
  auto exit = func::FuncOp::create(builder, module.getLoc(), "exit", type);
  exit.setPrivate();
}

/// Writes the code of one expectation at the op's place.
class Expectation {
public:
  Expectation(Operation *op, Value actual, Value expected)
      : builder(op), loc(op->getLoc()), op(op), actual(actual),
        expected(expected) {}
  virtual ~Expectation() = default;

  void emit() {
    auto shaped = dyn_cast<ShapedType>(actual.getType());
    if (!shaped)
      return emitTest({});
    if (auto vector = dyn_cast<VectorType>(shaped)) {
      shaped =
          VectorType::get(vector.getNumElements(), vector.getElementType());
      actual = vector::ShapeCastOp::create(builder, loc, shaped, actual);
      expected = vector::ShapeCastOp::create(builder, loc, shaped, expected);
    }
    emitLoops(shaped);
  }

protected:
  /// An i1: the two scalars meet the expectation.
  virtual Value test(Value x, Value y) = 0;

  Value cmpf(arith::CmpFPredicate predicate, Value x, Value y) {
    return arith::CmpFOp::create(builder, loc, predicate, x, y);
  }

  Value toDouble(Value x) {
    if (x.getType().isF64())
      return x;
    return arith::ExtFOp::create(builder, loc, builder.getF64Type(), x);
  }

  Value constant(double value) {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getF64FloatAttr(value));
  }

  OpBuilder builder;
  Location loc;

private:
  /// Prints `x` as a type that the runner library can print.
  void print(Value x) {
    Type type = x.getType();
    if (isa<FloatType>(type))
      x = toDouble(x);
    else if (type.getIntOrFloatBitWidth() < 32)
      x = arith::ExtSIOp::create(builder, loc, builder.getI32Type(), x);
    vector::PrintOp::create(builder, loc, x);
  }

  void printText(const Twine &text) { // without an end of line
    vector::PrintOp::create(builder, loc, text.str());
  }

  /// Where `good` doesn't hold, says so about x and y at `indices` and exits.
  void unlessExit(Value good, StringRef what, Value x, Value y,
                  ValueRange indices) {
    Value yes =
        arith::ConstantOp::create(builder, loc, builder.getBoolAttr(true));
    Value bad = arith::XOrIOp::create(builder, loc, good, yes);
    auto branch =
        scf::IfOp::create(builder, loc, bad, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(branch.thenBlock());
    std::string place = op->getName().getStringRef().str();
    if (auto file = dyn_cast<FileLineColLoc>(loc))
      place += " in line " + std::to_string(file.getLine());
    printText(place + " failed: " + what + "\n");
    for (Value index : indices) {
      printText("  index ");
      vector::PrintOp::create(builder, loc, index);
    }
    printText("  actual ");
    printScalar(x);
    printText("  expected ");
    printScalar(y);
    Value one =
        arith::ConstantOp::create(builder, loc, builder.getI32IntegerAttr(1));
    func::CallOp::create(builder, loc, "exit", TypeRange(), one);
  }

  void printScalar(Value x) {
    if (isa<IndexType>(x.getType()))
      vector::PrintOp::create(builder, loc, x);
    else
      print(x);
  }

  Value size(Value shaped, int64_t dim) {
    if (isa<MemRefType>(shaped.getType()))
      return memref::DimOp::create(builder, loc, shaped, dim);
    return tensor::DimOp::create(builder, loc, shaped, dim);
  }

  Value element(Value x, ValueRange indices) {
    return TypeSwitch<Type, Value>(x.getType())
        .Case<RankedTensorType>([&](Type) {
          return tensor::ExtractOp::create(builder, loc, x, indices);
        })
        .Case<MemRefType>([&](Type) {
          return memref::LoadOp::create(builder, loc, x, indices);
        })
        .Case<VectorType>([&](Type) {
          return vector::ExtractOp::create(builder, loc, x,
                                           OpFoldResult(indices.front()));
        })
        .Default([&](Type) { return x; });
  }

  void emitTest(ValueRange indices) {
    Value x = element(actual, indices), y = element(expected, indices);
    unlessExit(test(x, y), "elements differ", x, y, indices);
  }

  void emitLoops(ShapedType type) {
    auto index = [&](int64_t value) -> Value {
      return arith::ConstantIndexOp::create(builder, loc, value);
    };
    SmallVector<Value> zeros(type.getRank(), index(0)),
        ones(type.getRank(), index(1)), sizes;
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      if (!type.isDynamicDim(dim)) {
        sizes.push_back(index(type.getDimSize(dim)));
        continue;
      }
      Value x = size(actual, dim), y = size(expected, dim);
      Value same =
          arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, x, y);
      unlessExit(same, "sizes differ in dimension " + std::to_string(dim), x, y,
                 {});
      sizes.push_back(x);
    }
    scf::buildLoopNest(builder, loc, zeros, sizes, ones,
                       [&](OpBuilder &nested, Location, ValueRange indices) {
                         OpBuilder::InsertionGuard guard(builder);
                         builder = nested;
                         emitTest(indices);
                       });
  }

  Operation *op;
  Value actual, expected;
};

class Equal : public Expectation {
public:
  explicit Equal(check::ExpectEqOp op)
      : Expectation(op, op.getActual(), op.getExpected()) {}

private:
  Value test(Value x, Value y) override {
    if (isa<FloatType>(x.getType()))
      return cmpf(arith::CmpFPredicate::OEQ, x, y);
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, x, y);
  }
};

class AlmostEqual : public Expectation {
public:
  explicit AlmostEqual(check::ExpectAlmostEqOp op)
      : Expectation(op, op.getActual(), op.getExpected()),
        absolute(op.getAbsolute().convertToDouble()),
        relative(op.getRelative().convertToDouble()) {}

private:
  /// x == y, or |x - y| <= absolute + relative |y| with a finite right side:
  /// an expected infinity would allow everything. Ordered comparisons are
  /// false for NaN.
  Value test(Value x, Value y) override {
    x = toDouble(x), y = toDouble(y);
    Value difference = math::AbsFOp::create(
        builder, loc, arith::SubFOp::create(builder, loc, x, y));
    Value allowed = arith::AddFOp::create(
        builder, loc, constant(absolute),
        arith::MulFOp::create(builder, loc, constant(relative),
                              math::AbsFOp::create(builder, loc, y)));
    Value infinity = constant(std::numeric_limits<double>::infinity());
    Value close = arith::AndIOp::create(
        builder, loc, cmpf(arith::CmpFPredicate::OLE, difference, allowed),
        cmpf(arith::CmpFPredicate::OLT, allowed, infinity));
    return arith::OrIOp::create(builder, loc, close,
                                cmpf(arith::CmpFPredicate::OEQ, x, y));
  }

  double absolute, relative;
};

struct ConvertCheckToSCF
    : public smelt::impl::ConvertCheckToSCFBase<ConvertCheckToSCF> {
  void runOnOperation() override {
    bool found = false;
    getOperation().walk([&](Operation *op) {
      if (auto equal = dyn_cast<check::ExpectEqOp>(op))
        Equal(equal).emit();
      else if (auto almost = dyn_cast<check::ExpectAlmostEqOp>(op))
        AlmostEqual(almost).emit();
      else
        return;
      found = true;
      op->erase();
    });
    if (found)
      declareExit(getOperation());
  }
};

} // namespace
