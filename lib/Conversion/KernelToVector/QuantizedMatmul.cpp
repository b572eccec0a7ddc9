//===- QuantizedMatmul.cpp - Products with quantised weights ----*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tile is some rows times vectors of columns: as many of one panel's 16 as
// fit the registers or, for as many rows as a tile has at most, of several
// panels. Fewer rows don't: what memory brings is one stream. A tile goes
// through the panels (Formats.h) span by span: values of k that share all
// scales, one or more units of 32:
//
//   span:  sums = -zero point * sum of the row's integers     (i32, exact)
//          sums += quad of the row . quad of each column      (for each four)
//          total += sums * (scale of weights * scale of row)  (f32)
//
// Stored weights are unsigned; what they are too large by is what sums begin
// with, unless an instruction takes them signed. Scales that don't change along
// k are applied once, at the end; if neither changes, all of k is one span.
// Rows of floats are multiplied with weights as f32, one k at a time.
//
// How quads are multiplied is the only thing that differs between processors:
// the first instruction of a table that the target has. All are exact, so that
// every processor computes the same sums.
//
//===----------------------------------------------------------------------===//
#include "Emitter.h"

using namespace mlir;
using namespace smelt;
using llm::ActivationRecord;
using llm::FormatRecord;

namespace {

struct Product;

/// Where a span lies; of several panels, in the first one.
struct Span {
  Value bytes;  // of the panel, where the span's elements begin
  Value unit;   // number of its first unit in the row
  Value scales; // of the panel, where the span's scales begin; null: none
  Value minima; // likewise
  /// Of floats, those that the matrix has; of integers, whole units, which rows
  /// are padded to.
  int64_t columns;
};

/// An instruction that multiplies quads of bytes.
struct QuadInstruction {
  /// Whether products of `rows` rows are made with it.
  bool (*isFor)(const Product &product, int64_t rows);
  /// Registers of a tile: for each of its sums, and each vector of weights.
  int64_t (*sumRegisters)(const Product &product);
  int64_t weightRegisters;
  /// Whether `add` multiplies weights as they are stored, with their zero
  /// point, so that sums have to begin with less.
  bool (*leavesZeroPoint)(const FormatRecord &format);
  /// Adds a span's products to sums[rows * vectors] of i32.
  void (Product::*add)(const Tile &tile, const Span &span,
                       Emitter::Values &sums);
};

/// Halves of a byte that values use.
int64_t halvesOf(const FormatRecord &format) {
  return llvm::divideCeil(format.precision, 4);
}

struct Product {
  Emitter &e;
  const FormatRecord format;
  const ActivationRecord *activation; // null: rows of floats
  Value a, w, init, scales, sums;     // w: the panels' bytes
  int64_t k;                          // columns of a
  int64_t panels;                     // of w
  int64_t rowTile;                    // rows of a tile at most
  bool prefetches;                    // weights, which come from memory
  Value tileSums;                     // of tile registers, if they sum

  OpBuilder &b = e.b;
  Location loc = e.loc;
  /// Columns of two quads: a chunk of 4 bits, or two chunks of 8.
  static constexpr int64_t step = 8;

  Value plus(Value index, int64_t offset) {
    return offset ? e.add(index, e.index(offset)) : index;
  }
  Value rowOf(const Tile &tile, int64_t r) { return plus(tile.row, r); }
  /// Vectors of a panel's columns.
  int64_t perPanel() const { return FormatRecord::panelRows / e.lanes(); }
  /// How far vector `v` lies behind the first panel's first one, where vectors
  /// have `bytes`.
  int64_t offsetOf(int64_t v, int64_t bytes) const {
    return v / perPanel() * format.panelBytes(k) + v % perPanel() * bytes;
  }
  VectorType vectorOfBytes() {
    return VectorType::get({4 * e.lanes()}, b.getI8Type());
  }
  Value splatOf(VectorType type, int64_t value) {
    return arith::ConstantOp::create(
        b, loc,
        DenseElementsAttr::get(type,
                               b.getIntegerAttr(type.getElementType(), value)));
  }
  Value cast(VectorType type, Value vector) {
    return vector::BitCastOp::create(b, loc, type, vector);
  }

  //===--------------------------------------------------------------------===//
  // Elements
  //===--------------------------------------------------------------------===//

  /// Eight columns of a span.
  struct Step {
    Value bytes;  // of the panel
    Value column; // of the row
  };
  /// Step `i` of a span; asks for what a tile reads some steps later.
  Step beginStep(const Tile &tile, const Span &span, Value i) {
    int64_t bytes = step * FormatRecord::panelRows * format.bits / 8;
    Value column = e.mul(span.unit, e.index(FormatRecord::unitColumns));
    Step at = {e.add(span.bytes, e.mul(i, e.index(bytes))),
               e.add(column, e.mul(i, e.index(step)))};
    prefetch(tile, at.bytes, bytes);
    return at;
  }

  /// The weights of quad `q` of a step, u8: four of each column of vector `v`.
  Value weights(const Step &at, int64_t q, int64_t v) {
    int64_t offset = (format.bits == 8 ? q * FormatRecord::chunkBytes : 0) +
                     offsetOf(v, 4 * e.lanes());
    Value raw = vector::LoadOp::create(b, loc, vectorOfBytes(), w,
                                       ValueRange{plus(at.bytes, offset)});
    return format.bits == 8 ? raw : halfOf(e, raw, q);
  }
  Emitter::Values weights(const Tile &tile, const Step &at, int64_t q) {
    Emitter::Values columns;
    for (int64_t v = 0; v < tile.vectors; ++v)
      columns.push_back(weights(at, q, tile.first + v));
    return columns;
  }

  /// Quad `q` of a step of a row, s8, once for each lane.
  Value quad(Value row, const Step &at, int64_t q) {
    Value bytes =
        vector::LoadOp::create(b, loc, VectorType::get({4}, b.getI8Type()), a,
                               ValueRange{row, plus(at.column, 4 * q)});
    Value word = cast(VectorType::get({1}, b.getI32Type()), bytes);
    Value all = e.splat(vector::ExtractOp::create(b, loc, word, 0));
    return cast(vectorOfBytes(), all);
  }

  /// `body(i, v, row)` for each sum of a tile, with quad `q` of a step of its
  /// row; v counts vectors of columns.
  void eachSum(const Tile &tile, const Step &at, int64_t q,
               llvm::function_ref<void(size_t i, int64_t v, Value row)> body) {
    for (int64_t r = 0; r < tile.rows; ++r) {
      Value x = quad(rowOf(tile, r), at, q);
      for (int64_t v = 0; v < tile.vectors; ++v)
        body(r * tile.vectors + v, v, x);
    }
  }

  /// `body` for each step of a span, in a loop that carries `sums`: unrolled,
  /// the compiler would spill them.
  Emitter::Values eachStep(
      const Tile &tile, const Span &span, ValueRange sums,
      llvm::function_ref<void(const Step &at, Emitter::Values &sums)> body) {
    return e.loop(e.index(0), e.index(span.columns / step), 1, sums,
                  [&](Value i, ValueRange carried) {
                    Emitter::Values inner(carried);
                    body(beginStep(tile, span, i), inner);
                    return inner;
                  });
  }

  /// `body` for each unit of a span, which it gets as a span of its own.
  Emitter::Values eachUnit(
      const Span &span, ValueRange sums,
      llvm::function_ref<void(const Span &unit, Emitter::Values &sums)> body) {
    return e.loop(e.index(0), e.index(unitsOf(span)), 1, sums,
                  [&](Value i, ValueRange carried) {
                    Emitter::Values inner(carried);
                    Span unit = span;
                    unit.bytes = e.add(span.bytes,
                                       e.mul(i, e.index(format.unitBytes())));
                    unit.unit = e.add(span.unit, i);
                    unit.columns = FormatRecord::unitColumns;
                    body(unit, inner);
                    return inner;
                  });
  }
  static int64_t unitsOf(const Span &span) {
    return span.columns / FormatRecord::unitColumns;
  }

  /// A vector of scales or minima of the panel, at byte `offset` plus that of
  /// vector `v`.
  Value scaleVector(Value offset, int64_t v, Type type) {
    int64_t bytes = type.getIntOrFloatBitWidth() / 8 * e.lanes();
    Value raw =
        vector::LoadOp::create(b, loc, VectorType::get({bytes}, b.getI8Type()),
                               w, ValueRange{plus(offset, offsetOf(v, bytes))});
    return e.extend(cast(e.vectorOf(type), raw));
  }
  /// A vector of f32 `index` of the panel's trailer.
  Value trailer(int64_t index, int64_t v) {
    int64_t offset = format.trailerOffset(k) + index * FormatRecord::chunkBytes;
    return scaleVector(e.index(offset), v, b.getF32Type());
  }

  //===--------------------------------------------------------------------===//
  // Instructions
  //===--------------------------------------------------------------------===//

  VectorType longs() { return e.vectorOf(b.getI32Type()); }
  VectorType words() {
    return VectorType::get({2 * e.lanes()}, b.getI16Type());
  }
  void accumulate(Value &sum, Value value) { sum = e.add(sum, value); }
  Value multiplyAdd(VectorType type, Value x, Value y) {
    return kernel::MultiplyAddOp::create(b, loc, type, x, y);
  }

  const QuadInstruction &instructionFor(int64_t rows) const;

  /// Whether registers are left for the weights of the next quad where a
  /// unit's steps are unrolled; without them, the compiler would spill sums.
  bool hasRoomToUnroll(const Tile &tile) const {
    const QuadInstruction &instruction = instructionFor(tile.rows);
    int64_t perRow = instruction.sumRegisters(*this) * tile.rows;
    return tile.vectors * (perRow + 2 * instruction.weightRegisters) + 2 <=
           e.target.vectorCount;
  }
  /// `flip`: what to xor weights with, or null.
  void addDots(const Tile &tile, const Span &span, bool isSigned, Value flip,
               Emitter::Values &sums) {
    auto addStep = [&](const Step &at, Emitter::Values &inner) {
      for (int64_t q = 0; q < 2; ++q) {
        Emitter::Values columns = weights(tile, at, q);
        for (Value &column : columns)
          if (flip)
            column = arith::XOrIOp::create(b, loc, column, flip);
        eachSum(tile, at, q, [&](size_t i, int64_t v, Value row) {
          inner[i] = kernel::DotBytesOp::create(b, loc, inner[i], columns[v],
                                                row, isSigned);
        });
      }
    };
    if (!hasRoomToUnroll(tile)) {
      sums = eachStep(tile, span, sums, addStep);
      return;
    }
    sums = eachUnit(span, sums, [&](const Span &unit, Emitter::Values &inner) {
      for (int64_t i = 0; i < unit.columns / step; ++i)
        addStep(beginStep(tile, unit, e.index(i)), inner);
    });
  }

  void addDotBytes(const Tile &tile, const Span &span, Emitter::Values &sums) {
    addDots(tile, span, /*isSigned=*/false, {}, sums);
  }

  /// Sums in a tile register, by way of memory, as far as columns fill its
  /// rows.
  void addTiles(const Tile &tile, const Span &span, Emitter::Values &sums) {
    OpFoldResult zero = b.getIndexAttr(0);
    const int64_t whole = wholeTiles(span), line = FormatRecord::chunkBytes;
    Value column = e.mul(span.unit, e.index(FormatRecord::unitColumns));
    Value rows = whole ? e.cut(a, {tile.row, column}, {tile.rows, whole}) : a;
    Value own =
        e.cut(tileSums, {zero, zero}, {tile.rows, kernel::TileDotOp::columns});
    for (int64_t v = 0; whole && v < tile.vectors; ++v) {
      Value bytes = plus(span.bytes, offsetOf(tile.first + v, line));
      kernel::TileDotOp::create(b, loc, rows, linesOf(bytes, whole / 4), own);
      for (int64_t r = 0; r < tile.rows; ++r)
        accumulate(sums[r * tile.vectors + v],
                   vector::LoadOp::create(b, loc, longs(), tileSums,
                                          ValueRange{e.index(r), e.index(0)}));
    }
    if (whole < span.columns)
      addDotBytes(tile, restOf(span), sums);
  }
  /// Columns of a span that fill rows of tile registers, and the span of what
  /// is left.
  static int64_t wholeTiles(const Span &span) {
    return llvm::alignDown(span.columns, kernel::TileDotOp::rowBytes);
  }
  Span restOf(const Span &span) {
    const int64_t whole = wholeTiles(span), unit = FormatRecord::unitColumns;
    Span rest = span;
    rest.bytes = plus(span.bytes, whole / unit * format.unitBytes());
    rest.unit = plus(span.unit, whole / unit);
    rest.columns -= whole;
    return rest;
  }

  /// Fewer bits than 8 are as good signed as unsigned; 8 less their zero point,
  /// 128, are signed.
  void addSignedDots(const Tile &tile, const Span &span,
                     Emitter::Values &sums) {
    Value flip =
        format.precision == 8 ? splatOf(vectorOfBytes(), -128) : Value();
    addDots(tile, span, /*isSigned=*/true, flip, sums);
  }

  /// Two products of 127 and 127 fit in i16.
  void addPairs(const Tile &tile, const Span &span, Emitter::Values &sums) {
    Value one = splatOf(words(), 1);
    auto addStep = [&](const Step &at, Emitter::Values &inner) {
      for (int64_t q = 0; q < 2; ++q) {
        Emitter::Values columns = weights(tile, at, q);
        eachSum(tile, at, q, [&](size_t i, int64_t v, Value row) {
          Value two = multiplyAdd(words(), columns[v], row);
          inner[i] = e.add(inner[i], multiplyAdd(longs(), two, one));
        });
      }
    };
    sums = eachStep(tile, span, sums, addStep);
  }

  /// |w| * sign(w) x: two products of 128 and 127 fit in i16.
  void addSigned(const Tile &tile, const Span &span, Emitter::Values &sums) {
    Value one = splatOf(words(), 1), zeroPoint = splatOf(vectorOfBytes(), -128);
    auto addStep = [&](const Step &at, Emitter::Values &inner) {
      for (int64_t q = 0; q < 2; ++q) {
        Emitter::Values signs, magnitudes;
        for (Value u : weights(tile, at, q)) {
          signs.push_back(arith::XOrIOp::create(b, loc, u, zeroPoint));
          magnitudes.push_back(math::AbsIOp::create(b, loc, signs.back()));
        }
        eachSum(tile, at, q, [&](size_t i, int64_t v, Value row) {
          Value x = kernel::ApplySignOp::create(b, loc, row, signs[v]);
          Value two = multiplyAdd(words(), magnitudes[v], x);
          inner[i] = e.add(inner[i], multiplyAdd(longs(), two, one));
        });
      }
    };
    sums = eachStep(tile, span, sums, addStep);
  }

  /// i16 sums of a unit, for each half of a weight's bits: at most 16 products
  /// of 15 and 128, so that nothing saturates. The zero point is 8 in the upper
  /// half: sums that begin with -4 times the row's sum twice stay in range.
  void addNibbles(const Tile &tile, const Span &span, Emitter::Values &sums) {
    sums = eachUnit(span, sums, [&](const Span &unit, Emitter::Values &inner) {
      addUnitOfNibbles(tile, unit, inner);
    });
  }

  void addUnitOfNibbles(const Tile &tile, const Span &unit,
                        Emitter::Values &sums) {
    size_t halves = halvesOf(format), count = sums.size();
    Emitter::Values pairs((halves - 1) * count, splatOf(words(), 0));
    for (int64_t r = 0; r < tile.rows; ++r)
      pairs.append(tile.vectors, format.zeroPoint()
                                     ? startOfPairs(rowOf(tile, r), unit)
                                     : splatOf(words(), 0));
    auto addStep = [&](const Step &at, Emitter::Values &inner) {
      for (int64_t q = 0; q < 2; ++q) {
        Emitter::Values columns = weights(tile, at, q);
        eachSum(tile, at, q, [&](size_t i, int64_t v, Value row) {
          for (size_t half = 0; half < halves; ++half) {
            Value u = halves == 1 ? columns[v] : halfOf(e, columns[v], half);
            accumulate(inner[half * count + i], multiplyAdd(words(), u, row));
          }
        });
      }
    };
    pairs = eachStep(tile, unit, pairs, addStep);
    // The upper half counts 16 times.
    for (size_t i = 0; i < pairs.size(); ++i)
      accumulate(
          sums[i % count],
          multiplyAdd(longs(), pairs[i], splatOf(words(), i < count ? 1 : 16)));
  }

  /// -4 times the sum of a row's unit, in each i16.
  Value startOfPairs(Value row, const Span &unit) {
    Value sum = arith::TruncIOp::create(b, loc, b.getI16Type(),
                                        e.load(sums, {row, unit.unit}));
    Value all = vector::BroadcastOp::create(b, loc, words(), sum);
    return e.mul(all, splatOf(words(), -4));
  }

  /// Bytes as i16, even and odd ones apart; those of the row in the upper
  /// halves, so that sums are 256 times too large: at most 2^28.
  void addWords(const Tile &tile, const Span &span, Emitter::Values &sums) {
    auto addStep = [&](const Step &at, Emitter::Values &inner) {
      for (int64_t q = 0; q < 2; ++q)
        addQuadOfWords(tile, at, q, inner);
    };
    sums = eachUnit(span, sums, [&](const Span &unit, Emitter::Values &inner) {
      Emitter::Values large(inner.size(), splatOf(longs(), 0));
      large = eachStep(tile, unit, large, addStep);
      Value back = splatOf(longs(), 8);
      for (auto [sum, scaled] : llvm::zip_equal(inner, large))
        accumulate(sum, arith::ShRSIOp::create(b, loc, scaled, back));
    });
  }

  void addQuadOfWords(const Tile &tile, const Step &at, int64_t q,
                      Emitter::Values &sums) {
    Value eight = splatOf(words(), 8);
    Emitter::Values even, odd;
    for (Value column : weights(tile, at, q)) {
      Value u = cast(words(), column);
      even.push_back(arith::AndIOp::create(b, loc, u, splatOf(words(), 0xff)));
      odd.push_back(arith::ShRUIOp::create(b, loc, u, eight));
    }
    for (int64_t r = 0; r < tile.rows; ++r) {
      Value x = cast(words(), quad(rowOf(tile, r), at, q));
      Value evenX = arith::ShLIOp::create(b, loc, x, eight);
      Value oddX = arith::AndIOp::create(b, loc, x, splatOf(words(), -256));
      for (int64_t v = 0; v < tile.vectors; ++v) {
        Value &sum = sums[r * tile.vectors + v];
        for (auto [u, s] : {std::pair(even[v], evenX), {odd[v], oddX}})
          sum = e.add(sum, multiplyAdd(longs(), u, s));
      }
    }
  }

  //===--------------------------------------------------------------------===//
  // Spans
  //===--------------------------------------------------------------------===//

  bool sumsAllOfK() const {
    return activation && !activation->group && !format.group;
  }
  /// Columns of integers, zeros that rows are padded with among them.
  int64_t paddedColumns() const {
    return llvm::alignTo(k, FormatRecord::unitColumns);
  }
  /// Columns of a span, but for the last one.
  int64_t spanColumns() const {
    if (!activation || activation->group)
      return FormatRecord::unitColumns;
    return format.group ? format.group : paddedColumns();
  }

  /// What sums of integers begin with, for each row: less by the zero point
  /// times the sum of the row's integers, if products leave it.
  Emitter::Values startOfSums(const Tile &tile, const Span &span) {
    Emitter::Values starts(tile.rows * tile.vectors, splatOf(longs(), 0));
    if (!format.zeroPoint() ||
        !instructionFor(tile.rows).leavesZeroPoint(format))
      return starts;
    Value factor = arith::ConstantIntOp::create(b, loc, b.getI32Type(),
                                                -format.zeroPoint());
    for (int64_t r = 0; r < tile.rows; ++r) {
      Value row = rowOf(tile, r);
      Value sum = sumsAllOfK() ? sumOfRow(row) : sumOfSpan(row, span);
      std::fill_n(starts.begin() + r * tile.vectors, tile.vectors,
                  e.splat(e.mul(sum, factor)));
    }
    return starts;
  }
  /// The sum of a span's integers in a row.
  Value sumOfSpan(Value row, const Span &span) {
    Value sum = e.load(sums, {row, span.unit});
    for (int64_t u = 1; u < unitsOf(span); ++u)
      sum = e.add(sum, e.load(sums, {row, plus(span.unit, u)}));
    return sum;
  }
  /// The sum of all integers of a row.
  Value sumOfRow(Value row) {
    auto add = [&](Value i, Value mask, ValueRange carried) -> Emitter::Values {
      Value zero = splatOf(longs(), 0);
      Value some =
          mask ? vector::MaskedLoadOp::create(b, loc, longs(), sums,
                                              ValueRange{row, i}, mask, zero)
                     .getResult()
               : vector::LoadOp::create(b, loc, longs(), sums,
                                        ValueRange{row, i})
                     .getResult();
      return {e.add(carried[0], some)};
    };
    Value zero = splatOf(longs(), 0);
    return vector::ReductionOp::create(
        b, loc, vector::CombiningKind::ADD,
        e.vectors(columnsOf(sums), ValueRange{zero}, add)[0]);
  }

  Value real(Value integers) {
    return arith::SIToFPOp::create(b, loc, e.vectorOf(b.getF32Type()),
                                   integers);
  }
  Value times(Value x, Value y) { return arith::MulFOp::create(b, loc, x, y); }

  /// Adds a span of integers, scaled as far as scales change along k.
  void addIntegers(const Tile &tile, const Span &span,
                   Emitter::Values &totals) {
    Emitter::Values result = startOfSums(tile, span);
    (this->*instructionFor(tile.rows).add)(tile, span, result);
    if (sumsAllOfK()) {
      for (auto [total, sum] : llvm::zip_equal(totals, result))
        total = real(sum);
      return;
    }
    for (int64_t r = 0; r < tile.rows; ++r) {
      Value rowScale;
      if (activation->group)
        rowScale = e.load(scales, {rowOf(tile, r), span.unit});
      for (int64_t v = 0; v < tile.vectors; ++v) {
        Value &total = totals[r * tile.vectors + v];
        Value factor = rowScale ? e.splat(rowScale) : Value();
        if (span.scales) {
          Value scale = scaleVector(span.scales, tile.first + v,
                                    format.type(b.getContext()));
          factor = factor ? times(scale, factor) : scale;
        }
        total = e.fma(real(result[r * tile.vectors + v]), factor, total);
        if (span.minima)
          total = e.fma(minimum(span, tile.first + v),
                        e.splat(rowSum(rowOf(tile, r), span, rowScale)), total);
      }
    }
  }

  Value minimum(const Span &span, int64_t v) {
    return scaleVector(span.minima, v, format.type(b.getContext()));
  }

  /// What a minimum is multiplied with: the sum of a row's span, scaled by
  /// `rowScale`, if given.
  Value rowSum(Value row, const Span &span, Value rowScale) {
    Value sum =
        arith::SIToFPOp::create(b, loc, b.getF32Type(), sumOfSpan(row, span));
    return rowScale ? times(sum, rowScale) : sum;
  }

  /// Adds `count` columns of a chunk at byte `bytes`, the row's from `column`
  /// on, all floats.
  void addFloatColumns(const Tile &tile, Value bytes, Value column,
                       int64_t count, ArrayRef<Value> scale,
                       ArrayRef<Value> minima, Emitter::Values &totals) {
    VectorType longs = e.vectorOf(b.getI32Type());
    Emitter::Values words;
    for (int64_t v = tile.first; v < tile.first + tile.vectors; ++v)
      words.push_back(cast(
          longs, vector::LoadOp::create(
                     b, loc, vectorOfBytes(), w,
                     ValueRange{plus(bytes, offsetOf(v, 4 * e.lanes()))})));
    for (int64_t c = 0; c < count; ++c) {
      Value shift = splatOf(longs, c % 4 * 8 + c / 4 * 4);
      Value mask = splatOf(longs, (1 << format.bits) - 1);
      Emitter::Values columns;
      for (int64_t v = 0; v < tile.vectors; ++v) {
        Value u = arith::ShRUIOp::create(b, loc, words[v], shift);
        u = arith::AndIOp::create(b, loc, u, mask);
        if (format.zeroPoint())
          u = e.sub(u, splatOf(longs, format.zeroPoint()));
        columns.push_back(minima.empty() ? times(real(u), scale[v])
                                         : e.fma(real(u), scale[v], minima[v]));
      }
      for (int64_t r = 0; r < tile.rows; ++r) {
        Value x = e.load(a, {rowOf(tile, r), plus(column, c)});
        Value all = e.splat(e.extend(x));
        for (int64_t v = 0; v < tile.vectors; ++v) {
          Value &total = totals[r * tile.vectors + v];
          total = e.fma(all, columns[v], total);
        }
      }
    }
  }

  /// Adds a span of floats, chunk by chunk.
  void addFloats(const Tile &tile, const Span &span, Emitter::Values &totals) {
    prefetch(tile, span.bytes, format.unitBytes());
    Emitter::Values scale, minima;
    for (int64_t v = tile.first; v < tile.first + tile.vectors; ++v) {
      scale.push_back(
          span.scales ? scaleVector(span.scales, v, format.type(b.getContext()))
                      : trailer(1, v));
      if (span.minima)
        minima.push_back(minimum(span, v));
    }
    int64_t perChunk = format.chunkColumns(), whole = span.columns / perChunk;
    Value column = e.mul(span.unit, e.index(FormatRecord::unitColumns));
    auto chunk = [&](Value c, int64_t count, Emitter::Values &sums) {
      addFloatColumns(
          tile, e.add(span.bytes, e.mul(c, e.index(FormatRecord::chunkBytes))),
          e.add(column, e.mul(c, e.index(perChunk))), count, scale, minima,
          sums);
    };
    if (whole)
      totals = e.loop(e.index(0), e.index(whole), 1, totals,
                      [&](Value c, ValueRange carried) {
                        Emitter::Values inner(carried);
                        chunk(c, perChunk, inner);
                        return inner;
                      });
    if (span.columns % perChunk)
      chunk(e.index(whole), span.columns % perChunk, totals);
  }

  void addSpan(const Tile &tile, const Span &span, Emitter::Values &totals) {
    if (activation)
      addIntegers(tile, span, totals);
    else
      addFloats(tile, span, totals);
  }

  /// Asks for what lies a distance behind `count` bytes at `bytes`, once in
  /// each panel that the tile begins.
  void prefetch(const Tile &tile, Value bytes, int64_t count) {
    if (!prefetches || !e.prefetches(tile.rows))
      return;
    for (int64_t v = tile.first; v < tile.first + tile.vectors; ++v)
      for (int64_t i = 0; v % perPanel() == 0 && i < count;
           i += FormatRecord::chunkBytes)
        e.prefetch(w, plus(bytes, offsetOf(v, 0) + e.target.prefetchBytes + i));
  }

  /// The span of `columns` that begins with unit `number` of a row.
  Span spanOf(Value number, int64_t columns) {
    int64_t inBlock = format.blockColumns() / FormatRecord::unitColumns;
    Value block =
        e.mul(e.div(number, e.index(inBlock)), e.index(format.blockBytes()));
    Value inside = e.rem(number, e.index(inBlock));
    Span span{e.add(block, e.mul(inside, e.index(format.unitBytes()))),
              number,
              {},
              {},
              columns};
    if (!format.group)
      return span;
    int64_t inGroup = format.group / FormatRecord::unitColumns;
    Value scales = e.add(
        block, e.mul(e.div(inside, e.index(inGroup)),
                     e.index(FormatRecord::panelRows * format.scaleBytes)));
    span.scales = plus(scales, format.scalesOffset());
    if (format.hasMinimum)
      span.minima = plus(scales, format.minimaOffset());
    return span;
  }

  //===--------------------------------------------------------------------===//
  // Tiles
  //===--------------------------------------------------------------------===//

  /// Sums and totals of a tile, its weights, and a quad fit the registers.
  int64_t vectorsFor(int64_t rows) const {
    const QuadInstruction &instruction = instructionFor(rows);
    int64_t all = rows == rowTile ? panels * perPanel() : perPanel();
    int64_t perVector = activation ? instruction.sumRegisters(*this) * rows +
                                         instruction.weightRegisters
                                   : rows + 1;
    int64_t vectors = std::min(all, (e.target.vectorCount - 2) / perVector);
    return std::max<int64_t>(llvm::bit_floor<uint64_t>(vectors), 1);
  }

  bool usesTiles(int64_t rows) const {
    return tileSums && rows >= TargetRecord::leastTileRows;
  }
  /// Whether all of k is summed in tile registers.
  bool sumsInTiles(int64_t rows) const {
    return usesTiles(rows) && sumsAllOfK();
  }

  /// The product with `count` panels alone, those of group `i`.
  Product group(Value i, int64_t count) {
    const int64_t bytes = count * format.panelBytes(k);
    Product some = *this;
    some.w = e.cut(w, {e.mul(i, e.index(bytes))}, {bytes});
    some.init = groupColumns(e, init, i, panels / count,
                             count * FormatRecord::panelRows);
    some.panels = count;
    return some;
  }
  /// Panels that a tile of `rows` rows takes at a time.
  int64_t panelsFor(int64_t rows) const {
    if (sumsInTiles(rows))
      return panels; // a row's sum is that of all of them
    return std::max<int64_t>(vectorsFor(rows) / perPanel(), 1);
  }

  void tile(Value row, int64_t rows) {
    const int64_t most = kernel::TileDotOp::maxRows;
    if (sumsInTiles(rows))
      return tileInRegisters(row, rows);
    if (usesTiles(rows) && rows > most) {
      // Totals of more rows wouldn't fit the registers.
      e.loop(e.index(0), e.index(rows / most),
             [&](Value i) { tile(e.add(row, e.mul(i, e.index(most))), most); });
      return;
    }
    int64_t vectors = vectorsFor(rows);
    for (int64_t first = 0; first < panels * perPanel(); first += vectors) {
      Tile tile{row, rows, first, vectors};
      Emitter::Values totals = sumOf(tile);
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t v = 0; v < vectors; ++v)
          storeColumns(e, finish(tile, r, v, totals[r * vectors + v]), init,
                       rowOf(tile, r), (first + v) * e.lanes(),
                       panels * FormatRecord::panelRows);
    }
  }

  /// Rows `row` to `row + rows` of the panels, where all of k is one span.
  void tileInRegisters(Value row, int64_t rows) {
    const Span all = spanOf(e.index(0), paddedColumns());
    const int64_t whole = wholeTiles(all);
    const int64_t columns = kernel::TileDotOp::columns;
    const int64_t vectors = panels * perPanel();
    OpFoldResult zero = b.getIndexAttr(0);
    const int64_t most = std::min(vectors, kernel::TileDotOp::maxPanels);
    for (int64_t first = 0; whole && first < vectors; first += most) {
      Emitter::Values weights;
      for (int64_t v = first; v < first + most; ++v)
        weights.push_back(
            linesOf(e.index(offsetOf(v, FormatRecord::chunkBytes)), whole / 4));
      OpFoldResult column = b.getIndexAttr(first * columns);
      kernel::TileDotOp::create(
          b, loc, e.cut(a, {row, zero}, {rows, whole}), weights,
          e.cut(tileSums, {zero, column}, {rows, most * columns}));
    }
    e.loop(e.index(0), e.index(rows), [&](Value r) {
      Tile own{e.add(row, r), 1, 0, vectors};
      Emitter::Values sums = startOfSums(own, all);
      if (whole < all.columns)
        addDotBytes(own, restOf(all), sums);
      for (int64_t v = 0; v < vectors; ++v) {
        if (whole)
          accumulate(sums[v], vector::LoadOp::create(
                                  b, loc, longs(), tileSums,
                                  ValueRange{r, e.index(v * columns)}));
        storeColumns(e, finish(own, 0, v, real(sums[v])), init, own.row,
                     v * columns, panels * columns);
      }
    });
  }
  /// `count` lines of the panels' bytes from byte `at` on.
  Value linesOf(Value at, int64_t count) {
    const int64_t line = FormatRecord::chunkBytes;
    Value bytes = e.cut(w, {at}, {count * line});
    SmallVector<ReassociationIndices> all = {{0, 1}};
    return memref::ExpandShapeOp::create(b, loc, {count, line}, bytes, all);
  }

  /// Sums over k, span by span.
  Emitter::Values sumOf(const Tile &tile) {
    int64_t columns = activation ? paddedColumns() : k, width = spanColumns();
    int64_t whole = columns / width, units = width / FormatRecord::unitColumns;
    Emitter::Values totals(tile.rows * tile.vectors, e.zeros());
    if (whole == 1)
      addSpan(tile, spanOf(e.index(0), width), totals);
    else if (whole)
      totals = e.loop(e.index(0), e.index(whole), 1, totals,
                      [&](Value i, ValueRange carried) {
                        Emitter::Values inner(carried);
                        addSpan(tile, spanOf(e.mul(i, e.index(units)), width),
                                inner);
                        return inner;
                      });
    if (columns % width)
      addSpan(tile, spanOf(e.index(whole * units), columns % width), totals);
    return totals;
  }

  /// Applies the scales that don't change along k, and the row's zero point.
  Value finish(const Tile &tile, int64_t r, int64_t v, Value total) {
    int64_t column = tile.first + v;
    if (!activation)
      return total;
    if (!format.group)
      total = times(total, trailer(1, column));
    if (activation->group)
      return total;
    auto rowValue = [&](int64_t i) {
      return e.splat(e.load(scales, {rowOf(tile, r), e.index(i)}));
    };
    total = times(total, rowValue(0));
    return e.fma(rowValue(1), trailer(0, column), total);
  }
};

} // namespace

/// Sums, and totals unless they are the same, of code without an inner loop.
static int64_t sumsAndTotals(const Product &product) {
  return product.sumsAllOfK() ? 1 : 2;
}

static bool always(const FormatRecord &) { return true; }
static bool never(const FormatRecord &) { return false; }
static bool ifNarrow(const FormatRecord &format) {
  return format.precision < 8;
}
static int64_t one(const Product &) { return 1; }

static const QuadInstruction instructions[] = {
    {[](const Product &product, int64_t rows) {
       return product.usesTiles(rows);
     },
     sumsAndTotals, 1, always, &Product::addTiles},
    {[](const Product &product, int64_t) {
       return product.e.target.hasByteDot;
     },
     sumsAndTotals, 1, always, &Product::addDotBytes},
    {[](const Product &product, int64_t) {
       return product.e.target.hasSignedDot;
     },
     sumsAndTotals, 1, ifNarrow, &Product::addSignedDots},
    {[](const Product &product, int64_t) {
       return product.e.target.hasByteMultiplyAdd() &&
              product.format.precision == 7;
     },
     one, 1, always, &Product::addPairs},
    {[](const Product &product, int64_t) {
       return product.e.target.hasByteSign() && product.format.precision == 8;
     },
     one, 2, never, &Product::addSigned},
    {[](const Product &product, int64_t) {
       return product.e.target.hasByteMultiplyAdd();
     },
     [](const Product &product) { return halvesOf(product.format); }, 1, never,
     &Product::addNibbles},
    {[](const Product &, int64_t) { return true; }, sumsAndTotals, 1, always,
     &Product::addWords},
};

const QuadInstruction &Product::instructionFor(int64_t rows) const {
  return *llvm::find_if(instructions, [&](const QuadInstruction &i) {
    return i.isFor(*this, rows);
  });
}

LogicalResult smelt::emitQuantizedMatmul(Emitter &e, kernel::MatmulOp op) {
  auto type = cast<MemRefType>(op.getW().getType());
  int64_t panels = type.getDimSize(0);
  if (type.isDynamicDim(0) || !llvm::isPowerOf2_64(panels))
    return op.emitOpError("expects one panel, or a power of two of them");
  SmallVector<ReassociationIndices> all = {{0, 1}};
  Value w = memref::CollapseShapeOp::create(e.b, e.loc, op.getW(), all);
  const FormatRecord format = op.getStored();
  Product product{e,
                  format,
                  op.getActivation() ? &op.getActivation()->getRecord()
                                     : nullptr,
                  op.getA(),
                  w,
                  op.getInit(),
                  op.getScales(),
                  op.getSums(),
                  columnsOf(op.getA()),
                  panels,
                  e.productRows(op),
                  !op.getUnpacked(),
                  {}};
  if (e.target.hasTiles() && op.fillsTiles())
    product.tileSums = e.tileSums(op, e.b.getI32Type(), panels);
  emitTiles(product, op);
  return success();
}
