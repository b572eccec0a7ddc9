//===- Attention.cpp - Softmax by blocks of 64 positions -*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Some tokens of a sequence and all query heads of one kv head go through keys
// and values together, block by block of 64 positions, so that a block is read
// from memory once; within a block, register tiles of a few rows go through it
// one after the other. Each block has its own maximum, sum and output for each
// row, which are merged in order of position (the online softmax of Milakov and
// Gimelshein 2018, in fixed blocks):
//
//     s[r, p] = scale * sum_d q[r, d] * k[d, p]      lanes are positions
//     m_b = max_p s, e[p] = exp(s[p] - m_b), l_b = sum_p e
//     o_b[r, d] = sum_p e[r, p] * v[p, d]            lanes are columns
//     m' = max(m, m_b); l = l * exp(m - m') + l_b * exp(m_b - m'); o likewise
//
// A position that a row doesn't see has s = -inf and adds +0; a block of which
// it sees nothing leaves (l, o) as they are. So a row's bits are the same in
// every tile. Where keys and values lie is all that differs between the ops.
//
// A cache of integers is read as it is stored: the scale of a position's keys
// multiplies its score, that of its values its e before it multiplies them.
//
//===----------------------------------------------------------------------===//
#include "Emitter.h"

#include "smelt/Transforms/Vector/LaneTree.h"

using namespace mlir;
using namespace smelt;

namespace {

constexpr int64_t kBlock = 64;
/// Rows that share a block while it is in the cache.
constexpr int64_t kSharingRows = 24;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// The maximum of nothing. Finite: the exponential of what it differs by from
/// itself is 1, from any score 0.
constexpr double kLowest = -std::numeric_limits<float>::max();

/// Keys and values of one block of positions.
struct KVBlock {
  /// `lanes` keys of head dimension d from position p of the block on.
  std::function<Value(Value d, Value p)> keys;
  /// `lanes` value columns from d on at position p.
  std::function<Value(Value p, Value d, Value mask)> values;
  /// What keys and values of `lanes` positions from p on are to be multiplied
  /// with, if they are integers.
  std::function<Value(Value p)> keyScales, valueScales;
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

/// Buffers on the stack.
struct Scratch {
  Value weights; // [rows of a tile, 64]: s, then e
  Value merging; // [m_b | l_b | exp(m - m') | exp(m_b - m')][rows of a tile]
  Value state;   // [m | l][rows that share a block]
};

/// `tokens` rows from `row` on, `members` query heads from `column` on.
class QueryTile {
public:
  QueryTile(Emitter &e, const Attention &attention, const Scratch &scratch,
            int64_t tokens, int64_t members, Value row, Value column,
            Value place)
      : e(e), op(attention), scratch(scratch), tokens(tokens), members(members),
        row(row), column(column), place(place) {}

  void begin();
  /// Merges what its rows see of block `b`.
  void emitBlock(const KVBlock &block, Value b);
  void finish();

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
  /// Where (m, l) of row r is.
  SmallVector<Value> stateOf(int64_t number, Value r) {
    return {e.index(number), e.add(place, r)};
  }

  void emitScores(const KVBlock &block);
  void emitWeights(const KVBlock &block, Value b, bool isMasked);
  void emitMerge();
  void emitValues(const KVBlock &block, Value first, Value count);

  Value maskUnseen(Value score, Value p, Value first, Value count);
  Value reduce(Value vector, function_ref<Value(Value, Value)> combine);

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
  Value compare(arith::CmpIPredicate predicate, Value x, Value y) {
    return arith::CmpIOp::create(e.b, e.loc, predicate, x, y);
  }

  Emitter &e;
  const Attention &op;
  const Scratch &scratch;
  int64_t tokens, members;
  Value row, column;
  Value place; // of the first row in the state
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
               e.storeVector(sums[r * vectors + v], scratch.weights,
                             {e.index(r), e.add(p, e.index(v * e.lanes()))});
           return {};
         });
}

/// Scores of positions p on, -inf outside [first, count).
Value QueryTile::maskUnseen(Value score, Value p, Value first, Value count) {
  Type i32 = e.b.getI32Type();
  auto bound = [&](Value limit) {
    return e.splat(
        arith::IndexCastOp::create(e.b, e.loc, i32, e.sub(limit, p)));
  };
  SmallVector<int32_t> lanes;
  for (int64_t lane = 0; lane < e.lanes(); ++lane)
    lanes.push_back(lane);
  Value position = arith::ConstantOp::create(
      e.b, e.loc, DenseElementsAttr::get(e.vectorOf(i32), ArrayRef(lanes)));
  Value after = compare(arith::CmpIPredicate::sge, position, bound(first));
  Value before = compare(arith::CmpIPredicate::slt, position, bound(count));
  Value seen = arith::AndIOp::create(e.b, e.loc, after, before);
  return arith::SelectOp::create(e.b, e.loc, seen, score,
                                 e.splat(e.real(-kInfinity)));
}

Value QueryTile::reduce(Value vector,
                        function_ref<Value(Value, Value)> combine) {
  return emitLaneTree(e.b, e.loc, vector,
                      [&](OpBuilder &, Location, Value low, Value high) {
                        return combine(low, high);
                      });
}

/// s becomes e, row by row, with m_b and l_b of each.
void QueryTile::emitWeights(const KVBlock &block, Value b, bool isMasked) {
  constexpr int64_t unroll = 2; // vectors a turn, for the scheduler
  int64_t step = unroll * e.lanes();
  auto larger = [&](Value x, Value y) { return e.larger(x, y); };
  auto sum = [&](Value x, Value y) { return addf(x, y); };
  /// Two vectors of row r a turn, and what both have led to.
  auto each = [&](Value r, Value start,
                  function_ref<Value(Value p, Value x, Value carried)> body) {
    return e.loop(
        e.index(0), e.index(kBlock), step, Emitter::Values(unroll, start),
        [&](Value p, ValueRange carried) {
          Emitter::Values next;
          for (int64_t u = 0; u < unroll; ++u) {
            Value at = e.add(p, e.index(u * e.lanes()));
            next.push_back(
                body(at, e.loadVector(scratch.weights, {r, at}), carried[u]));
          }
          return next;
        });
  };
  Value scale = e.splat(e.real(op.scale));
  e.loop(e.index(0), e.index(rows()), [&](Value r) {
    Value first, count;
    if (isMasked) {
      auto [begin, end] = op.range(e.add(row, e.div(r, e.index(members))));
      Value start = e.mul(b, e.index(kBlock));
      first = e.sub(begin, start);
      count = e.sub(end, start);
    }
    Emitter::Values most =
        each(r, e.splat(e.real(kLowest)), [&](Value p, Value s, Value most) {
          s = mulf(s, scale);
          if (block.keyScales)
            s = mulf(s, block.keyScales(p));
          if (isMasked)
            s = maskUnseen(s, p, first, count);
          e.storeVector(s, scratch.weights, {r, p});
          return e.larger(s, most);
        });
    Value mb = reduce(larger(most[0], most[1]), larger);
    Value top = e.splat(mb);
    Emitter::Values sums =
        each(r, e.zeros(), [&](Value p, Value s, Value total) {
          Value weight = exp(subf(s, top));
          total = addf(total, weight);
          if (block.valueScales)
            weight = mulf(weight, block.valueScales(p));
          e.storeVector(weight, scratch.weights, {r, p});
          return total;
        });
    e.store(mb, scratch.merging, {e.index(0), r});
    e.store(reduce(addf(sums[0], sums[1]), sum), scratch.merging,
            {e.index(1), r});
  });
}

/// (m_b, l_b) of all rows merge into the state, lanes are rows.
void QueryTile::emitMerge() {
  e.vectors(rows(), [&](Value r, Value mask) {
    auto load = [&](int64_t number) {
      return e.loadVector(scratch.merging, {e.index(number), r}, mask);
    };
    Value mb = load(0), lb = load(1);
    Value m = e.loadVector(scratch.state, stateOf(0, r), mask);
    Value l = e.loadVector(scratch.state, stateOf(1, r), mask);
    Value next = e.larger(m, mb);
    Value keep = exp(subf(m, next)), take = exp(subf(mb, next));
    e.storeVector(next, scratch.state, stateOf(0, r), mask);
    e.storeVector(e.fma(lb, take, mulf(l, keep)), scratch.state, stateOf(1, r),
                  mask);
    e.storeVector(keep, scratch.merging, {e.index(2), r}, mask);
    e.storeVector(take, scratch.merging, {e.index(3), r}, mask);
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
                   Value weight =
                       e.splat(e.load(scratch.weights, {e.index(r), p}));
                   for (int64_t v = 0; v < vectors; ++v)
                     inner[r * vectors + v] =
                         e.fma(weight, values[v], inner[r * vectors + v]);
                 }
                 return inner;
               });
    for (int64_t r = 0; r < rows(); ++r) {
      auto factor = [&](int64_t number) {
        return e.splat(e.load(scratch.merging, {e.index(number), e.index(r)}));
      };
      Value keep = factor(2), take = factor(3);
      for (int64_t v = 0; v < vectors; ++v) {
        SmallVector<Value> place = at(r, columns[v]);
        Value old = mulf(e.loadVector(op.init, place, masks[v]), keep);
        e.storeVector(e.fma(sums[r * vectors + v], take, old), op.init, place,
                      masks[v]);
      }
    }
  }
}

void QueryTile::begin() {
  for (int64_t r = 0; r < rows(); ++r)
    e.vectors(op.size, [&](Value d, Value mask) {
      e.storeVector(e.zeros(), op.init, at(r, d), mask);
    });
  e.vectors(rows(), [&](Value r, Value mask) {
    e.storeVector(e.splat(e.real(kLowest)), scratch.state, stateOf(0, r), mask);
    e.storeVector(e.zeros(), scratch.state, stateOf(1, r), mask);
  });
}

void QueryTile::emitBlock(const KVBlock &block, Value b) {
  // Rows ascend: the first sees from furthest back, the last furthest on.
  std::pair<Value, Value> head = op.range(row);
  std::pair<Value, Value> tail = op.range(e.add(row, e.index(tokens - 1)));
  Value start = e.mul(b, e.index(kBlock)), end = e.add(start, e.index(kBlock));
  Value first = e.sub(maximum(head.first, start), start);
  Value count = e.sub(minimum(tail.second, end), start);
  e.branch(compare(arith::CmpIPredicate::slt, first, count), [&] {
    emitScores(block);
    Value isInside = arith::AndIOp::create(
        e.b, e.loc, compare(arith::CmpIPredicate::sle, tail.first, start),
        compare(arith::CmpIPredicate::sge, head.second, end));
    e.branch(
        isInside, [&] { emitWeights(block, b, /*isMasked=*/false); },
        [&] { emitWeights(block, b, /*isMasked=*/true); });
    emitMerge();
    emitValues(block, first, count);
  });
}

void QueryTile::finish() {
  for (int64_t r = 0; r < rows(); ++r) {
    Value sum = e.splat(e.load(scratch.state, stateOf(1, e.index(r))));
    e.vectors(op.size, [&](Value d, Value mask) {
      SmallVector<Value> place = at(r, d);
      Value value = e.loadVector(op.init, place, mask);
      e.storeVector(arith::DivFOp::create(e.b, e.loc, value, sum), op.init,
                    place, mask);
    });
  }
}

/// Tokens and query heads of a register tile.
struct TileShape {
  int64_t tokens, members;
};

/// An op in tiles as large as registers and sequences allow.
class AttentionEmitter {
public:
  AttentionEmitter(Emitter &e, Operation *anchor, const Attention &op);
  void emit();

private:
  /// The tiles of `count` tokens from `row` on.
  void forEachTile(Value row, Value count, Value head,
                   function_ref<void(QueryTile &)> body);
  /// Query heads in tiles of `tokens` tokens, `members` heads each.
  void forEachMember(Value row, Value number, Value head, TileShape shape,
                     int64_t from, int64_t to,
                     function_ref<void(QueryTile &)> body);
  /// Tokens from `row` on that belong to one sequence, up to `sharing`.
  Value countTokens(Value row, Value rows);

  Emitter &e;
  const Attention &op;
  TileShape shape; // where there are enough tokens
  int64_t sharing; // tokens that share a block
  Scratch scratch;
};

AttentionEmitter::AttentionEmitter(Emitter &e, Operation *anchor,
                                   const Attention &op)
    : e(e), op(op), shape{0, 0} {
  // The most rows; of those the most heads, for which fewer tokens suffice.
  for (int64_t members = 1; members <= std::min(op.group, e.target.rowTile);
       ++members) {
    int64_t tokens = e.target.rowTile / members;
    if (op.group % members == 0 &&
        tokens * members >= shape.tokens * shape.members)
      shape = {tokens, members};
  }
  sharing =
      llvm::alignTo(llvm::divideCeil(kSharingRows, op.group), shape.tokens);
  auto buffer = [&](ArrayRef<int64_t> sizes) {
    return e.stackBuffer(anchor, MemRefType::get(sizes, e.b.getF32Type()));
  };
  scratch = {buffer({e.target.rowTile, kBlock}), buffer({4, e.target.rowTile}),
             buffer({2, sharing * op.group})};
}

void AttentionEmitter::forEachMember(Value row, Value number, Value head,
                                     TileShape shape, int64_t from, int64_t to,
                                     function_ref<void(QueryTile &)> body) {
  e.loop(e.index(from), e.index(to), shape.members, {},
         [&](Value member, ValueRange) -> Emitter::Values {
           Value queryHead = e.add(e.mul(head, e.index(op.group)), member);
           Value place = e.add(e.mul(number, e.index(op.group)),
                               e.mul(member, e.index(shape.tokens)));
           QueryTile tile(e, op, scratch, shape.tokens, shape.members,
                          e.add(row, number),
                          e.mul(queryHead, e.index(op.size)), place);
           body(tile);
           return {};
         });
}

void AttentionEmitter::forEachTile(Value row, Value count, Value head,
                                   function_ref<void(QueryTile &)> body) {
  Value tokens = e.index(shape.tokens);
  Value whole = e.mul(e.div(count, tokens), tokens);
  if (shape.tokens > 1)
    e.loop(e.index(0), whole, shape.tokens, {},
           [&](Value number, ValueRange) -> Emitter::Values {
             forEachMember(row, number, head, shape, 0, op.group, body);
             return {};
           });
  // Heads of one token: parts that differ by one head at most.
  int64_t parts = llvm::divideCeil(op.group, e.target.rowTile);
  int64_t members = op.group / parts, larger = op.group % parts;
  int64_t border = larger * (members + 1);
  e.loop(shape.tokens > 1 ? whole : e.index(0), count, [&](Value number) {
    if (larger)
      forEachMember(row, number, head, {1, members + 1}, 0, border, body);
    forEachMember(row, number, head, {1, members}, border, op.group, body);
  });
}

Value AttentionEmitter::countTokens(Value row, Value rows) {
  Value limit =
      arith::MinSIOp::create(e.b, e.loc, e.index(sharing), e.sub(rows, row));
  auto loop = scf::WhileOp::create(
      e.b, e.loc, TypeRange(e.b.getIndexType()), ValueRange(e.index(1)),
      [&](OpBuilder &, Location, ValueRange i) {
        Value isBelow = arith::CmpIOp::create(
            e.b, e.loc, arith::CmpIPredicate::slt, i[0], limit);
        Value other =
            arith::SelectOp::create(e.b, e.loc, isBelow, i[0], e.index(0));
        Value isSame = op.isSameSequence(row, e.add(row, other));
        scf::ConditionOp::create(
            e.b, e.loc, arith::AndIOp::create(e.b, e.loc, isBelow, isSame), i);
      },
      [&](OpBuilder &, Location, ValueRange i) {
        scf::YieldOp::create(e.b, e.loc, e.add(i[0], e.index(1)));
      });
  return loop.getResult(0);
}

void AttentionEmitter::emit() {
  Value zero = e.index(0), rows = e.dim(op.q, 0), block = e.index(kBlock);
  Value heads = e.div(e.dim(op.q, 1), e.index(op.group * op.size));
  e.loopWhileBelow(rows, [&](Value row) -> Value {
    Value count = countTokens(row, rows);
    Value last = e.sub(e.add(row, count), e.index(1));
    Value begin = e.div(op.range(row).first, block);
    Value end = e.div(e.add(op.range(last).second, e.index(kBlock - 1)), block);
    e.loop(zero, heads, [&](Value head) {
      forEachTile(row, count, head, [](QueryTile &tile) { tile.begin(); });
      e.loop(begin, end, [&](Value b) {
        KVBlock kv = op.block(row, head, b);
        forEachTile(row, count, head,
                    [&](QueryTile &tile) { tile.emitBlock(kv, b); });
      });
      forEachTile(row, count, head, [](QueryTile &tile) { tile.finish(); });
    });
    return e.add(row, count);
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
    // Rows of values that are padded are read in whole vectors.
    int64_t padded = llvm::alignTo(attention.size, e.lanes());
    bool isPadded = op.getVPool().getType().getDimSize(4) >= padded;
    KVBlock block;
    block.keys = [&e, op, id, poolHead](Value d, Value p) mutable {
      return e.loadVector(op.getKPool(), {op.getLayer(), id, poolHead, d, p});
    };
    block.values = [&e, op, id, poolHead, isPadded](Value p, Value d,
                                                    Value mask) mutable {
      return e.loadVector(op.getVPool(), {op.getLayer(), id, poolHead, p, d},
                          isPadded ? Value() : mask);
    };
    auto scales = [&e, op, id, poolHead](unsigned which) {
      return [&e, op, id, poolHead, which](Value p) mutable {
        return e.loadVector(op.getScales()[which],
                            {op.getLayer(), id, poolHead, p});
      };
    };
    if (!op.getScales().empty()) {
      block.keyScales = scales(0);
      block.valueScales = scales(1);
    }
    return block;
  };
  AttentionEmitter(e, op, attention).emit();
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
  AttentionEmitter(e, op, attention).emit();
}
