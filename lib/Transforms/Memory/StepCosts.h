//===- StepCosts.h - What a scf.forall reads, writes and computes -*- C++
//-*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A cost is a sum over what a step consists of, with a factor for each:
//
//     fixed | per token, row of output, sequence | per position in the caches
//     of its sequences | per pair of a token and a position that it attends to
//
// so one record serves a token after a long text, a prompt and a batch.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_TRANSFORMS_MEMORY_STEPCOSTS_H
#define SMELT_LIB_TRANSFORMS_MEMORY_STEPCOSTS_H

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinAttributes.h"

#include <array>

namespace smelt {

/// What a cost counts.
enum class Count { Fixed, Token, Row, Sequence, Position, Pair };
inline constexpr llvm::StringLiteral kCountNames[] = {
    "fixed",        "per_token",    "per_row",
    "per_sequence", "per_position", "per_pair"};

struct Cost {
  std::array<int64_t, std::size(kCountNames)> factors = {};

  int64_t &operator[](Count count) {
    return factors[static_cast<size_t>(count)];
  }
  /// The factors that aren't 0, by name.
  mlir::DictionaryAttr toAttribute(mlir::MLIRContext *context) const;
};

struct ForallCost {
  /// Bytes of shared buffers, each read once and written once however often
  /// tiles come back to it.
  Cost bytes;
  /// Those of matrix products and attention, a multiply-add counting two.
  Cost operations;
  /// What matrix products multiply: f32, bf16 or int8.
  llvm::StringRef arithmetic = "f32";
  /// Positions that a token attends to at most; 0: all.
  int64_t window = 0;
};

/// What all threads together do in one execution of `forall`.
ForallCost countCost(mlir::scf::ForallOp forall);

} // namespace smelt

#endif // SMELT_LIB_TRANSFORMS_MEMORY_STEPCOSTS_H
