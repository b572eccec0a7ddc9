//===- ConvertKernelToAMX.cpp - Products in tile registers ------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// LLVM gives each of the eight tile registers one shape in a function, so all
// products share a few: tiles always have 16 rows. Where fewer are there, they
// pass through a buffer whose other rows hold anything; their sums are dropped.
//
//===----------------------------------------------------------------------===//
#include "smelt/Conversion/KernelToLLVM/Passes.h"

#include "smelt/Dialect/Kernel/IR/Kernel.h"

#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace smelt {
#define GEN_PASS_DEF_CONVERTKERNELTOAMX
#include "smelt/Conversion/KernelToLLVM/Passes.h.inc"
} // namespace smelt

using namespace mlir;
using smelt::kernel::TileDotOp;

namespace {

struct TileDot {
  OpBuilder &b;
  Location loc;
  TileDotOp op;
  Value rowBuffer, sumBuffer; // null: tiles are whole

  MemRefType a = op.getA().getType(), c = op.getC().getType();
  /// Columns of `a` in a tile register.
  int64_t width = TileDotOp::rowBytes * 8 / a.getElementTypeBitWidth();

  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }
  amx::TileType tile(int64_t rows, int64_t columns, Type type) {
    return amx::TileType::get({rows, columns}, type);
  }
  /// Rows of `count` elements, one after another: those of `from` from `column`
  /// on become those of `to`.
  void copyRows(Value from, Value column, Value to, int64_t count) {
    auto type = VectorType::get({count}, a.getElementType());
    type = type.clone(cast<MemRefType>(to.getType()).getElementType());
    for (int64_t r = 0; r < a.getDimSize(0); ++r) {
      Value row = vector::LoadOp::create(b, loc, type, from,
                                         ValueRange{index(r), column});
      vector::StoreOp::create(b, loc, row, to, ValueRange{index(r), index(0)});
    }
  }
  /// `count` columns of the rows from `k` on.
  Value loadRows(Value k, int64_t count) {
    Value from = op.getA();
    if (rowBuffer) {
      copyRows(from, k, rowBuffer, count);
      from = rowBuffer;
      k = index(0);
    }
    return amx::TileLoadOp::create(
        b, loc, tile(TileDotOp::maxRows, count, a.getElementType()), from,
        ValueRange{index(0), k});
  }
  /// `sum` and the products of `count` columns of `a`, those of turn `i`.
  Value add(Value sum, Value i, int64_t count) {
    Value k = arith::MulIOp::create(b, loc, i, index(width));
    Value line = arith::MulIOp::create(b, loc, i, index(width / op.getDepth()));
    Value x = loadRows(k, count);
    Value y = amx::TileLoadOp::create(b, loc,
                                      tile(count / op.getDepth(),
                                           op.getB().getType().getDimSize(1),
                                           a.getElementType()),
                                      op.getB(), ValueRange{line, index(0)});
    if (a.getElementType().isBF16())
      return amx::TileMulFOp::create(b, loc, sum.getType(), x, y, sum);
    return amx::TileMulIOp::create(b, loc, sum.getType(), x, y, sum,
                                   /*isZextLhs=*/false, /*isZextRhs=*/true);
  }
  void storeSums(Value sum) {
    amx::TileStoreOp::create(b, loc, sumBuffer ? sumBuffer : op.getC(),
                             ValueRange{index(0), index(0)}, sum);
    if (sumBuffer)
      copyRows(sumBuffer, index(0), op.getC(), TileDotOp::columns);
  }

  void convert() {
    int64_t k = a.getDimSize(1);
    Value sum = amx::TileZeroOp::create(
        b, loc,
        tile(TileDotOp::maxRows, TileDotOp::columns, c.getElementType()));
    if (k >= width) {
      auto loop = scf::ForOp::create(
          b, loc, index(0), index(k / width), index(1), sum,
          [&](OpBuilder &, Location, Value i, ValueRange carried) {
            scf::YieldOp::create(b, loc, add(carried[0], i, width));
          });
      sum = loop.getResult(0);
    }
    if (k % width)
      sum = add(sum, index(k / width), k % width);
    storeSums(sum);
  }
};

struct ConvertKernelToAMX
    : smelt::impl::ConvertKernelToAMXBase<ConvertKernelToAMX> {
  void runOnOperation() override {
    // By type of element, on the function's stack.
    llvm::SmallDenseMap<Type, Value> buffers;
    auto buffer = [&](OpBuilder &b, Location loc, Type element) {
      Value &buffer = buffers[element];
      if (!buffer) {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToStart(&getOperation().getBody().front());
        int64_t width =
            TileDotOp::rowBytes * 8 / element.getIntOrFloatBitWidth();
        buffer = memref::AllocaOp::create(
            b, loc, MemRefType::get({TileDotOp::maxRows, width}, element),
            b.getI64IntegerAttr(TileDotOp::rowBytes));
      }
      return buffer;
    };
    SmallVector<TileDotOp> ops;
    getOperation().walk([&](TileDotOp op) { ops.push_back(op); });
    for (TileDotOp op : ops) {
      OpBuilder b(op);
      TileDot dot{b, op.getLoc(), op, {}, {}};
      if (dot.a.getDimSize(0) < TileDotOp::maxRows) {
        dot.rowBuffer = buffer(b, op.getLoc(), dot.a.getElementType());
        dot.sumBuffer = buffer(b, op.getLoc(), dot.c.getElementType());
      }
      dot.convert();
      op.erase();
    }
  }
};

} // namespace
