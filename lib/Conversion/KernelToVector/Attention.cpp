//===- Attention.cpp - Softmax by blocks of 64 positions -*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One row of one head. Each block of 64 positions has its own maximum, sum and
// output, which are merged in order of position (the online softmax of Milakov
// and Gimelshein 2018, in fixed blocks):
//
//     s[p] = scale * sum_d q[d] * k[d, p]      lanes are positions
//     m_b = max_p s, e[p] = exp(s[p] - m_b), l_b = sum_p e
//     o_b[d] = sum_p e[p] * v[p, d]            lanes are columns
//     m' = max(m, m_b); l = l * exp(m - m') + l_b * exp(m_b - m'); o likewise
//
// A row is computed alike in every step, so its bits depend on nothing else.
// Where keys and values lie is all that differs between the two ops.
//
//===----------------------------------------------------------------------===//
#include "Emitter.h"

#include "smelt/Transforms/Vector/LaneTree.h"

using namespace mlir;
using namespace smelt;

namespace {

constexpr int64_t kBlock = 64;

/// Where the keys and values of a block lie.
struct KVBlock {
  /// The positions [first, count) of the block are seen.
  Value first, count;
  /// `lanes` keys of head dimension d from position p of the block on.
  std::function<Value(Value d, int64_t p)> keys;
  /// `lanes` value columns from d on at position p.
  std::function<Value(Value p, Value d, Value mask)> values;
};

struct Row {
  Emitter &e;
  Value q, init, row, column; // q[row, column ...], init alike
  int64_t size;               // of the head
  double scale;
  Value scratch; // memref<64xf32>

  Value exp(Value x) { return math::ExpOp::create(e.b, e.loc, x); }
  Value mulf(Value x, Value y) {
    return arith::MulFOp::create(e.b, e.loc, x, y);
  }
  Value subf(Value x, Value y) {
    return arith::SubFOp::create(e.b, e.loc, x, y);
  }

  /// Scores of the block, -inf for positions that aren't seen.
  Emitter::Values scores(const KVBlock &block) {
    int64_t count = kBlock / e.lanes();
    Emitter::Values sums =
        e.loop(e.index(0), e.index(size), 1, Emitter::Values(count, e.zeros()),
               [&](Value d, ValueRange carried) {
                 Value x = e.splat(e.load(q, {row, e.add(column, d)}));
                 Emitter::Values inner(carried);
                 for (int64_t v = 0; v < count; ++v)
                   inner[v] = e.fma(x, block.keys(d, v * e.lanes()), inner[v]);
                 return inner;
               });
    Type i32 = e.b.getI32Type();
    auto bound = [&](Value limit) {
      return e.splat(arith::IndexCastOp::create(e.b, e.loc, i32, limit));
    };
    Value first = bound(block.first), last = bound(block.count);
    Value unseen = e.splat(e.real(-std::numeric_limits<double>::infinity()));
    for (int64_t v = 0; v < count; ++v) {
      SmallVector<int32_t> positions;
      for (int64_t lane = 0; lane < e.lanes(); ++lane)
        positions.push_back(v * e.lanes() + lane);
      Value position = arith::ConstantOp::create(
          e.b, e.loc,
          DenseElementsAttr::get(e.vectorOf(i32), ArrayRef(positions)));
      Value after = arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::sge,
                                          position, first);
      Value before = arith::CmpIOp::create(
          e.b, e.loc, arith::CmpIPredicate::slt, position, last);
      Value seen = arith::AndIOp::create(e.b, e.loc, after, before);
      sums[v] = arith::SelectOp::create(
          e.b, e.loc, seen, mulf(sums[v], e.splat(e.real(scale))), unseen);
    }
    return sums;
  }

  /// Combines vectors pairwise, then the lanes of the last.
  Value reduce(Emitter::Values vectors,
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

  /// Merges a block into (m, l) and the output.
  Emitter::Values merge(const KVBlock &block, Value m, Value l) {
    Emitter::Values s = scores(block);
    Value mb = reduce(s, [&](Value x, Value y) { return e.larger(x, y); });
    for (auto [v, score] : llvm::enumerate(s)) {
      score = exp(subf(score, e.splat(mb)));
      e.storeVector(score, scratch, {e.index(v * e.lanes())});
    }
    Value lb = reduce(s, [&](Value x, Value y) -> Value {
      return arith::AddFOp::create(e.b, e.loc, x, y);
    });
    Value next = e.larger(m, mb);
    Value keep = exp(subf(m, next)), take = exp(subf(mb, next));
    constexpr int64_t group = 4; // vectors of columns at a time
    int64_t vectors = llvm::divideCeil(size, e.lanes());
    for (int64_t start = 0; start < vectors; start += group) {
      int64_t count = std::min(group, vectors - start);
      SmallVector<Value> masks(count), columns(count);
      for (int64_t v = 0; v < count; ++v) {
        int64_t d = (start + v) * e.lanes();
        columns[v] = e.index(d);
        if (size - d < e.lanes())
          masks[v] = e.mask(e.index(size - d));
      }
      Emitter::Values sums =
          e.loop(block.first, block.count, 1, Emitter::Values(count, e.zeros()),
                 [&](Value p, ValueRange carried) {
                   Value weight = e.splat(e.load(scratch, {p}));
                   Emitter::Values inner(carried);
                   for (int64_t v = 0; v < count; ++v)
                     inner[v] =
                         e.fma(weight, block.values(p, columns[v], masks[v]),
                               inner[v]);
                   return inner;
                 });
      for (int64_t v = 0; v < count; ++v) {
        SmallVector<Value> at = {row, e.add(column, columns[v])};
        Value old = mulf(e.loadVector(init, at, masks[v]), e.splat(keep));
        e.storeVector(e.fma(sums[v], e.splat(take), old), init, at, masks[v]);
      }
    }
    return {next, e.fma(lb, take, mulf(l, keep))};
  }

  /// All blocks, from `begin` to `end`.
  void run(Value begin, Value end, function_ref<KVBlock(Value b)> block) {
    e.vectors(size, [&](Value d, Value mask) {
      e.storeVector(e.zeros(), init, {row, e.add(column, d)}, mask);
    });
    Value unseen = e.real(-std::numeric_limits<double>::infinity());
    Emitter::Values state =
        e.loop(begin, end, 1, ValueRange{unseen, e.real(0)},
               [&](Value b, ValueRange carried) {
                 return merge(block(b), carried[0], carried[1]);
               });
    e.vectors(size, [&](Value d, Value mask) {
      SmallVector<Value> at = {row, e.add(column, d)};
      Value sum = e.loadVector(init, at, mask);
      e.storeVector(arith::DivFOp::create(e.b, e.loc, sum, e.splat(state[1])),
                    init, at, mask);
    });
  }
};

/// Room for the weights of a block on the stack of the function.
Value scratchBuffer(Emitter &e, Operation *op) {
  OpBuilder::InsertionGuard guard(e.b);
  e.b.setInsertionPointToStart(
      &op->getParentOfType<func::FuncOp>().getBody().front());
  return memref::AllocaOp::create(e.b, e.loc,
                                  MemRefType::get({kBlock}, e.b.getF32Type()),
                                  e.b.getI64IntegerAttr(64));
}

Value minimum(Emitter &e, Value x, Value y) {
  return arith::MinSIOp::create(e.b, e.loc, x, y);
}
Value maximum(Emitter &e, Value x, Value y) {
  return arith::MaxSIOp::create(e.b, e.loc, x, y);
}

} // namespace

void smelt::emitCachedAttention(Emitter &e, kernel::CachedAttentionOp op) {
  int64_t size = op.getKPool().getType().getDimSize(3);
  int64_t group = op.getGroup();
  Value scratch = scratchBuffer(e, op);
  Value zero = e.index(0), block = e.index(kBlock);
  Value heads = e.div(e.dim(op.getQ(), 1), e.index(group * size));
  Value rows = e.dim(op.getQ(), 0);
  e.loop(zero, heads, [&](Value head) {
    Value poolHead = e.add(op.getFirstHead(), head);
    e.loop(zero, rows, [&](Value row) {
      Value slot = e.loadIndex(op.getSlots(), {row});
      Value seen = e.add(e.loadIndex(op.getPositions(), {row}), e.index(1));
      Value first = zero;
      if (op.getWindow())
        first = maximum(e, zero, e.sub(seen, e.index(*op.getWindow())));
      Value end = e.div(e.add(seen, e.index(kBlock - 1)), block);
      e.loop(zero, e.index(group), [&](Value member) {
        Value queryHead = e.add(e.mul(head, e.index(group)), member);
        Row r{e,
              op.getQ(),
              op.getInit(),
              row,
              e.mul(queryHead, e.index(size)),
              size,
              op.getScale().convertToDouble(),
              scratch};
        r.run(e.div(first, block), end, [&](Value b) {
          Value id = e.loadIndex(op.getTable(), {slot, b});
          Value start = e.mul(b, block);
          KVBlock result;
          result.first = maximum(e, zero, e.sub(first, start));
          result.count = minimum(e, block, e.sub(seen, start));
          result.keys = [&e, op, id, poolHead](Value d, int64_t p) mutable {
            return e.loadVector(op.getKPool(),
                                {op.getLayer(), id, poolHead, d, e.index(p)});
          };
          result.values = [&e, op, id, poolHead](Value p, Value d,
                                                 Value mask) mutable {
            return e.loadVector(op.getVPool(),
                                {op.getLayer(), id, poolHead, p, d}, mask);
          };
          return result;
        });
      });
    });
  });
}

void smelt::emitAttention(Emitter &e, kernel::AttentionOp op) {
  int64_t size = op.getSize(), group = op.getGroup();
  Value scratch = scratchBuffer(e, op);
  Value zero = e.index(0), block = e.index(kBlock);
  Value heads = e.div(e.dim(op.getQ(), 1), e.index(group * size));
  Value rows = e.dim(op.getQ(), 0);
  e.loop(zero, heads, [&](Value head) {
    Value base = e.mul(head, e.index(size));
    e.loop(zero, rows, [&](Value row) {
      Value begin = e.loadIndex(op.getBegin(), {row});
      Value end = e.loadIndex(op.getEnd(), {row});
      Value blocks =
          e.div(e.add(e.sub(end, begin), e.index(kBlock - 1)), block);
      e.loop(zero, e.index(group), [&](Value member) {
        Value queryHead = e.add(e.mul(head, e.index(group)), member);
        Row r{e,
              op.getQ(),
              op.getInit(),
              row,
              e.mul(queryHead, e.index(size)),
              size,
              op.getScale().convertToDouble(),
              scratch};
        r.run(zero, blocks, [&](Value b) {
          Value start = e.add(begin, e.mul(b, block));
          KVBlock result;
          result.first = zero;
          result.count = minimum(e, block, e.sub(end, start));
          result.keys = [&e, op, base, start](Value d, int64_t p) mutable {
            return e.loadVector(op.getKT(),
                                {e.add(base, d), e.add(start, e.index(p))});
          };
          result.values = [&e, op, base, start](Value p, Value d,
                                                Value mask) mutable {
            return e.loadVector(op.getV(), {e.add(start, p), e.add(base, d)},
                                mask);
          };
          return result;
        });
      });
    });
  });
}
