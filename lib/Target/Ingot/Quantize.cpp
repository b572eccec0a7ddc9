//===- Quantize.cpp - From floats to panels of integers, and back ---------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A panel is made run by run: a run is the columns of a group, or of a unit
// where a row shares one scale. It is turned first, so that loops go through
// all rows of the panel at once, and what they make of a few columns are the
// words of a chunk, in their order:
//
//     x: f32 [rows][columns] --load--> run: f32 [columns][rows]
//     run --rangesOf, affineOf--> scale, minimum: f32 [rows]
//     run --storeRun--> chunks: u32 [columns / chunkColumns][rows]
//
// Every format is q * scale + minimum, q = u - zeroPoint, with a minimum of 0
// where it has none: computed in double and rounded once, this is the product
// in f32. So formats differ in how scales are found and in numbers.
//
// Loops over elements are written so that a compiler turns them into vector
// code, which divides and rounds as scalar code does. All of it is inlined into
// one function for any processor and one for AVX2, of which the better runs.
//
//===----------------------------------------------------------------------===//
#include "Quantize.h"

#include "Convert.h"

#include "llvm/Support/Compiler.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>

using namespace smelt;
using smelt::llm::FormatRecord;

namespace {
/// What q stands for: q * scale + minimum.
struct Affine {
  float scale = 0, minimum = 0;

  double operator()(double q) const { return q * scale + minimum; }
};

/// The values of q.
struct Levels {
  int32_t zeroPoint, low, high;

  explicit Levels(const FormatRecord &record)
      : zeroPoint(record.zeroPoint()), low(-zeroPoint),
        high((1 << record.precision) - 1 - zeroPoint) {
    if (record.precision > 4 && !record.hasMinimum)
      low = -high;
  }
};

/// Where the parts of a run are, in bytes from the start of its panel: those of
/// row 0. The words of rows are 4 apart, scales and minima `scaleBytes`.
struct RunPlace {
  int64_t elements, scales, minima;

  RunPlace(const FormatRecord &record, int64_t columns, int64_t run) {
    int64_t runsPerBlock = record.group ? record.groupsPerBlock() : 1;
    int64_t block = run / runsPerBlock * record.blockBytes();
    int64_t inside = run % runsPerBlock;
    int64_t entry = inside * record.panelRows * record.scaleBytes;
    elements = block + inside * (record.scalesOffset() / runsPerBlock);
    scales = record.group
                 ? block + record.scalesOffset() + entry
                 : record.trailerOffset(columns) + 4 * record.panelRows;
    minima = block + record.minimaOffset() + entry;
  }
};

/// One of something for each row of a panel.
template <typename T> using Lanes = std::array<T, FormatRecord::panelRows>;

/// The smallest and the largest of some elements.
struct Range {
  float low, high;
};

/// Those of each row, from one element of each on.
struct Ranges {
  Lanes<float> low, high, odd = {}; // NaN from an infinity or a NaN on

  explicit Ranges(const Lanes<float> &x) : low(x), high(x) {}
  Range operator[](int64_t r) const { return {low[r], high[r]}; }
  bool isFinite(int64_t r) const { return odd[r] == 0; }

  LLVM_ATTRIBUTE_ALWAYS_INLINE void include(const Lanes<float> &x) {
    for (size_t r = 0; r < x.size(); ++r) {
      low[r] = x[r] < low[r] ? x[r] : low[r];
      high[r] = x[r] > high[r] ? x[r] : high[r];
      odd[r] += x[r] * 0;
    }
  }
};

/// What serves a run of each row.
struct Affines {
  Lanes<float> scale = {}, minimum = {};

  Affine operator[](int64_t r) const { return {scale[r], minimum[r]}; }
};

/// Columns of a panel, those of a run at most, turned. Missing rows are zeros.
struct Run {
  static constexpr int64_t capacity = 256;

  int64_t count = 0; // columns inside of the matrix
  Lanes<float> columns[capacity] = {};

  LLVM_ATTRIBUTE_ALWAYS_INLINE void load(const PanelRows &rows, int64_t column,
                                         int64_t most) {
    assert(most <= capacity && "a run has at most as many columns");
    count = std::clamp<int64_t>(rows.columns - column, 0, most);
    const uint32_t *x = rows.data + column;
    const int64_t fullRows = rows.count / 4 * 4, fullColumns = count / 4 * 4;
    for (int64_t r = 0; r < fullRows; r += 4)
      for (int64_t c = 0; c < fullColumns; c += 4)
        turn(x + r * rows.stride + c, rows.stride, &columns[c][r]);
    for (int64_t r = 0; r < rows.count; ++r)
      for (int64_t c = r < fullRows ? fullColumns : 0; c < count; ++c)
        columns[c][r] = floatFromBits(x[r * rows.stride + c]);
  }

private:
  /// Four columns of four rows.
  LLVM_ATTRIBUTE_ALWAYS_INLINE static void turn(const uint32_t *x,
                                                int64_t stride, float *to) {
    using Four = float __attribute__((vector_size(16)));
    Four a, b, c, d;
    std::memcpy(&a, x, sizeof(Four));
    std::memcpy(&b, x + stride, sizeof(Four));
    std::memcpy(&c, x + 2 * stride, sizeof(Four));
    std::memcpy(&d, x + 3 * stride, sizeof(Four));
    Four abLow = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    Four cdLow = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    Four abHigh = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    Four cdHigh = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    const Four turned[] = {__builtin_shufflevector(abLow, cdLow, 0, 1, 4, 5),
                           __builtin_shufflevector(abLow, cdLow, 2, 3, 6, 7),
                           __builtin_shufflevector(abHigh, cdHigh, 0, 1, 4, 5),
                           __builtin_shufflevector(abHigh, cdHigh, 2, 3, 6, 7)};
    for (const Four &column : turned) {
      std::memcpy(to, &column, sizeof(Four));
      to += FormatRecord::panelRows;
    }
  }
};
} // namespace

static int64_t columnsOfRun(const FormatRecord &record) {
  return record.group ? record.group : record.unitColumns;
}

//===----------------------------------------------------------------------===//
// Scales
//===----------------------------------------------------------------------===//

LLVM_ATTRIBUTE_ALWAYS_INLINE static void include(Ranges &ranges,
                                                 const Run &run) {
  for (int64_t c = 0; c < run.count; ++c)
    ranges.include(run.columns[c]);
}

/// The first element of a magnitude.
static float firstExtreme(const uint32_t *x, float magnitude) {
  while (std::abs(floatFromBits(*x)) != magnitude)
    ++x;
  return floatFromBits(*x);
}

/// To elements of `type`, and -0 to 0.
LLVM_ATTRIBUTE_ALWAYS_INLINE static void round(Element type, Lanes<float> &x) {
  auto each = [&](auto change) {
    for (float &value : x)
      value = floatFromBits(change(bitsOfFloat(value))) + 0.0f;
  };
  if (type == Element::F16)
    each([](uint32_t bits) { return f32FromF16(f16FromF32(bits)); });
  else if (type == Element::BF16)
    each([](uint32_t bits) { return f32FromBF16(bf16FromF32(bits)); });
  else
    each([](uint32_t bits) { return bits; });
}

/// Elements of `type`, to which they have been rounded, one after another.
LLVM_ATTRIBUTE_ALWAYS_INLINE static void
store(Element type, const Lanes<float> &x, uint8_t *out) {
  auto each = [&](auto narrow) {
    Lanes<decltype(narrow(0u))> words;
    for (size_t r = 0; r < x.size(); ++r)
      words[r] = narrow(bitsOfFloat(x[r]));
    std::memcpy(out, words.data(), sizeof(words));
  };
  if (type == Element::F16)
    each([](uint32_t bits) { return f16FromF32(bits); });
  else if (type == Element::BF16)
    each([](uint32_t bits) { return bf16FromF32(bits); });
  else
    each([](uint32_t bits) { return bits; });
}

/// Scales, and minima if there are any, as stored, of elements from `column` on
/// whose ranges are given.
LLVM_ATTRIBUTE_ALWAYS_INLINE static Affines
affinesOf(const FormatRecord &record, Levels levels, Element type,
          const PanelRows &rows, int64_t column, const Ranges &ranges) {
  Affines affines;
  if (record.hasMinimum) {
    for (int64_t r = 0; r < record.panelRows; ++r)
      affines.scale[r] = (ranges.high[r] - ranges.low[r]) / levels.high;
    affines.minimum = ranges.low;
  } else if (levels.low == -levels.high) {
    for (int64_t r = 0; r < record.panelRows; ++r)
      affines.scale[r] = std::max(ranges.high[r], -ranges.low[r]) / levels.high;
  } else { // so few levels that the one without a mirror is worth using
    Lanes<float> extreme;
    for (int64_t r = 0; r < record.panelRows; ++r)
      extreme[r] =
          ranges.high[r] > -ranges.low[r] ? ranges.high[r] : ranges.low[r];
    for (int64_t r = 0; r < rows.count; ++r)
      if (ranges.high[r] == -ranges.low[r] && ranges.isFinite(r))
        extreme[r] =
            firstExtreme(rows.data + r * rows.stride + column, ranges.high[r]);
    for (int64_t r = 0; r < record.panelRows; ++r)
      affines.scale[r] = ranges.isFinite(r) ? extreme[r] / levels.low : 0;
  }
  round(type, affines.scale);
  round(type, affines.minimum);
  return affines;
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

/// Integers of a byte each, in words: byte i of word j of a chunk's parts is
/// that of column 4 j + i, and part j is shifted by j * bits. Returns the sum
/// of each row's, those beyond the matrix among them, which are zero points.
template <int64_t bits>
LLVM_ATTRIBUTE_ALWAYS_INLINE static Lanes<int32_t>
storeRun(Levels levels, const Affines &affines, Run &run, int64_t runColumns,
         uint8_t *out) {
  constexpr int64_t rows = FormatRecord::panelRows;
  float low = levels.low, high = levels.high;
  Lanes<float> divisor;
  for (int64_t r = 0; r < rows; ++r)
    divisor[r] = affines.scale[r] == 0 ? std::numeric_limits<float>::infinity()
                                       : affines.scale[r];
  std::fill(run.columns + run.count, run.columns + runColumns, affines.minimum);
  // Added to a number below 2^22 this rounds it to an integer, which is then in
  // the low bits. Ties go to even ones, and stay there: zero points are even.
  float magic = 0x1.8p23f + levels.zeroPoint;
  Lanes<int32_t> sums = {};
  for (int64_t first = 0; first < runColumns; first += 32 / bits) {
    Lanes<uint32_t> words = {};
    for (int64_t i = 0; i < 32 / bits; ++i) {
      const Lanes<float> &x = run.columns[first + i];
      for (int64_t r = 0; r < rows; ++r) {
        float q = (x[r] - affines.minimum[r]) / divisor[r];
        q = q < low ? low : q;
        q = q > high ? high : q;
        uint32_t u = bitsOfFloat(q + magic) & 0xff;
        sums[r] += u;
        words[r] |= u << (i % 4 * 8 + i / 4 * bits);
      }
    }
    std::memcpy(out, words.data(), sizeof(words));
    out += FormatRecord::chunkBytes;
  }
  return sums;
}

template <int64_t bits>
static void loadWords(int64_t columns, const uint8_t *from, uint8_t *u) {
  constexpr uint32_t mask = 0x01010101u * ((1 << bits) - 1);
  for (int64_t c = 0; c < columns; c += 32 / bits) {
    uint32_t word;
    std::memcpy(&word, from, 4);
    for (int64_t j = 0; j < 8 / bits; ++j) {
      uint32_t part = word >> j * bits & mask;
      std::memcpy(u + c + 4 * j, &part, 4);
    }
    from += FormatRecord::chunkBytes;
  }
}

//===----------------------------------------------------------------------===//
// Panels
//===----------------------------------------------------------------------===//

static const char *nameOf(Element type) {
  return type == Element::F32 ? "f32" : type == Element::F16 ? "f16" : "bf16";
}

/// Why `count` elements from `column` of row `r` have no scale.
static std::string describe(Element type, const PanelRows &rows, int64_t r,
                            int64_t column, int64_t count, Range range) {
  std::string message;
  ::llvm::raw_string_ostream stream(message);
  stream << "row " << rows.first + r << ", column";
  const uint32_t *x = rows.data + r * rows.stride + column;
  const uint32_t *odd = std::find_if(x, x + count, [](uint32_t bits) {
    return !std::isfinite(floatFromBits(bits));
  });
  if (odd != x + count) {
    stream << " " << column + (odd - x) << ": expected a finite element, got "
           << ::llvm::format("%g", floatFromBits(*odd));
  } else {
    stream << "s " << column << " to " << column + count - 1
           << ": expected elements whose scale fits " << nameOf(type)
           << ", got some of magnitude "
           << ::llvm::format("%g", std::max(range.high, -range.low))
           << "; choose a format with scales of a wider range, or of floats";
  }
  return message;
}

/// Finds what serves the `count` elements from `column` of each row.
LLVM_ATTRIBUTE_ALWAYS_INLINE static bool
findAffines(const FormatRecord &record, Element type, const PanelRows &rows,
            int64_t column, int64_t count, const Ranges &ranges,
            Affines &affines, std::string &error) {
  affines = {};
  if (!count)
    return true;
  Levels levels(record);
  affines = affinesOf(record, levels, type, rows, column, ranges);
  // NaN where an element, or a value of the format, is too large.
  Lanes<float> doubts = ranges.odd;
  for (int32_t q : {levels.low, levels.high})
    for (int64_t r = 0; r < record.panelRows; ++r)
      doubts[r] += static_cast<float>(affines[r](q)) * 0;
  int32_t areOdd = 0;
  for (float doubt : doubts)
    areOdd |= doubt != 0;
  for (int64_t r = 0; areOdd && r < rows.count; ++r)
    if (doubts[r] != 0) {
      error = describe(type, rows, r, column, count, ranges[r]);
      return false;
    }
  return true;
}

/// quantizePanel, for whatever processor the caller is for.
LLVM_ATTRIBUTE_ALWAYS_INLINE static bool
quantize(const FormatRecord &record, Element scaleType, const PanelRows &rows,
         uint8_t *panel, std::string &error) {
  Levels levels(record);
  Affines affines;
  Run run;
  int64_t runColumns = columnsOfRun(record);
  int64_t runCount =
      record.blockCount(rows.columns) * record.blockColumns() / runColumns;
  if (!record.group) {
    run.load(rows, 0, runColumns);
    Ranges ranges(run.columns[0]);
    for (int64_t i = 0; i < runCount; ++i) {
      run.load(rows, i * runColumns, runColumns);
      include(ranges, run);
    }
    if (!findAffines(record, scaleType, rows, 0, rows.columns, ranges, affines,
                     error))
      return false;
  }

  Lanes<double> sums = {};
  for (int64_t i = 0; i < runCount; ++i) {
    RunPlace place(record, rows.columns, i);
    int64_t column = i * runColumns;
    run.load(rows, column, runColumns);
    if (record.group) {
      Ranges ranges(run.columns[0]);
      include(ranges, run);
      if (!findAffines(record, scaleType, rows, column, run.count, ranges,
                       affines, error))
        return false;
    }
    uint8_t *out = panel + place.elements;
    Lanes<int32_t> integers =
        record.bits == 8 ? storeRun<8>(levels, affines, run, runColumns, out)
                         : storeRun<4>(levels, affines, run, runColumns, out);
    assert(record.scaleBytes == bytesOf(scaleType) && "scales are adjacent");
    store(scaleType, affines.scale, panel + place.scales);
    if (record.hasMinimum)
      store(scaleType, affines.minimum, panel + place.minima);
    const int32_t zeroPoints = runColumns * levels.zeroPoint;
    for (int64_t r = 0; r < record.panelRows; ++r) {
      Affine affine = affines[r];
      sums[r] += static_cast<double>(integers[r] - zeroPoints) * affine.scale +
                 static_cast<double>(run.count) * affine.minimum;
    }
  }
  Lanes<float> totals;
  for (int64_t r = 0; r < record.panelRows; ++r) {
    totals[r] = sums[r];
    if (!std::isfinite(totals[r])) {
      error = "row " + std::to_string(rows.first + r) +
              ": expected a sum that fits f32, got a larger one; choose a "
              "format of floats";
      return false;
    }
  }
  store(Element::F32, totals, panel + record.trailerOffset(rows.columns));
  return true;
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static bool
quantizeWithAVX2(const FormatRecord &record, Element scaleType,
                 const PanelRows &rows, uint8_t *panel, std::string &error) {
  return quantize(record, scaleType, rows, panel, error);
}
#endif

bool smelt::quantizePanel(const FormatRecord &record, Element scaleType,
                          const PanelRows &rows, uint8_t *panel,
                          std::string &error) {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2"))
    return quantizeWithAVX2(record, scaleType, rows, panel, error);
#endif
  return quantize(record, scaleType, rows, panel, error);
}

void smelt::dequantizePanel(const FormatRecord &record, Element scaleType,
                            const uint8_t *panel, int64_t rowCount,
                            int64_t columns, float *values) {
  Levels levels(record);
  int64_t runColumns = columnsOfRun(record);
  auto loadRun = record.bits == 8 ? loadWords<8> : loadWords<4>;
  ::llvm::SmallVector<uint8_t, 256> u(runColumns);
  for (int64_t run = 0; run * runColumns < columns; ++run) {
    RunPlace place(record, columns, run);
    int64_t column = run * runColumns;
    int64_t count = std::min(runColumns, columns - column);
    for (int64_t r = 0; r < rowCount; ++r) {
      loadRun(runColumns, panel + place.elements + 4 * r, u.data());
      int64_t entry = r * record.scaleBytes;
      Affine affine = {loadFloat(scaleType, panel + place.scales + entry)};
      if (record.hasMinimum)
        affine.minimum = loadFloat(scaleType, panel + place.minima + entry);
      float *to = values + r * columns + column;
      for (int64_t i = 0; i < count; ++i)
        to[i] = affine(u[i] - levels.zeroPoint);
    }
  }
}
