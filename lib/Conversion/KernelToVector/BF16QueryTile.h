//===- BF16QueryTile.h - Some rows in tile registers ------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_CONVERSION_KERNELTOVECTOR_BF16QUERYTILE_H
#define SMELT_CONVERSION_KERNELTOVECTOR_BF16QUERYTILE_H

#include "QueryTile.h"

namespace smelt {

/// Keys and values of a block, as panels of 16 columns of pairs of bf16, the
/// second operands of kernel.tile_dot, one after another:
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

/// Up to 16 rows of one query head, whose products tile registers make: of what
/// is rounded to bf16. A row's bits don't depend on the others.
class BF16QueryTile : public QueryTile {
public:
  using QueryTile::QueryTile;

  void begin() override;

  /// Buffers that kernel.tile_dot reads and writes, for `sharing` rows that
  /// share a block.
  static void addScratch(Emitter &e, mlir::Operation *anchor, int64_t size,
                         int64_t sharing, Scratch &scratch);

private:
  mlir::Value count() override;
  void eachRow(llvm::function_ref<void(const Row &)> body) override;
  void emitScores(const KVBlock &block) override;
  void storeWeights(mlir::Value weights, mlir::Value r,
                    mlir::Value p) override {
    mlir::Value rounded = e.round(weights, e.b.getBF16Type());
    e.storeVector(rounded, scratch.rounded, {r, p});
  }
  void emitValues(const KVBlock &block, mlir::Value first,
                  mlir::Value count) override;

  /// `sums` = the rows of `a` times `panels`, `lines` lines each.
  void multiply(mlir::Value a, mlir::Value panels, int64_t lines,
                mlir::Value sums);
};

} // namespace smelt

#endif // SMELT_CONVERSION_KERNELTOVECTOR_BF16QUERYTILE_H
