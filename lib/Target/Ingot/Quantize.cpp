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

  bool isFinite() const {
    return std::isfinite(scale) && std::isfinite(minimum);
  }
};

/// Where the parts of a panel are, in bytes from its start.
class PanelMap {
public:
  PanelMap(const FormatRecord &record, int64_t columns)
      : record(record),
        runsPerBlock(record.group ? record.groupsPerBlock() : 1),
        runCount(record.blockCount(columns) * runsPerBlock),
        runColumns(record.group ? record.group : record.unitColumns),
        trailer(record.trailerOffset(columns)) {}

  /// The first word of a row of a run.
  int64_t elements(int64_t run, int64_t row) const {
    return block(run) +
           run % runsPerBlock * runColumns * record.panelRows * record.bits /
               8 +
           4 * row;
  }
  int64_t scale(int64_t run, int64_t row) const {
    return record.group ? block(run) + record.scalesOffset() + entry(run, row)
                        : trailer + 4 * (record.panelRows + row);
  }
  int64_t minimum(int64_t run, int64_t row) const {
    return block(run) + record.minimaOffset() + entry(run, row);
  }
  int64_t sum(int64_t row) const { return trailer + 4 * row; }

private:
  int64_t block(int64_t run) const {
    return run / runsPerBlock * record.blockBytes();
  }
  int64_t entry(int64_t run, int64_t row) const {
    return (run % runsPerBlock * record.panelRows + row) * record.scaleBytes;
  }

  const FormatRecord &record;
  const int64_t runsPerBlock;

public:
  const int64_t runCount, runColumns;

private:
  const int64_t trailer;
};
} // namespace

//===----------------------------------------------------------------------===//
// Scales
//===----------------------------------------------------------------------===//

/// Bits of the largest magnitude. Those of finite floats are in the order of
/// the floats, and infinities and NaNs come after them.
static int32_t largestMagnitude(const uint32_t *x, int64_t count) {
  int32_t largest = 0;
  for (int64_t i = 0; i < count; ++i)
    largest = std::max(largest, static_cast<int32_t>(x[i] & 0x7fffffff));
  return largest;
}

/// Turns the bits of a float into an integer of the same order, and back.
static int32_t ordered(int32_t bits) {
  return bits ^ (bits >> 31 & 0x7fffffff);
}

static Affine rangeOf(const uint32_t *x, int64_t count) {
  int32_t low = ordered(x[0]), high = low;
  for (int64_t i = 0; i < count; ++i) {
    int32_t key = ordered(x[i]);
    low = std::min(low, key);
    high = std::max(high, key);
  }
  float minimum = floatFromBits(ordered(low));
  return {(floatFromBits(ordered(high)) - minimum) / 15, minimum};
}

/// The scale of some elements, as stored. Not finite if one of them isn't, or
/// if it doesn't fit the type.
static Affine affineOf(const FormatRecord &record, Element type,
                       const uint32_t *x, int64_t count) {
  if (count == 0)
    return {};
  Affine exact;
  if (record.hasMinimum) {
    exact = rangeOf(x, count);
  } else {
    uint32_t largest = largestMagnitude(x, count);
    if (record.bits == 8) {
      exact.scale = floatFromBits(largest) / 127;
    } else {
      // With so few levels the one without a mirror, -8, is worth using.
      while ((*x & 0x7fffffff) != largest)
        ++x;
      exact.scale = floatFromBits(*x) / -8;
    }
  }
  // The sums turn -0 into 0.
  return {roundTo(type, exact.scale) + 0.0f,
          roundTo(type, exact.minimum) + 0.0f};
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

/// Elements to integers of a byte each.
static void quantizeRun(const FormatRecord &record, Affine affine,
                        const uint32_t *x, int64_t count, uint8_t *u) {
  float zero = record.zeroPoint();
  float high = (1 << record.bits) - 1 - zero;
  float low = record.bits == 8 && !record.hasMinimum ? -high : -zero;
  float divisor =
      affine.scale == 0 ? std::numeric_limits<float>::infinity() : affine.scale;
  // Added to a number below 2^22, this rounds it to an even-tied integer, which
  // is then in the low bits; zero is even.
  float magic = 0x1.8p23f + zero;
  for (int64_t i = 0; i < count; ++i) {
    float q = (floatFromBits(x[i]) - affine.minimum) / divisor;
    q = q < low ? low : q;
    q = q > high ? high : q;
    u[i] = bitsOfFloat(q + magic);
  }
}

static float dequantize(Affine affine, int32_t q) {
  return static_cast<double>(q) * affine.scale + affine.minimum;
}

static double sumOfRun(const FormatRecord &record, Affine affine,
                       const uint8_t *u, int64_t count) {
  int32_t zero = record.zeroPoint();
  double lanes[8] = {};
  int64_t i = 0;
  for (; i + 8 <= count; i += 8)
    for (int64_t l = 0; l < 8; ++l)
      lanes[l] += dequantize(affine, u[i + l] - zero);
  double sum = 0;
  for (; i < count; ++i)
    sum += dequantize(affine, u[i] - zero);
  for (double lane : lanes)
    sum += lane;
  return sum;
}

/// Word j of a chunk has byte i of columns 4 j + i, shifted by j * bits.
static void storeRun(const FormatRecord &record, int64_t columns,
                     const uint8_t *u, uint8_t *out) {
  for (int64_t c = 0; c < columns; c += record.chunkColumns()) {
    uint32_t word = 0;
    for (int64_t j = 0; j < 8 / record.bits; ++j) {
      uint32_t part;
      std::memcpy(&part, u + c + 4 * j, 4);
      word |= part << j * record.bits;
    }
    std::memcpy(out, &word, 4);
    out += record.chunkBytes;
  }
}

static void loadRun(const FormatRecord &record, int64_t columns,
                    const uint8_t *from, uint8_t *u) {
  uint32_t mask = 0x01010101u * ((1 << record.bits) - 1);
  for (int64_t c = 0; c < columns; c += record.chunkColumns()) {
    uint32_t word;
    std::memcpy(&word, from, 4);
    for (int64_t j = 0; j < 8 / record.bits; ++j) {
      uint32_t part = word >> j * record.bits & mask;
      std::memcpy(u + c + 4 * j, &part, 4);
    }
    from += record.chunkBytes;
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
  if (odd != x + count)
    stream << " " << column + (odd - x) << ": expected a finite element, got "
           << ::llvm::format("%g", floatFromBits(*odd));
  else
    stream << "s " << column << " to " << column + count - 1
           << ": expected elements whose scale fits " << nameOf(type)
           << ", got some of magnitude "
           << ::llvm::format("%g", floatFromBits(largestMagnitude(x, count)))
           << "; choose a format with scales of a wider range, or of floats";
  return message;
}

bool smelt::quantizePanel(const FormatRecord &record, Element scaleType,
                          const PanelRows &rows, uint8_t *panel,
                          std::string &error) {
  PanelMap map(record, rows.columns);
  Affine shared[FormatRecord::panelRows] = {};
  double sums[FormatRecord::panelRows] = {};
  auto find = [&](int64_t r, int64_t column, int64_t count, Affine &affine) {
    affine = affineOf(record, scaleType, rows.data + r * rows.stride + column,
                      count);
    if (!affine.isFinite())
      error = describe(scaleType, rows, r, column, count);
    return affine.isFinite();
  };
  if (!record.group)
    for (int64_t r = 0; r < rows.count; ++r)
      if (!find(r, 0, rows.columns, shared[r]))
        return false;

  ::llvm::SmallVector<uint8_t, 256> u(map.runColumns);
  for (int64_t run = 0; run < map.runCount; ++run) {
    int64_t column = run * map.runColumns;
    int64_t inside =
        std::clamp<int64_t>(rows.columns - column, 0, map.runColumns);
    for (int64_t r = 0; r < record.panelRows; ++r) {
      int64_t count = r < rows.count ? inside : 0;
      Affine affine = shared[r];
      if (record.group && !find(r, column, count, affine))
        return false;
      quantizeRun(record, affine, rows.data + r * rows.stride + column, count,
                  u.data());
      std::fill(u.begin() + count, u.end(), record.zeroPoint());
      storeRun(record, map.runColumns, u.data(), panel + map.elements(run, r));
      sums[r] += sumOfRun(record, affine, u.data(), count);
      storeFloat(scaleType, affine.scale, panel + map.scale(run, r));
      if (record.hasMinimum)
        storeFloat(scaleType, affine.minimum, panel + map.minimum(run, r));
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
    storeFloat(Element::F32, sum, panel + map.sum(r));
  }
  return true;
}

void smelt::dequantizePanel(const FormatRecord &record, Element scaleType,
                            const uint8_t *panel, int64_t rowCount,
                            int64_t columns, float *values) {
  PanelMap map(record, columns);
  int32_t zero = record.zeroPoint();
  ::llvm::SmallVector<uint8_t, 256> u(map.runColumns);
  for (int64_t run = 0; run * map.runColumns < columns; ++run)
    for (int64_t r = 0; r < rowCount; ++r) {
      loadRun(record, map.runColumns, panel + map.elements(run, r), u.data());
      Affine affine = {loadFloat(scaleType, panel + map.scale(run, r)), 0};
      if (record.hasMinimum)
        affine.minimum = loadFloat(scaleType, panel + map.minimum(run, r));
      int64_t column = run * map.runColumns;
      int64_t count = std::min(map.runColumns, columns - column);
      for (int64_t i = 0; i < count; ++i)
        values[r * columns + column + i] = dequantize(affine, u[i] - zero);
    }
}
