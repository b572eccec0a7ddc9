//===- Attention.cpp - Softmax by blocks of 64 positions --------*- C++ -*-===//
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
//     s[r, p] = scale * log2(e) * sum_d q[r, d] * k[d, p]   lanes are positions
//     m_b = max_p s, e[p] = 2^(s[p] - m_b), l_b = sum_p e
//     o_b[r, d] = sum_p e[r, p] * v[p, d]                   lanes are columns
//     m' = max(m, m_b); l = l * 2^(m - m') + l_b * 2^(m_b - m'); o likewise
//
// A position that a row doesn't see has s = -inf and adds +0; a block of which
// it sees nothing leaves (l, o) as they are. So a row's bits are the same in
// every tile. Where keys and values lie is all that differs between the ops;
// keys that no cache holds transposed are transposed block by block.
//
// Where sequences are long, blocks fold to spans at fixed positions, whatever
// the row, and spans to the result, in order. A span's (m, l, o) can then be
// computed by any thread: few rows are split over their spans, and merged
// behind a barrier, with the bits of a row that one thread computes.
//
// A cache of integers is read as it is stored: the scale of a position's keys
// multiplies its score, that of its values its e before it multiplies them.
//
// What may be rounded to bf16 is, where the target then multiplies faster: rows
// of a step go through tile registers or, like those of a cache of bf16,
// through dot products of pairs (BF16QueryTile.h). All else is multiplied as
// f32.
//
//===----------------------------------------------------------------------===//
#include "BF16QueryTile.h"

using namespace mlir;
using namespace smelt;

namespace {

/// The log2 of the eighth of a power of two that the span of block `b` has, at
/// least 3.
Value spanPower(Emitter &e, Value b) {
  Type i64 = e.b.getI64Type();
  Value wide = arith::IndexCastOp::create(e.b, e.loc, i64, b);
  Value least = arith::ConstantIntOp::create(e.b, e.loc, i64, 64);
  wide = arith::MaxSIOp::create(e.b, e.loc, wide, least);
  Value zeros = math::CountLeadingZerosOp::create(e.b, e.loc, wide);
  // log2 is 63 less the zeros.
  Value power = e.sub(arith::ConstantIntOp::create(e.b, e.loc, i64, 60), zeros);
  return arith::IndexCastOp::create(e.b, e.loc, e.b.getIndexType(), power);
}

/// The block behind the span of block `b`, at most `end`.
Value spanEnd(Emitter &e, Value b, Value end) {
  Value power = spanPower(e, b);
  Value number = arith::ShRUIOp::create(e.b, e.loc, b, power);
  Value next =
      arith::ShLIOp::create(e.b, e.loc, e.add(number, e.index(1)), power);
  return arith::MinSIOp::create(e.b, e.loc, next, end);
}

/// The number of the span of block `b` (AttendSpansOp::countSpans).
Value spanNumber(Emitter &e, Value b) {
  Value power = spanPower(e, b);
  Value number = arith::ShRUIOp::create(e.b, e.loc, b, power);
  return e.add(number, e.mul(e.sub(power, e.index(3)), e.index(8)));
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
  /// A thread's spans of all rows.
  void emitSpans(kernel::AttendSpansOp spans);

private:
  /// Blocks [begin, end) that a row sees.
  std::pair<Value, Value> blocksOf(Value first, Value last);
  /// Blocks [b, end) of a span.
  void emitSpan(Value row, Value count, Value head, Value b, Value end);
  /// The tiles of `count` tokens from `row` on.
  void forEachTile(Value row, Value count, Value head,
                   function_ref<void(QueryTile &)> body);
  void forEachTileOfRegisters(Value row, Value count, Value head,
                              function_ref<void(QueryTile &)> body);
  void withTile(const TilePlace &at, function_ref<void(QueryTile &)> body);
  /// Query heads [from, to) in tiles of `members` heads each, of the tokens
  /// that lie from `number` to `last` behind `row`.
  void forEachMember(Value row, Value number, Value last, Value head,
                     TileShape shape, int64_t from, int64_t to,
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
  const bool inTiles = op.products == Products::Tiles;
  const int64_t rowTile = e.target.productRows(inTiles);
  // The most rows; of those the most heads, for which fewer tokens suffice. A
  // tile register's rows are of one head.
  const int64_t most = inTiles ? 1 : std::min(op.group, rowTile);
  for (int64_t members = 1; members <= most; ++members) {
    int64_t tokens = rowTile / members;
    if (op.group % members == 0 &&
        tokens * members >= shape.tokens * shape.members)
      shape = {tokens, members};
  }
  sharing = llvm::alignTo(llvm::divideCeil(op.sharing, op.group), shape.tokens);
  auto buffer = [&](ArrayRef<int64_t> sizes) {
    return e.stackBuffer(anchor, MemRefType::get(sizes, e.b.getF32Type()));
  };
  scratch.weights = buffer({rowTile, llm::blockPositions});
  scratch.merging = buffer({4, rowTile});
  scratch.state = buffer({4, sharing * op.group});
  scratch.outputs =
      buffer({sharing * op.group,
              static_cast<int64_t>(llvm::alignTo(op.size, e.lanes()))});
  if (op.products != Products::Floats)
    addRoundedScratch(e, anchor, op.size, sharing * op.group, rowTile, scratch);
}

void AttentionEmitter::forEachMember(Value row, Value number, Value last,
                                     Value head, TileShape shape, int64_t from,
                                     int64_t to,
                                     function_ref<void(QueryTile &)> body) {
  e.loop(e.index(from), e.index(to), shape.members, {},
         [&](Value member, ValueRange) -> Emitter::Values {
           Value queryHead = e.add(e.mul(head, e.index(op.group)), member);
           Value place = e.add(e.mul(number, e.index(op.group)),
                               e.mul(member, e.index(shape.tokens)));
           TilePlace at{shape.tokens,
                        shape.members,
                        e.add(row, number),
                        e.add(row, last),
                        e.mul(queryHead, e.index(op.size)),
                        place};
           withTile(at, body);
           return {};
         });
}

void AttentionEmitter::withTile(const TilePlace &at,
                                function_ref<void(QueryTile &)> body) {
  auto call = [&](QueryTile &&tile) { body(tile); };
  switch (op.products) {
  case Products::Floats:
    return call(FMAQueryTile(e, op, scratch, at));
  case Products::Pairs:
    return call(PairQueryTile(e, op, scratch, at));
  case Products::Tiles:
    return call(TileQueryTile(e, op, scratch, at));
  }
}

void AttentionEmitter::forEachTileOfRegisters(
    Value row, Value count, Value head, function_ref<void(QueryTile &)> body) {
  // The last one has what is left, of a tile register if that is enough.
  constexpr int64_t few = kernel::TileDotOp::maxRows;
  Value behind = e.index(shape.tokens - 1), end = e.sub(count, e.index(1));
  auto emit = [&](Value number, ValueRange) -> Emitter::Values {
    Value last = arith::MinSIOp::create(e.b, e.loc, e.add(number, behind), end);
    auto forShape = [&](TileShape shape) {
      forEachMember(row, number, last, head, shape, 0, op.group, body);
    };
    Value isMore = arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::sge,
                                         e.sub(last, number), e.index(few));
    e.branch(isMore, [&] { forShape(shape); }, [&] { forShape({few, 1}); });
    return {};
  };
  e.loop(e.index(0), count, shape.tokens, {}, emit);
}

void AttentionEmitter::forEachTile(Value row, Value count, Value head,
                                   function_ref<void(QueryTile &)> body) {
  if (op.products == Products::Tiles)
    return forEachTileOfRegisters(row, count, head, body);
  Value tokens = e.index(shape.tokens), behind = e.index(shape.tokens - 1);
  Value whole = e.mul(e.div(count, tokens), tokens);
  if (shape.tokens > 1)
    e.loop(e.index(0), whole, shape.tokens, {},
           [&](Value number, ValueRange) -> Emitter::Values {
             forEachMember(row, number, e.add(number, behind), head, shape, 0,
                           op.group, body);
             return {};
           });
  // Heads of one token: parts that differ by one head at most.
  int64_t parts = llvm::divideCeil(op.group, e.target.rowTile);
  int64_t members = op.group / parts, larger = op.group % parts;
  int64_t border = larger * (members + 1);
  e.loop(shape.tokens > 1 ? whole : e.index(0), count, [&](Value number) {
    if (larger)
      forEachMember(row, number, number, head, {1, members + 1}, 0, border,
                    body);
    forEachMember(row, number, number, head, {1, members}, border, op.group,
                  body);
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

std::pair<Value, Value> AttentionEmitter::blocksOf(Value first, Value last) {
  Value block = e.index(llm::blockPositions);
  Value end = e.add(op.range(last).second, e.index(llm::blockPositions - 1));
  return {e.div(op.range(first).first, block), e.div(end, block)};
}

void AttentionEmitter::emitSpan(Value row, Value count, Value head, Value b,
                                Value end) {
  forEachTile(row, count, head, [](QueryTile &tile) { tile.beginSpan(); });
  e.loop(b, end, [&](Value b) {
    KVBlock kv = op.block(row, head, b);
    forEachTile(row, count, head,
                [&](QueryTile &tile) { tile.emitBlock(kv, b); });
  });
}

void AttentionEmitter::emit() {
  Value rows = e.dim(op.q, 0);
  Value heads = e.div(e.dim(op.q, 1), e.index(op.group * op.size));
  e.loopWhileBelow(e.index(0), rows, [&](Value row) -> Value {
    Value count = countTokens(row, rows);
    Value last = e.sub(e.add(row, count), e.index(1));
    std::pair<Value, Value> blocks = blocksOf(row, last);
    e.loop(e.index(0), heads, [&](Value head) {
      forEachTile(row, count, head, [](QueryTile &tile) { tile.begin(); });
      if (!op.isSpanned)
        emitSpan(row, count, head, blocks.first, blocks.second);
      else
        e.loopWhileBelow(blocks.first, blocks.second, [&](Value b) -> Value {
          Value end = spanEnd(e, b, blocks.second);
          emitSpan(row, count, head, b, end);
          forEachTile(row, count, head,
                      [](QueryTile &tile) { tile.endSpan(); });
          return end;
        });
      forEachTile(row, count, head, [](QueryTile &tile) { tile.finish(); });
    });
    return e.add(row, count);
  });
}

void AttentionEmitter::emitSpans(kernel::AttendSpansOp spans) {
  Value rows = e.dim(op.q, 0), one = e.index(1);
  int64_t heads = spans.getKPool().getType().getDimSize(2);
  MemRefType partials = spans.getPartials().getType();
  int64_t stride = partials.getDimSize(0) /
                   (kernel::AttendSpansOp::maxRows * heads * op.group);
  auto lengthOf = [&](Value row) {
    std::pair<Value, Value> blocks = blocksOf(row, row);
    return e.sub(blocks.second, blocks.first);
  };
  // Blocks of all rows and heads lie in a row; a thread's part is [low, high).
  Value total =
      e.loop(e.index(0), rows, 1, ValueRange{e.index(0)},
             [&](Value row, ValueRange sum) -> Emitter::Values {
               return {e.add(sum[0], e.mul(lengthOf(row), e.index(heads)))};
             })[0];
  auto bound = [&](Value thread) {
    return e.div(e.mul(thread, total), spans.getThreads());
  };
  Value low = bound(spans.getThread());
  Value high = bound(e.add(spans.getThread(), one));
  auto isOwn = [&](Value place) -> Value {
    Value isAfter = arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::sge,
                                          place, low);
    Value isBefore = arith::CmpIOp::create(
        e.b, e.loc, arith::CmpIPredicate::slt, place, high);
    return arith::AndIOp::create(e.b, e.loc, isAfter, isBefore);
  };
  e.loop(e.index(0), rows, 1, ValueRange{e.index(0)},
         [&](Value row, ValueRange before) -> Emitter::Values {
           std::pair<Value, Value> blocks = blocksOf(row, row);
           Value length = e.sub(blocks.second, blocks.first);
           e.loop(e.index(0), e.index(heads), [&](Value head) {
             Value start = e.add(before[0], e.mul(head, length));
             Value line = e.mul(e.add(e.mul(row, e.index(heads)), head),
                                e.index(op.group * stride));
             e.loopWhileBelow(blocks.first, blocks.second, [&](Value b) {
               Value end = spanEnd(e, b, blocks.second);
               Value place = e.add(start, e.sub(b, blocks.first));
               e.branch(isOwn(place), [&] {
                 emitSpan(row, one, head, b, end);
                 Value number = e.add(line, spanNumber(e, b));
                 forEachTile(row, one, head, [&](QueryTile &tile) {
                   tile.storeSpan(spans.getPartials(), number, stride);
                 });
               });
               return end;
             });
           });
           return {e.add(before[0], e.mul(length, e.index(heads)))};
         });
}

} // namespace

/// Positions [begin, end) of a causal row.
template <typename Op>
static std::pair<Value, Value> causalRange(Emitter &e, Op op, Value row) {
  Value end = e.add(e.loadIndex(op.getPositions(), {row}), e.index(1));
  Value begin = e.index(0);
  if (op.getWindow())
    begin = arith::MaxSIOp::create(e.b, e.loc, begin,
                                   e.sub(end, e.index(*op.getWindow())));
  return {begin, end};
}

/// What ops over a cache have in common; `firstHead` null: 0.
template <typename Op>
static Attention describeCached(Emitter &e, Op op, Value firstHead) {
  Attention attention;
  attention.q = op.getQ();
  attention.size = op.getKPool().getType().getDimSize(3);
  attention.group = op.getGroup();
  attention.scale = op.getScale().convertToDouble();
  // Keys of a pair are two rows of the cache.
  const bool inPairs = e.target.multipliesPairs() && attention.size % 2 == 0 &&
                       op.getKPool().getType().getElementType().isBF16();
  if (inPairs) {
    attention.products = Products::Pairs;
    attention.operandRegisters = 3; // both rows, and the pairs
  }
  attention.isSameSequence = [&e, op](Value row, Value other) mutable -> Value {
    return arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::eq,
                                 e.load(op.getSlots(), {row}),
                                 e.load(op.getSlots(), {other}));
  };
  attention.range = [&e, op](Value row) mutable {
    return causalRange(e, op, row);
  };
  int64_t padded = llvm::alignTo(attention.size, e.lanes());
  attention.block = [&e, op, firstHead, padded, inPairs](Value row, Value head,
                                                         Value b) mutable {
    Value slot = e.loadIndex(op.getSlots(), {row});
    Value id = e.loadIndex(op.getTable(), {slot, b});
    Value poolHead = firstHead ? e.add(firstHead, head) : head;
    // Rows of values that are padded are read in whole vectors.
    bool isPadded = op.getVPool().getType().getDimSize(4) >= padded;
    KVBlock block;
    // A vector of a row of a block, with the next one's beside it if pairs are
    // asked for.
    auto load = [&e, op, id, poolHead, inPairs](Value pool, Value row,
                                                Value next, Value column,
                                                Value mask) mutable -> Value {
      auto stored = [&](Value row) {
        return e.loadStored(pool, {op.getLayer(), id, poolHead, row, column},
                            mask);
      };
      return inPairs ? makePairs(e, stored(row), stored(next))
                     : e.extend(stored(row));
    };
    block.keys = [&e, op, load, inPairs](Value d, Value p) mutable {
      Value next = inPairs ? e.add(d, e.index(1)) : Value();
      return load(op.getKPool(), d, next, p, {});
    };
    block.values = [op, load, isPadded](Value p, Value next, Value d,
                                        Value mask) mutable {
      return load(op.getVPool(), p, next, d, isPadded ? Value() : mask);
    };
    auto scales = [&e, op, id, poolHead](unsigned which) {
      return [&e, op, id, poolHead, which](Value p) mutable {
        return e.loadVector(op.getScales()[which],
                            {op.getLayer(), id, poolHead, p});
      };
    };
    // The last block is its own next one.
    Value last = e.div(e.loadIndex(op.getPositions(), {row}),
                       e.index(llm::blockPositions));
    Value next = arith::MinSIOp::create(e.b, e.loc, e.add(b, e.index(1)), last);
    Value nextId = e.loadIndex(op.getTable(), {slot, next});
    auto ask = [&e](Value pool, Value layer, Value id, Value head,
                    Value offset) {
      Value zero = e.index(0);
      memref::PrefetchOp::create(e.b, e.loc, pool,
                                 ValueRange{layer, id, head, zero, offset},
                                 /*isWrite=*/false, /*localityHint=*/3,
                                 /*isDataCache=*/true);
    };
    block.prefetchValues = [ask, op, id, poolHead](Value offset) mutable {
      ask(op.getVPool(), op.getLayer(), id, poolHead, offset);
    };
    block.prefetchKeys = [ask, op, nextId, poolHead](Value offset) mutable {
      ask(op.getKPool(), op.getLayer(), nextId, poolHead, offset);
    };
    MemRefType keys = op.getKPool().getType(), values = op.getVPool().getType();
    block.line = 64 * 8 / keys.getElementTypeBitWidth();
    block.keyCount = keys.getDimSize(3) * keys.getDimSize(4);
    block.valueCount = values.getDimSize(3) * values.getDimSize(4);
    if (!op.getScales().empty()) {
      block.keyScales = scales(0);
      block.valueScales = scales(1);
    }
    return block;
  };
  return attention;
}

void smelt::emitCachedAttention(Emitter &e, kernel::CachedAttentionOp op) {
  Attention attention = describeCached(e, op, op.getFirstHead());
  attention.init = op.getInit();
  attention.isSpanned = op.getSpanned();
  AttentionEmitter(e, op, attention).emit();
}

void smelt::emitAttendSpans(Emitter &e, kernel::AttendSpansOp op) {
  Attention attention = describeCached(e, op, {});
  attention.isSpanned = true;
  AttentionEmitter(e, op, attention).emitSpans(op);
}

void smelt::emitMergeSpans(Emitter &e, kernel::MergeSpansOp op) {
  int64_t size = op.getSize(), group = op.getGroup(), all = op.getHeads();
  Value partials = op.getPartials(), init = op.getInit();
  int64_t stride = op.getPartials().getType().getDimSize(0) /
                   (kernel::AttendSpansOp::maxRows * all * group);
  Value queryHeads = e.div(e.dim(init, 1), e.index(size));
  e.loop(e.index(0), e.dim(op.getPositions(), 0), [&](Value row) {
    std::pair<Value, Value> range = causalRange(e, op, row);
    Value end = e.div(e.add(range.second, e.index(llm::blockPositions - 1)),
                      e.index(llm::blockPositions));
    Value first =
        spanNumber(e, e.div(range.first, e.index(llm::blockPositions)));
    Value behind = e.add(spanNumber(e, e.sub(end, e.index(1))), e.index(1));
    e.loop(e.index(0), queryHeads, [&](Value head) {
      Value column = e.mul(head, e.index(size));
      Value line =
          e.add(e.mul(e.add(op.getFirstRow(), row), e.index(all * group)),
                e.add(e.mul(op.getFirstHead(), e.index(group)), head));
      line = e.mul(line, e.index(stride));
      e.vectors(size, [&](Value d, Value mask) {
        e.storeVector(e.zeros(), init, {row, e.add(column, d)}, mask);
      });
      Emitter::Values total = e.loop(
          first, behind, 1, {e.real(kLowest), e.real(0)},
          [&](Value span, ValueRange before) -> Emitter::Values {
            Value from = e.add(line, span);
            Merged merged = mergeMaxima(e, before[0], before[1],
                                        e.load(partials, {from, e.index(0)}),
                                        e.load(partials, {from, e.index(1)}));
            Value keep = e.splat(merged.keep), take = e.splat(merged.take);
            e.vectors(size, [&](Value d, Value mask) {
              Value o = e.loadVector(
                  partials, {from, e.add(d, e.index(kernel::partialHead))});
              Value old = arith::MulFOp::create(
                  e.b, e.loc, e.loadVector(init, {row, e.add(column, d)}, mask),
                  keep);
              e.storeVector(e.fma(o, take, old), init, {row, e.add(column, d)},
                            mask);
            });
            return {merged.m, merged.l};
          });
      Value factor = splatOfInverse(e, total[1]);
      e.vectors(size, [&](Value d, Value mask) {
        Value o = e.loadVector(init, {row, e.add(column, d)}, mask);
        e.storeVector(arith::MulFOp::create(e.b, e.loc, o, factor), init,
                      {row, e.add(column, d)}, mask);
      });
    });
  });
}

/// The keys of a head as `keys[d, p]`: those of the rows [start, last] from
/// column `base` on, of 64 at most. A vector that begins in the range is whole.
static void transposeKeys(Emitter &e, kernel::AttentionOp op, Value start,
                          Value last, Value base, Value keys) {
  Value end =
      arith::MinSIOp::create(e.b, e.loc, e.add(e.sub(last, start), e.index(1)),
                             e.index(llm::blockPositions));
  int64_t size = op.getSize();
  e.loop(e.index(0), end, e.lanes(), {},
         [&](Value p, ValueRange) -> Emitter::Values {
           Emitter::Values rows;
           for (int64_t i = 0; i < e.lanes(); ++i)
             rows.push_back(arith::MinSIOp::create(
                 e.b, e.loc, e.add(start, e.add(p, e.index(i))), last));
           e.vectors(size, [&](Value d, Value mask) {
             Emitter::Values tile;
             for (Value row : rows)
               tile.push_back(
                   e.loadVector(op.getK(), {row, e.add(base, d)}, mask));
             transpose(e, tile);
             int64_t count = mask ? size % e.lanes() : e.lanes();
             for (int64_t i = 0; i < count; ++i)
               e.storeVector(tile[i], keys, {e.add(d, e.index(i)), p});
           });
           return {};
         });
}

/// Blocks of keys that are transposed, as f32, and values where they lie.
static std::function<KVBlock(Value start, Value last, Value base)>
makeFloatBlocks(Emitter &e, kernel::AttentionOp op) {
  Value keys = e.stackBuffer(
      op, MemRefType::get({static_cast<int64_t>(op.getSize()),
                           static_cast<int64_t>(llm::blockPositions)},
                          e.b.getF32Type()));
  // Positions behind a sequence's end are masked, but multiplied first: what
  // the stack holds may be subnormal, which processors multiply slowly.
  e.loop(e.index(0), e.index(op.getSize()), [&](Value d) {
    e.vectors(llm::blockPositions,
              [&](Value p, Value) { e.storeVector(e.zeros(), keys, {d, p}); });
  });
  return [&e, op, keys](Value start, Value last, Value base) mutable {
    transposeKeys(e, op, start, last, base, keys);
    KVBlock block;
    block.keys = [&e, keys](Value d, Value p) {
      return e.loadVector(keys, {d, p});
    };
    block.values = [&e, op, base, start](Value p, Value, Value d,
                                         Value mask) mutable {
      return e.loadVector(op.getV(), {e.add(start, p), e.add(base, d)}, mask);
    };
    return block;
  };
}

/// Blocks of both in panels of bf16.
static std::function<KVBlock(Value start, Value last, Value base)>
makePanels(Emitter &e, kernel::AttentionOp op) {
  BF16Panels panels(e, op, op.getSize());
  return [op, panels](Value start, Value last, Value base) mutable {
    return panels.pack(op.getK(), op.getV(), {start, last, base});
  };
}

/// How what may be rounded to bf16 is multiplied.
static Products productsOfBF16(const TargetRecord &target) {
  if (target.hasTiles())
    return Products::Tiles;
  return target.multipliesPairs() ? Products::Pairs : Products::Floats;
}

void smelt::emitAttention(Emitter &e, kernel::AttentionOp op) {
  Attention attention;
  attention.q = op.getQ();
  attention.init = op.getInit();
  attention.size = op.getSize();
  attention.group = op.getGroup();
  attention.scale = op.getScale().convertToDouble();
  if (op.getCompute().isBF16())
    attention.products = productsOfBF16(e.target);
  const bool isRounded = attention.products != Products::Floats;
  // For which a block is transposed once.
  attention.sharing = isRounded ? 128 : 96;
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
  auto makeBlock = isRounded ? makePanels(e, op) : makeFloatBlocks(e, op);
  attention.block = [&](Value row, Value head, Value b) {
    Value start = e.add(e.loadIndex(op.getBegin(), {row}),
                        e.mul(b, e.index(llm::blockPositions)));
    Value last = e.sub(e.loadIndex(op.getEnd(), {row}), e.index(1));
    return makeBlock(start, last, e.mul(head, e.index(op.getSize())));
  };
  AttentionEmitter(e, op, attention).emit();
}
