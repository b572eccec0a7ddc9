//===- BF16QueryTile.h - Some rows rounded to bf16 --------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_CONVERSION_KERNELTOVECTOR_BF16QUERYTILE_H
#define SMELT_CONVERSION_KERNELTOVECTOR_BF16QUERYTILE_H

#include "QueryTile.h"

namespace smelt {

/// Keys and values of a block, as panels of 16 columns of pairs of bf16, one
/// after another. They are the second operands of kernel.tile_dot, and their
/// lines those of dot products of pairs:
///
///     keys:   a panel's columns are 16 positions, its lines pairs of d
///     values: a panel's columns are 16 of d, its lines pairs of positions
class BF16Panels {
public:
  /// Room for them on the stack of the function that `anchor` stands in.
  BF16Panels(Emitter &e, mlir::Operation *anchor, int64_t size);
  /// Where a block is: in the rows [start, last] from column `base` on. Of 64
  /// positions, those behind the last row are as that one, or anything.
  struct Place {
    mlir::Value start, last, base;
  };
  KVBlock pack(mlir::Value k, mlir::Value v, const Place &at);

private:
  void packKeys(mlir::Value k, const Place &at);
  void packValues(mlir::Value v, const Place &at);
  /// The row of position `p` of the block.
  mlir::Value rowOf(const Place &at, mlir::Value p);

  Emitter &e;
  const int64_t size;
  mlir::Value keys, values; // [panels * lines, 32]
};

/// Elements of `low` and `high`, which have `lanes` bf16 each, by turns: a pair
/// for each lane.
mlir::Value makePairs(Emitter &e, mlir::Value low, mlir::Value high);

/// Adds the buffers of products of bf16 for rows of `size` columns, of which
/// `sharing` share a block, in tiles of `rowTile`.
void addRoundedScratch(Emitter &e, mlir::Operation *anchor, int64_t size,
                       int64_t sharing, int64_t rowTile, Scratch &scratch);

/// Products as dot products of pairs, of what is rounded to bf16.
class PairQueryTile : public RegisterQueryTile {
public:
  using RegisterQueryTile::RegisterQueryTile;

  void beginSpan() override;

private:
  int64_t depth() const override { return 2; }
  mlir::Value query(int64_t r, mlir::Value d) override {
    return e.splatOfPair(scratch.queries, {e.add(place, e.index(r)), d});
  }
  mlir::Value weight(int64_t r, mlir::Value p) override {
    return e.splatOfPair(scratch.rounded, {e.index(r), p});
  }
  mlir::Value multiply(mlir::Value x, mlir::Value y, mlir::Value sum) override {
    return e.dotPairs(x, y, sum);
  }
  void storeWeights(mlir::Value weights, mlir::Value r, mlir::Value p) override;
};

/// Up to 32 rows of one query head, whose products tile registers make: of what
/// is rounded to bf16. A row's bits don't depend on the others.
class TileQueryTile : public QueryTile {
public:
  using QueryTile::QueryTile;

  void beginSpan() override;

private:
  mlir::Value count() override;
  void eachRow(llvm::function_ref<void(const Row &)> body) override;
  void emitScores(const KVBlock &block) override;
  void storeWeights(mlir::Value weights, mlir::Value r, mlir::Value p) override;
  void emitValues(const KVBlock &block, mlir::Value first,
                  mlir::Value count) override;

  /// `sums` = the rows of `a` times `panels`, `lines` lines each.
  void multiply(mlir::Value a, mlir::Value panels, int64_t lines,
                mlir::Value sums);
};

} // namespace smelt

#endif // SMELT_CONVERSION_KERNELTOVECTOR_BF16QUERYTILE_H
