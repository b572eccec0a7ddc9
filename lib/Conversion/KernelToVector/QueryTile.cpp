//===- QueryTile.cpp - Some rows against a block of positions ---*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tile of query rows goes through a block in three turns: scores, whose lanes
// are positions; what their exponentials are, row by row; and outputs, whose
// lanes are columns (Attention.cpp has the formulas).
//
//===----------------------------------------------------------------------===//
#include "QueryTile.h"

#include "smelt/Transforms/Vector/LaneTree.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace smelt;

QueryTile::~QueryTile() = default;

QueryTile::Row RegisterQueryTile::rowOf(int64_t r) {
  Value token = r < members ? row : e.add(row, e.index(r / members));
  Value first =
      r % members == 0 ? column : e.add(column, e.index(r % members * op.size));
  return {e.index(r), token, first};
}

/// Part `turn` of `count` elements, as many as there are `turns`, by a cache
/// line each of `line`.
static void askForPart(Emitter &e, function_ref<void(Value offset)> ask,
                       int64_t count, int64_t line, Value turn, int64_t turns) {
  int64_t part = llvm::divideCeil(count, turns);
  for (int64_t i = 0; i < part; i += line)
    ask(e.add(e.mul(turn, e.index(part)), e.index(i)));
}

/// While scores of `width` positions from p on take step `step` of dimensions:
/// the next of the parts that the block's values have, as many as there are
/// such turns.
void RegisterQueryTile::prefetchValues(const KVBlock &block, Value p,
                                       Value step, int64_t width) {
  const int64_t steps = llvm::divideCeil(op.size, depth());
  Value turn = e.add(e.mul(e.div(p, e.index(width)), e.index(steps)), step);
  askForPart(e, block.prefetchValues, block.valueCount, block.line, turn,
             llm::blockPositions / width * steps);
}

/// While the columns of outputs, which take `sweeps` loops over positions, are
/// at position p of loop `sweep`: the next of the parts of the next block's
/// keys, as many as there are such turns.
void RegisterQueryTile::prefetchKeys(const KVBlock &block, Value p,
                                     int64_t sweep, int64_t sweeps) {
  const int64_t steps = llm::blockPositions / depth();
  Value step = depth() == 1 ? p : e.div(p, e.index(depth()));
  Value turn = e.add(step, e.index(sweep * steps));
  askForPart(e, block.prefetchKeys, block.keyCount, block.line, turn,
             steps * sweeps);
}

void RegisterQueryTile::emitScores(const KVBlock &block) {
  int64_t vectors = e.columnVectors(rows(), llm::blockPositions / e.lanes(),
                                    op.operandRegisters);
  int64_t width = vectors * e.lanes();
  e.loop(e.index(0), e.index(llm::blockPositions), width, {},
         [&](Value p, ValueRange) -> Emitter::Values {
           Emitter::Values sums = e.accumulate(
               llvm::divideCeil(op.size, depth()),
               Emitter::Values(rows() * vectors, e.zeros()),
               [&](Value step, Emitter::Values &sums) {
                 if (tokens == 1 && block.prefetchValues)
                   prefetchValues(block, p, step, width);
                 Value d = depth() == 1 ? step : e.mul(step, e.index(depth()));
                 Emitter::Values keys;
                 for (int64_t v = 0; v < vectors; ++v)
                   keys.push_back(
                       block.keys(d, e.add(p, e.index(v * e.lanes()))));
                 for (int64_t r = 0; r < rows(); ++r) {
                   Value x = query(r, d);
                   for (int64_t v = 0; v < vectors; ++v)
                     sums[r * vectors + v] =
                         multiply(x, keys[v], sums[r * vectors + v]);
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
  return arith::SelectOp::create(
      e.b, e.loc, seen, score,
      e.splat(e.real(-std::numeric_limits<double>::infinity())));
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
        e.index(0), e.index(llm::blockPositions), step,
        Emitter::Values(unroll, start), [&](Value p, ValueRange carried) {
          Emitter::Values next;
          for (int64_t u = 0; u < unroll; ++u) {
            Value at = e.add(p, e.index(u * e.lanes()));
            next.push_back(
                body(at, e.loadVector(scratch.weights, {r, at}), carried[u]));
          }
          return next;
        });
  };
  const double factor = op.scale * llvm::numbers::log2e;
  Value scale = e.splat(e.real(factor));
  // Finite when scaled.
  Value lowest = e.splat(e.real(kLowest / (2 * std::max(1.0, factor))));
  e.loop(e.index(0), count(), [&](Value r) {
    Value first, behind;
    if (isMasked) {
      auto [begin, end] = op.range(e.add(row, e.div(r, e.index(members))));
      Value start = e.mul(b, e.index(llm::blockPositions));
      first = e.sub(begin, start);
      behind = e.sub(end, start);
    }
    Emitter::Values most = each(r, lowest, [&](Value p, Value s, Value most) {
      if (block.keyScales)
        s = mulf(s, block.keyScales(p));
      if (isMasked)
        s = maskUnseen(s, p, first, behind);
      if (block.keyScales || isMasked)
        e.storeVector(s, scratch.weights, {r, p});
      return e.larger(s, most);
    });
    Value mb = arith::MulFOp::create(
        e.b, e.loc, reduce(larger(most[0], most[1]), larger), e.real(factor));
    Value top = e.splat(arith::NegFOp::create(e.b, e.loc, mb));
    Emitter::Values sums =
        each(r, e.zeros(), [&](Value p, Value s, Value total) {
          Value weight = exp2(e.fma(s, scale, top));
          total = addf(total, weight);
          if (block.valueScales)
            weight = mulf(weight, block.valueScales(p));
          storeWeights(weight, r, p);
          return total;
        });
    e.store(mb, scratch.merging, {e.index(0), r});
    e.store(reduce(addf(sums[0], sums[1]), sum), scratch.merging,
            {e.index(1), r});
  });
}

Value smelt::splatOfInverse(Emitter &e, Value sum) {
  return e.splat(arith::DivFOp::create(e.b, e.loc, e.real(1), sum));
}

/// (m, l) and (m_b, l_b), scalars or vectors.
Merged smelt::mergeMaxima(Emitter &e, Value m, Value l, Value mb, Value lb) {
  auto factor = [&](Value from, Value to) -> Value {
    return math::Exp2Op::create(e.b, e.loc,
                                arith::SubFOp::create(e.b, e.loc, from, to));
  };
  Merged merged;
  merged.m = e.larger(m, mb);
  merged.keep = factor(m, merged.m);
  merged.take = factor(mb, merged.m);
  merged.l =
      e.fma(lb, merged.take, arith::MulFOp::create(e.b, e.loc, l, merged.keep));
  return merged;
}

/// Maxima and sums (number 0 and 1 of `load`) of all rows merge into the state
/// from number `into` on, lanes are rows.
void QueryTile::emitMerge(
    function_ref<Value(int64_t number, Value r, Value mask)> load,
    int64_t into) {
  e.vectors(rows(), [&](Value r, Value mask) {
    Value m = e.loadVector(scratch.state, stateOf(into, r), mask);
    Value l = e.loadVector(scratch.state, stateOf(into + 1, r), mask);
    Merged merged = mergeMaxima(e, m, l, load(0, r, mask), load(1, r, mask));
    e.storeVector(merged.m, scratch.state, stateOf(into, r), mask);
    e.storeVector(merged.l, scratch.state, stateOf(into + 1, r), mask);
    e.storeVector(merged.keep, scratch.merging, {e.index(2), r}, mask);
    e.storeVector(merged.take, scratch.merging, {e.index(3), r}, mask);
  });
}

void QueryTile::mergeOutputs(Value r, Value d, Value keep, Value take,
                             Value sums) {
  SmallVector<Value> place = outputOf(r, d);
  Value old = mulf(e.loadVector(scratch.outputs, place), keep);
  e.storeVector(e.fma(sums, take, old), scratch.outputs, place);
}

/// A pair begins at an even position: what no row sees weighs zero.
void RegisterQueryTile::emitValues(const KVBlock &block, Value first,
                                   Value count) {
  Value back; // the last one that a row sees
  if (depth() > 1) {
    back = e.sub(count, e.index(1));
    first = e.sub(first, e.rem(first, e.index(depth())));
  }
  int64_t all = llvm::divideCeil(op.size, e.lanes());
  int64_t vectors = e.columnVectors(rows(), all, op.operandRegisters);
  for (int64_t start = 0; start < all; start += vectors) {
    SmallVector<Value> masks(vectors), columns(vectors);
    for (int64_t v = 0; v < vectors; ++v) {
      int64_t d = (start + v) * e.lanes();
      columns[v] = e.index(d);
      if (op.size - d < e.lanes())
        masks[v] = e.mask(e.index(op.size - d));
    }
    Emitter::Values sums = e.loop(
        first, count, depth(), Emitter::Values(rows() * vectors, e.zeros()),
        [&](Value p, ValueRange carried) {
          if (tokens == 1 && block.prefetchKeys)
            prefetchKeys(block, p, start / vectors, all / vectors);
          Emitter::Values inner(carried), values;
          Value next;
          if (depth() > 1)
            next = minimum(e.add(p, e.index(1)), back);
          for (int64_t v = 0; v < vectors; ++v)
            values.push_back(block.values(p, next, columns[v], masks[v]));
          for (int64_t r = 0; r < rows(); ++r) {
            Value x = weight(r, p);
            for (int64_t v = 0; v < vectors; ++v)
              inner[r * vectors + v] =
                  multiply(x, values[v], inner[r * vectors + v]);
          }
          return inner;
        });
    for (int64_t r = 0; r < rows(); ++r) {
      Value number = e.index(r);
      Value keep = factor(2, number), take = factor(3, number);
      for (int64_t v = 0; v < vectors; ++v)
        mergeOutputs(number, columns[v], keep, take, sums[r * vectors + v]);
    }
  }
}

/// Maxima and sums of nothing, in the state from number `state` on.
void QueryTile::clear(int64_t state) {
  e.vectors(rows(), [&](Value r, Value mask) {
    e.storeVector(e.splat(e.real(kLowest)), scratch.state, stateOf(state, r),
                  mask);
    e.storeVector(e.zeros(), scratch.state, stateOf(state + 1, r), mask);
  });
}

void QueryTile::begin() {
  if (!op.isSpanned)
    return;
  clear(2);
  eachRow([&](const Row &r) {
    e.vectors(op.size, [&](Value d, Value mask) {
      e.storeVector(e.zeros(), op.init, at(r, d), mask);
    });
  });
}

void QueryTile::beginSpan() {
  clear(0);
  int64_t columns = llvm::alignTo(op.size, e.lanes());
  eachRow([&](const Row &r) {
    e.vectors(columns, [&](Value d, Value) {
      e.storeVector(e.zeros(), scratch.outputs, outputOf(r.number, d));
    });
  });
}

void QueryTile::endSpan() {
  if (!op.isSpanned)
    return;
  emitMerge(
      [&](int64_t number, Value r, Value mask) {
        return e.loadVector(scratch.state, stateOf(number, r), mask);
      },
      /*into=*/2);
  eachRow([&](const Row &r) {
    Value keep = factor(2, r.number), take = factor(3, r.number);
    e.vectors(op.size, [&](Value d, Value mask) {
      SmallVector<Value> place = at(r, d);
      Value old = mulf(e.loadVector(op.init, place, mask), keep);
      Value o = e.loadVector(scratch.outputs, outputOf(r.number, d));
      e.storeVector(e.fma(o, take, old), op.init, place, mask);
    });
  });
}

void QueryTile::storeSpan(Value partials, Value row, int64_t stride) {
  eachRow([&](const Row &r) {
    Value line = e.add(row, e.mul(e.add(place, r.number), e.index(stride)));
    for (int64_t number : {0, 1})
      e.store(e.load(scratch.state, stateOf(number, r.number)), partials,
              {line, e.index(number)});
    e.vectors(llvm::alignTo(op.size, e.lanes()), [&](Value d, Value) {
      e.storeVector(e.loadVector(scratch.outputs, outputOf(r.number, d)),
                    partials, {line, e.add(d, e.index(kernel::partialHead))});
    });
  });
}

void QueryTile::emitBlock(const KVBlock &block, Value b) {
  // Rows ascend: the first sees from furthest back, the last furthest on.
  std::pair<Value, Value> head = op.range(row);
  std::pair<Value, Value> tail = op.range(last);
  Value start = e.mul(b, e.index(llm::blockPositions)),
        end = e.add(start, e.index(llm::blockPositions));
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
    emitMerge(
        [&](int64_t number, Value r, Value mask) {
          return e.loadVector(scratch.merging, {e.index(number), r}, mask);
        },
        /*into=*/0);
    emitValues(block, first, count);
  });
}

void QueryTile::finish() {
  Type element = cast<MemRefType>(op.init.getType()).getElementType();
  eachRow([&](const Row &r) {
    int64_t number = op.isSpanned ? 3 : 1;
    Value factor =
        splatOfInverse(e, e.load(scratch.state, stateOf(number, r.number)));
    e.vectors(op.size, [&](Value d, Value mask) {
      SmallVector<Value> place = at(r, d);
      Value value = op.isSpanned
                        ? e.loadVector(op.init, place, mask)
                        : e.loadVector(scratch.outputs, outputOf(r.number, d));
      e.storeVector(e.round(mulf(value, factor), element), op.init, place,
                    mask);
    });
  });
}
