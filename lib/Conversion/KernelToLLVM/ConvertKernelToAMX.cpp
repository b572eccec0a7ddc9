//===- ConvertKernelToAMX.cpp - Products in tile registers ------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// LLVM gives each of the eight tile registers one shape in a function, so that
// all have 16 rows of 64 bytes. Fewer rows pass through a buffer whose others
// hold anything; their sums are dropped.
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

/// How many turns ahead weights are asked for, which wait in the second-level
/// cache. benchmarks/Notes.md has the measurements.
constexpr int64_t kTurnsAhead = 2;

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
  /// As many elements of each row as a tile register's row has: those of `from`
  /// from `column` on become those of `to` from `toColumn` on.
  void copyRows(Value from, Value column, Value to, Value toColumn) {
    auto element = cast<MemRefType>(to.getType()).getElementType();
    auto type = VectorType::get(
        {TileDotOp::rowBytes * 8 / element.getIntOrFloatBitWidth()}, element);
    for (int64_t r = 0; r < a.getDimSize(0); ++r) {
      Value row = vector::LoadOp::create(b, loc, type, from,
                                         ValueRange{index(r), column});
      vector::StoreOp::create(b, loc, row, to, ValueRange{index(r), toColumn});
    }
  }
  /// Asks for the lines of `weights` of a later turn than the one whose first
  /// is `line`, if there is one; they may lie behind its end.
  void prefetch(Value weights, Value line) {
    if (a.getDimSize(1) / width <= kTurnsAhead)
      return;
    for (int64_t i = 0; i < TileDotOp::maxRows; ++i) {
      Value ahead = index(kTurnsAhead * TileDotOp::maxRows + i);
      memref::PrefetchOp::create(
          b, loc, weights,
          ValueRange{arith::AddIOp::create(b, loc, line, ahead), index(0)},
          /*isWrite=*/false, /*localityHint=*/3, /*isDataCache=*/true);
    }
  }
  /// `sums` and the products of the columns of `a` of turn `i`.
  SmallVector<Value> add(ValueRange sums, Value i) {
    Value k = arith::MulIOp::create(b, loc, i, index(width));
    Value line = arith::MulIOp::create(b, loc, i, index(width / op.getDepth()));
    auto operand =
        amx::TileType::get({TileDotOp::maxRows, width}, a.getElementType());
    Value from = op.getA();
    if (rowBuffer) {
      copyRows(from, k, rowBuffer, index(0));
      from = rowBuffer;
      k = index(0);
    }
    SmallVector<Value> result(sums), xs;
    for (int64_t t = 0; t < op.getRowTiles(); ++t)
      xs.push_back(amx::TileLoadOp::create(
          b, loc, operand, from, ValueRange{index(t * TileDotOp::maxRows), k}));
    const int64_t panels = op.getB().size();
    for (auto [panel, weights] : llvm::enumerate(op.getB())) {
      Value y = amx::TileLoadOp::create(b, loc, operand, weights,
                                        ValueRange{line, index(0)});
      prefetch(weights, line);
      for (auto [t, x] : llvm::enumerate(xs)) {
        Value &sum = result[t * panels + panel];
        sum = a.getElementType().isBF16()
                  ? amx::TileMulFOp::create(b, loc, sum.getType(), x, y, sum)
                        .getResult()
                  : amx::TileMulIOp::create(b, loc, sum.getType(), x, y, sum,
                                            /*isZextLhs=*/false,
                                            /*isZextRhs=*/true)
                        .getResult();
      }
    }
    return result;
  }
  void storeSums(ValueRange sums) {
    const int64_t panels = op.getB().size();
    for (auto [i, sum] : llvm::enumerate(sums)) {
      Value row = index(i / panels * TileDotOp::maxRows);
      Value column = index(i % panels * TileDotOp::columns);
      if (!sumBuffer) {
        amx::TileStoreOp::create(b, loc, op.getC(), ValueRange{row, column},
                                 sum);
        continue;
      }
      amx::TileStoreOp::create(b, loc, sumBuffer,
                               ValueRange{index(0), index(0)}, sum);
      copyRows(sumBuffer, index(0), op.getC(), column);
    }
  }

  void convert() {
    auto type = amx::TileType::get({TileDotOp::maxRows, TileDotOp::columns},
                                   c.getElementType());
    SmallVector<Value> sums;
    for (size_t i = 0; i < op.getRowTiles() * op.getB().size(); ++i)
      sums.push_back(amx::TileZeroOp::create(b, loc, type));
    const int64_t turns = a.getDimSize(1) / width;
    if (turns <= kTurnsAhead) {
      for (int64_t i = 0; i < turns; ++i)
        sums = add(sums, index(i));
      return storeSums(sums);
    }
    auto loop = scf::ForOp::create(
        b, loc, index(0), index(turns), index(1), sums,
        [&](OpBuilder &, Location, Value i, ValueRange carried) {
          scf::YieldOp::create(b, loc, add(carried, i));
        });
    storeSums(loop.getResults());
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
