//===- KernelTest.h - What tests of kernels have in common ------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TEST_UNIT_KERNEL_KERNELTEST_H
#define SMELT_TEST_UNIT_KERNEL_KERNELTEST_H

#include "smelt/Dialect/LLM/IR/LLM.h"

#include "llvm/ADT/APFloat.h"

namespace smelt::test {

/// From kernels of attention to LLVM, all instructions but vectors spelled out.
constexpr const char attentionPasses[] =
    "func.func(convert-kernel-to-vector),smelt-expand-dots,smelt-expand-math,"
    "smelt-expand-conversions,canonicalize,cse,convert-vector-to-scf,"
    "convert-kernel-to-llvm";

/// `x` as the nearest number of `semantics`.
inline float roundTo(const llvm::fltSemantics &semantics, float x) {
  llvm::APFloat value(x);
  bool isLossy;
  value.convert(semantics, llvm::APFloat::rmNearestTiesToEven, &isLossy);
  value.convert(llvm::APFloat::IEEEsingle(), llvm::APFloat::rmNearestTiesToEven,
                &isLossy);
  return value.convertToFloat();
}

/// What attention in f32 errs by at most, relative to the same sum of values'
/// magnitudes: heads of `size` columns, `count` positions, the largest sum of
/// magnitudes of a score's products.
inline double attentionError(int64_t size, double count, double largest) {
  // A score has size products and sums and three factors, each rounded; an
  // exponential has two such scores, their difference and its own error; then
  // come the sums over positions and the merges of blocks.
  const double unit = 0x1p-24, merges = count / llm::blockPositions + 2;
  return 2 * unit *
         (2 * (2 * size + 3) * largest + 4 * largest * merges + 2 * count +
          8 * merges + 8);
}

} // namespace smelt::test

#endif // SMELT_TEST_UNIT_KERNEL_KERNELTEST_H
