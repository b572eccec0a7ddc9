//===- Quantize.cpp - From floats to panels of integers, and back ---------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A panel is made run by run: a run is the columns of a group, or of a block
// where a row shares one scale. Its integers, a byte each, become words of four
// bytes, one for each chunk:
//
//     x: f32 [columns] --quantizeRun--> u: u8 [columns] --storeRun--> chunks
//
// Every format is q * scale + minimum, q = u - zeroPoint, with a minimum of 0
// where it has none: computed in double and rounded once, this is the product
// in f32. So formats differ in how scales are found and in numbers.
//
// Loops over elements are written so that a compiler turns them into vector
// code, which divides and rounds as scalar code does.
//
//===----------------------------------------------------------------------===//
#include "Quantize.h"

#include "Convert.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>
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

/// The smallest and the largest of some elements.
struct Range {
  float low, high;
  bool isFinite; // all of them
};
} // namespace

static int64_t columnsOfRun(const FormatRecord &record) {
  return record.group ? record.group : record.unitColumns;
}

//===----------------------------------------------------------------------===//
// Scales
//===----------------------------------------------------------------------===//

/// In lanes, because the order of comparisons is not a compiler's to change.
static Range rangeOf(const uint32_t *x, int64_t count) {
  constexpr int64_t width = 4;
  float low[width], high[width], odd[width] = {};
  std::fill_n(low, width, floatFromBits(x[0]));
  std::fill_n(high, width, floatFromBits(x[0]));
  auto include = [&](int64_t lane, float value) {
    low[lane] = value < low[lane] ? value : low[lane];
    high[lane] = value > high[lane] ? value : high[lane];
    odd[lane] += value * 0; // NaN from an infinity or a NaN on
  };
  int64_t i = 0;
  for (; i + width <= count; i += width)
    for (int64_t lane = 0; lane < width; ++lane)
      include(lane, floatFromBits(x[i + lane]));
  for (; i < count; ++i)
    include(i % width, floatFromBits(x[i]));
  for (int64_t half = width / 2; half; half /= 2)
    for (int64_t lane = 0; lane < half; ++lane) {
      low[lane] = std::min(low[lane], low[lane + half]);
      high[lane] = std::max(high[lane], high[lane + half]);
      odd[lane] += odd[lane + half];
    }
  return {low[0], high[0], odd[0] == 0};
}

/// The element of the largest magnitude; the first, if two are its mirrors.
static float extremeOf(const uint32_t *x, Range range) {
  if (range.high != -range.low)
    return range.high > -range.low ? range.high : range.low;
  while (std::abs(floatFromBits(*x)) != range.high)
    ++x;
  return floatFromBits(*x);
}

/// The scale, and the minimum if there is one, of elements x, as stored.
static Affine affineOf(const FormatRecord &record, Levels levels, Element type,
                       const uint32_t *x, Range range) {
  Affine affine;
  if (record.hasMinimum)
    affine = {(range.high - range.low) / levels.high, range.low};
  else if (levels.low == -levels.high)
    affine.scale = std::max(range.high, -range.low) / levels.high;
  else // so few levels that the one without a mirror is worth using
    affine.scale = extremeOf(x, range) / levels.low;
  // The sums turn -0 into 0.
  return {roundTo(type, affine.scale) + 0.0f,
          roundTo(type, affine.minimum) + 0.0f};
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

/// Elements to integers of a byte each.
static void quantizeRun(Levels levels, Affine affine, const uint32_t *x,
                        int64_t count, uint8_t *u) {
  float low = levels.low, high = levels.high;
  float divisor =
      affine.scale == 0 ? std::numeric_limits<float>::infinity() : affine.scale;
  // Added to a number below 2^22 this rounds it to an integer, which is then in
  // the low bits. Ties go to even ones, and stay there: zero points are even.
  float magic = 0x1.8p23f + levels.zeroPoint;
  auto quantize = [&](int64_t i) {
    float q = (floatFromBits(x[i]) - affine.minimum) / divisor;
    q = q < low ? low : q;
    q = q > high ? high : q;
    u[i] = bitsOfFloat(q + magic);
  };
  int64_t i = 0;
  for (; i + FormatRecord::unitColumns <= count; i += FormatRecord::unitColumns)
    for (int64_t j = 0; j < FormatRecord::unitColumns; ++j)
      quantize(i + j);
  for (; i < count; ++i)
    quantize(i);
}

/// The sum of what a run's first `count` integers stand for; the others are
/// zero points.
static double sumOfRun(Levels levels, Affine affine, const uint8_t *u,
                       int64_t columns, int64_t count) {
  uint16_t sum = 0; // of up to 256 bytes
  for (int64_t i = 0; i < columns; ++i)
    sum += u[i];
  int64_t q = sum - columns * levels.zeroPoint;
  return static_cast<double>(q) * affine.scale +
         static_cast<double>(count) * affine.minimum;
}

/// Word j of a chunk has byte i of columns 4 j + i, shifted by j * bits.
template <int64_t bits>
static void storeWords(int64_t columns, const uint8_t *u, uint8_t *out) {
  for (int64_t c = 0; c < columns; c += 32 / bits) {
    uint32_t word = 0;
    for (int64_t j = 0; j < 8 / bits; ++j) {
      uint32_t part;
      std::memcpy(&part, u + c + 4 * j, 4);
      word |= part << j * bits;
    }
    std::memcpy(out, &word, 4);
    out += FormatRecord::chunkBytes;
  }
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
                            int64_t column, int64_t count) {
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
    Range range = rangeOf(x, count);
    stream << "s " << column << " to " << column + count - 1
           << ": expected elements whose scale fits " << nameOf(type)
           << ", got some of magnitude "
           << ::llvm::format("%g", std::max(range.high, -range.low))
           << "; choose a format with scales of a wider range, or of floats";
  }
  return message;
}

/// Finds what serves the `count` elements from `column` of each row. Steps that
/// wait for one another are apart, so that those of many rows overlap.
static bool findAffines(const FormatRecord &record, Element type,
                        const PanelRows &rows, int64_t column, int64_t count,
                        Affine *affines, std::string &error) {
  if (count == 0) {
    std::fill_n(affines, FormatRecord::panelRows, Affine());
    return true;
  }
  Levels levels(record);
  Range ranges[FormatRecord::panelRows];
  const uint32_t *x = rows.data + column;
  for (int64_t r = 0; r < rows.count; ++r)
    ranges[r] = rangeOf(x + r * rows.stride, count);
  for (int64_t r = 0; r < rows.count; ++r)
    if (ranges[r].isFinite)
      affines[r] =
          affineOf(record, levels, type, x + r * rows.stride, ranges[r]);
  for (int64_t r = 0; r < rows.count; ++r)
    if (!ranges[r].isFinite ||
        !std::isfinite(static_cast<float>(affines[r](levels.low))) ||
        !std::isfinite(static_cast<float>(affines[r](levels.high)))) {
      error = describe(type, rows, r, column, count);
      return false;
    }
  return true;
}

bool smelt::quantizePanel(const FormatRecord &record, Element scaleType,
                          const PanelRows &rows, uint8_t *panel,
                          std::string &error) {
  Levels levels(record);
  Affine affines[FormatRecord::panelRows] = {};
  double sums[FormatRecord::panelRows] = {};
  if (!record.group &&
      !findAffines(record, scaleType, rows, 0, rows.columns, affines, error))
    return false;

  int64_t runColumns = columnsOfRun(record);
  int64_t runCount =
      record.blockCount(rows.columns) * record.blockColumns() / runColumns;
  auto storeRun = record.bits == 8 ? storeWords<8> : storeWords<4>;
  ::llvm::SmallVector<uint8_t, 256> u(runColumns);
  for (int64_t run = 0; run < runCount; ++run) {
    RunPlace place(record, rows.columns, run);
    int64_t column = run * runColumns;
    int64_t inside = std::clamp<int64_t>(rows.columns - column, 0, runColumns);
    if (record.group &&
        !findAffines(record, scaleType, rows, column, inside, affines, error))
      return false;
    for (int64_t r = 0; r < record.panelRows; ++r) {
      int64_t count = r < rows.count ? inside : 0;
      quantizeRun(levels, affines[r], rows.data + r * rows.stride + column,
                  count, u.data());
      std::fill(u.begin() + count, u.end(), levels.zeroPoint);
      storeRun(runColumns, u.data(), panel + place.elements + 4 * r);
      int64_t entry = r * record.scaleBytes;
      storeFloat(scaleType, affines[r].scale, panel + place.scales + entry);
      if (record.hasMinimum)
        storeFloat(scaleType, affines[r].minimum, panel + place.minima + entry);
      sums[r] += sumOfRun(levels, affines[r], u.data(), runColumns, count);
    }
  }
  for (int64_t r = 0; r < record.panelRows; ++r) {
    float sum = sums[r];
    if (!std::isfinite(sum)) {
      error = "row " + std::to_string(rows.first + r) +
              ": expected a sum that fits f32, got a larger one; choose a "
              "format of floats";
      return false;
    }
    storeFloat(Element::F32, sum,
               panel + record.trailerOffset(rows.columns) + 4 * r);
  }
  return true;
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
