//===- Cache.cpp - Rows into the KV cache -----------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Keys lie by head dimension, so that scores of neighbouring positions are the
// lanes of one vector: as many rows as a vector has lanes are transposed at
// once. Rows that no such tile holds, such as the one of a generated token, are
// scattered element by element.
//
//===----------------------------------------------------------------------===//
#include "Emitter.h"

using namespace mlir;
using namespace smelt;

namespace {

/// Writes the rows of one op.
class Appender {
public:
  Appender(Emitter &e, kernel::KVAppendOp op) : e(e), op(op) {
    MemRefType pool = op.getKPool().getType();
    size = pool.getDimSize(3);
    element = pool.getElementType();
    if (isScaled())
      inverses =
          e.stackBuffer(op, MemRefType::get({e.lanes()}, e.b.getF32Type()));
  }
  void emit();

private:
  bool isScaled() { return !op.getScales().empty(); }
  SmallVector<Value> at(std::initializer_list<Value> rest) {
    SmallVector<Value> indices = {op.getLayer(), id};
    indices.append(rest);
    return indices;
  }
  /// Elements of a row of `x`, from d on.
  Value load(Value x, Value row, Value d, Value mask) {
    return e.loadVector(x, {row, e.add(e.mul(head, e.index(size)), d)}, mask);
  }
  Value times(Value x, Value scalar) {
    return arith::MulFOp::create(e.b, e.loc, x, e.splat(scalar));
  }
  Value emitScale(Value x, Value row, Value p, Value scales);
  Value convert(Value x);
  int64_t countOf(Value mask);

  void emitValues(Value row, Value p);
  void scatterKeys(Value row, Value p);
  void transposeKeys(Value row, Value p);

  Emitter &e;
  kernel::KVAppendOp op;
  int64_t size;
  Type element;
  Value inverses; // memref<lanes>: what the keys of a tile are multiplied with
  Value id, head; // of the block; of the row's part
};

} // namespace

/// Stores the scale of a row of `x` and returns what makes it integers.
Value Appender::emitScale(Value x, Value row, Value p, Value scales) {
  Value none =
      e.splat(arith::ConstantIntOp::create(e.b, e.loc, e.b.getI32Type(), 0));
  Value magnitudes = e.vectors(
      size, ValueRange{none},
      [&](Value d, Value mask, ValueRange most) -> Emitter::Values {
        return {arith::MaxSIOp::create(e.b, e.loc, most[0],
                                       magnitudesOf(e, load(x, row, d, mask)))};
      })[0];
  Value most = largestOf(e, magnitudes), limit = e.real(127);
  auto over = [&](Value numerator, Value denominator) -> Value {
    return zeroIfSmall(
        e, most, arith::DivFOp::create(e.b, e.loc, numerator, denominator));
  };
  e.store(over(most, limit), scales, at({head, p}));
  return over(limit, most);
}

/// A vector as the pool stores it; integers after multiplication.
Value Appender::convert(Value x) {
  if (!isScaled())
    return e.round(x, element);
  return arith::TruncIOp::create(e.b, e.loc, e.vectorOf(element),
                                 roundToBits(e, x));
}

void Appender::emitValues(Value row, Value p) {
  Value inverse;
  if (isScaled())
    inverse = emitScale(op.getV(), row, p, op.getScales()[1]);
  // A pool whose rows are padded takes whole vectors.
  int64_t padded = llvm::alignTo(size, e.lanes());
  bool isPadded = op.getVPool().getType().getDimSize(4) >= padded;
  e.vectors(size, [&](Value d, Value mask) {
    Value v = load(op.getV(), row, d, mask);
    e.storeVector(convert(inverse ? times(v, inverse) : v), op.getVPool(),
                  at({head, p, d}), isPadded ? Value() : mask);
  });
}

/// Elements of the vector at d with `mask`.
int64_t Appender::countOf(Value mask) {
  return mask ? size % e.lanes() : e.lanes();
}

void Appender::scatterKeys(Value row, Value p) {
  Value inverse;
  if (isScaled())
    inverse = emitScale(op.getK(), row, p, op.getScales()[0]);
  e.vectors(size, [&](Value d, Value mask) {
    Value k = load(op.getK(), row, d, mask);
    k = convert(inverse ? times(k, inverse) : k);
    for (int64_t lane = 0; lane < countOf(mask); ++lane)
      e.store(vector::ExtractOp::create(e.b, e.loc, k, lane), op.getKPool(),
              at({head, e.add(d, e.index(lane)), p}));
  });
}

/// As many rows as a vector has lanes, from `row` on, which lie in one block.
void Appender::transposeKeys(Value row, Value p) {
  if (isScaled())
    e.loop(e.index(0), e.index(e.lanes()), [&](Value i) {
      e.store(
          emitScale(op.getK(), e.add(row, i), e.add(p, i), op.getScales()[0]),
          inverses, {i});
    });
  e.vectors(size, [&](Value d, Value mask) {
    Emitter::Values rows;
    for (int64_t i = 0; i < e.lanes(); ++i) {
      rows.push_back(load(op.getK(), e.add(row, e.index(i)), d, mask));
      if (isScaled())
        rows[i] = times(rows[i], e.load(inverses, {e.index(i)}));
    }
    transpose(e, rows);
    for (int64_t i = 0; i < countOf(mask); ++i)
      e.storeVector(convert(rows[i]), op.getKPool(),
                    at({head, e.add(d, e.index(i)), p}));
  });
}

void Appender::emit() {
  MemRefType pool = op.getKPool().getType();
  Value heads = e.index(pool.getDimSize(2)),
        block = e.index(pool.getDimSize(4));
  Value rows = e.dim(op.getK(), 0), lanes = e.index(e.lanes());
  e.loopWhileBelow(e.index(0), rows, [&](Value row) -> Value {
    Value slot = e.load(op.getSlots(), {row});
    Value position = e.loadIndex(op.getPositions(), {row});
    Value slotIndex =
        arith::IndexCastOp::create(e.b, e.loc, e.b.getIndexType(), slot);
    id = e.loadIndex(op.getTable(), {slotIndex, e.div(position, block)});
    Value p = e.rem(position, block);
    // The rows of a sequence are adjacent, and their positions ascend.
    auto compare = [&](arith::CmpIPredicate predicate, Value x,
                       Value y) -> Value {
      return arith::CmpIOp::create(e.b, e.loc, predicate, x, y);
    };
    Value last = e.add(row, e.index(e.lanes() - 1));
    Value fits = compare(arith::CmpIPredicate::ult, last, rows);
    Value within = arith::SelectOp::create(e.b, e.loc, fits, last, row);
    Value isWhole = arith::AndIOp::create(
        e.b, e.loc,
        arith::AndIOp::create(e.b, e.loc, fits,
                              compare(arith::CmpIPredicate::eq, slot,
                                      e.load(op.getSlots(), {within}))),
        compare(arith::CmpIPredicate::ule, e.add(p, lanes), block));
    Value count =
        arith::SelectOp::create(e.b, e.loc, isWhole, lanes, e.index(1));
    e.loop(e.index(0), heads, [&](Value h) {
      head = h;
      e.branch(
          isWhole, [&] { transposeKeys(row, p); },
          [&] { scatterKeys(row, p); });
      e.loop(e.index(0), count,
             [&](Value i) { emitValues(e.add(row, i), e.add(p, i)); });
    });
    return e.add(row, count);
  });
}

void smelt::emitKVAppend(Emitter &e, kernel::KVAppendOp op) {
  Appender(e, op).emit();
}
