//===- BF16QueryTile.cpp - Some rows rounded to bf16 ------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Queries are copied, rounded to bf16, once for the blocks of a span. So are
// rows of keys and values that no cache holds, once for all rows that share a
// block. Columns that fill no tile register's row are zeros.
//
//===----------------------------------------------------------------------===//
#include "BF16QueryTile.h"

using namespace mlir;
using namespace smelt;
using kernel::TileDotOp;

/// Elements of a line: pairs of 16 columns.
static constexpr int64_t kLine = TileDotOp::rowBytes / 2;

/// Columns of a head, with those that fill the rows of tile registers.
static int64_t paddedToRows(int64_t size) { return llvm::alignTo(size, kLine); }
/// Panels of 16 columns that a head has.
static int64_t panelsOf(int64_t size) {
  return llvm::divideCeil(size, TileDotOp::columns);
}
/// Lines of a panel of keys.
static int64_t linesOf(int64_t size) { return paddedToRows(size) / 2; }

/// 16 elements of `from`, of which there are `count` or fewer, rounded; zeros
/// behind them.
static Value loadRounded(Emitter &e, Value from, Value row, Value column,
                         int64_t count) {
  VectorType type = e.vectorOf(e.b.getBF16Type());
  if (count <= 0)
    return arith::ConstantOp::create(e.b, e.loc, e.b.getZeroAttr(type));
  Value mask = count < e.lanes() ? e.mask(e.index(count)) : Value();
  Value stored = e.loadStored(from, {row, column}, mask);
  return stored.getType() == type
             ? stored
             : e.round(e.extend(stored), type.getElementType());
}

/// A line's elements: those of `low`, then `high`, or by turns.
static Value join(Emitter &e, Value low, Value high, bool byTurns) {
  SmallVector<int64_t> order;
  for (int64_t i = 0; i < kLine; ++i)
    order.push_back(byTurns ? i / 2 + i % 2 * e.lanes() : i);
  return vector::ShuffleOp::create(e.b, e.loc, low, high, order);
}

Value smelt::makePairs(Emitter &e, Value low, Value high) {
  return join(e, low, high, /*byTurns=*/true);
}

/// A line of a row of `from`: columns d to d + 32 of a head of `size` columns
/// that begins at `base`.
static Value loadLine(Emitter &e, Value from, Value row, Value base, int64_t d,
                      int64_t size) {
  Value halves[2];
  for (int64_t half : {0, 1}) {
    int64_t first = d + half * e.lanes();
    halves[half] =
        loadRounded(e, from, row, e.add(base, e.index(first)), size - first);
  }
  return join(e, halves[0], halves[1], /*byTurns=*/false);
}

//===----------------------------------------------------------------------===//
// Panels
//===----------------------------------------------------------------------===//

BF16Panels::BF16Panels(Emitter &e, Operation *anchor, int64_t size)
    : e(e), size(size) {
  auto room = [&](int64_t lines) {
    return e.stackBuffer(anchor,
                         MemRefType::get({lines, kLine}, e.b.getBF16Type()));
  };
  keys = room(llm::blockPositions / TileDotOp::columns * linesOf(size));
  values = room(panelsOf(size) * llm::blockPositions / 2);
}

Value BF16Panels::rowOf(const Place &at, Value p) {
  return arith::MinSIOp::create(e.b, e.loc, e.add(at.start, p), at.last);
}

/// Words of pairs of d, transposed: those of 16 positions become 16 lines.
void BF16Panels::packKeys(Value k, const Place &at) {
  VectorType words = e.vectorOf(e.b.getI32Type());
  auto line = VectorType::get({kLine}, e.b.getBF16Type());
  Value end = e.add(e.sub(at.last, at.start), e.index(1));
  end = arith::MinSIOp::create(e.b, e.loc, end, e.index(llm::blockPositions));
  e.loop(e.index(0), end, TileDotOp::columns, {},
         [&](Value p, ValueRange) -> Emitter::Values {
           Value first = e.mul(e.div(p, e.index(TileDotOp::columns)),
                               e.index(linesOf(size)));
           for (int64_t d = 0; d < size; d += kLine) {
             Emitter::Values tile;
             for (int64_t i = 0; i < TileDotOp::columns; ++i) {
               Value row = rowOf(at, e.add(p, e.index(i)));
               tile.push_back(vector::BitCastOp::create(
                   e.b, e.loc, words, loadLine(e, k, row, at.base, d, size)));
             }
             transpose(e, tile);
             for (auto [i, word] : llvm::enumerate(tile))
               e.storeVector(vector::BitCastOp::create(e.b, e.loc, line, word),
                             keys,
                             {e.add(first, e.index(d / 2 + i)), e.index(0)});
           }
           return {};
         });
}

/// Two positions by turns.
void BF16Panels::packValues(Value v, const Place &at) {
  constexpr int64_t lines = llm::blockPositions / 2;
  e.loop(e.index(0), e.index(lines), [&](Value i) {
    Value even = e.mul(i, e.index(2));
    Value rows[] = {rowOf(at, even), rowOf(at, e.add(even, e.index(1)))};
    for (int64_t panel = 0; panel < panelsOf(size); ++panel) {
      int64_t d = panel * TileDotOp::columns;
      Value column = e.add(at.base, e.index(d)), halves[2];
      for (int64_t half : {0, 1})
        halves[half] = loadRounded(e, v, rows[half], column, size - d);
      e.storeVector(makePairs(e, halves[0], halves[1]), values,
                    {e.add(i, e.index(panel * lines)), e.index(0)});
    }
  });
}

KVBlock BF16Panels::pack(Value k, Value v, const Place &at) {
  packKeys(k, at);
  packValues(v, at);
  KVBlock block;
  block.keyPanels = keys;
  block.valuePanels = values;
  // Pair k / 2 of the panel that `column` is the first one of.
  auto load = [&e = e](Value panels, int64_t lines, Value column,
                       Value k) -> Value {
    Value panel = e.div(column, e.index(TileDotOp::columns));
    Value line = e.add(e.mul(panel, e.index(lines)), e.div(k, e.index(2)));
    return vector::LoadOp::create(e.b, e.loc, e.vectorOfPairs(), panels,
                                  ValueRange{line, e.index(0)});
  };
  block.keys = [load, panels = keys, lines = linesOf(size)](Value d, Value p) {
    return load(panels, lines, p, d);
  };
  block.values = [load, panels = values](Value p, Value, Value d, Value) {
    return load(panels, llm::blockPositions / 2, d, p);
  };
  return block;
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

void smelt::addRoundedScratch(Emitter &e, Operation *anchor, int64_t size,
                              int64_t sharing, int64_t rowTile,
                              Scratch &scratch) {
  auto room = [&](int64_t rows, int64_t columns, Type element) {
    return e.stackBuffer(anchor, MemRefType::get({rows, columns}, element));
  };
  scratch.queries = room(sharing, paddedToRows(size), e.b.getBF16Type());
  scratch.rounded = room(rowTile, llm::blockPositions, e.b.getBF16Type());
  scratch.sums =
      room(rowTile, panelsOf(size) * TileDotOp::columns, e.b.getF32Type());
  // Rows that no token has are merged, too: not what the stack holds, which may
  // be subnormal.
  for (int64_t number : {0, 1})
    e.vectors(rowTile, [&](Value r, Value mask) {
      e.storeVector(e.zeros(), scratch.merging, {e.index(number), r}, mask);
    });
}

Value TileQueryTile::count() { return e.add(e.sub(last, row), e.index(1)); }

void TileQueryTile::eachRow(llvm::function_ref<void(const Row &)> body) {
  e.loop(e.index(0), count(),
         [&](Value r) { body({r, e.add(row, r), column}); });
}

/// Row `to` of the queries: `op`'s columns from `column` on.
static void roundQuery(Emitter &e, const Attention &op, Value token,
                       Value column, const Scratch &scratch, Value to) {
  for (int64_t d = 0; d < op.size; d += kLine)
    e.storeVector(loadLine(e, op.q, token, column, d, op.size), scratch.queries,
                  {to, e.index(d)});
}

static void storeRounded(Emitter &e, Value weights, const Scratch &scratch,
                         Value r, Value p) {
  e.storeVector(e.round(weights, e.b.getBF16Type()), scratch.rounded, {r, p});
}

void PairQueryTile::beginSpan() {
  QueryTile::beginSpan();
  for (int64_t r = 0; r < rows(); ++r) {
    Row row = rowOf(r);
    roundQuery(e, op, row.token, row.column, scratch, e.add(place, e.index(r)));
  }
}

void PairQueryTile::storeWeights(Value weights, Value r, Value p) {
  storeRounded(e, weights, scratch, r, p);
}

void TileQueryTile::beginSpan() {
  QueryTile::beginSpan();
  eachRow([&](const Row &r) {
    roundQuery(e, op, r.token, r.column, scratch, e.add(place, r.number));
  });
}

void TileQueryTile::storeWeights(Value weights, Value r, Value p) {
  storeRounded(e, weights, scratch, r, p);
}

void TileQueryTile::multiply(Value a, Value panels, int64_t lines, Value sums) {
  const int64_t all = cast<MemRefType>(panels.getType()).getDimSize(0) / lines;
  OpFoldResult zero = e.b.getIndexAttr(0);
  for (int64_t first = 0; first < all; first += TileDotOp::maxPanels) {
    Emitter::Values some;
    for (int64_t p = first; p < std::min(first + TileDotOp::maxPanels, all);
         ++p)
      some.push_back(
          e.cut(panels, {e.b.getIndexAttr(p * lines), zero}, {lines, kLine}));
    const int64_t width = some.size() * TileDotOp::columns;
    OpFoldResult column = e.b.getIndexAttr(first * TileDotOp::columns);
    TileDotOp::create(e.b, e.loc, a, some,
                      e.cut(sums, {zero, column}, {tokens, width}));
  }
}

void TileQueryTile::emitScores(const KVBlock &block) {
  Value queries = e.cut(scratch.queries, {place, e.b.getIndexAttr(0)},
                        {tokens, paddedToRows(op.size)});
  multiply(queries, block.keyPanels, linesOf(op.size), scratch.weights);
}

/// Positions that no row sees weigh zero.
void TileQueryTile::emitValues(const KVBlock &block, Value, Value) {
  OpFoldResult zero = e.b.getIndexAttr(0);
  Value weights =
      e.cut(scratch.rounded, {zero, zero}, {tokens, llm::blockPositions});
  multiply(weights, block.valuePanels, llm::blockPositions / 2, scratch.sums);
  eachRow([&](const Row &r) {
    Value keep = factor(2, r.number), take = factor(3, r.number);
    e.vectors(llvm::alignTo(op.size, e.lanes()), [&](Value d, Value) {
      mergeOutputs(r.number, d, keep, take,
                   e.loadVector(scratch.sums, {r.number, d}));
    });
  });
}
