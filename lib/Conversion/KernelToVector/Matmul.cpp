//===- Matmul.cpp - Register tiles of a matrix product -*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One panel of 32 columns, `rows` rows, on a target with vectors of 8 lanes (of
// several panels, where a tile is wider, columns are one another's next). Such
// panels are made for wider vectors; those of the target's own record are what
// one pass covers:
//
//                 32 columns of the panel, one sequential stream over k
//                 +--------+--------+--------+--------+
//     a[r, k] --> | acc r0 | acc r0 |                 |   columns are taken in
//                 | acc r1 | acc r1 |   next pass     |   as many vectors as
//                 | ...    | ...    |                 |   fit the registers
//                 +--------+--------+--------+--------+
//
// Each element is one chain of fused multiply-adds in order of k (or what tile
// registers compute, see kernel.tile_dot), whatever the number of rows, so a
// row's bits are the same in every tile. Fewer rows than a register tile has
// are a tile of their own; than tile registers take, tiles of powers of two.
//
// How products are summed is a claimer, the most specific first:
//
//     tiles pairs of bf16 in both operands, all of k in tile registers; few
//           rows by multiply-adds in the same order
//     dot   pairs of bf16 in both operands: a word of the row against a vector
//           of words of the panel, one instruction
//     fma   elements as f32
//
//===----------------------------------------------------------------------===//
#include "Emitter.h"

using namespace mlir;
using namespace smelt;
using llm::FormatRecord;

namespace {

struct Product;

/// The k of group `g`, of which `count` are within K, for a tile.
struct Step : Tile {
  Value g;
  int64_t count;

  Step(const Tile &tile, Value g, int64_t count)
      : Tile(tile), g(g), count(count) {}
};

struct Claimer {
  StringLiteral name;
  bool (*claims)(kernel::MatmulOp op, const TargetRecord &target);
  /// sums[rows * vectors] of a tile.
  Emitter::Values (Product::*sum)(const Tile &tile);
  bool widens;   // each k of a pair is a vector of f32
  bool hasTiles; // if a tile has enough rows for them
};

struct Product {
  Emitter &e;
  const Claimer &claimer;
  Value a, w, init; // [R, K], [panels, groups, n * kk], [R, columns]
  int64_t k, n, depth, panels;
  int64_t rowTile; // rows of a tile at most
  Value sums;      // of tile registers

  /// Where element `i` of the words of group `g` is, all panels' one after
  /// another.
  SmallVector<Value> place(Value g, int64_t i) {
    int64_t words = n * depth;
    return {e.index(i / words), g, e.index(i % words)};
  }

  /// Columns of group `g`: for each k of the group, `vectors` vectors as f32
  /// from vector number `first` on.
  SmallVector<SmallVector<Value>> weights(Value g, int64_t first,
                                          int64_t vectors) {
    OpBuilder &b = e.b;
    SmallVector<SmallVector<Value>> result(depth);
    for (int64_t v = first; v < first + vectors; ++v) {
      SmallVector<Value> column = place(g, v * e.lanes() * depth);
      if (depth == 1) {
        result[0].push_back(e.loadVector(w, column));
        continue;
      }
      // Pairs of bf16 are words: the even k is the low half, the odd the high.
      VectorType words = e.vectorOf(b.getI32Type());
      VectorType floats = e.vectorOf(b.getF32Type());
      Value raw =
          vector::LoadOp::create(b, e.loc, e.vectorOfPairs(), w, column);
      Value word = vector::BitCastOp::create(b, e.loc, words, raw);
      auto constant = [&](int32_t value) -> Value {
        return arith::ConstantOp::create(b, e.loc,
                                         DenseElementsAttr::get(words, value));
      };
      Value even = arith::ShLIOp::create(b, e.loc, word, constant(16));
      Value odd = arith::AndIOp::create(b, e.loc, word, constant(-65536));
      result[0].push_back(vector::BitCastOp::create(b, e.loc, floats, even));
      result[1].push_back(vector::BitCastOp::create(b, e.loc, floats, odd));
    }
    return result;
  }

  Value rowOf(const Step &step, int64_t r) {
    return r == 0 ? step.row : e.add(step.row, e.index(r));
  }

  /// Adds the products of each k of a group to sums of their own, or to one.
  void addFma(const Step &step, ArrayRef<MutableArrayRef<Value>> sumsOfK) {
    SmallVector<SmallVector<Value>> columns =
        weights(step.g, step.first, step.vectors);
    Value k0 = depth == 1 ? step.g : e.mul(step.g, e.index(depth));
    for (int64_t j = 0; j < step.count; ++j) {
      Value kj = j == 0 ? k0 : e.add(k0, e.index(j));
      for (int64_t r = 0; r < step.rows; ++r) {
        Value x = e.splat(e.extend(e.load(a, {rowOf(step, r), kj})));
        for (int64_t v = 0; v < step.vectors; ++v) {
          Value &sum = sumsOfK[j % sumsOfK.size()][r * step.vectors + v];
          sum = e.fma(x, columns[j][v], sum);
        }
      }
    }
  }

  void addFma(const Step &step, Emitter::Values &sums) {
    addFma(step, MutableArrayRef<Value>(sums));
  }

  /// A pair of bf16 of a row, the even k low, 0 beyond K, once for each lane.
  Value pairOf(Value row, Value k0, int64_t count) {
    if (count == depth)
      return e.splatOfPair(a, {row, k0});
    OpBuilder &b = e.b;
    Value word = arith::ExtUIOp::create(
        b, e.loc, b.getI32Type(),
        arith::BitcastOp::create(b, e.loc, b.getI16Type(),
                                 e.load(a, {row, k0})));
    return vector::BitCastOp::create(b, e.loc, e.vectorOfPairs(),
                                     e.splat(word));
  }

  void addDot(const Step &step, Emitter::Values &sums) {
    SmallVector<Value> columns;
    for (int64_t v = step.first; v < step.first + step.vectors; ++v)
      columns.push_back(
          vector::LoadOp::create(e.b, e.loc, e.vectorOfPairs(), w,
                                 place(step.g, v * e.lanes() * depth)));
    Value k0 = e.mul(step.g, e.index(depth));
    for (int64_t r = 0; r < step.rows; ++r) {
      Value x = pairOf(rowOf(step, r), k0, step.count);
      for (int64_t v = 0; v < step.vectors; ++v) {
        Value &sum = sums[r * step.vectors + v];
        sum = e.dotPairs(x, columns[v], sum);
      }
    }
  }

  /// Asks for a step's weights `prefetchBytes` further on.
  void prefetch(const Step &step) {
    if (!e.prefetches(step.rows))
      return;
    int64_t bytes = cast<MemRefType>(w.getType()).getElementTypeBitWidth() / 8;
    Value ahead =
        e.add(step.g, e.index(e.target.prefetchBytes / (n * depth * bytes)));
    int64_t vector = e.lanes() * depth, line = FormatRecord::chunkBytes / bytes;
    for (int64_t i = step.first * vector;
         i < (step.first + step.vectors) * vector; i += line)
      e.prefetch(w, place(ahead, i));
  }

  /// Sums step by step; `add` adds the products of one to sums[rows * vectors].
  template <void (Product::*add)(const Step &, Emitter::Values &)>
  Emitter::Values sumSteps(const Tile &tile) {
    Emitter::Values sums = e.accumulate(
        k / depth, Emitter::Values(tile.rows * tile.vectors, e.zeros()),
        [&](Value g, Emitter::Values &sums) {
          Step step(tile, g, depth);
          prefetch(step);
          (this->*add)(step, sums);
        });
    if (k % depth)
      (this->*add)(Step(tile, e.index(k / depth), k % depth), sums);
    return sums;
  }

  /// Words of k that a tile register takes at a time, and how many of all are
  /// in whole tiles.
  static constexpr int64_t tileWords = kernel::TileDotOp::rowBytes / 4;
  int64_t wordsInTiles() const { return llvm::alignDown(k / depth, tileWords); }

  /// Sums as tile registers make them, of few rows: products of even and of odd
  /// k apart, as many of each as a tile has, then both.
  Emitter::Values sumApart(const Tile &tile) {
    const size_t count = tile.rows * tile.vectors;
    Emitter::Values zeros(count, e.zeros());
    Emitter::Values sums = e.loop(
        e.index(0), e.index(wordsInTiles()), tileWords, zeros,
        [&](Value first, ValueRange carried) {
          Emitter::Values halves = e.accumulate(
              tileWords, Emitter::Values(2 * count, e.zeros()),
              [&](Value i, Emitter::Values &halves) {
                Step step(tile, e.add(first, i), depth);
                prefetch(step);
                MutableArrayRef<Value> all(halves);
                addFma(step, {all.take_front(count), all.drop_front(count)});
              });
          Emitter::Values sums(carried);
          for (size_t i = 0; i < count; ++i)
            sums[i] = e.plus(sums[i], e.plus(halves[i], halves[count + i]));
          return sums;
        });
    addRest(tile, sums);
    return sums;
  }
  /// Adds the products behind the last whole tile.
  void addRest(const Tile &tile, Emitter::Values &sums) {
    for (int64_t g = wordsInTiles(); g * depth < k; ++g)
      addDot(Step(tile, e.index(g), std::min(depth, k - g * depth)), sums);
  }

  /// Rows `row` to `row + rows` of the panels, summed in tile registers.
  void tileInRegisters(Value row, int64_t rows) {
    const int64_t columns = kernel::TileDotOp::columns, words = wordsInTiles();
    const int64_t vectors = panels * n / columns;
    OpFoldResult zero = e.b.getIndexAttr(0);
    if (words)
      kernel::TileDotOp::create(
          e.b, e.loc, e.cut(a, {row, zero}, {rows, words * depth}),
          columnsInTiles(vectors),
          e.cut(sums, {zero, zero}, {rows, vectors * columns}));
    e.loop(e.index(0), e.index(rows), [&](Value r) {
      Value own = e.add(row, r);
      Emitter::Values result;
      for (int64_t v = 0; v < vectors; ++v)
        result.push_back(words ? e.loadVector(sums, {r, e.index(v * columns)})
                               : e.zeros());
      addRest(Tile{own, 1, 0, vectors}, result);
      for (int64_t v = 0; v < vectors; ++v)
        storeColumns(e, result[v], init, own, v * columns, panels * n);
    });
  }
  /// Words in whole tiles of the first `count` vectors of columns.
  Emitter::Values columnsInTiles(int64_t count) {
    const int64_t width = kernel::TileDotOp::columns * depth;
    Emitter::Values result;
    for (int64_t v = 0; v < count; ++v) {
      SmallVector<Value> at = place(e.index(0), v * width);
      Value words = e.cut(w, getAsOpFoldResult(at), {1, wordsInTiles(), width});
      SmallVector<ReassociationIndices> lines = {{0, 1}, {2}};
      result.push_back(
          memref::CollapseShapeOp::create(e.b, e.loc, words, lines));
    }
    return result;
  }

  /// The product with `count` panels alone, those of group `i`.
  Product group(Value i, int64_t count) {
    OpFoldResult zero = e.b.getIndexAttr(0);
    auto type = cast<MemRefType>(w.getType());
    Product some = *this;
    some.w = e.cut(w, {e.mul(i, e.index(count)), zero, zero},
                   {count, type.getDimSize(1), type.getDimSize(2)});
    some.init = groupColumns(e, init, i, panels / count, count * n);
    some.panels = count;
    return some;
  }
  bool usesTiles(int64_t rows) const {
    return claimer.hasTiles && rows >= TargetRecord::leastTileRows;
  }
  /// Panels that a tile of `rows` rows takes at a time.
  int64_t panelsFor(int64_t rows) const {
    int64_t columns = e.lanes();
    if (usesTiles(rows))
      columns *= kernel::TileDotOp::maxPanels;
    else if (rows == rowTile)
      columns *= vectorsFor(rows);
    return llvm::bit_floor<uint64_t>(std::max<int64_t>(columns / n, 1));
  }

  /// Vectors of columns at a time: of several panels if with all their factors
  /// nothing spills, else of one.
  int64_t vectorsFor(int64_t rows) const {
    int64_t perPanel = n / e.lanes();
    int64_t vectors = e.columnVectors(rows, panels * perPanel);
    int64_t perRow = claimer.hasTiles ? 1 + depth : 1;
    int64_t registers =
        (perRow * rows + (claimer.widens ? depth : 1)) * vectors + 1;
    bool fits = vectors <= perPanel || registers <= e.target.vectorCount;
    return fits ? vectors : e.columnVectors(rows, perPanel);
  }

  /// Rows `row` to `row + rows` of the panels.
  void tile(Value row, int64_t rows) {
    if (usesTiles(rows))
      return tileInRegisters(row, rows);
    int64_t all = panels * n / e.lanes();
    int64_t vectors = vectorsFor(rows);
    for (int64_t first = 0; first < all; first += vectors) {
      Emitter::Values sums =
          (this->*claimer.sum)(Tile{row, rows, first, vectors});
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t v = 0; v < vectors; ++v) {
          Value target = r == 0 ? row : e.add(row, e.index(r));
          storeColumns(e, sums[r * vectors + v], init, target,
                       (first + v) * e.lanes(), panels * n);
        }
    }
  }
};

} // namespace

static const Claimer claimers[] = {
    {"tiles",
     [](kernel::MatmulOp op, const TargetRecord &target) {
       return target.hasTiles() && op.fillsTiles();
     },
     &Product::sumApart, true, true},
    {"dot",
     [](kernel::MatmulOp op, const TargetRecord &target) {
       return target.hasBF16Dot && op.hasPairs();
     },
     &Product::sumSteps<&Product::addDot>, false, false},
    {"fma", [](kernel::MatmulOp, const TargetRecord &) { return true; },
     &Product::sumSteps<&Product::addFma>, true, false},
};

void smelt::storeColumns(Emitter &e, Value vector, Value init, Value row,
                         int64_t column, int64_t width) {
  Value mask;
  if (columnsOf(init) != width) {
    // Beyond the last column the count is negative: no lane.
    Value left = e.sub(e.dim(init, 1), e.index(column));
    mask = e.mask(left);
  }
  e.storeVector(vector, init, {row, e.index(column)}, mask);
}

Value smelt::groupColumns(Emitter &e, Value init, Value i, int64_t count,
                          int64_t width) {
  OpFoldResult columns = e.b.getIndexAttr(width);
  if (columnsOf(init) != count * width) {
    Value left = e.sub(e.dim(init, 1), e.mul(i, e.index(width)));
    columns =
        arith::MinUIOp::create(e.b, e.loc, left, e.index(width)).getResult();
  }
  SmallVector<OpFoldResult> sizes = {memref::getMixedSize(e.b, e.loc, init, 0),
                                     columns};
  SmallVector<OpFoldResult> offsets = {e.b.getIndexAttr(0),
                                       OpFoldResult(e.mul(i, e.index(width)))};
  SmallVector<OpFoldResult> ones(2, e.b.getIndexAttr(1));
  return memref::SubViewOp::create(e.b, e.loc, init, offsets, sizes, ones);
}

/// A tile of each number of rows up to `rowTile`.
static void
emitEachCount(Emitter &e, Value rows, int64_t rowTile,
              llvm::function_ref<void(Value row, int64_t rows)> tile) {
  SmallVector<int64_t> counts =
      llvm::to_vector(llvm::seq_inclusive<int64_t>(1, rowTile));
  auto op = scf::IndexSwitchOp::create(e.b, e.loc, TypeRange(), rows, counts,
                                       counts.size());
  OpBuilder::InsertionGuard guard(e.b);
  auto fill = [&](Region &region, llvm::function_ref<void()> body) {
    e.b.createBlock(&region);
    body();
    scf::YieldOp::create(e.b, e.loc);
  };
  for (auto [count, region] : llvm::zip_equal(counts, op.getCaseRegions()))
    fill(region, [&, count = count] { tile(e.index(0), count); });
  fill(op.getDefaultRegion(), [] {});
}

/// Fewer rows than the register tile, by the binary digits of their number.
static void emitDigits(Emitter &e, Value rows, int64_t rowTile,
                       llvm::function_ref<void(Value row, int64_t rows)> tile) {
  for (int64_t count = llvm::bit_floor<uint64_t>(rowTile - 1); count > 0;
       count /= 2) {
    Value first = e.mul(e.div(rows, e.index(2 * count)), e.index(2 * count));
    Value left = e.sub(rows, first);
    Value isLeft = arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::uge,
                                         left, e.index(count));
    e.branch(isLeft, [&] { tile(first, count); });
  }
}

void smelt::emitRowTiles(
    Emitter &e, kernel::MatmulOp op,
    llvm::function_ref<void(Value row, int64_t rows)> tile) {
  const int64_t rowTile = e.productRows(op);
  auto type = cast<MemRefType>(op.getA().getType());
  if (!type.isDynamicDim(0) && type.getDimSize(0) <= rowTile)
    return tile(e.index(0), type.getDimSize(0));
  Value rows = e.dim(op.getA(), 0);
  // Code for each number of rows of tile registers would be too much; where
  // panels are unpacked, many full tiles come before the few rows.
  if (rowTile == e.target.rowTile && !op.getUnpacked())
    return emitEachCount(e, rows, rowTile, tile);
  Value isFull = arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::eq,
                                       rows, e.index(rowTile));
  e.branch(
      isFull, [&] { tile(e.index(0), rowTile); },
      [&] { emitDigits(e, rows, rowTile, tile); });
}

LogicalResult smelt::emitMatmul(Emitter &e, kernel::MatmulOp op) {
  if (op.getFormat().isQuantized())
    return emitQuantizedMatmul(e, op);
  auto type = cast<MemRefType>(op.getW().getType());
  int64_t panels = type.getDimSize(0);
  if (type.isDynamicDim(0) || !llvm::isPowerOf2_64(panels) ||
      type.getDimSize(2) % e.lanes())
    return op.emitOpError("expects one panel of whole vectors, or a power of "
                          "two of them");
  int64_t depth = type.getDimSize(3);
  SmallVector<ReassociationIndices> words = {{0}, {1}, {2, 3}};
  Value w = memref::CollapseShapeOp::create(e.b, e.loc, op.getW(), words);
  const Claimer *claimer = llvm::find_if(
      claimers, [&](const Claimer &c) { return c.claims(op, e.target); });
  Product product{e,
                  *claimer,
                  op.getA(),
                  w,
                  op.getInit(),
                  columnsOf(op.getA()),
                  type.getDimSize(2),
                  depth,
                  panels,
                  e.productRows(op),
                  {}};
  if (e.target.hasTiles())
    product.sums =
        e.tileSums(op, e.b.getF32Type(), kernel::TileDotOp::maxPanels);
  emitTiles(product, op);
  return success();
}
