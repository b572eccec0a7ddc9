//===- QuantizedRows.cpp - Rows of integers, and from tables ----*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Floats become integers without a conversion, so that nothing is undefined for
// a NaN; one in a row is the largest magnitude, and makes the scale a NaN.
//
//===----------------------------------------------------------------------===//
#include "Emitter.h"

using namespace mlir;
using namespace smelt;
using llm::FormatRecord;

/// `value`, or as many of it as `x` has lanes.
static Value splatLike(Emitter &e, Value x, Value value) {
  auto type = dyn_cast<VectorType>(x.getType());
  if (!type)
    return value;
  return vector::BroadcastOp::create(e.b, e.loc, type.clone(value.getType()),
                                     value);
}

static Value bitsOf(Emitter &e, Value x) {
  Type type = e.b.getI32Type();
  if (auto vector = dyn_cast<VectorType>(x.getType()))
    type = vector.clone(type);
  return arith::BitcastOp::create(e.b, e.loc, type, x);
}

Value smelt::roundToBits(Emitter &e, Value x) {
  Value large =
      arith::AddFOp::create(e.b, e.loc, x, splatLike(e, x, e.real(magic)));
  return bitsOf(e, large);
}

Value smelt::magnitudesOf(Emitter &e, Value x) {
  Value mask =
      arith::ConstantIntOp::create(e.b, e.loc, e.b.getI32Type(), 0x7fffffff);
  return arith::AndIOp::create(e.b, e.loc, bitsOf(e, x), splatLike(e, x, mask));
}

Value smelt::largestOf(Emitter &e, Value magnitudes) {
  Value bits = vector::ReductionOp::create(
      e.b, e.loc, vector::CombiningKind::MAXSI, magnitudes);
  return arith::BitcastOp::create(e.b, e.loc, e.b.getF32Type(), bits);
}

Value smelt::zeroIfSmall(Emitter &e, Value x, Value value) {
  Value isSmall = arith::CmpFOp::create(e.b, e.loc, arith::CmpFPredicate::OLT,
                                        x, e.real(0x1p-100));
  return arith::SelectOp::create(e.b, e.loc, isSmall, e.real(0), value);
}

namespace {

struct RowQuantizer {
  Emitter &e;
  kernel::QuantizeOp op;

  OpBuilder &b = e.b;
  Location loc = e.loc;
  static constexpr int64_t width = FormatRecord::unitColumns;
  int64_t columns = columnsOf(op.getX());
  int64_t units = llvm::divideCeil(columns, width);
  VectorType floats = VectorType::get({width}, b.getF32Type());
  VectorType longs = VectorType::get({width}, b.getI32Type());

  Value splat(Value scalar) {
    return vector::BroadcastOp::create(
        b, loc, VectorType::get({width}, scalar.getType()), scalar);
  }
  Value integer(int32_t value) {
    return arith::ConstantIntOp::create(b, loc, b.getI32Type(), value);
  }
  Value reduce(vector::CombiningKind kind, Value vector) {
    return vector::ReductionOp::create(b, loc, kind, vector);
  }
  Value select(Value condition, Value x, Value y) {
    return arith::SelectOp::create(b, loc, condition, x, y);
  }
  Value times(Value x, Value y) { return arith::MulFOp::create(b, loc, x, y); }
  Value over(Value x, Value y) { return arith::DivFOp::create(b, loc, x, y); }
  Value plus(Value x, Value y) { return arith::AddFOp::create(b, loc, x, y); }
  Value minus(Value x, Value y) { return arith::SubFOp::create(b, loc, x, y); }
  Value isBelow(Value x, Value y) {
    return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, x, y);
  }

  using Body =
      llvm::function_ref<Emitter::Values(Value u, Value x, ValueRange carried)>;
  /// `body` for each unit u of a row, x as floats, zeros beyond the row.
  Emitter::Values eachUnit(Value row, ValueRange carried, Body body) {
    int64_t whole = columns / width;
    Emitter::Values values(carried);
    if (whole)
      values = e.loop(e.index(0), e.index(whole), 1, values,
                      [&](Value u, ValueRange inner) {
                        Value column = e.mul(u, e.index(width));
                        Value x = vector::LoadOp::create(
                            b, loc, floats, op.getX(), ValueRange{row, column});
                        return body(u, x, inner);
                      });
    if (whole == units)
      return values;
    Value mask = vector::CreateMaskOp::create(
        b, loc, VectorType::get({width}, b.getI1Type()),
        e.index(columns - whole * width));
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(floats));
    Value x = vector::MaskedLoadOp::create(
        b, loc, floats, op.getX(), ValueRange{row, e.index(whole * width)},
        mask, zero);
    return body(e.index(whole), x, values);
  }

  /// round(x * inverse) as i32, of scalars or vectors; some number if x is
  /// none.
  Value round(Value x, Value inverse) {
    Value bits = roundToBits(e, times(x, splatLike(e, x, inverse)));
    return e.sub(bits, splatLike(e, x, integer(magicBits)));
  }

  /// Stores a unit of integers from -127 to 127, and their sum.
  void store(Value row, Value u, Value q) {
    Value low = arith::TruncIOp::create(
        b, loc, VectorType::get({width}, b.getI8Type()), q);
    vector::StoreOp::create(b, loc, low, op.getQ(),
                            ValueRange{row, e.mul(u, e.index(width))});
    Value stored = arith::ExtSIOp::create(b, loc, longs, low);
    e.store(reduce(vector::CombiningKind::ADD, stored), op.getSums(), {row, u});
  }

  void quantizeGroups(Value row) {
    eachUnit(row, {}, [&](Value u, Value x, ValueRange) {
      Value most = largestOf(e, magnitudesOf(e, x));
      e.store(zeroIfSmall(e, most, over(most, e.real(127))), op.getScales(),
              {row, u});
      store(row, u, round(x, zeroIfSmall(e, most, over(e.real(127), most))));
      return Emitter::Values();
    });
  }

  void quantizeRow(Value row) {
    Value zeros = arith::ConstantOp::create(b, loc, b.getZeroAttr(floats));
    Value none = arith::ConstantOp::create(b, loc, b.getZeroAttr(longs));
    Emitter::Values found =
        eachUnit(row, {zeros, zeros, none},
                 [&](Value, Value x, ValueRange carried) -> Emitter::Values {
                   return {select(isBelow(x, carried[0]), x, carried[0]),
                           select(isBelow(carried[1], x), x, carried[1]),
                           arith::MaxSIOp::create(b, loc, carried[2],
                                                  magnitudesOf(e, x))};
                 });
    Value least = reduce(vector::CombiningKind::MINNUMF, found[0]);
    Value range =
        minus(reduce(vector::CombiningKind::MAXNUMF, found[1]), least);
    // 0 or, if the row has a NaN or an infinity, NaN.
    Value most = largestOf(e, found[2]);
    Value doubt = times(most, e.real(0));
    Value inverse = zeroIfSmall(e, range, over(e.real(254), range));
    Value zero = e.sub(integer(-127), round(least, inverse));
    Value scale = plus(zeroIfSmall(e, range, over(range, e.real(254))), doubt);
    Value zeroReal = arith::SIToFPOp::create(b, loc, b.getF32Type(), zero);
    e.store(scale, op.getScales(), {row, e.index(0)});
    e.store(arith::NegFOp::create(b, loc, times(scale, zeroReal)),
            op.getScales(), {row, e.index(1)});
    eachUnit(row, {}, [&](Value u, Value x, ValueRange) {
      Value q = e.add(round(x, inverse), splat(zero));
      q = arith::MinSIOp::create(b, loc, q, splat(integer(127)));
      store(row, u, insideOnly(u, q));
      return Emitter::Values();
    });
  }

  /// Zeros beyond the row: there 0 isn't what stands for 0.
  Value insideOnly(Value u, Value q) {
    if (columns % width == 0)
      return q;
    Value left = e.sub(e.index(columns), e.mul(u, e.index(width)));
    Value mask = vector::CreateMaskOp::create(
        b, loc, VectorType::get({width}, b.getI1Type()), left);
    Value none = arith::ConstantOp::create(b, loc, b.getZeroAttr(longs));
    return select(mask, q, none);
  }
};

} // namespace

void smelt::emitQuantize(Emitter &e, kernel::QuantizeOp op) {
  RowQuantizer quantizer{e, op};
  bool isGrouped = op.getActivation().getRecord().group;
  e.loop(e.index(0), e.dim(op.getX(), 0), [&](Value row) {
    if (isGrouped)
      quantizer.quantizeGroups(row);
    else
      quantizer.quantizeRow(row);
  });
}

/// A word of a panel after another: the elements of a row in a chunk, or half
/// of them, are four columns.
void smelt::emitQuantizedGather(Emitter &e, kernel::GatherOp op) {
  const FormatRecord &format = op.getFormat()->getRecord();
  const int64_t columns = columnsOf(op.getInit());
  const int64_t perChunk = format.chunkColumns(), perWord = 4;
  const int64_t chunks = format.blockColumns() / perChunk;
  OpBuilder &b = e.b;
  Location loc = e.loc;
  Value table = op.getTable();
  auto vectorOf = [&](Type type) { return VectorType::get({perWord}, type); };
  auto splat = [&](Value x) -> Value {
    return vector::BroadcastOp::create(b, loc, vectorOf(x.getType()), x);
  };
  auto constant = [&](int64_t value) {
    return splat(arith::ConstantIntOp::create(b, loc, b.getI32Type(), value));
  };
  /// A float of `type`, bytes from `offset` on, as f32.
  auto floatAt = [&](Value panel, Value offset, Type type) {
    int64_t bytes = type.getIntOrFloatBitWidth() / 8;
    Value raw =
        vector::LoadOp::create(b, loc, VectorType::get({bytes}, b.getI8Type()),
                               table, ValueRange{panel, offset});
    Value one =
        vector::BitCastOp::create(b, loc, VectorType::get({1}, type), raw);
    return splat(e.extend(vector::ExtractOp::create(b, loc, one, 0)));
  };
  auto scaled = [&](Value index, int64_t factor) {
    return e.mul(index, e.index(factor));
  };
  e.loop(e.index(0), e.dim(op.getInit(), 0), [&](Value row) {
    Value index = e.loadIndex(op.getIndices(), {row});
    Value panel = e.div(index, e.index(FormatRecord::panelRows));
    Value lane = e.rem(index, e.index(FormatRecord::panelRows));
    Value scale;
    if (!format.group)
      scale =
          floatAt(panel,
                  e.add(scaled(lane, 4), e.index(format.trailerOffset(columns) +
                                                 FormatRecord::chunkBytes)),
                  b.getF32Type());
    // The first `count` columns of chunk `c` of the row.
    auto gatherChunk = [&](Value c, int64_t count) {
      Value block = scaled(e.div(c, e.index(chunks)), format.blockBytes());
      Value inside = e.rem(c, e.index(chunks));
      Value offset = e.add(e.add(block, scaled(lane, perWord)),
                           scaled(inside, FormatRecord::chunkBytes));
      Value word = vector::LoadOp::create(b, loc, vectorOf(b.getI8Type()),
                                          table, ValueRange{panel, offset});
      word = arith::ExtUIOp::create(b, loc, vectorOf(b.getI32Type()), word);
      auto floatOfGroup = [&](int64_t begin) {
        Value group = e.div(inside, e.index(format.group / perChunk));
        Value entry =
            scaled(group, FormatRecord::panelRows * format.scaleBytes);
        entry = e.add(entry, scaled(lane, format.scaleBytes));
        return floatAt(panel, e.add(e.add(block, entry), e.index(begin)),
                       format.type(b.getContext()));
      };
      Value factor = scale ? scale : floatOfGroup(format.scalesOffset());
      Value minimum;
      if (format.hasMinimum)
        minimum = floatOfGroup(format.minimaOffset());
      for (int64_t first = 0; first < count; first += perWord) {
        Value u = word;
        if (format.bits < 8) {
          u = arith::ShRUIOp::create(b, loc, u,
                                     constant(first / perWord * format.bits));
          u = arith::AndIOp::create(b, loc, u,
                                    constant((1 << format.bits) - 1));
        }
        Value x =
            arith::SIToFPOp::create(b, loc, vectorOf(b.getF32Type()),
                                    e.sub(u, constant(format.zeroPoint())));
        x = minimum ? e.fma(x, factor, minimum)
                    : arith::MulFOp::create(b, loc, x, factor).getResult();
        if (count - first < perWord)
          x = vector::ExtractStridedSliceOp::create(b, loc, x, {0},
                                                    {count - first}, {1});
        vector::StoreOp::create(
            b, loc, x, op.getInit(),
            ValueRange{row, e.add(scaled(c, perChunk), e.index(first))});
      }
    };
    const int64_t whole = columns / perChunk;
    if (whole)
      e.loop(e.index(0), e.index(whole),
             [&](Value c) { gatherChunk(c, perChunk); });
    if (columns % perChunk)
      gatherChunk(e.index(whole), columns % perChunk);
  });
}
