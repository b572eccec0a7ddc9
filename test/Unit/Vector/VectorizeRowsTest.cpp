//===- VectorizeRowsTest.cpp - Rows as vectors keep their bits --*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every function is compared bit by bit with a plain loop, for rows shorter
// than, as long as and longer than a vector, of known and unknown length. Rows
// lie apart with NaN between them: what a masked lane reads or writes wrongly
// shows in a result or in the gap.
//
//===----------------------------------------------------------------------===//
#include "Jit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>

using namespace smelt::test;

namespace {

constexpr int64_t numRows = 3, gap = 21, lanes = 16;
constexpr float poison = std::numeric_limits<float>::quiet_NaN();

// ROWS is replaced by the type of a matrix, ROW by that of one of its rows.
const char *const functions = R"(
#matrix = affine_map<(d0, d1) -> (d0, d1)>
#flipped = affine_map<(d0, d1) -> (2 - d0, d1)>
#transposed = affine_map<(d0, d1) -> (d1, d0)>
#rows = affine_map<(d0, d1) -> (d0)>
#columns = affine_map<(d0, d1) -> (d1)>

// z = x * y + s + column mod 5 + 3 * (column / 5)
func.func @elementwise(%x: ROWS, %y: ROWS, %s: memref<3xf32>, %z: ROWS)
    attributes {llvm.emit_c_interface} {
  linalg.generic {indexing_maps = [#matrix, #flipped, #rows, #matrix],
                  iterator_types = ["parallel", "parallel"]}
      ins(%x, %y, %s : ROWS, ROWS, memref<3xf32>) outs(%z : ROWS) {
  ^bb0(%a: f32, %b: f32, %c: f32, %out: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %0, %c : f32
    %2 = linalg.index 1 : index
    %column = affine.apply affine_map<(d0) -> (d0 mod 5 + 3 * (d0 floordiv 5))>(%2)
    %3 = arith.index_cast %column : index to i32
    %4 = arith.sitofp %3 : i32 to f32
    %5 = arith.addf %1, %4 : f32
    linalg.yield %5 : f32
  }
  return
}

// z = max(z, x) in place, and what is 0 stays
func.func @in_place(%x: ROWS, %z: ROWS) attributes {llvm.emit_c_interface} {
  linalg.generic {indexing_maps = [#matrix, #matrix],
                  iterator_types = ["parallel", "parallel"]}
      ins(%x : ROWS) outs(%z : ROWS) {
  ^bb0(%a: f32, %out: f32):
    %zero = arith.constant 0.0 : f32
    %0 = arith.cmpf oeq, %out, %zero : f32
    %1 = arith.maximumf %out, %a : f32
    %2 = arith.select %0, %out, %1 : f32
    linalg.yield %2 : f32
  }
  return
}

func.func @fill(%z: ROWS) attributes {llvm.emit_c_interface} {
  %c = arith.constant 2.5 : f32
  linalg.fill ins(%c : f32) outs(%z : ROWS)
  return
}

// s += sum of x * x, as lanes and their tree
func.func @sum(%x: ROWS, %s: memref<3xf32>) attributes {llvm.emit_c_interface} {
  linalg.generic {indexing_maps = [#matrix, #rows],
                  iterator_types = ["parallel", "reduction"]}
      ins(%x : ROWS) outs(%s : memref<3xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %0 = arith.mulf %a, %a : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  }
  return
}

// s = max(s, x), t += count of x; x / x is NaN in lanes that are off
func.func @max_count(%x: ROWS, %s: memref<3xf32>, %t: memref<3xf32>)
    attributes {llvm.emit_c_interface} {
  linalg.generic {indexing_maps = [#matrix, #rows, #rows],
                  iterator_types = ["parallel", "reduction"]}
      ins(%x : ROWS) outs(%s, %t : memref<3xf32>, memref<3xf32>) {
  ^bb0(%a: f32, %max: f32, %count: f32):
    %0 = arith.maximumf %max, %a : f32
    %1 = arith.divf %a, %a : f32
    %2 = arith.addf %count, %1 : f32
    linalg.yield %0, %2 : f32, f32
  }
  return
}

// r += x, row by row
func.func @column_sum(%x: ROWS, %r: ROW) attributes {llvm.emit_c_interface} {
  linalg.generic {indexing_maps = [#matrix, #columns],
                  iterator_types = ["reduction", "parallel"]}
      ins(%x : ROWS) outs(%r : ROW) {
  ^bb0(%a: f32, %acc: f32):
    %0 = arith.addf %acc, %a : f32
    linalg.yield %0 : f32
  }
  return
}

// One row of columns, read along columns: plain loops
func.func @transpose(%x: ROWS, %z: COLUMNS) attributes {llvm.emit_c_interface} {
  linalg.generic {indexing_maps = [#transposed, #matrix],
                  iterator_types = ["parallel", "parallel"]}
      ins(%x : ROWS) outs(%z : COLUMNS) {
  ^bb0(%a: f32, %out: f32):
    linalg.yield %a : f32
  }
  return
}
)";

std::string replaceAll(std::string text, const std::string &from,
                       const std::string &to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos;
       at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

std::string getFunctions(int64_t size, bool isStatic) {
  std::string n = isStatic ? std::to_string(size) : "?";
  std::string stride = std::to_string(size + gap);
  std::string ir = replaceAll(functions, "COLUMNS", "memref<" + n + "x3xf32>");
  ir = replaceAll(ir, "ROWS",
                  "memref<3x" + n + "xf32, strided<[" + stride + ", 1]>>");
  return replaceAll(ir, "ROW", "memref<" + n + "xf32>");
}

/// A matrix of `numRows` rows with poison after each.
struct Matrix {
  int64_t columns;
  std::vector<float> data;

  explicit Matrix(int64_t columns)
      : columns(columns), data(numRows * (columns + gap), poison) {}
  Matrix(int64_t columns, std::mt19937 &random) : Matrix(columns) {
    std::uniform_real_distribution<float> values(-4, 4);
    for (int64_t row = 0; row < numRows; ++row)
      for (int64_t column = 0; column < columns; ++column)
        at(row, column) = values(random);
  }
  float &at(int64_t row, int64_t column) {
    return data[row * (columns + gap) + column];
  }
  MemRef<float, 2> ref() {
    return makeMemRef(data, numRows, columns, columns + gap);
  }
};

/// The sum of `terms` as the compiler defines it: a partial sum per lane, then
/// the upper half of the lanes onto the lower one, until one is left.
float sumByLanes(const std::vector<float> &terms) {
  std::vector<float> sums(lanes, -0.0f);
  for (size_t i = 0; i < terms.size(); ++i)
    sums[i % lanes] += terms[i];
  for (int64_t half = lanes / 2; half; half /= 2)
    for (int64_t lane = 0; lane < half; ++lane)
      sums[lane] += sums[lane + half];
  return sums[0];
}

void expectSameBits(const std::vector<float> &got,
                    const std::vector<float> &expected, const char *what) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    uint32_t gotBits, expectedBits;
    std::memcpy(&gotBits, &got[i], 4);
    std::memcpy(&expectedBits, &expected[i], 4);
    EXPECT_EQ(gotBits, expectedBits) << what << ": element " << i << " is "
                                     << got[i] << ", expected " << expected[i];
  }
}

class VectorizeRows : public testing::TestWithParam<std::pair<int64_t, bool>> {
};

TEST_P(VectorizeRows, ComputesWhatLoopsCompute) {
  auto [size, isStatic] = GetParam();
  Jit jit(getFunctions(size, isStatic), "smelt-vectorize-rows");
  ASSERT_TRUE(jit.isValid());
  std::mt19937 random(size);
  Matrix x(size, random), y(size, random), z(size), expected(size);
  std::vector<float> s = {1.25f, -3.5f, 0.75f}, t = {0.5f, 0, -1};
  auto xRef = x.ref(), yRef = y.ref(), zRef = z.ref();
  auto sRef = makeMemRef(s), tRef = makeMemRef(t);

  jit.call("elementwise", xRef, yRef, sRef, zRef);
  for (int64_t i = 0; i < numRows; ++i)
    for (int64_t j = 0; j < size; ++j) {
      float product = x.at(i, j) * y.at(2 - i, j);
      expected.at(i, j) = (product + s[i]) + float(j % 5 + 3 * (j / 5));
    }
  expectSameBits(z.data, expected.data, "elementwise");

  z.at(1, size / 2) = expected.at(1, size / 2) = 0;
  jit.call("in_place", xRef, zRef);
  for (int64_t i = 0; i < numRows; ++i)
    for (int64_t j = 0; j < size; ++j)
      if (expected.at(i, j) != 0)
        expected.at(i, j) = std::fmax(expected.at(i, j), x.at(i, j));
  expectSameBits(z.data, expected.data, "in_place");

  jit.call("fill", zRef);
  for (int64_t i = 0; i < numRows; ++i)
    for (int64_t j = 0; j < size; ++j)
      expected.at(i, j) = 2.5f;
  expectSameBits(z.data, expected.data, "fill");

  std::vector<float> sums = s;
  for (int64_t i = 0; i < numRows; ++i) {
    std::vector<float> squares;
    for (int64_t j = 0; j < size; ++j)
      squares.push_back(x.at(i, j) * x.at(i, j));
    sums[i] += sumByLanes(squares);
  }
  jit.call("sum", xRef, sRef);
  expectSameBits(s, sums, "sum");

  std::vector<float> maxima = {-INFINITY, 100.0f, -INFINITY}, counts = t;
  s = maxima;
  for (int64_t i = 0; i < numRows; ++i) {
    for (int64_t j = 0; j < size; ++j)
      maxima[i] = std::fmax(maxima[i], x.at(i, j));
    counts[i] += float(size);
  }
  jit.call("max_count", xRef, sRef, tRef);
  expectSameBits(s, maxima, "max");
  expectSameBits(t, counts, "count");

  std::vector<float> columns(size, 0.125f), expectedColumns = columns;
  for (int64_t i = 0; i < numRows; ++i)
    for (int64_t j = 0; j < size; ++j)
      expectedColumns[j] += x.at(i, j);
  auto columnsRef = makeMemRef(columns);
  jit.call("column_sum", xRef, columnsRef);
  expectSameBits(columns, expectedColumns, "column_sum");

  std::vector<float> turned(size * numRows), expectedTurned = turned;
  for (int64_t i = 0; i < numRows; ++i)
    for (int64_t j = 0; j < size; ++j)
      expectedTurned[j * numRows + i] = x.at(i, j);
  auto turnedRef = makeMemRef(turned, size, numRows, numRows);
  jit.call("transpose", xRef, turnedRef);
  expectSameBits(turned, expectedTurned, "transpose");
}

std::vector<std::pair<int64_t, bool>> getSizes() {
  std::vector<std::pair<int64_t, bool>> sizes;
  for (int64_t size : {1, 7, 15, 16, 17, 31, 33, 40, 100})
    for (bool isStatic : {false, true})
      sizes.emplace_back(size, isStatic);
  return sizes;
}

INSTANTIATE_TEST_SUITE_P(
    Sizes, VectorizeRows, testing::ValuesIn(getSizes()),
    [](const testing::TestParamInfo<std::pair<int64_t, bool>> &info) {
      return (info.param.second ? "Static" : "Dynamic") +
             std::to_string(info.param.first);
    });

} // namespace
