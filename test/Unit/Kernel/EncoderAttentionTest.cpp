//===- EncoderAttentionTest.cpp - Rows of a step against doubles ----------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Random queries, keys and values of several sequences attend in one step. The
// results are compared with sums of doubles over what is multiplied, and bit
// for bit with the same sequences alone, cut anywhere, and with heads apart.
// Shapes and seeds are drawn anew each time.
//
//===----------------------------------------------------------------------===//
#include "KernelTest.h"
#include "Vector/Jit.h"

#include "llvm/ADT/StringRef.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <random>

using namespace smelt;
using namespace smelt::test;

namespace {

struct Case {
  const char *target, *compute;
  const char *element;        // of all rows: f32 or bf16
  bool isRounded;             // whether products are made of bf16
  int64_t heads, group, size; // of kv heads, of query heads each, of a head
  std::vector<int64_t> lengths;

  int64_t width() const { return heads * size; }
  bool isNarrow() const { return element == llvm::StringRef("bf16"); }
};

std::string text(int64_t value) { return std::to_string(value); }

std::string makeIR(const Case &c) {
  std::string any = "memref<?x?x" + std::string(c.element) +
                    ", strided<[?, 1], offset: ?>>",
              ints = "memref<?xi32>";
  return "module attributes {llm.target = \"" + std::string(c.target) +
         "\"} {\nfunc.func @attend(%q: " + any + ", %k: " + any +
         ", %v: " + any + ", %b: " + ints + ", %e: " + ints + ", %y: " + any +
         ") attributes {llvm.emit_c_interface} {\n"
         " kernel.attention ins(%q, %k, %v, %b, %e : " +
         any + ", " + any + ", " + any + ", " + ints + ") outs(%y : " + any +
         ") {group = " + text(c.group) + " : i64, size = " + text(c.size) +
         " : i64, scale = 0.3 : f32, compute = " + c.compute +
         "}\n return\n}\n}";
}

float toBF16(float x) { return roundTo(llvm::APFloat::BFloat(), x); }

/// [rows][columns] as the kernel stores them.
class Rows {
public:
  Rows(const Case &c, int64_t columns) : c(c), columns(columns) {}
  void push_back(float x) {
    if (!c.isNarrow())
      return append(&x, 4);
    x = toBF16(x);
    uint16_t upper[2];
    std::memcpy(upper, &x, 4);
    append(&upper[1], 2);
  }
  float at(int64_t row, int64_t column) const {
    const uint8_t *from = bytes.data() + (row * columns + column) * width();
    uint16_t upper[2] = {};
    std::memcpy(c.isNarrow() ? &upper[1] : &upper[0], from, width());
    float x;
    std::memcpy(&x, upper, 4);
    return x;
  }
  /// Part of them; the compiled code knows what an element is.
  MemRef<uint8_t, 2> part(int64_t row, int64_t endRow, int64_t column,
                          int64_t endColumn) {
    return {bytes.data(),
            bytes.data(),
            row * columns + column,
            {endRow - row, endColumn - column},
            {columns, 1}};
  }
  bool operator==(const Rows &other) const { return bytes == other.bytes; }

private:
  size_t width() const { return c.isNarrow() ? 2 : 4; }
  void append(const void *from, size_t count) {
    auto *first = static_cast<const uint8_t *>(from);
    bytes.insert(bytes.end(), first, first + count);
  }

  const Case &c;
  int64_t columns;
  std::vector<uint8_t> bytes;
};

class Step {
public:
  Step(const Case &c, std::mt19937 &random)
      : c(c), jit(makeIR(c), attentionPasses), random(random),
        q(make(c.width() * c.group)), k(make(c.width())), v(make(c.width())) {
    for (int64_t length : c.lengths) {
      int64_t first = begin.size();
      begin.insert(begin.end(), length, first);
      end.insert(end.end(), length, first + length);
    }
  }
  void check();

private:
  Rows make(int64_t columns) {
    std::normal_distribution<float> normal;
    Rows rows(c, columns);
    int64_t count = columns;
    for (int64_t length : c.lengths)
      for (int64_t i = 0; i < length * count; ++i)
        rows.push_back(normal(random));
    return rows;
  }
  Rows makeResult() {
    Rows rows(c, c.width() * c.group);
    for (size_t i = 0; i < begin.size() * c.width() * c.group; ++i)
      rows.push_back(NAN);
    return rows;
  }
  /// Rows and kv heads from a first to a last one.
  void run(int64_t row, int64_t endRow, int64_t head, int64_t endHead,
           Rows &y) {
    auto queries = [&](Rows &rows) {
      return rows.part(row, endRow, head * c.group * c.size,
                       endHead * c.group * c.size);
    };
    auto all = [&](Rows &rows) {
      return rows.part(0, begin.size(), head * c.size, endHead * c.size);
    };
    std::vector<int32_t> b(begin.begin() + row, begin.begin() + endRow);
    std::vector<int32_t> e(end.begin() + row, end.begin() + endRow);
    auto in = queries(q), keys = all(k), values = all(v), out = queries(y);
    auto from = makeMemRef(b), to = makeMemRef(e);
    jit.call("attend", in, keys, values, from, to, out);
  }
  void expectNear(const Rows &y, int64_t row, int64_t head);

  const Case &c;
  Jit jit;
  std::mt19937 &random;
  std::vector<int32_t> begin, end; // of each row's sequence
  Rows q, k, v;
};

void Step::expectNear(const Rows &y, int64_t row, int64_t head) {
  const double scale = 0.3f;
  // Weights, and what is written, are rounded by half a unit at most.
  const double rounding = 0x1p-8;
  auto read = [&](const Rows &rows, int64_t r, int64_t column) -> double {
    float x = rows.at(r, column);
    return c.isRounded ? toBF16(x) : x;
  };
  const int64_t offset = head / c.group * c.size, first = head * c.size;
  std::vector<double> weights;
  double most = -INFINITY, largest = 0, sum = 0;
  for (int64_t p = begin[row]; p < end[row]; ++p) {
    double dot = 0, magnitude = 0;
    for (int64_t d = 0; d < c.size; ++d) {
      double product = read(q, row, first + d) * read(k, p, offset + d);
      dot += product;
      magnitude += std::fabs(product);
    }
    weights.push_back(dot * scale);
    most = std::max(most, weights.back());
    largest = std::max(largest, magnitude * scale);
  }
  for (double &weight : weights)
    sum += weight = std::exp(weight - most);
  double error = attentionError(c.size, weights.size(), largest) +
                 (c.isRounded ? rounding : 0);
  for (int64_t d = 0; d < c.size; ++d) {
    double mixed = 0, magnitude = 0;
    for (size_t i = 0; i < weights.size(); ++i) {
      double x = read(v, begin[row] + i, offset + d);
      mixed += weights[i] / sum * x;
      magnitude += weights[i] / sum * std::fabs(x);
    }
    double bound = error * magnitude;
    if (c.isNarrow())
      bound += rounding * (std::fabs(mixed) + bound);
    ASSERT_LE(std::fabs(y.at(row, first + d) - mixed), bound)
        << "row " << row << ", head " << head << ", column " << d;
  }
}

void Step::check() {
  ASSERT_TRUE(jit.isValid());
  const int64_t rows = begin.size();
  Rows whole = makeResult(), alone = whole, apart = whole;
  run(0, rows, 0, c.heads, whole);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t head = 0; head < c.heads * c.group; ++head) {
      expectNear(whole, row, head);
      if (::testing::Test::HasFatalFailure())
        return;
    }
  for (int64_t row = 0; row < rows; ++row)
    run(row, row + 1, 0, c.heads, alone);
  EXPECT_TRUE(whole == alone) << "rows alone differ";
  const int64_t border = random() % (rows + 1);
  for (int64_t head = 0; head < c.heads; ++head) {
    run(0, border, head, head + 1, apart);
    run(border, rows, head, head + 1, apart);
  }
  EXPECT_TRUE(whole == apart)
      << "heads apart, rows cut at " << border << ", differ";
}

TEST(EncoderAttention, IsNearDoubles) {
  unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + text(seed));
  std::mt19937 random(seed);
  auto pick = [&](std::initializer_list<int64_t> values) {
    return values.begin()[random() % values.size()];
  };
  const struct {
    const char *target, *compute, *element;
    bool isRounded;
  } kinds[] = {{"amx", "bf16", "f32", true},
               {"amx", "bf16", "bf16", true},
               {"avx512-bf16", "bf16", "f32", true},
               {"avx512-bf16", "bf16", "bf16", true},
               {"amx", "f32", "f32", false},
               {"avx2", "bf16", "f32", false},
               {"avx2", "f32", "bf16", false},
               {"generic", "f32", "f32", false}};
  for (const auto &kind : kinds) {
    Case c{kind.target,
           kind.compute,
           kind.element,
           kind.isRounded,
           pick({1, 2, 3}),
           pick({1, 1, 2, 3}),
           pick({1, 7, 12, 16, 17, 32, 40, 48, 64, 80, 96}),
           {}};
    for (int s = 0; s < 3; ++s)
      c.lengths.push_back(
          pick({1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 129, 150}));
    SCOPED_TRACE(std::string(c.target) + ", compute " + c.compute +
                 ", rows of " + c.element + ", heads " + text(c.heads) + " x " +
                 text(c.group) + " of " + text(c.size));
    Step(c, random).check();
    if (HasFatalFailure())
      return;
  }
}

} // namespace
