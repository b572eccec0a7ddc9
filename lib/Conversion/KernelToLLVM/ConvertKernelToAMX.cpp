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
// A function where k isn't always whole tiles has two more shapes; to leave
// them a register each, its products load rows once for each panel.
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
  bool keepsRows;             // from one panel to the next
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
  /// `count` elements of each row: those of `from` from `column` on become
  /// those of `to` from `toColumn` on.
  void copyRows(Value from, Value column, Value to, Value toColumn,
                int64_t count) {
    auto type = VectorType::get({count}, a.getElementType());
    type = type.clone(cast<MemRefType>(to.getType()).getElementType());
    for (int64_t r = 0; r < a.getDimSize(0); ++r) {
      Value row = vector::LoadOp::create(b, loc, type, from,
                                         ValueRange{index(r), column});
      vector::StoreOp::create(b, loc, row, to, ValueRange{index(r), toColumn});
    }
  }
  /// `sums` and the products of `count` columns of `a`, those of turn `i`.
  SmallVector<Value> add(ValueRange sums, Value i, int64_t count) {
    Value k = arith::MulIOp::create(b, loc, i, index(width));
    Value line = arith::MulIOp::create(b, loc, i, index(width / op.getDepth()));
    auto columns = tile(count / op.getDepth(), width, a.getElementType());
    auto rows = tile(TileDotOp::maxRows, count, a.getElementType());
    Value from = op.getA();
    if (rowBuffer) {
      copyRows(from, k, rowBuffer, index(0), count);
      from = rowBuffer;
      k = index(0);
    }
    auto loadRows = [&](int64_t t) -> Value {
      return amx::TileLoadOp::create(
          b, loc, rows, from, ValueRange{index(t * TileDotOp::maxRows), k});
    };
    SmallVector<Value> result(sums), xs;
    for (int64_t t = 0; keepsRows && t < op.getRowTiles(); ++t)
      xs.push_back(loadRows(t));
    const int64_t panels = op.getB().size();
    for (auto [panel, weights] : llvm::enumerate(op.getB())) {
      Value y = amx::TileLoadOp::create(b, loc, columns, weights,
                                        ValueRange{line, index(0)});
      for (int64_t t = 0; t < op.getRowTiles(); ++t) {
        Value x = keepsRows ? xs[t] : loadRows(t);
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
    for (int64_t panel = 0; panel < panels; ++panel)
      for (int64_t t = 0; t < op.getRowTiles(); ++t) {
        Value sum = sums[t * panels + panel];
        Value column = index(panel * TileDotOp::columns);
        if (!sumBuffer) {
          amx::TileStoreOp::create(
              b, loc, op.getC(),
              ValueRange{index(t * TileDotOp::maxRows), column}, sum);
          continue;
        }
        amx::TileStoreOp::create(b, loc, sumBuffer,
                                 ValueRange{index(0), index(0)}, sum);
        copyRows(sumBuffer, index(0), op.getC(), column, TileDotOp::columns);
      }
  }

  void convert() {
    int64_t k = a.getDimSize(1);
    SmallVector<Value> sums;
    for (int64_t i = 0; i < op.getRowTiles() * int64_t(op.getB().size()); ++i)
      sums.push_back(amx::TileZeroOp::create(
          b, loc,
          tile(TileDotOp::maxRows, TileDotOp::columns, c.getElementType())));
    if (k >= width) {
      auto loop = scf::ForOp::create(
          b, loc, index(0), index(k / width), index(1), sums,
          [&](OpBuilder &, Location, Value i, ValueRange carried) {
            scf::YieldOp::create(b, loc, add(carried, i, width));
          });
      sums.assign(loop.getResults().begin(), loop.getResults().end());
    }
    if (k % width)
      sums = add(sums, index(k / width), k % width);
    storeSums(sums);
  }
};

/// Whether rows of `op` end with less than a tile register's row has: two
/// registers have shapes of their own then.
bool isNarrow(TileDotOp op) {
  MemRefType a = op.getA().getType();
  return a.getDimSize(1) * a.getElementTypeBitWidth() %
         (8 * TileDotOp::rowBytes);
}

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
    // Sums, rows and columns take seven registers, or six.
    bool hasNarrow = llvm::any_of(ops, isNarrow);
    for (TileDotOp op : ops) {
      OpBuilder b(op);
      TileDot dot{b, op.getLoc(), op, !hasNarrow, {}, {}};
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
