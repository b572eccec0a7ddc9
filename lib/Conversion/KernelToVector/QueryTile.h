//===- QueryTile.h - Some rows against a block of positions -----*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_CONVERSION_KERNELTOVECTOR_QUERYTILE_H
#define SMELT_CONVERSION_KERNELTOVECTOR_QUERYTILE_H

#include "Emitter.h"

#include <functional>
#include <limits>

namespace smelt {

/// The maximum of nothing. Finite: two to the power of what it differs by from
/// itself is 1, from any score 0.
constexpr double kLowest = -std::numeric_limits<float>::max();

/// Where products of queries and keys, and of weights and values, are made.
enum class Products {
  Floats, // in vector registers, of f32
  Pairs,  // likewise, of pairs of bf16
  Tiles   // in tile registers, of bf16
};

/// Keys and values of one block of positions.
struct KVBlock {
  /// `lanes` keys of head dimension d from position p of the block on; if
  /// products are of pairs, those of d + 1 beside them.
  std::function<mlir::Value(mlir::Value d, mlir::Value p)> keys;
  /// `lanes` value columns from d on at position p; if products are of pairs,
  /// those of position `next` beside them.
  std::function<mlir::Value(mlir::Value p, mlir::Value next, mlir::Value d,
                            mlir::Value mask)>
      values;
  /// What keys and values of `lanes` positions from p on are to be multiplied
  /// with, if they are integers.
  std::function<mlir::Value(mlir::Value p)> keyScales, valueScales;
  /// Ask for element `offset` of the block's values, of the next block's keys,
  /// if memory is worth asking; what comes next is read from there.
  std::function<void(mlir::Value offset)> prefetchValues, prefetchKeys;
  /// Elements of a cache line, of a block's keys and of its values.
  int64_t line = 0, keyCount = 0, valueCount = 0;
  /// For tile registers, instead of all the others (BF16QueryTile.h).
  mlir::Value keyPanels, valuePanels;
};

/// An attention op without its tile sizes.
struct Attention {
  mlir::Value q, init; // [rows, heads * group * size]
  int64_t size, group;
  double scale;
  /// Whether two rows belong to one sequence.
  std::function<mlir::Value(mlir::Value row, mlir::Value other)> isSameSequence;
  /// Positions [begin, end) that a row sees.
  std::function<std::pair<mlir::Value, mlir::Value>(mlir::Value row)> range;
  /// Block `b` of the sequence of `row`.
  std::function<KVBlock(mlir::Value row, mlir::Value head, mlir::Value b)>
      block;
  /// Whether blocks fold to spans first.
  bool isSpanned = false;
  /// Rows that share a block while it is in the cache.
  int64_t sharing = 24;
  Products products = Products::Floats;
  /// What a vector of keys or values takes until it is multiplied.
  int64_t operandRegisters = 1;
};

/// Buffers on the stack.
struct Scratch {
  /// [rows of a tile, positions of a block]: s, then e.
  mlir::Value weights;
  /// [m_b | l_b | 2^(m - m') | 2^(m_b - m')][rows of a tile].
  mlir::Value merging;
  /// [m | l | those of all spans][rows that share a block].
  mlir::Value state;
  /// [rows that share a block, columns].
  mlir::Value outputs;
  /// For products of bf16: queries [rows that share a block, columns] and e
  /// [rows of a tile, positions of a block].
  mlir::Value queries, rounded;
  /// For tile registers: sums of values [rows of a tile, columns].
  mlir::Value sums;
};

/// Two maxima and sums merged.
struct Merged {
  mlir::Value m, l, keep, take;
};

/// Where a tile's rows are: `tokens` rows of queries from `row` to `last`, of
/// `members` query heads each from `column` on.
struct TilePlace {
  int64_t tokens, members;
  mlir::Value row, last, column;
  mlir::Value place; // of the first row in the state
};

/// Some rows that go through blocks together. How products are made is left to
/// those that derive from it.
class QueryTile {
public:
  QueryTile(Emitter &e, const Attention &attention, const Scratch &scratch,
            const TilePlace &at)
      : e(e), op(attention), scratch(scratch), tokens(at.tokens),
        members(at.members), row(at.row), last(at.last), column(at.column),
        place(at.place) {}
  virtual ~QueryTile();

  /// Before the first block: nothing has been seen.
  void begin();
  /// Before a span's first block.
  virtual void beginSpan();
  /// Merges what its rows see of block `b` into the span.
  void emitBlock(const KVBlock &block, mlir::Value b);
  /// Merges the span into the result.
  void endSpan();
  /// Stores the span of one token's heads in rows of partials, `stride` apart,
  /// the first of the kv head's in `row`.
  void storeSpan(mlir::Value partials, mlir::Value row, int64_t stride);
  /// After the last block.
  void finish();

protected:
  /// A row of the tile: its number, its token and its first column.
  struct Row {
    mlir::Value number, token, column;
  };
  int64_t rows() const { return tokens * members; }
  /// Rows that a token has.
  virtual mlir::Value count() = 0;
  /// `body` for each of them.
  virtual void eachRow(llvm::function_ref<void(const Row &)> body) = 0;
  /// s of the block, without scale.
  virtual void emitScores(const KVBlock &block) = 0;
  /// Keeps e of row r, positions p on, for `emitValues`.
  virtual void storeWeights(mlir::Value weights, mlir::Value r,
                            mlir::Value p) = 0;
  /// o_b over positions [first, count) of the block, merged into the output.
  virtual void emitValues(const KVBlock &block, mlir::Value first,
                          mlir::Value count) = 0;

  /// Indices of element d of a row in queries and result.
  llvm::SmallVector<mlir::Value> at(const Row &r, mlir::Value d) {
    return {r.token, e.add(r.column, d)};
  }
  /// Where a span's element d of row r is.
  llvm::SmallVector<mlir::Value> outputOf(mlir::Value r, mlir::Value d) {
    return {e.add(place, r), d};
  }
  /// What row r's old and new outputs are to be multiplied with: number 2, 3.
  mlir::Value factor(int64_t number, mlir::Value r) {
    return e.splat(e.load(scratch.merging, {e.index(number), r}));
  }
  /// Where number `number` of the state of row r is.
  llvm::SmallVector<mlir::Value> stateOf(int64_t number, mlir::Value r) {
    return {e.index(number), e.add(place, r)};
  }
  /// The outputs of row r, columns d on, and the block's.
  void mergeOutputs(mlir::Value r, mlir::Value d, mlir::Value keep,
                    mlir::Value take, mlir::Value sums);

  mlir::Value minimum(mlir::Value x, mlir::Value y) {
    return mlir::arith::MinSIOp::create(e.b, e.loc, x, y);
  }

  Emitter &e;
  const Attention &op;
  const Scratch &scratch;
  const int64_t tokens, members;
  mlir::Value row, last, column, place;

private:
  void emitWeights(const KVBlock &block, mlir::Value b, bool isMasked);
  void emitMerge(
      llvm::function_ref<mlir::Value(int64_t, mlir::Value, mlir::Value)> load,
      int64_t into);
  void clear(int64_t state);

  mlir::Value maskUnseen(mlir::Value score, mlir::Value p, mlir::Value first,
                         mlir::Value count);
  mlir::Value
  reduce(mlir::Value vector,
         llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)> combine);

  mlir::Value exp2(mlir::Value x) {
    return mlir::math::Exp2Op::create(e.b, e.loc, x);
  }
  mlir::Value addf(mlir::Value x, mlir::Value y) {
    return mlir::arith::AddFOp::create(e.b, e.loc, x, y);
  }
  mlir::Value mulf(mlir::Value x, mlir::Value y) {
    return mlir::arith::MulFOp::create(e.b, e.loc, x, y);
  }
  mlir::Value subf(mlir::Value x, mlir::Value y) {
    return mlir::arith::SubFOp::create(e.b, e.loc, x, y);
  }
  mlir::Value maximum(mlir::Value x, mlir::Value y) {
    return mlir::arith::MaxSIOp::create(e.b, e.loc, x, y);
  }
  mlir::Value compare(mlir::arith::CmpIPredicate predicate, mlir::Value x,
                      mlir::Value y) {
    return mlir::arith::CmpIOp::create(e.b, e.loc, predicate, x, y);
  }
};

/// Rows whose products are summed in vector registers.
class RegisterQueryTile : public QueryTile {
public:
  using QueryTile::QueryTile;

protected:
  /// Dimensions or positions that a product takes: 1, or 2 for pairs.
  virtual int64_t depth() const = 0;
  /// Of row r, once for each lane: of the query, from dimension d on.
  virtual mlir::Value query(int64_t r, mlir::Value d) = 0;
  /// Likewise of e, from position p on.
  virtual mlir::Value weight(int64_t r, mlir::Value p) = 0;
  /// sum + x * y.
  virtual mlir::Value multiply(mlir::Value x, mlir::Value y,
                               mlir::Value sum) = 0;

  Row rowOf(int64_t r);

private:
  mlir::Value count() override { return e.index(rows()); }
  void eachRow(llvm::function_ref<void(const Row &)> body) override {
    for (int64_t r = 0; r < rows(); ++r)
      body(rowOf(r));
  }
  void emitScores(const KVBlock &block) override;
  void emitValues(const KVBlock &block, mlir::Value first,
                  mlir::Value count) override;
  void prefetchValues(const KVBlock &block, mlir::Value p, mlir::Value step,
                      int64_t width);
  void prefetchKeys(const KVBlock &block, mlir::Value p, int64_t sweep,
                    int64_t sweeps);
};

/// Products as multiply-adds of f32.
class FMAQueryTile : public RegisterQueryTile {
public:
  using RegisterQueryTile::RegisterQueryTile;

private:
  int64_t depth() const override { return 1; }
  mlir::Value query(int64_t r, mlir::Value d) override {
    return e.splat(e.extend(e.load(op.q, at(rowOf(r), d))));
  }
  mlir::Value weight(int64_t r, mlir::Value p) override {
    return e.splat(e.load(scratch.weights, {e.index(r), p}));
  }
  mlir::Value multiply(mlir::Value x, mlir::Value y, mlir::Value sum) override {
    return e.fma(x, y, sum);
  }
  void storeWeights(mlir::Value weights, mlir::Value r,
                    mlir::Value p) override {
    e.storeVector(weights, scratch.weights, {r, p});
  }
};

/// What outputs are multiplied with in the end: 1 / `sum`, in each lane.
mlir::Value splatOfInverse(Emitter &e, mlir::Value sum);

/// (m, l) and (m_b, l_b), scalars or vectors.
Merged mergeMaxima(Emitter &e, mlir::Value m, mlir::Value l, mlir::Value mb,
                   mlir::Value lb);

} // namespace smelt

#endif // SMELT_CONVERSION_KERNELTOVECTOR_QUERYTILE_H
