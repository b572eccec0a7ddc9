//===- QuantizedTest.cpp - Quantised products against sums of doubles -----===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every format of weights, and every scheme, is multiplied by the code of AVX2
// and of other targets, drawn anew each time: tiles, masks and instructions of
// wider processors are executed with their vectors split and their products
// spelled out. Results are compared with sums of doubles over what the bytes
// stand for, and bit for bit between targets that have the same floats.
//
//===----------------------------------------------------------------------===//
#include "Quantize.h"
#include "Vector/Jit.h"

#include "smelt/Dialect/Kernel/IR/Kernel.h"
#include "smelt/Dialect/LLM/IR/Formats.h"
#include "smelt/Target/CPU/Targets.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/MLIRContext.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <random>

using namespace smelt;
using namespace smelt::test;
using llm::ActivationRecord;
using llm::FormatRecord;

namespace {

constexpr int64_t rowCount = 17; // 16 + 1 or 6 + 6 + 5, and alone: 17 times 1
constexpr int64_t width = FormatRecord::unitColumns;
const int64_t depths[] = {1, 31, 32, 33, 63, 64, 65, 127, 129, 255, 300};
const llvm::StringLiteral kinds[] = {"", "int8_g32", "int8_token"};

unsigned freshSeed() {
  static std::random_device device;
  return device();
}

Element scaleElement(const FormatRecord &format) {
  mlir::MLIRContext context;
  mlir::Type type = format.type(&context);
  return type.isF32()   ? Element::F32
         : type.isF16() ? Element::F16
                        : Element::BF16;
}

/// Panels of weights, and the values that they stand for.
struct Panels {
  int64_t count;
  std::vector<uint8_t> bytes;
  std::vector<float> values; // [n][k]
};

/// Random weights; `isExtreme`: of elements that are all least or all largest.
Panels makePanels(const FormatRecord &format, int64_t n, int64_t k,
                  bool isExtreme, std::mt19937 &random) {
  const int64_t size = format.panelBytes(k), rows = FormatRecord::panelRows;
  std::normal_distribution<float> normal;
  std::vector<float> weights(n * k);
  for (float &weight : weights)
    weight = normal(random);
  std::vector<uint32_t> bits(weights.size());
  std::memcpy(bits.data(), weights.data(), 4 * bits.size());
  Panels panels{(n + rows - 1) / rows, {}, std::vector<float>(n * k)};
  panels.bytes.resize(panels.count * size);
  std::string error;
  Element scale = scaleElement(format);
  for (int64_t p = 0; p < panels.count; ++p) {
    uint8_t *bytes = panels.bytes.data() + p * size;
    int64_t first = p * rows, count = std::min(rows, n - first);
    float *values = panels.values.data() + first * k;
    EXPECT_TRUE(quantizePanel(format, scale, {bits.data(), k, first, count, k},
                              bytes, error))
        << error;
    uint8_t most = 255 >> (format.bits - format.precision);
    if (isExtreme)
      for (int64_t block = 0; block < format.blockCount(k); ++block)
        for (int64_t i = 0; i < format.scalesOffset(); ++i)
          bytes[block * format.blockBytes() + i] = random() % 2 ? most : 0;
    dequantizePanel(format, scale, bytes, count, k, values);
    for (int64_t j = 0; j < count; ++j) {
      double sum = 0;
      for (int64_t i = 0; i < k; ++i)
        sum += values[j * k + i];
      float stored = static_cast<float>(sum);
      std::memcpy(bytes + format.trailerOffset(k) + 4 * j, &stored, 4);
    }
  }
  return panels;
}

/// Rows of integers as kernel.quantize yields them, and what they stand for.
struct Rows {
  std::vector<int8_t> q;
  std::vector<float> scales;
  std::vector<int32_t> sums;
  std::vector<double> values, magnitudes; // [rows][k]
};

/// The definition of #llm.activation.
void quantizeGroup(const ActivationRecord &kind, const float *x, int64_t count,
                   int8_t *q, float &scale, int32_t &zero) {
  float least = 0, most = 0;
  for (int64_t i = 0; i < count; ++i) {
    least = std::min(least, x[i]);
    most = std::max(most, x[i]);
  }
  float range = kind.hasZeroPoint ? most - least : std::max(-least, most);
  float steps = kind.hasZeroPoint ? 254 : 127;
  bool isSmall = range < 0x1p-100f;
  float inverse = isSmall ? 0 : steps / range;
  scale = isSmall ? 0 : range / steps;
  zero = kind.hasZeroPoint ? -127 - std::lrint(least * inverse) : 0;
  for (int64_t i = 0; i < count; ++i)
    q[i] = std::min<int64_t>(std::lrint(x[i] * inverse) + zero, 127);
}

Rows quantizeRows(const ActivationRecord &kind, const std::vector<float> &x,
                  int64_t k) {
  int64_t units = (k + width - 1) / width, padded = units * width;
  int64_t scaleCount = kind.group ? units : 2;
  Rows rows;
  rows.q.resize(rowCount * padded);
  rows.sums.resize(rowCount * units);
  rows.scales.resize(rowCount * scaleCount);
  rows.values.resize(rowCount * k);
  rows.magnitudes.resize(rowCount * k);
  int64_t group = kind.group ? kind.group : k;
  for (int64_t m = 0; m < rowCount; ++m)
    for (int64_t begin = 0; begin < k; begin += group) {
      int8_t *q = rows.q.data() + m * padded;
      float scale;
      int32_t zero;
      int64_t end = std::min(begin + group, k);
      quantizeGroup(kind, x.data() + m * k + begin, end - begin, q + begin,
                    scale, zero);
      rows.scales[m * scaleCount + begin / group] = scale;
      if (kind.hasZeroPoint)
        rows.scales[m * 2 + 1] = -(scale * zero);
      for (int64_t i = begin; i < end; ++i) {
        rows.sums[m * units + i / width] += q[i];
        rows.values[m * k + i] = double(q[i] - zero) * scale;
        rows.magnitudes[m * k + i] =
            (std::abs(q[i]) + std::abs(zero)) * double(scale);
      }
    }
  return rows;
}

/// Whether weights are unpacked for many rows of `kind`.
bool isUnpacked(const FormatRecord &format, llvm::StringRef kind) {
  return format.bits < 8 && !kind.empty();
}

/// Functions @quantize and @matmul of one target, and @many, which unpacks.
std::string makeIR(llvm::StringRef target, const FormatRecord &format,
                   llvm::StringRef kind, int64_t n, int64_t k) {
  int64_t units = (k + width - 1) / width;
  auto text = [](int64_t value) { return std::to_string(value); };
  std::string x = "memref<?x" + text(k) + "xf32>",
              q = "memref<?x" + text(units * width) + "xi8>",
              s = "memref<?x" + text(kind == "int8_token" ? 2 : units) +
                  "xf32>",
              t = "memref<?x" + text(units) + "xi32>",
              panels = "memref<" +
                       text((n + FormatRecord::panelRows - 1) /
                            FormatRecord::panelRows) +
                       "x",
              w = panels + text(format.panelBytes(k)) + "xi8>",
              u = panels + text(format.unpacked().panelBytes(k)) + "xi8>",
              y = "memref<?x" + text(n) + "xf32>";
  std::string ir =
      "module attributes {llm.target = \"" + target.str() + "\"} {\n";
  std::string formatText = "format = #llm.format<" + format.name.str() + ">}";
  if (kind.empty())
    return ir + "func.func @matmul(%x: " + x + ", %w: " + w + ", %y: " + y +
           ") attributes {llvm.emit_c_interface} {\n kernel.matmul ins(%x, "
           "%w : " +
           x + ", " + w + ") outs(%y : " + y + ") {" + formatText +
           "\n return\n}\n}";
  std::string activation = "activation = #llm.activation<" + kind.str() + ">";
  std::string arguments =
      "(%q: " + q + ", %w: " + w + ", %s: " + s + ", %t: " + t + ", %y: " + y;
  auto product = [&](llvm::StringRef name, llvm::StringRef type,
                     llvm::StringRef attributes) {
    return " kernel.matmul ins(%q, " + name.str() + " : " + q + ", " +
           type.str() + ") rows(%s, %t : " + s + ", " + t + ") outs(%y : " + y +
           ") {" + attributes.str() + activation + ", " + formatText +
           "\n return\n}\n";
  };
  ir +=
      "func.func @quantize(%x: " + x + ", %q: " + q + ", %s: " + s +
      ", %t: " + t +
      ") attributes {llvm.emit_c_interface} {\n kernel.quantize ins(%x : " + x +
      ") outs(%q, %s, %t : " + q + ", " + s + ", " + t + ") {" + activation +
      "}\n return\n}\nfunc.func @matmul" + arguments +
      ") attributes {llvm.emit_c_interface} {\n" + product("%w", w, "");
  if (isUnpacked(format, kind))
    ir +=
        "func.func @many" + arguments + ", %u: " + u +
        ") attributes {llvm.emit_c_interface} {\n kernel.unpack ins(%w : " + w +
        ") outs(%u : " + u + ") {" + formatText + "\n" +
        product("%u", u, "unpacked, ");
  return ir + "}";
}

/// Targets whose instructions any processor of the tests has.
bool isNative(llvm::StringRef target) {
  return target == "avx2" || target == "generic";
}

std::string passesFor(llvm::StringRef target) {
  std::string passes = "func.func(convert-kernel-to-vector),";
  if (!isNative(target))
    passes += "smelt-expand-dots,";
  return passes + "smelt-expand-math,smelt-expand-conversions,canonicalize,"
                  "cse,convert-vector-to-scf,convert-kernel-to-llvm";
}

/// AVX2, and two others: compiling takes long.
std::vector<const TargetRecord *> someTargets(std::mt19937 &random) {
  std::vector<const TargetRecord *> others;
  for (const TargetRecord &target : targetRecords())
    if (target.name != "avx2")
      others.push_back(&target);
  std::shuffle(others.begin(), others.end(), random);
  return {lookupTarget("avx2"), others[0], others[1]};
}

struct Case {
  const FormatRecord &format;
  llvm::StringRef kind;
  int64_t n, k;
  bool isExtreme;
};

void runCase(const Case &c, std::mt19937 &random) {
  const ActivationRecord *kind = llm::lookupActivationFormat(c.kind);
  Panels panels = makePanels(c.format, c.n, c.k, c.isExtreme, random);
  std::normal_distribution<float> normal(0.3f);
  std::vector<float> x(rowCount * c.k);
  for (float &value : x)
    value = c.isExtreme ? (random() % 2 ? 1.0f : -1.0f) : normal(random);
  Rows rows;
  if (kind)
    rows = quantizeRows(*kind, x, c.k);
  int64_t units = (c.k + width - 1) / width, padded = units * width;
  int64_t scaleCount = kind && !kind->group ? 2 : units;

  std::vector<float> first;
  for (const TargetRecord *record : someTargets(random)) {
    const TargetRecord &target = *record;
    SCOPED_TRACE(target.name.str());
    Jit jit(makeIR(target.name, c.format, c.kind, c.n, c.k),
            passesFor(target.name));
    ASSERT_TRUE(jit.isValid());
    int64_t panelBytes = c.format.panelBytes(c.k);
    MemRef<uint8_t, 2> w =
        makeMemRef(panels.bytes, panels.count, panelBytes, panelBytes);
    Rows own = rows;
    if (kind) {
      own.q.assign(rows.q.size(), 99);
      own.sums.assign(rows.sums.size(), 99);
      own.scales.assign(rows.scales.size(), 99);
      auto in = makeMemRef(x, rowCount, c.k, c.k);
      auto q = makeMemRef(own.q, rowCount, padded, padded);
      auto s = makeMemRef(own.scales, rowCount, scaleCount, scaleCount);
      auto t = makeMemRef(own.sums, rowCount, units, units);
      jit.call("quantize", in, q, s, t);
      ASSERT_EQ(own.q, rows.q);
      ASSERT_EQ(own.sums, rows.sums);
      ASSERT_EQ(own.scales, rows.scales);
    }
    int64_t bytes = c.format.unpacked().panelBytes(c.k);
    std::vector<uint8_t> room(panels.count * bytes, 99);
    auto u = makeMemRef(room, panels.count, bytes, bytes);
    /// Rows [begin, end) in one call, which unpacks if it is for `isMany`.
    auto multiply = [&](int64_t begin, int64_t end, std::vector<float> &y,
                        bool isMany = false) {
      auto out = makeMemRef(y, end - begin, c.n, c.n);
      out.aligned += begin * c.n;
      auto at = [&](auto memref) {
        memref.aligned += begin * memref.strides[0];
        memref.sizes[0] = end - begin;
        return memref;
      };
      if (!kind) {
        auto in = at(makeMemRef(x, rowCount, c.k, c.k));
        return jit.call("matmul", in, w, out);
      }
      auto q = at(makeMemRef(own.q, rowCount, padded, padded));
      auto s = at(makeMemRef(own.scales, rowCount, scaleCount, scaleCount));
      auto t = at(makeMemRef(own.sums, rowCount, units, units));
      if (isMany)
        return jit.call("many", q, w, s, t, out, u);
      jit.call("matmul", q, w, s, t, out);
    };
    std::vector<float> y(rowCount * c.n, NAN), alone(rowCount * c.n, NAN);
    bool fillsTiles = kind && !kind->group && c.format.bits == 8 &&
                      c.format.group % kernel::TileDotOp::rowBytes == 0;
    int64_t most = target.productRows(fillsTiles);
    for (int64_t m = 0; m < rowCount; m += most)
      multiply(m, std::min(m + most, rowCount), y);
    for (int64_t m = 0; m < rowCount; ++m)
      multiply(m, m + 1, alone);
    ASSERT_EQ(std::memcmp(y.data(), alone.data(), 4 * y.size()), 0);
    if (isUnpacked(c.format, c.kind)) {
      std::vector<float> many(rowCount * c.n, NAN);
      for (int64_t m = 0; m < rowCount; m += most)
        multiply(m, std::min(m + most, rowCount), many, /*isMany=*/true);
      ASSERT_EQ(std::memcmp(y.data(), many.data(), 4 * y.size()), 0)
          << "unpacked";
    }

    // Each step of a sum rounds it once, each factor of a term once.
    double roundings = kind ? 2.0 * units + 6 : double(c.k) + 4;
    for (int64_t m = 0; m < rowCount; ++m)
      for (int64_t j = 0; j < c.n; ++j) {
        double expected = 0, magnitude = 0, most = 0;
        for (int64_t i = 0; i < c.k; ++i)
          most = std::max<double>(most, std::fabs(panels.values[j * c.k + i]));
        for (int64_t i = 0; i < c.k; ++i) {
          double weight = panels.values[j * c.k + i];
          double value = kind ? rows.values[m * c.k + i] : x[m * c.k + i];
          expected += weight * value;
          // A weight with a minimum is a sum of two terms.
          double size =
              std::fabs(weight) + (c.format.hasMinimum ? 2 * most : 0);
          magnitude +=
              size * (kind ? rows.magnitudes[m * c.k + i] : std::fabs(value));
        }
        double tolerance = roundings * 0x1p-24 * magnitude;
        ASSERT_LE(std::fabs(y[m * c.n + j] - expected), tolerance)
            << "row " << m << ", column " << j;
      }
    if (!target.hasFMA)
      continue;
    if (first.empty())
      first = y;
    ASSERT_EQ(std::memcmp(y.data(), first.data(), 4 * y.size()), 0)
        << "differs from avx2";
  }
}

TEST(Quantized, ProductsOfAllFormats) {
  unsigned seed = freshSeed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::vector<std::pair<llvm::StringRef, llvm::StringRef>> pairs;
  for (const FormatRecord &format : llm::formatRecords())
    if (format.isInteger)
      pairs.emplace_back(format.name, kinds[random() % std::size(kinds)]);
  for (const llm::SchemeRecord &scheme : llm::schemeRecords())
    pairs.emplace_back(scheme.format, scheme.activation);
  for (auto [format, kind] : pairs) {
    // Part of a panel, or 1, 2, 4 of which half are whole.
    int64_t rows = FormatRecord::panelRows;
    int64_t n = random() % 2 ? 1 + random() % rows
                             : (rows << random() % 3) - random() % 2 * 5;
    Case c{*llm::lookupFormat(format), kind, n,
           depths[random() % std::size(depths)], random() % 3 == 0};
    SCOPED_TRACE(format.str() + " with '" + kind.str() + "', N = " +
                 std::to_string(c.n) + ", K = " + std::to_string(c.k) +
                 (c.isExtreme ? ", extremes" : ""));
    runCase(c, random);
    if (HasFatalFailure())
      return;
  }
}

/// Rows of a table are what its bytes stand for, bit for bit.
TEST(Quantized, RowsOfTables) {
  unsigned seed = freshSeed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (const FormatRecord &format : llm::formatRecords()) {
    if (!format.isInteger)
      continue;
    int64_t n = FormatRecord::panelRows;
    int64_t k = depths[random() % std::size(depths)];
    SCOPED_TRACE(format.name.str() + ", K = " + std::to_string(k));
    Panels panel = makePanels(format, n, k, false, random);
    std::string table =
        "memref<1x" + std::to_string(panel.bytes.size()) + "xi8>";
    std::string out = "memref<?x" + std::to_string(k) + "xf32>";
    Jit jit("module attributes {llm.target = \"avx2\"} {\nfunc.func "
            "@gather(%i: memref<?xi32>, %w: " +
                table + ", %y: " + out +
                ") attributes {llvm.emit_c_interface} {\n kernel.gather "
                "ins(%i, %w : memref<?xi32>, " +
                table + ") outs(%y : " + out + ") {format = #llm.format<" +
                format.name.str() + ">}\n return\n}\n}",
            passesFor("avx2"));
    ASSERT_TRUE(jit.isValid());
    std::vector<int32_t> rows = {15, 0, 7, 7, 1};
    std::vector<float> y(rows.size() * k, NAN);
    auto indices = makeMemRef(rows);
    auto w = makeMemRef(panel.bytes, 1, panel.bytes.size(), panel.bytes.size());
    auto result = makeMemRef(y, rows.size(), k, k);
    jit.call("gather", indices, w, result);
    for (size_t i = 0; i < rows.size(); ++i)
      for (int64_t j = 0; j < k; ++j)
        ASSERT_EQ(y[i * k + j], panel.values[rows[i] * k + j])
            << "row " << rows[i] << ", column " << j;
  }
}

/// What isn't finite, and rows of zeros.
TEST(Quantized, RowsOfDoubtAndOfZeros) {
  const int64_t k = 70, units = 3;
  const FormatRecord &format = *llm::lookupFormat("int8_g32");
  for (const ActivationRecord *kind :
       {llm::lookupActivationFormat("int8_g32"),
        llm::lookupActivationFormat("int8_token")}) {
    Jit jit(makeIR("avx2", format, kind->name, 16, k), passesFor("avx2"));
    ASSERT_TRUE(jit.isValid());
    for (float odd : {NAN, -NAN, INFINITY, -INFINITY, 0.0f, 0x1p-110f}) {
      SCOPED_TRACE(kind->name.str() + ", " + std::to_string(odd));
      std::vector<float> x(k, std::isfinite(odd) ? odd : 1.0f);
      x[k - 1] = odd;
      std::vector<int8_t> q(units * width, 99);
      std::vector<float> scales(kind->group ? units : 2, 99);
      std::vector<int32_t> sums(units, 99);
      auto in = makeMemRef(x, 1, k, k);
      auto a = makeMemRef(q, 1, units * width, units * width);
      auto s = makeMemRef(scales, 1, scales.size(), scales.size());
      auto t = makeMemRef(sums, 1, units, units);
      jit.call("quantize", in, a, s, t);
      float scale = scales[kind->group ? units - 1 : 0];
      if (std::isfinite(odd)) {
        EXPECT_EQ(scale, 0.0f);
        EXPECT_EQ(q[0], kind->hasZeroPoint ? -127 : 0);
        EXPECT_EQ(q[units * width - 1], 0);
      } else {
        EXPECT_FALSE(std::isfinite(scale));
      }
    }
  }
}

} // namespace
