//===- AttentionTest.cpp - The KV cache against softmax in doubles --------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Random rows are appended to a cache whose memory holds NaNs, then queries of
// several sequences attend in one step. What is stored is compared exactly with
// its definition, what is computed with sums of doubles over what is stored,
// and bit for bit with the same queries alone and with heads apart. Shapes,
// windows and seeds are drawn anew each time.
//
//===----------------------------------------------------------------------===//
#include "KernelTest.h"
#include "Vector/Jit.h"

#include "smelt/Dialect/Kernel/IR/Kernel.h"
#include "smelt/Target/CPU/Targets.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <random>

using namespace smelt;
using namespace smelt::test;

namespace {

constexpr int64_t block = 64, layers = 2, layer = 1;

/// A cache record by what its elements are.
struct Kind {
  const char *name, *element;
  int64_t bytes;
  const llvm::fltSemantics *semantics; // null: integers with scales
};
const Kind kinds[] = {{"f32", "f32", 4, &llvm::APFloat::IEEEsingle()},
                      {"f16", "f16", 2, &llvm::APFloat::IEEEhalf()},
                      {"bf16", "bf16", 2, &llvm::APFloat::BFloat()},
                      {"int8", "i8", 1, nullptr}};

struct Case {
  const char *target;
  const Kind &kind;
  int64_t heads, group, size; // of kv heads, of query heads each, of a head
  int64_t window;             // 0: none
  int64_t context;            // 0: without spans
  std::vector<int64_t> lengths, queries; // of each sequence

  /// Whether products are made of bf16.
  bool isRounded() const {
    return target == llvm::StringRef("avx512-bf16") &&
           kind.element == llvm::StringRef("bf16") && size % 2 == 0;
  }
  int64_t padded() const { return (size + 15) / 16 * 16; }
  int64_t width() const { return heads * size; }
  int64_t queryWidth() const { return width() * group; }
  /// Rows and columns of partials.
  int64_t partialRows() const {
    return kernel::AttendSpansOp::maxRows * heads * group *
           kernel::AttendSpansOp::countSpans(context);
  }
  int64_t partialWidth() const { return kernel::AttendSpansOp::getWidth(size); }
};

std::string text(int64_t value) { return std::to_string(value); }

std::string makeIR(const Case &c) {
  std::string any = "memref<?x?xf32, strided<[?, 1], offset: ?>>",
              rows = "memref<?x" + text(c.width()) + "xf32>",
              ints = "memref<?xi32>", table = "memref<?x?xi32>",
              head = "memref<" + text(layers) + "x?x" + text(c.heads) + "x",
              keys = head + text(c.size) + "x64x" + c.kind.element + ">",
              values =
                  head + "64x" + text(c.padded()) + "x" + c.kind.element + ">",
              scales = head + "64xf32>";
  std::string pools = "%kp: " + keys + ", %vp: " + values + ", %t: " + table +
                      ", %ks: " + scales + ", %vs: " + scales;
  std::string scaled =
      c.kind.semantics ? ""
                       : " scaled(%ks, %vs : " + scales + ", " + scales + ")";
  std::string attributes =
      " attributes {llvm.emit_c_interface} {\n %l = arith.constant " +
      text(layer) + " : index\n";
  std::string window =
      c.window ? ", window = " + text(c.window) + " : i64" : "";
  std::string operands =
                  "(%q, %s, %p : " + any + ", " + ints + ") over %kp, %vp[%l",
              tail = ", scale = 0.3 : f32" + window + "}\n return\n}\n";
  std::string spans;
  if (c.context) {
    std::string partials = "memref<" + text(c.partialRows()) + "x" +
                           text(c.partialWidth()) + "xf32>";
    auto load = [](std::string name, int number) {
      return " %" + name + "i = memref.load %h[%c" + text(number) +
             "] : memref<?xi32>\n %" + name + " = arith.index_cast %" + name +
             "i : i32 to index\n";
    };
    spans = "func.func @spans(%q: " + any + ", %s: " + ints + ", %p: " + ints +
            ", " + pools + ", %h: " + ints + ", %o: " + partials + ")" +
            attributes +
            " %c0 = arith.constant 0 : index\n %c1 = arith.constant 1 : "
            "index\n" +
            load("t0", 0) + load("n", 1) + " kernel.attend_spans ins" +
            operands + "] by %t : " + keys + ", " + values + ", " + table +
            scaled + " into %o of %t0, %n : " + partials +
            " {group = " + text(c.group) + " : i64" + tail +
            "func.func @merge(%p: " + ints + ", %o: " + partials +
            ", %y: " + any + ")" + attributes +
            " %c0 = arith.constant 0 : index\n kernel.merge_spans ins(%p : " +
            ints + ") from %o[%c0, %c0] : " + partials + " outs(%y : " + any +
            ") {group = " + text(c.group) + " : i64, size = " + text(c.size) +
            " : i64, heads = " + text(c.heads) + " : i64" + window +
            "}\n return\n}\n";
  }
  return "module attributes {llm.target = \"" + std::string(c.target) +
         "\"} {\nfunc.func @append(%k: " + rows + ", %v: " + rows +
         ", %s: " + ints + ", %p: " + ints + ", " + pools + ")" + attributes +
         " kernel.kv_append %k, %v at %s, %p into %kp, %vp[%l] by %t" + scaled +
         " : " + rows + ", " + rows + ", " + ints + ", " + keys + ", " +
         values + ", " + table + "\n return\n}\nfunc.func @attend(%q: " + any +
         ", %s: " + ints + ", %p: " + ints + ", " + pools + ", %h: " + ints +
         ", %y: " + any + ")" + attributes +
         " %c0 = arith.constant 0 : index\n"
         " %h0 = memref.load %h[%c0] : memref<?xi32>\n"
         " %first = arith.index_cast %h0 : i32 to index\n"
         " kernel.cached_attention ins" +
         operands + ", %first] by %t : " + keys + ", " + values + ", " + table +
         scaled + " outs(%y : " + any + ") {" + (c.context ? "spanned, " : "") +
         "group = " + text(c.group) + " : i64" + tail + spans + "}";
}

/// A row of a head as the cache stores it.
void roundRow(const Case &c, float *row) {
  if (c.kind.semantics) {
    for (int64_t d = 0; d < c.size; ++d)
      row[d] = roundTo(*c.kind.semantics, row[d]);
    return;
  }
  float most = 0;
  for (int64_t d = 0; d < c.size; ++d)
    most = std::max(most, std::fabs(row[d]));
  bool isSmall = most < 0x1p-100f;
  float scale = isSmall ? 0 : most / 127, inverse = isSmall ? 0 : 127 / most;
  for (int64_t d = 0; d < c.size; ++d)
    row[d] = std::nearbyint(row[d] * inverse) * scale;
}

template <int rank>
MemRef<uint8_t, rank> describe(std::vector<uint8_t> &bytes,
                               const int64_t (&sizes)[rank]) {
  MemRef<uint8_t, rank> ref{bytes.data(), bytes.data(), 0, {}, {}};
  int64_t stride = 1;
  for (int i = rank; i-- > 0; stride *= sizes[i]) {
    ref.sizes[i] = sizes[i];
    ref.strides[i] = stride;
  }
  return ref;
}

/// A cache of one case, with its reference.
class Cache {
public:
  Cache(const Case &c, Jit &jit, std::mt19937 &random)
      : c(c), jit(jit), random(random) {
    columns = *std::max_element(c.lengths.begin(), c.lengths.end()) / block + 2;
    blocks = columns * c.lengths.size();
    for (int64_t i = 0; i < blocks; ++i)
      table.push_back(i);
    std::shuffle(table.begin(), table.end(), random);
    int64_t positions = layers * blocks * c.heads * block;
    kPool.assign(positions * c.size * c.kind.bytes, 0xff);
    vPool.assign(positions * c.padded() * c.kind.bytes, 0xff);
    kScales.assign(positions * 4, 0xff);
    vScales.assign(positions * 4, 0xff);
  }

  void append();
  void checkStored();
  /// Queries of all sequences in one step.
  void attend();
  /// The same, split over threads.
  void expectSplit(const std::vector<float> &whole);

private:
  /// Calls `name` with rows and pools.
  template <typename... Refs> void call(const char *name, Refs &...refs);
  float stored(const std::vector<uint8_t> &pool, int64_t i) const;
  void expectNear(const std::vector<float> &y);

  const Case &c;
  Jit &jit;
  std::mt19937 &random;
  int64_t columns, blocks;
  std::vector<int32_t> table;
  std::vector<uint8_t> kPool, vPool, kScales, vScales;
  /// By sequence, as rounded: [position][heads * size].
  std::vector<std::vector<float>> k, v;
  /// The step: [row][heads * group * size].
  std::vector<float> q;
  std::vector<int32_t> slots, positions;
};

template <typename... Refs> void Cache::call(const char *name, Refs &...refs) {
  auto run = [&](auto &...all) { jit.call(name, all...); };
  int64_t count = c.lengths.size();
  auto keys = describe<5>(kPool, {layers, blocks, c.heads, c.size, block});
  auto values =
      describe<5>(vPool, {layers, blocks, c.heads, block, c.padded()});
  auto keyScales = describe<4>(kScales, {layers, blocks, c.heads, block});
  auto valueScales = describe<4>(vScales, {layers, blocks, c.heads, block});
  auto names = makeMemRef(table, count, columns, columns);
  // The rows come first, the heads and the result last.
  auto split = [&](auto &a, auto &b, auto &s, auto &p, auto &...rest) {
    if constexpr (sizeof...(rest) == 0)
      run(a, b, s, p, keys, values, names, keyScales, valueScales);
    else
      run(a, s, p, keys, values, names, keyScales, valueScales, b, rest...);
  };
  split(refs...);
}

void Cache::append() {
  std::normal_distribution<float> normal;
  for (size_t sequence = 0; sequence < c.lengths.size(); ++sequence) {
    int64_t length = c.lengths[sequence];
    std::vector<float> keys(length * c.width()), values = keys;
    for (float &x : keys)
      x = normal(random);
    for (float &x : values)
      x = normal(random);
    // In steps of any size.
    for (int64_t begin = 0; begin < length;) {
      int64_t count = std::min<int64_t>(length - begin,
                                        random() % 3 ? 1 + random() % 90 : 1);
      std::vector<int32_t> slot(count, sequence), position;
      for (int64_t i = 0; i < count; ++i)
        position.push_back(begin + i);
      auto rows = [&](std::vector<float> &x) {
        auto ref = makeMemRef(x, count, c.width(), c.width());
        ref.aligned += begin * c.width();
        return ref;
      };
      auto a = rows(keys), b = rows(values);
      auto s = makeMemRef(slot), p = makeMemRef(position);
      call("append", a, b, s, p);
      begin += count;
    }
    for (auto *rows : {&keys, &values})
      for (int64_t i = 0; i < length * c.heads; ++i)
        roundRow(c, rows->data() + i * c.size);
    k.push_back(keys);
    v.push_back(values);
  }
}

/// Element i of a pool, without its scale.
float Cache::stored(const std::vector<uint8_t> &pool, int64_t i) const {
  const uint8_t *at = pool.data() + i * c.kind.bytes;
  if (!c.kind.semantics)
    return static_cast<int8_t>(*at);
  uint32_t bits = 0;
  std::memcpy(&bits, at, c.kind.bytes);
  llvm::APFloat value(*c.kind.semantics, llvm::APInt(8 * c.kind.bytes, bits));
  bool isLossy;
  value.convert(llvm::APFloat::IEEEsingle(), llvm::APFloat::rmNearestTiesToEven,
                &isLossy);
  return value.convertToFloat();
}

void Cache::checkStored() {
  for (size_t s = 0; s < c.lengths.size(); ++s)
    for (int64_t p = 0; p < c.lengths[s]; ++p)
      for (int64_t h = 0; h < c.heads; ++h) {
        int64_t id = table[s * columns + p / block];
        int64_t head = (layer * blocks + id) * c.heads + h;
        float scales[] = {1, 1};
        for (int which : {0, 1})
          if (!c.kind.semantics)
            std::memcpy(&scales[which],
                        (which ? vScales : kScales).data() +
                            4 * (head * block + p % block),
                        4);
        for (int64_t d = 0; d < c.size; ++d) {
          int64_t column = p * c.width() + h * c.size + d;
          ASSERT_EQ(stored(kPool, (head * c.size + d) * block + p % block) *
                        scales[0],
                    k[s][column])
              << "key, position " << p << ", element " << d;
          ASSERT_EQ(stored(vPool, (head * block + p % block) * c.padded() + d) *
                        scales[1],
                    v[s][column])
              << "value, position " << p << ", element " << d;
        }
      }
}

void Cache::expectNear(const std::vector<float> &y) {
  const double scale = 0.3f;
  // Weights are rounded to 8 bits.
  const double rounding = c.isRounded() ? 0x1p-8 : 0;
  for (size_t m = 0; m < slots.size(); ++m)
    for (int64_t h = 0; h < c.heads * c.group; ++h) {
      const float *query = q.data() + m * c.queryWidth() + h * c.size;
      int64_t end = positions[m] + 1, offset = h / c.group * c.size;
      int64_t begin = c.window ? std::max<int64_t>(0, end - c.window) : 0;
      std::vector<double> scores;
      double most = -INFINITY, largest = 0, sum = 0;
      for (int64_t p = begin; p < end; ++p) {
        const float *key = k[slots[m]].data() + p * c.width() + offset;
        double dot = 0, magnitude = 0;
        for (int64_t d = 0; d < c.size; ++d) {
          double x = query[d];
          if (c.isRounded())
            x = roundTo(llvm::APFloat::BFloat(), query[d]);
          dot += x * key[d];
          magnitude += std::fabs(x * key[d]);
        }
        scores.push_back(dot * scale);
        most = std::max(most, scores.back());
        largest = std::max(largest, magnitude * scale);
      }
      for (double &score : scores)
        sum += score = std::exp(score - most);
      double error = rounding + attentionError(c.size, scores.size(), largest);
      for (int64_t d = 0; d < c.size; ++d) {
        double mixed = 0, magnitude = 0;
        for (int64_t p = begin; p < end; ++p) {
          double x = v[slots[m]][p * c.width() + offset + d];
          mixed += scores[p - begin] / sum * x;
          magnitude += scores[p - begin] / sum * std::fabs(x);
        }
        ASSERT_LE(std::fabs(y[m * c.queryWidth() + h * c.size + d] - mixed),
                  error * magnitude)
            << "row " << m << ", head " << h << ", column " << d
            << ", position " << positions[m];
      }
    }
}

void Cache::attend() {
  for (size_t s = 0; s < c.lengths.size(); ++s)
    for (int64_t i = c.lengths[s] - c.queries[s]; i < c.lengths[s]; ++i) {
      slots.push_back(s);
      positions.push_back(i);
    }
  std::normal_distribution<float> normal;
  q.resize(slots.size() * c.queryWidth());
  for (float &x : q)
    x = normal(random);

  /// Rows and kv heads from a first to a last one.
  auto run = [&](int64_t row, int64_t endRow, int64_t head, int64_t endHead,
                 std::vector<float> &y) {
    auto part = [&](std::vector<float> &x) {
      auto ref = makeMemRef(
          x, endRow - row, (endHead - head) * c.group * c.size, c.queryWidth());
      ref.offset = row * c.queryWidth() + head * c.group * c.size;
      return ref;
    };
    std::vector<int32_t> slot(slots.begin() + row, slots.begin() + endRow);
    std::vector<int32_t> position(positions.begin() + row,
                                  positions.begin() + endRow);
    std::vector<int32_t> first = {int32_t(head)};
    auto in = part(q), out = part(y);
    auto s = makeMemRef(slot), p = makeMemRef(position), h = makeMemRef(first);
    call("attend", in, h, s, p, out);
  };
  int64_t rows = slots.size();
  std::vector<float> whole(q.size(), NAN), alone = whole, apart = whole;
  run(0, rows, 0, c.heads, whole);
  expectNear(whole);
  for (int64_t m = 0; m < rows; ++m)
    run(m, m + 1, 0, c.heads, alone);
  EXPECT_EQ(std::memcmp(whole.data(), alone.data(), 4 * whole.size()), 0)
      << "rows alone differ";
  int64_t border = random() % (rows + 1);
  for (int64_t h = 0; h < c.heads; ++h) {
    run(0, border, h, h + 1, apart);
    run(border, rows, h, h + 1, apart);
  }
  EXPECT_EQ(std::memcmp(whole.data(), apart.data(), 4 * whole.size()), 0)
      << "heads apart, rows cut at " << border << ", differ";
  if (c.context)
    expectSplit(whole);
}

void Cache::expectSplit(const std::vector<float> &whole) {
  int64_t rows = slots.size();
  for (int32_t threads : {1, 2, 3, 7, 40}) {
    std::vector<float> partials(c.partialRows() * c.partialWidth(), NAN);
    auto out = makeMemRef(partials, c.partialRows(), c.partialWidth(),
                          c.partialWidth());
    auto s = makeMemRef(slots), p = makeMemRef(positions);
    for (int32_t thread = 0; thread < threads; ++thread) {
      std::vector<int32_t> team = {thread, threads};
      auto in = makeMemRef(q, rows, c.queryWidth(), c.queryWidth());
      auto t = makeMemRef(team);
      call("spans", in, t, s, p, out);
    }
    std::vector<float> y(whole.size(), NAN);
    auto result = makeMemRef(y, rows, c.queryWidth(), c.queryWidth());
    jit.call("merge", p, out, result);
    EXPECT_EQ(std::memcmp(whole.data(), y.data(), 4 * y.size()), 0)
        << threads << " threads";
  }
}

void runCase(const Case &c, std::mt19937 &random) {
  SCOPED_TRACE(std::string(c.kind.name) + " on " + c.target + ", heads " +
               text(c.heads) + " x " + text(c.group) + " of " + text(c.size) +
               ", window " + text(c.window));
  Jit jit(makeIR(c), attentionPasses);
  ASSERT_TRUE(jit.isValid());
  Cache cache(c, jit, random);
  cache.append();
  cache.checkStored();
  if (!::testing::Test::HasFatalFailure())
    cache.attend();
}

TEST(Attention, CachesOfAllKinds) {
  unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + text(seed));
  std::mt19937 random(seed);
  auto pick = [&](std::initializer_list<int64_t> values) {
    return values.begin()[random() % values.size()];
  };
  // AVX2 always; the others, whose vectors are split here, in turn.
  for (const Kind &kind : kinds)
    for (const char *target : {"generic", "avx512", "avx512-bf16", "avx2"}) {
      Case c{target,
             kind,
             pick({1, 2, 3}),
             pick({1, 2, 3, 4, 6, 7, 8}),
             pick({1, 7, 16, 20, 33, 40, 48, 64, 72, 80, 112, 128}),
             pick({0, 0, 1, 5, 63, 64, 65, 1000}),
             0,
             {},
             {}};
      for (int s = 0; s < 3; ++s) {
        c.lengths.push_back(pick({1, 23, 63, 64, 65, 127, 130, 200}));
        c.queries.push_back(
            std::min(c.lengths.back(), pick({1, 1, 2, 6, 7, 24, 31, 70})));
      }
      runCase(c, random);
      if (HasFatalFailure())
        return;
    }
}

/// Far into texts, across several spans, with teams of any size.
TEST(Attention, SplitOverPositions) {
  unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + text(seed));
  std::mt19937 random(seed);
  for (int64_t window : {int64_t(0), int64_t(700 + random() % 900)}) {
    const Kind &kind = kinds[random() % std::size(kinds)];
    int64_t group = 1 + random() % 8, size = 1 + random() % 40;
    const char *target = random() % 2 ? "avx2" : "avx512-bf16";
    Case c{target, kind, 2, group, size, window, 3000, {}, {}};
    c.lengths = {int64_t(1100 + random() % 1500), 512, 513};
    c.queries = {3, 2, int64_t(1 + random() % 3)};
    runCase(c, random);
  }
}

/// Spans lie as the op says: eight blocks each, then eighths of powers of two.
TEST(Attention, CountsSpans) {
  int64_t count = 0, begin = 0;
  for (int64_t blocks = 1; blocks < 5000; ++blocks) {
    if (blocks > begin) { // the first of a span
      int64_t size = 8;
      while (begin >= 16 * size)
        size *= 2;
      begin += size;
      ++count;
    }
    ASSERT_EQ(kernel::AttendSpansOp::countSpans(64 * blocks), count);
    ASSERT_EQ(kernel::AttendSpansOp::countSpans(64 * blocks - 63), count);
  }
}

} // namespace
