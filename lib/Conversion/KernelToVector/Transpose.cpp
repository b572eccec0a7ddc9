//===- Transpose.cpp - Rows and lanes exchanged -----------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// As many rows as a vector has lanes are transposed in registers, by exchanging
// bit after bit of row and lane numbers:
//
//     a0 a1 a2 a3      a0 a1|c0 c1      a0 b0 c0 d0
//     b0 b1 b2 b3      b0 b1|d0 d1      a1 b1 c1 d1
//     c0 c1 c2 c3  ->  a2 a3|c2 c3  ->  a2 b2 c2 d2
//     d0 d1 d2 d3      b2 b3|d2 d3      a3 b3 c3 d3
//
//===----------------------------------------------------------------------===//
#include "Emitter.h"

using namespace mlir;
using namespace smelt;

void smelt::transpose(Emitter &e, Emitter::Values &rows) {
  int64_t lanes = e.lanes();
  for (int64_t bit = lanes / 2; bit; bit /= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t lane = 0; lane < lanes; ++lane) {
      bool isUpper = lane & bit;
      low.push_back(isUpper ? lanes + lane - bit : lane);
      high.push_back(isUpper ? lanes + lane : lane + bit);
    }
    for (int64_t i = 0; i < lanes; ++i) {
      if (i & bit)
        continue;
      Value x = rows[i], y = rows[i + bit];
      rows[i] = vector::ShuffleOp::create(e.b, e.loc, x, y, low);
      rows[i + bit] = vector::ShuffleOp::create(e.b, e.loc, x, y, high);
    }
  }
}
