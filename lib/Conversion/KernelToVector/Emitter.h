//===- Emitter.h - Loops and vectors in few words -*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_CONVERSION_KERNELTOVECTOR_EMITTER_H
#define SMELT_CONVERSION_KERNELTOVECTOR_EMITTER_H

#include "smelt/Conversion/KernelToVector/Passes.h"
#include "smelt/Dialect/Kernel/IR/Kernel.h"
#include "smelt/Target/CPU/Targets.h"

#include "mlir/Dialect/X86Vector/X86VectorDialect.h"

namespace smelt {

static_assert(kernel::TileDotOp::maxRows * kernel::TileDotOp::maxRowTiles ==
                  TargetRecord::tileRows,
              "a product's tiles are those of the op");

/// Emits scalar, vector and loop ops for one target.
struct Emitter {
  mlir::OpBuilder &b;
  mlir::Location loc;
  const TargetRecord &target;

  using Value = mlir::Value;
  using Values = llvm::SmallVector<mlir::Value>;

  int64_t lanes() const { return target.lanes(); }
  mlir::VectorType vectorOf(mlir::Type element) const {
    return mlir::VectorType::get({lanes()}, element);
  }
  Value index(int64_t value) {
    return mlir::arith::ConstantIndexOp::create(b, loc, value);
  }
  Value real(double value) {
    return mlir::arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value));
  }
  Value zeros() { return splat(real(0)); }
  Value splat(Value scalar) {
    return mlir::vector::BroadcastOp::create(b, loc, vectorOf(scalar.getType()),
                                             scalar);
  }
  Value add(Value x, Value y) {
    return mlir::arith::AddIOp::create(b, loc, x, y);
  }
  Value mul(Value x, Value y) {
    return mlir::arith::MulIOp::create(b, loc, x, y);
  }
  Value div(Value x, Value y) {
    return mlir::arith::DivUIOp::create(b, loc, x, y);
  }
  Value rem(Value x, Value y) {
    return mlir::arith::RemUIOp::create(b, loc, x, y);
  }
  Value sub(Value x, Value y) {
    return mlir::arith::SubIOp::create(b, loc, x, y);
  }
  Value dim(Value memref, int64_t d) {
    auto type = mlir::cast<mlir::MemRefType>(memref.getType());
    if (!type.isDynamicDim(d))
      return index(type.getDimSize(d));
    return mlir::memref::DimOp::create(b, loc, memref, d);
  }
  Value load(Value memref, mlir::ValueRange indices) {
    return mlir::memref::LoadOp::create(b, loc, memref, indices);
  }
  void store(Value value, Value memref, mlir::ValueRange indices) {
    mlir::memref::StoreOp::create(b, loc, value, memref, indices);
  }
  /// An i32 of a buffer as an index.
  Value loadIndex(Value memref, mlir::ValueRange indices) {
    return mlir::arith::IndexCastOp::create(b, loc, b.getIndexType(),
                                            load(memref, indices));
  }
  /// `value` as f32, scalar or vector of floats or signed integers; exact up to
  /// 16 bits.
  Value extend(Value value) {
    mlir::Type type = value.getType();
    if (mlir::getElementTypeOrSelf(type).isF32())
      return value;
    mlir::Type wide = b.getF32Type();
    if (auto vector = mlir::dyn_cast<mlir::VectorType>(type))
      wide = vector.clone(wide);
    if (mlir::getElementTypeOrSelf(type).isInteger())
      return mlir::arith::SIToFPOp::create(b, loc, wide, value);
    return mlir::arith::ExtFOp::create(b, loc, wide, value);
  }
  /// An f32, scalar or vector, rounded to elements of `type`.
  Value round(Value value, mlir::Type type) {
    if (type.isF32())
      return value;
    if (auto vector = mlir::dyn_cast<mlir::VectorType>(value.getType()))
      type = vector.clone(type);
    return mlir::arith::TruncFOp::create(b, loc, type, value);
  }
  /// `lanes` elements from `indices` on as they are stored, under `mask` if
  /// given.
  Value loadStored(Value memref, mlir::ValueRange indices, Value mask) {
    mlir::VectorType type = vectorOf(
        mlir::cast<mlir::MemRefType>(memref.getType()).getElementType());
    if (!mask)
      return mlir::vector::LoadOp::create(b, loc, type, memref, indices);
    Value zero = mlir::arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
    return mlir::vector::MaskedLoadOp::create(b, loc, type, memref, indices,
                                              mask, zero);
  }
  /// The same as f32.
  Value loadVector(Value memref, mlir::ValueRange indices, Value mask = {}) {
    return extend(loadStored(memref, indices, mask));
  }
  void storeVector(Value vector, Value memref, mlir::ValueRange indices,
                   Value mask = {}) {
    if (!mask)
      mlir::vector::StoreOp::create(b, loc, vector, memref, indices);
    else
      mlir::vector::MaskedStoreOp::create(b, loc, memref, indices, mask,
                                          vector);
  }
  /// Whether a tile of `rows` rows prefetches the weights it streams through.
  bool prefetches(int64_t rows) const {
    return target.prefetchRows && rows >= target.prefetchRows;
  }
  /// Asks for the cache line of an element, which may lie behind the buffer's
  /// end.
  void prefetch(Value memref, mlir::ValueRange indices) {
    mlir::memref::PrefetchOp::create(b, loc, memref, indices,
                                     /*isWrite=*/false, /*localityHint=*/3,
                                     /*isDataCache=*/true);
  }
  /// A mask of the first `count` lanes.
  Value mask(Value count) {
    return mlir::vector::CreateMaskOp::create(b, loc, vectorOf(b.getI1Type()),
                                              count);
  }
  /// x * y + z, fused where the target can.
  Value fma(Value x, Value y, Value z) {
    if (target.hasFMA)
      return mlir::math::FmaOp::create(b, loc, x, y, z);
    return mlir::arith::AddFOp::create(
        b, loc, mlir::arith::MulFOp::create(b, loc, x, y), z);
  }
  /// Two bf16 for each lane.
  mlir::VectorType vectorOfPairs() const {
    return mlir::VectorType::get({2 * lanes()}, b.getBF16Type());
  }
  /// The bf16 at `indices` and the next one, once for each lane.
  Value splatOfPair(Value memref, mlir::ValueRange indices) {
    Value pair = mlir::vector::LoadOp::create(
        b, loc, mlir::VectorType::get({2}, b.getBF16Type()), memref, indices);
    Value word = mlir::vector::BitCastOp::create(
        b, loc, mlir::VectorType::get({1}, b.getI32Type()), pair);
    Value words = splat(mlir::vector::ExtractOp::create(b, loc, word, 0));
    return mlir::vector::BitCastOp::create(b, loc, vectorOfPairs(), words);
  }
  /// z plus the two products of each lane's pairs.
  Value dotPairs(Value x, Value y, Value z) {
    return mlir::x86vector::DotBF16Op::create(b, loc, z, x, y);
  }
  /// x + y, of f32.
  Value plus(Value x, Value y) {
    return mlir::arith::AddFOp::create(b, loc, x, y);
  }
  /// The larger; one instruction, y where x is NaN.
  Value larger(Value x, Value y) {
    Value greater = mlir::arith::CmpFOp::create(
        b, loc, mlir::arith::CmpFPredicate::OGT, x, y);
    return mlir::arith::SelectOp::create(b, loc, greater, x, y);
  }

  /// for begin <= i < end, carrying values.
  Values loop(Value begin, Value end, int64_t step, mlir::ValueRange carried,
              llvm::function_ref<Values(Value i, mlir::ValueRange)> body) {
    auto op =
        mlir::scf::ForOp::create(b, loc, begin, end, index(step), carried);
    mlir::OpBuilder::InsertionGuard guard(b);
    if (carried.empty()) {
      b.setInsertionPoint(op.getBody()->getTerminator());
      body(op.getInductionVar(), {});
      return {};
    }
    b.setInsertionPointToEnd(op.getBody());
    mlir::scf::YieldOp::create(
        b, loc, body(op.getInductionVar(), op.getRegionIterArgs()));
    return Values(op.getResults());
  }
  void loop(Value begin, Value end, llvm::function_ref<void(Value i)> body) {
    loop(begin, end, 1, {}, [&](Value i, mlir::ValueRange) {
      body(i);
      return Values();
    });
  }
  /// Calls `step` on 0 to count - 1, four a turn: enough for the scheduler to
  /// spread loads among the arithmetic.
  Values accumulate(int64_t count, Values sums,
                    llvm::function_ref<void(Value i, Values &sums)> step) {
    constexpr int64_t unroll = 4;
    int64_t whole = count / unroll * unroll;
    if (whole)
      sums = loop(index(0), index(whole), unroll, sums,
                  [&](Value i, mlir::ValueRange carried) {
                    Values inner(carried);
                    for (int64_t u = 0; u < unroll; ++u)
                      step(u == 0 ? i : add(i, index(u)), inner);
                    return inner;
                  });
    for (int64_t i = whole; i < count; ++i)
      step(index(i), sums);
    return sums;
  }
  /// Calls `body` on an index from `begin` on, which returns the next one,
  /// while it is below `end`.
  void loopWhileBelow(Value begin, Value end,
                      llvm::function_ref<Value(Value i)> body) {
    mlir::scf::WhileOp::create(
        b, loc, mlir::TypeRange(b.getIndexType()), mlir::ValueRange(begin),
        [&](mlir::OpBuilder &, mlir::Location, mlir::ValueRange i) {
          mlir::Value below = mlir::arith::CmpIOp::create(
              b, loc, mlir::arith::CmpIPredicate::slt, i[0], end);
          mlir::scf::ConditionOp::create(b, loc, below, i);
        },
        [&](mlir::OpBuilder &, mlir::Location, mlir::ValueRange i) {
          mlir::scf::YieldOp::create(b, loc, body(i[0]));
        });
  }
  void branch(Value condition, llvm::function_ref<void()> then,
              llvm::function_ref<void()> otherwise = nullptr) {
    auto op = mlir::scf::IfOp::create(b, loc, condition,
                                      /*withElseRegion=*/bool(otherwise));
    mlir::OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&op.getThenRegion().front());
    then();
    if (!otherwise)
      return;
    b.setInsertionPointToStart(&op.getElseRegion().front());
    otherwise();
  }
  /// Room on the stack of the function that `op` stands in.
  Value stackBuffer(mlir::Operation *op, mlir::MemRefType type) {
    mlir::OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(
        &op->getParentOfType<mlir::func::FuncOp>().getBody().front());
    return mlir::memref::AllocaOp::create(b, loc, type,
                                          b.getI64IntegerAttr(64));
  }
  /// `sizes` elements of a buffer from `offsets` on.
  Value cut(Value memref, llvm::ArrayRef<mlir::OpFoldResult> offsets,
            llvm::ArrayRef<int64_t> sizes) {
    llvm::SmallVector<mlir::OpFoldResult> ones(sizes.size(), b.getIndexAttr(1));
    return mlir::memref::SubViewOp::create(
        b, loc, memref, offsets,
        mlir::getAsIndexOpFoldResult(b.getContext(), sizes), ones);
  }
  /// Rows of a product's register tile.
  int64_t productRows(kernel::MatmulOp op) const {
    return target.productRows(op.fillsTiles());
  }
  /// Room for the sums of kernel.tile_dot for `panels` panels.
  Value tileSums(mlir::Operation *op, mlir::Type type, int64_t panels) {
    using Op = kernel::TileDotOp;
    return stackBuffer(
        op, mlir::MemRefType::get(
                {Op::maxRows * Op::maxRowTiles, Op::columns * panels}, type));
  }
  /// How many of `all` vectors of columns go at a time: a divisor that fits
  /// the registers as accumulators of `rows` rows, along with `perFactor` for
  /// each of one row of factors and a broadcast element.
  int64_t columnVectors(int64_t rows, int64_t all,
                        int64_t perFactor = 1) const {
    int64_t vectors =
        std::min(all, (target.vectorCount - 1) / (rows + perFactor));
    while (vectors > 1 && all % vectors)
      --vectors;
    return std::max(int64_t(1), vectors);
  }
  /// Whole vectors of [0, size), then the rest under a mask, carrying values:
  /// `body` gets the first element's index and the mask, or null for a whole
  /// vector.
  Values vectors(
      int64_t size, mlir::ValueRange carried,
      llvm::function_ref<Values(Value i, Value mask, mlir::ValueRange)> body) {
    int64_t whole = size / lanes() * lanes();
    Values values(carried);
    if (whole)
      values = loop(
          index(0), index(whole), lanes(), values,
          [&](Value i, mlir::ValueRange inner) { return body(i, {}, inner); });
    if (whole < size)
      values = body(index(whole), mask(index(size - whole)), values);
    return values;
  }
  void vectors(int64_t size,
               llvm::function_ref<void(Value i, Value mask)> body) {
    vectors(size, {}, [&](Value i, Value mask, mlir::ValueRange) {
      body(i, mask);
      return Values();
    });
  }
};

//===----------------------------------------------------------------------===//
// Floats as integers
//===----------------------------------------------------------------------===//

/// x + magic, rounded by the addition, has x in its low bits: defined for all
/// x, also for NaN.
constexpr double magic = 0x1.8p23;
constexpr int32_t magicBits = 0x4b400000;

/// The bits of x + magic, scalar or vector.
mlir::Value roundToBits(Emitter &e, mlir::Value x);
/// The bits of a vector of f32 without their signs: as integers they compare
/// as magnitudes do, and NaN is above all numbers.
mlir::Value magnitudesOf(Emitter &e, mlir::Value x);
/// The largest of them as an f32.
mlir::Value largestOf(Emitter &e, mlir::Value magnitudes);
/// `value`, or 0 where the scalar `x` is so small that 254 over it may be
/// infinite: such rows count as zeros.
mlir::Value zeroIfSmall(Emitter &e, mlir::Value x, mlir::Value value);

/// The lower (0) or upper (1) halves of a vector of bytes.
mlir::Value halfOf(Emitter &e, mlir::Value bytes, int64_t half);

using kernel::columnsOf;

/// Calls `tile` for the rows of a product, as many as its register tile has at
/// most, on a number of them that is known.
void emitRowTiles(Emitter &e, kernel::MatmulOp op,
                  llvm::function_ref<void(mlir::Value row, int64_t rows)> tile);
/// Stores what lies within the columns of `init`, part of a panel of `width`.
void storeColumns(Emitter &e, mlir::Value vector, mlir::Value init,
                  mlir::Value row, int64_t column, int64_t width);

/// `rows` rows from `row` on and `vectors` vectors of columns from number
/// `first` on, counted across panels.
struct Tile {
  mlir::Value row;
  int64_t rows, first, vectors;
};

/// Columns of the product with group of panels number `i`, of `count` groups of
/// `width` columns.
mlir::Value groupColumns(Emitter &e, mlir::Value init, mlir::Value i,
                         int64_t count, int64_t width);
/// Tiles of a product: of as many panels at a time as those rows take, which
/// all of the panels share while they are in a cache.
template <typename Product>
void emitTiles(Product &product, kernel::MatmulOp op) {
  Emitter &e = product.e;
  emitRowTiles(e, op, [&](mlir::Value row, int64_t rows) {
    const int64_t count = std::min(product.panels, product.panelsFor(rows));
    if (count == product.panels)
      return product.tile(row, rows);
    e.loop(e.index(0), e.index(product.panels / count),
           [&](mlir::Value i) { product.group(i, count).tile(row, rows); });
  });
}

/// Exchanges rows and lanes of as many vectors as each has lanes.
void transpose(Emitter &e, Emitter::Values &rows);

mlir::LogicalResult emitMatmul(Emitter &e, kernel::MatmulOp op);
mlir::LogicalResult emitQuantizedMatmul(Emitter &e, kernel::MatmulOp op);
void emitUnpack(Emitter &e, kernel::UnpackOp op);
void emitQuantize(Emitter &e, kernel::QuantizeOp op);
void emitCachedAttention(Emitter &e, kernel::CachedAttentionOp op);
void emitAttendSpans(Emitter &e, kernel::AttendSpansOp op);
void emitMergeSpans(Emitter &e, kernel::MergeSpansOp op);
void emitAttention(Emitter &e, kernel::AttentionOp op);
void emitQuantizedGather(Emitter &e, kernel::GatherOp op);
void emitGather(Emitter &e, kernel::GatherOp op);
void emitRotate(Emitter &e, kernel::RotateOp op);
void emitKVAppend(Emitter &e, kernel::KVAppendOp op);
void emitPool(Emitter &e, kernel::PoolOp op);

} // namespace smelt

#endif // SMELT_CONVERSION_KERNELTOVECTOR_EMITTER_H
