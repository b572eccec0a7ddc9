//===- Attention.cpp - Softmax by blocks of 64 positions -*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tile of query rows that share keys and values: some tokens of a sequence,
// some query heads of one kv head. Each block of 64 positions has its own
// maximum, sum and output for each row, which are merged in order of position
// (the online softmax of Milakov and Gimelshein 2018, in fixed blocks):
//
//     s[r, p] = scale * sum_d q[r, d] * k[d, p]      lanes are positions
//     m_b = max_p s, e[p] = exp(s[p] - m_b), l_b = sum_p e
//     o_b[r, d] = sum_p e[r, p] * v[p, d]            lanes are columns
//     m' = max(m, m_b); l = l * exp(m - m') + l_b * exp(m_b - m'); o likewise
//
// A position that a row doesn't see has s = -inf and adds +0; a block of which
// it sees nothing leaves (m, l, o) as they are. So a row's bits are the same in
// every tile. Where keys and values lie is all that differs between the ops.
//
//===----------------------------------------------------------------------===//
#include "Emitter.h"

#include "smelt/Transforms/Vector/LaneTree.h"

using namespace mlir;
using namespace smelt;

namespace {

constexpr int64_t kBlock = 64;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Keys and values of one block of positions.
struct KVBlock {
  /// `lanes` keys of head dimension d from position p of the block on.
  std::function<Value(Value d, Value p)> keys;
  /// `lanes` value columns from d on at position p.
  std::function<Value(Value p, Value d, Value mask)> values;
};

/// An attention op without its tile sizes.
struct Attention {
  Value q, init; // [rows, heads * group * size]
  int64_t size, group;
  double scale;
  /// Whether two rows belong to one sequence.
  std::function<Value(Value row, Value other)> isSameSequence;
  /// Positions [begin, end) that a row sees.
  std::function<std::pair<Value, Value>(Value row)> range;
  /// Block `b` of the sequence of `row`.
  std::function<KVBlock(Value row, Value head, Value b)> block;
};

/// `tokens` rows from `row` on, `members` query heads from `column` on.
class QueryTile {
public:
  QueryTile(Emitter &e, const Attention &attention, Value weights, Value state,
            int64_t tokens, int64_t members)
      : e(e), op(attention), weights(weights), state(state), tokens(tokens),
        members(members) {}

  void emit(Value row, Value column, Value head);

private:
  int64_t rows() const { return tokens * members; }
  /// Indices of element d of row r of the tile.
  SmallVector<Value> at(int64_t r, Value d) {
    Value token = r < members ? row : e.add(row, e.index(r / members));
    Value offset = r % members == 0
                       ? column
                       : e.add(column, e.index(r % members * op.size));
    return {token, e.add(offset, d)};
  }
  /// The part of block `b` between two positions.
  std::pair<Value, Value> within(Value b, Value begin, Value end) {
    Value start = e.mul(b, e.index(kBlock));
    return {maximum(e.index(0), e.sub(begin, start)),
            minimum(e.index(kBlock), e.sub(end, start))};
  }

  void emitScores(const KVBlock &block);
  void emitSoftmax(Value b);
  void emitValues(const KVBlock &block, Value first, Value count);

  Emitter::Values maskUnseen(Emitter::Values scores, Value first, Value count);
  Value reduce(Emitter::Values vectors,
               function_ref<Value(Value, Value)> combine);

  Value exp(Value x) { return math::ExpOp::create(e.b, e.loc, x); }
  Value addf(Value x, Value y) {
    return arith::AddFOp::create(e.b, e.loc, x, y);
  }
  Value mulf(Value x, Value y) {
    return arith::MulFOp::create(e.b, e.loc, x, y);
  }
  Value subf(Value x, Value y) {
    return arith::SubFOp::create(e.b, e.loc, x, y);
  }
  Value minimum(Value x, Value y) {
    return arith::MinSIOp::create(e.b, e.loc, x, y);
  }
  Value maximum(Value x, Value y) {
    return arith::MaxSIOp::create(e.b, e.loc, x, y);
  }

  Emitter &e;
  const Attention &op;
  Value weights; // memref<rows x 64>: s, then e
  Value state;   // memref<rows x 4>: m, l, exp(m - m'), exp(m_b - m')
  int64_t tokens, members;
  Value row, column;
};

/// s of the block, without scale.
void QueryTile::emitScores(const KVBlock &block) {
  int64_t vectors = e.columnVectors(rows(), kBlock / e.lanes());
  e.loop(e.index(0), e.index(kBlock), vectors * e.lanes(), {},
         [&](Value p, ValueRange) -> Emitter::Values {
           Emitter::Values sums = e.accumulate(
               op.size, Emitter::Values(rows() * vectors, e.zeros()),
               [&](Value d, Emitter::Values &sums) {
                 Emitter::Values keys;
                 for (int64_t v = 0; v < vectors; ++v)
                   keys.push_back(
                       block.keys(d, e.add(p, e.index(v * e.lanes()))));
                 for (int64_t r = 0; r < rows(); ++r) {
                   Value x = e.splat(e.load(op.q, at(r, d)));
                   for (int64_t v = 0; v < vectors; ++v)
                     sums[r * vectors + v] =
                         e.fma(x, keys[v], sums[r * vectors + v]);
                 }
               });
           for (int64_t r = 0; r < rows(); ++r)
             for (int64_t v = 0; v < vectors; ++v)
               e.storeVector(sums[r * vectors + v], weights,
                             {e.index(r), e.add(p, e.index(v * e.lanes()))});
           return {};
         });
}

/// Scaled scores, -inf outside [first, count).
Emitter::Values QueryTile::maskUnseen(Emitter::Values scores, Value first,
                                      Value count) {
  Type i32 = e.b.getI32Type();
  auto bound = [&](Value limit) {
    return e.splat(arith::IndexCastOp::create(e.b, e.loc, i32, limit));
  };
  Value from = bound(first), to = bound(count);
  Value unseen = e.splat(e.real(-kInfinity));
  Value scale = e.splat(e.real(op.scale));
  for (auto [v, score] : llvm::enumerate(scores)) {
    SmallVector<int32_t> positions;
    for (int64_t lane = 0; lane < e.lanes(); ++lane)
      positions.push_back(v * e.lanes() + lane);
    Value position = arith::ConstantOp::create(
        e.b, e.loc,
        DenseElementsAttr::get(e.vectorOf(i32), ArrayRef(positions)));
    Value after = arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::sge,
                                        position, from);
    Value before = arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::slt,
                                         position, to);
    Value seen = arith::AndIOp::create(e.b, e.loc, after, before);
    score =
        arith::SelectOp::create(e.b, e.loc, seen, mulf(score, scale), unseen);
  }
  return scores;
}

/// Combines vectors pairwise, then the lanes of the last.
Value QueryTile::reduce(Emitter::Values vectors,
                        function_ref<Value(Value, Value)> combine) {
  while (vectors.size() > 1) {
    Emitter::Values half;
    for (size_t i = 0; i < vectors.size(); i += 2)
      half.push_back(combine(vectors[i], vectors[i + 1]));
    vectors = half;
  }
  return emitLaneTree(e.b, e.loc, vectors[0],
                      [&](OpBuilder &, Location, Value low, Value high) {
                        return combine(low, high);
                      });
}

/// s becomes e, row by row, and the block's (m, l) merge into the state.
void QueryTile::emitSoftmax(Value b) {
  e.loop(e.index(0), e.index(rows()), [&](Value r) {
    auto [begin, end] = op.range(e.add(row, e.div(r, e.index(members))));
    auto [first, count] = within(b, begin, end);
    Emitter::Values s;
    for (int64_t p = 0; p < kBlock; p += e.lanes())
      s.push_back(e.loadVector(weights, {r, e.index(p)}));
    s = maskUnseen(s, first, count);
    // Finite, so that a block of which nothing is seen has e = exp(-inf).
    Value mb =
        e.larger(reduce(s, [&](Value x, Value y) { return e.larger(x, y); }),
                 e.real(-std::numeric_limits<float>::max()));
    for (auto [v, score] : llvm::enumerate(s)) {
      score = exp(subf(score, e.splat(mb)));
      e.storeVector(score, weights, {r, e.index(v * e.lanes())});
    }
    Value lb = reduce(s, [&](Value x, Value y) { return addf(x, y); });
    Value m = e.load(state, {r, e.index(0)}),
          l = e.load(state, {r, e.index(1)});
    Value next = e.larger(m, mb);
    Value keep = exp(subf(m, next)), take = exp(subf(mb, next));
    Value values[] = {next, e.fma(lb, take, mulf(l, keep)), keep, take};
    for (auto [i, value] : llvm::enumerate(values))
      e.store(value, state, {r, e.index(i)});
  });
}

/// o_b over positions [first, count) of the block, merged into the output.
void QueryTile::emitValues(const KVBlock &block, Value first, Value count) {
  int64_t all = llvm::divideCeil(op.size, e.lanes());
  int64_t vectors = e.columnVectors(rows(), all);
  for (int64_t start = 0; start < all; start += vectors) {
    SmallVector<Value> masks(vectors), columns(vectors);
    for (int64_t v = 0; v < vectors; ++v) {
      int64_t d = (start + v) * e.lanes();
      columns[v] = e.index(d);
      if (op.size - d < e.lanes())
        masks[v] = e.mask(e.index(op.size - d));
    }
    Emitter::Values sums =
        e.loop(first, count, 1, Emitter::Values(rows() * vectors, e.zeros()),
               [&](Value p, ValueRange carried) {
                 Emitter::Values inner(carried), values;
                 for (int64_t v = 0; v < vectors; ++v)
                   values.push_back(block.values(p, columns[v], masks[v]));
                 for (int64_t r = 0; r < rows(); ++r) {
                   Value weight = e.splat(e.load(weights, {e.index(r), p}));
                   for (int64_t v = 0; v < vectors; ++v)
                     inner[r * vectors + v] =
                         e.fma(weight, values[v], inner[r * vectors + v]);
                 }
                 return inner;
               });
    for (int64_t r = 0; r < rows(); ++r) {
      Value keep = e.splat(e.load(state, {e.index(r), e.index(2)}));
      Value take = e.splat(e.load(state, {e.index(r), e.index(3)}));
      for (int64_t v = 0; v < vectors; ++v) {
        SmallVector<Value> place = at(r, columns[v]);
        Value old = mulf(e.loadVector(op.init, place, masks[v]), keep);
        e.storeVector(e.fma(sums[r * vectors + v], take, old), op.init, place,
                      masks[v]);
      }
    }
  }
}

void QueryTile::emit(Value firstRow, Value firstColumn, Value head) {
  row = firstRow;
  column = firstColumn;
  for (int64_t r = 0; r < rows(); ++r) {
    e.vectors(op.size, [&](Value d, Value mask) {
      e.storeVector(e.zeros(), op.init, at(r, d), mask);
    });
    e.store(e.real(-kInfinity), state, {e.index(r), e.index(0)});
    e.store(e.real(0), state, {e.index(r), e.index(1)});
  }
  // Rows ascend: the first sees from furthest back, the last furthest on.
  Value begin = op.range(row).first;
  Value end = op.range(e.add(row, e.index(tokens - 1))).second;
  Value block = e.index(kBlock);
  e.loop(e.div(begin, block), e.div(e.add(end, e.index(kBlock - 1)), block),
         [&](Value b) {
           KVBlock kv = op.block(row, head, b);
           auto [first, count] = within(b, begin, end);
           emitScores(kv);
           emitSoftmax(b);
           emitValues(kv, first, count);
         });
  for (int64_t r = 0; r < rows(); ++r) {
    Value sum = e.splat(e.load(state, {e.index(r), e.index(1)}));
    e.vectors(op.size, [&](Value d, Value mask) {
      SmallVector<Value> place = at(r, d);
      Value value = e.loadVector(op.init, place, mask);
      e.storeVector(arith::DivFOp::create(e.b, e.loc, value, sum), op.init,
                    place, mask);
    });
  }
}

/// Room on the stack of the function.
Value stackBuffer(Emitter &e, Operation *op, ArrayRef<int64_t> shape) {
  OpBuilder::InsertionGuard guard(e.b);
  e.b.setInsertionPointToStart(
      &op->getParentOfType<func::FuncOp>().getBody().front());
  return memref::AllocaOp::create(e.b, e.loc,
                                  MemRefType::get(shape, e.b.getF32Type()),
                                  e.b.getI64IntegerAttr(64));
}

/// All rows and heads of an op, in tiles as large as registers and sequences
/// allow.
void emitTiles(Emitter &e, Operation *anchor, const Attention &op) {
  int64_t members = std::min(op.group, e.target.rowTile);
  while (op.group % members)
    --members;
  int64_t tokens = e.target.rowTile / members;
  Value weights = stackBuffer(e, anchor, {tokens * members, kBlock});
  Value state = stackBuffer(e, anchor, {tokens * members, 4});
  Value zero = e.index(0), rows = e.dim(op.q, 0);
  Value heads = e.div(e.dim(op.q, 1), e.index(op.group * op.size));

  auto emitTile = [&](Value row, Value head, int64_t count) {
    e.loop(zero, e.index(op.group), members, {},
           [&](Value member, ValueRange) -> Emitter::Values {
             Value queryHead = e.add(e.mul(head, e.index(op.group)), member);
             QueryTile(e, op, weights, state, count, members)
                 .emit(row, e.mul(queryHead, e.index(op.size)), head);
             return {};
           });
  };
  e.loop(zero, heads, [&](Value head) {
    e.loopWhileBelow(rows, [&](Value row) -> Value {
      Value last = e.add(row, e.index(tokens - 1));
      Value fits = arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::slt,
                                         last, rows);
      Value clamped = arith::SelectOp::create(e.b, e.loc, fits, last, row);
      Value isWhole = arith::AndIOp::create(e.b, e.loc, fits,
                                            op.isSameSequence(row, clamped));
      e.branch(
          isWhole, [&] { emitTile(row, head, tokens); },
          [&] { emitTile(row, head, 1); });
      return e.add(row, arith::SelectOp::create(e.b, e.loc, isWhole,
                                                e.index(tokens), e.index(1)));
    });
  });
}

} // namespace

void smelt::emitCachedAttention(Emitter &e, kernel::CachedAttentionOp op) {
  Attention attention;
  attention.q = op.getQ();
  attention.init = op.getInit();
  attention.size = op.getKPool().getType().getDimSize(3);
  attention.group = op.getGroup();
  attention.scale = op.getScale().convertToDouble();
  attention.isSameSequence = [&](Value row, Value other) -> Value {
    return arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::eq,
                                 e.load(op.getSlots(), {row}),
                                 e.load(op.getSlots(), {other}));
  };
  attention.range = [&](Value row) -> std::pair<Value, Value> {
    Value end = e.add(e.loadIndex(op.getPositions(), {row}), e.index(1));
    Value begin = e.index(0);
    if (op.getWindow())
      begin = arith::MaxSIOp::create(e.b, e.loc, begin,
                                     e.sub(end, e.index(*op.getWindow())));
    return {begin, end};
  };
  attention.block = [&](Value row, Value head, Value b) {
    Value slot = e.loadIndex(op.getSlots(), {row});
    Value id = e.loadIndex(op.getTable(), {slot, b});
    Value poolHead = e.add(op.getFirstHead(), head);
    KVBlock block;
    block.keys = [&e, op, id, poolHead](Value d, Value p) mutable {
      return e.loadVector(op.getKPool(), {op.getLayer(), id, poolHead, d, p});
    };
    block.values = [&e, op, id, poolHead](Value p, Value d,
                                          Value mask) mutable {
      return e.loadVector(op.getVPool(), {op.getLayer(), id, poolHead, p, d},
                          mask);
    };
    return block;
  };
  emitTiles(e, op, attention);
}

void smelt::emitAttention(Emitter &e, kernel::AttentionOp op) {
  Attention attention;
  attention.q = op.getQ();
  attention.init = op.getInit();
  attention.size = op.getSize();
  attention.group = op.getGroup();
  attention.scale = op.getScale().convertToDouble();
  attention.isSameSequence = [&](Value row, Value other) -> Value {
    return arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::eq,
                                 e.load(op.getBegin(), {row}),
                                 e.load(op.getBegin(), {other}));
  };
  // Positions count from the first row of the sequence.
  attention.range = [&](Value row) -> std::pair<Value, Value> {
    return {e.index(0), e.sub(e.loadIndex(op.getEnd(), {row}),
                              e.loadIndex(op.getBegin(), {row}))};
  };
  attention.block = [&](Value row, Value head, Value b) {
    Value start =
        e.add(e.loadIndex(op.getBegin(), {row}), e.mul(b, e.index(kBlock)));
    Value base = e.mul(head, e.index(op.getSize()));
    KVBlock block;
    block.keys = [&e, op, base, start](Value d, Value p) mutable {
      return e.loadVector(op.getKT(), {e.add(base, d), e.add(start, p)});
    };
    block.values = [&e, op, base, start](Value p, Value d, Value mask) mutable {
      return e.loadVector(op.getV(), {e.add(start, p), e.add(base, d)}, mask);
    };
    return block;
  };
  emitTiles(e, op, attention);
}
