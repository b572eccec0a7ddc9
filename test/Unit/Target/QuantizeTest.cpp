//===- QuantizeTest.cpp - Quantised panels against an obvious reference ---===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every format of the table is judged on random matrices of edge sizes: each
// byte of a panel is read by arithmetic of its own and compared with a formula
// for one element; each value is as near to its element as the format can be.
//
//===----------------------------------------------------------------------===//
#include "RecipeFixture.h"

#include "Convert.h"
#include "Quantize.h"
#include "Weights.h"

#include <cmath>
#include <functional>
#include <iostream>
#include <numeric>

using namespace smelt;
using smelt::llm::FormatRecord;

namespace {
constexpr int64_t edgeRows[] = {1, 15, 16, 17, 33};
constexpr int64_t edgeColumns[] = {1, 31, 32, 33, 64, 65, 127, 129, 300};

unsigned freshSeed() {
  unsigned seed = std::random_device()();
  std::cout << "seed " << seed << std::endl;
  return seed;
}

std::vector<const FormatRecord *> quantizedFormats() {
  std::vector<const FormatRecord *> formats;
  for (const FormatRecord &record : llm::formatRecords())
    if (record.isInteger)
      formats.push_back(&record);
  return formats;
}

struct Matrix {
  int64_t rows, columns;
  std::vector<float> x = std::vector<float>(rows * columns);

  float &at(int64_t r, int64_t c) { return x[r * columns + c]; }
  float at(int64_t r, int64_t c) const { return x[r * columns + c]; }
};

/// Rows of a kind that is drawn for each.
Matrix randomMatrix(int64_t rows, int64_t columns, std::mt19937_64 &random) {
  std::normal_distribution<float> normal;
  std::uniform_int_distribution<int> integer(-9, 9);
  auto size = [&] { return std::exp2(float(integer(random))); };
  std::vector<std::function<std::function<float(int64_t)>()>> kinds = {
      [&] { return [&, s = size()](int64_t) { return s * normal(random); }; },
      // Elements of very different size in one row.
      [&] { return [&](int64_t) { return size() * normal(random); }; },
      // A range that is small beside its minimum.
      [&] {
        return [&, s = size()](int64_t) { return s * (9 + normal(random)); };
      },
      [&] {
        return
            [&, s = size()](int64_t) { return -s * std::abs(normal(random)); };
      },
      [&] { return [&, s = size() * normal(random)](int64_t) { return s; }; },
      [&] { return [](int64_t c) { return c % 2 ? -0.0f : 0.0f; }; },
      // Ties.
      [&] {
        return [&, s = size()](int64_t) { return s * integer(random) / 2; };
      },
      // A single outlier.
      [&] {
        return [&, o = int64_t(random() % columns),
                sign = random() % 2 ? 1 : -1](int64_t c) {
          return c == o ? sign * 1000.0f : 0.01f * normal(random);
        };
      },
      // Scales that f16 has no normal number for.
      [&] { return [&](int64_t) { return 0x1p-18f * normal(random); }; },
      [&] { return [&](int64_t) { return 0x1p-140f * normal(random); }; },
  };
  Matrix matrix{rows, columns};
  for (int64_t r = 0; r < rows; ++r) {
    auto element = kinds[random() % kinds.size()]();
    for (int64_t c = 0; c < columns; ++c)
      matrix.at(r, c) = element(c);
  }
  return matrix;
}

//===----------------------------------------------------------------------===//
// What the definition says
//===----------------------------------------------------------------------===//

/// Formulas of a format for one element.
class Reference {
public:
  Reference(const FormatRecord &record, const Matrix &matrix)
      : record(record), matrix(matrix) {
    mlir::MLIRContext context;
    mlir::Type type = record.type(&context);
    scaleType = type.isF32() ? "f32" : type.isF16() ? "f16" : "bf16";
    // The levels of a format, and what stands for 0.
    zero = record.hasMinimum       ? 0
           : record.precision == 8 ? 128
           : record.precision == 7 ? 64
                                   : 8;
    highest = record.hasMinimum ? 15 : zero - 1;
    lowest = record.hasMinimum ? 0 : zero == 8 ? -8 : -highest;
  }

  struct Group {
    double exactScale, exactMinimum;
    float scale, minimum;
  };

  Group group(int64_t r, int64_t c) const {
    int64_t size = record.group ? record.group : matrix.columns;
    int64_t begin = record.group ? c / size * size : 0;
    int64_t end = std::min(begin + size, matrix.columns);
    if (r >= matrix.rows || begin >= matrix.columns)
      return {0, 0, 0, 0};
    float low = matrix.at(r, begin), high = low, extreme = low;
    for (int64_t i = begin; i < end; ++i) {
      float x = matrix.at(r, i);
      low = std::min(low, x);
      high = std::max(high, x);
      if (std::abs(x) > std::abs(extreme))
        extreme = x;
    }
    if (record.hasMinimum)
      return {(double(high) - low) / 15, low, stored((high - low) / 15),
              stored(low)};
    if (lowest == -highest)
      return {std::abs(extreme) / double(highest), 0,
              stored(std::abs(extreme) / highest), 0};
    return {extreme / -8.0, 0, stored(extreme / -8), 0};
  }

  int integer(int64_t r, int64_t c) const {
    Group g = group(r, c);
    if (r >= matrix.rows || c >= matrix.columns || g.scale == 0)
      return zero;
    float quotient = (matrix.at(r, c) - g.minimum) / g.scale;
    return std::clamp<float>(std::nearbyint(quotient), lowest, highest) + zero;
  }

  float value(int64_t r, int64_t c) const {
    Group g = group(r, c);
    if (record.hasMinimum)
      return float(double(integer(r, c)) * g.scale + g.minimum);
    return float(integer(r, c) - zero) * g.scale;
  }

  /// How far a value may be from its element. Half a scale; what the roundings
  /// of a quotient, a difference and a value add; and where an integer is
  /// clamped, what that of the scale does, up to the last level. Four bits have
  /// no level for the extreme's mirror.
  double bound(int64_t r, int64_t c) const {
    Group g = group(r, c);
    double scale = std::abs(g.scale), x = matrix.at(r, c);
    int levels = std::max(highest, -lowest);
    bool mirrors = levels == 8 && scale > 0 && x / g.scale > 7.5;
    double ofScale = levels * std::abs(g.exactScale - g.scale);
    double ofMinimum = std::abs(g.exactMinimum - g.minimum);
    double ofFloats =
        0x1p-24 * (std::abs(x) + 2 * std::abs(g.minimum) + levels * scale);
    return scale * ((mirrors ? 1 : 0.5) + 0x1p-16) + ofScale + ofMinimum +
           ofFloats + 0x1p-149;
  }

  const FormatRecord &record;
  const Matrix &matrix;
  std::string scaleType;
  int zero, lowest, highest;

private:
  float stored(float value) const {
    uint64_t bits = convert(bitsOfFloat(value), "f32", scaleType);
    return floatFromBits(convert(bits, scaleType, "f32"));
  }
};

/// Reads stored bytes, as Formats.h draws them.
class Stored {
public:
  Stored(const FormatRecord &record, std::string scaleType, int64_t columns,
         const std::vector<uint8_t> &bytes)
      : bits(record.bits), group(record.group), scaleType(scaleType),
        bytes(bytes) {
    scaleSize = scaleType == "f32" ? 4 : 2;
    groups = group ? 64 / (16 * scaleSize) : 0;
    width = group ? groups * group : 32;
    scales = 16 * width * bits / 8;
    minima = scales + 16 * groups * scaleSize;
    block = record.hasMinimum ? minima + 16 * groups * scaleSize : minima;
    trailer = (columns + width - 1) / width * block;
    panel = trailer + (group ? 64 : 128);
  }

  int element(int64_t r, int64_t c) const {
    int64_t chunkWidth = bits == 8 ? 4 : 8, inside = c % width;
    int64_t i = inside % chunkWidth;
    uint8_t byte =
        bytes[base(r, c) + inside / chunkWidth * 64 + r % 16 * 4 + i % 4];
    return bits == 8 ? byte : i < 4 ? byte % 16 : byte / 16;
  }
  float scale(int64_t r, int64_t c) const {
    if (!group)
      return read("f32", r / 16 * panel + trailer + 64 + r % 16 * 4);
    return read(scaleType, base(r, c) + scales + entry(r, c));
  }
  float minimum(int64_t r, int64_t c) const {
    return read(scaleType, base(r, c) + minima + entry(r, c));
  }
  float sum(int64_t r) const {
    return read("f32", r / 16 * panel + trailer + r % 16 * 4);
  }

  int64_t width, panel;

private:
  int64_t base(int64_t r, int64_t c) const {
    return r / 16 * panel + c / width * block;
  }
  int64_t entry(int64_t r, int64_t c) const {
    return (c % width / group * 16 + r % 16) * scaleSize;
  }
  float read(const std::string &type, int64_t offset) const {
    uint64_t data = 0;
    std::memcpy(&data, &bytes[offset], type == "f32" ? 4 : 2);
    return floatFromBits(convert(data, type, "f32"));
  }

  int64_t bits, group, scaleSize, groups, scales, minima, block, trailer;
  std::string scaleType;
  const std::vector<uint8_t> &bytes;
};

//===----------------------------------------------------------------------===//
// Comparison
//===----------------------------------------------------------------------===//

/// The sum of what a row's integers stand for, but for the roundings of a sum
/// in double, which depend on its order.
void checkSum(const Reference &reference, float sum, int64_t r) {
  double exact = 0, magnitude = 0;
  for (int64_t c = 0; c < reference.matrix.columns; ++c) {
    Reference::Group g = reference.group(r, c);
    double value = double(reference.integer(r, c) - reference.zero) * g.scale;
    exact += value;
    exact += g.minimum;
    magnitude += std::abs(value) + std::abs(g.minimum);
  }
  double slack = 0x1p-51 * reference.matrix.columns * magnitude;
  ASSERT_GE(sum, float(exact - slack)) << "row " << r;
  ASSERT_LE(sum, float(exact + slack)) << "row " << r;
}

void checkStored(const Reference &reference,
                 const std::vector<uint8_t> &bytes) {
  const FormatRecord &record = reference.record;
  const Matrix &matrix = reference.matrix;
  Stored stored(record, reference.scaleType, matrix.columns, bytes);
  int64_t rows = (matrix.rows + 15) / 16 * 16;
  int64_t columns =
      (matrix.columns + stored.width - 1) / stored.width * stored.width;
  ASSERT_EQ(int64_t(bytes.size()), rows / 16 * stored.panel);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      Reference::Group group = reference.group(r, c);
      ASSERT_EQ(stored.element(r, c), reference.integer(r, c))
          << "row " << r << ", column " << c << ", scale " << group.scale;
      ASSERT_EQ(stored.scale(r, c), group.scale) << r << ", " << c;
      if (record.hasMinimum)
        ASSERT_EQ(stored.minimum(r, c), group.minimum) << r << ", " << c;
    }
    checkSum(reference, stored.sum(r), r);
  }
}

void checkValues(const Reference &reference, const std::vector<float> &values) {
  const Matrix &matrix = reference.matrix;
  ASSERT_EQ(values.size(), matrix.x.size());
  for (int64_t r = 0; r < matrix.rows; ++r)
    for (int64_t c = 0; c < matrix.columns; ++c) {
      float value = values[r * matrix.columns + c];
      ASSERT_EQ(value, reference.value(r, c)) << r << ", " << c;
      ASSERT_LE(std::abs(double(value) - matrix.at(r, c)),
                reference.bound(r, c))
          << "element " << matrix.at(r, c) << " at " << r << ", " << c
          << ", scale " << reference.group(r, c).scale;
    }
}

Element elementOf(const std::string &type) {
  return type == "f32"   ? Element::F32
         : type == "f16" ? Element::F16
                         : Element::BF16;
}

/// The panels of a matrix whose rows are `gap` further apart than they are
/// long. What is between is NaN, and so is memory that is to be written.
bool quantize(const Reference &reference, int64_t gap,
              std::vector<uint8_t> &bytes, std::vector<float> &values,
              std::string &error) {
  const Matrix &matrix = reference.matrix;
  Element type = elementOf(reference.scaleType);
  int64_t stride = matrix.columns + gap;
  std::vector<uint32_t> bits(matrix.rows * stride, 0x7fc00000);
  for (int64_t r = 0; r < matrix.rows; ++r)
    for (int64_t c = 0; c < matrix.columns; ++c)
      bits[r * stride + c] = bitsOfFloat(matrix.at(r, c));
  int64_t panelBytes = reference.record.panelBytes(matrix.columns);
  bytes.assign((matrix.rows + 15) / 16 * panelBytes, 0xff);
  values.assign(matrix.x.size(), NAN);
  for (int64_t r = 0; r < matrix.rows; r += 16) {
    int64_t count = std::min<int64_t>(matrix.rows - r, 16);
    uint8_t *panel = bytes.data() + r / 16 * panelBytes;
    PanelRows rows = {bits.data() + r * stride, stride, r, count,
                      matrix.columns};
    if (!quantizePanel(reference.record, type, rows, panel, error))
      return false;
    dequantizePanel(reference.record, type, panel, count, matrix.columns,
                    values.data() + r * matrix.columns);
  }
  return true;
}

const FormatRecord &format(llvm::StringRef name) {
  return *llm::lookupFormat(name);
}

/// A row and what its integers are to be.
void expectIntegers(llvm::StringRef name, std::vector<float> x, float scale,
                    float minimum, float sum, std::vector<int> expected) {
  SCOPED_TRACE(name.str());
  Matrix matrix{1, int64_t(x.size()), x};
  Reference reference(format(name), matrix);
  std::vector<uint8_t> bytes;
  std::vector<float> values;
  std::string error;
  ASSERT_TRUE(quantize(reference, 0, bytes, values, error)) << error;
  Stored stored(format(name), reference.scaleType, matrix.columns, bytes);
  EXPECT_EQ(stored.scale(0, 0), scale);
  if (format(name).hasMinimum)
    EXPECT_EQ(stored.minimum(0, 0), minimum);
  EXPECT_EQ(stored.sum(0), sum);
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_EQ(stored.element(0, i), expected[i]) << "column " << i;
}

/// One element among ordinary ones, and the message that it leads to.
std::string errorOf(llvm::StringRef name, float x, int64_t r, int64_t c) {
  Matrix matrix{33, 70};
  for (size_t i = 0; i < matrix.x.size(); ++i)
    matrix.x[i] = 0.125f * (i % 31);
  matrix.at(r, c) = x;
  std::vector<uint8_t> bytes;
  std::vector<float> values;
  std::string error;
  bool isGood =
      quantize(Reference(format(name), matrix), 3, bytes, values, error);
  EXPECT_EQ(isGood, error.empty());
  return error;
}

class QuantizedRecipeTest : public RecipeFixture {
protected:
  QuantizedRecipeTest() { random.seed(freshSeed()); }

  /// Elements that are finite in `type`, and as floats in `matrix`.
  Source makeFinite(std::string type, int64_t rows, int64_t columns,
                    Matrix &matrix) {
    matrix = randomMatrix(rows, columns, random);
    Source source{type, {rows, columns}, {}};
    for (float &x : matrix.x) {
      source.bits.push_back(convert(bitsOfFloat(x), "f32", type));
      x = floatFromBits(convert(source.bits.back(), type, "f32"));
    }
    return source;
  }

  std::string tail(const FormatRecord &record) {
    return "format <" + record.name.str() + "> layout <blocks, n = 16, k = " +
           std::to_string(record.blockColumns()) + ">";
  }

  void check(llm::ParamOp param, const FormatRecord &record,
             const Matrix &matrix) {
    Reference reference(record, matrix);
    checkStored(reference, execute(param, 3));
    std::vector<float> values;
    std::string error;
    ASSERT_TRUE(loadInstance(param, 0, folder, values, error)) << error;
    checkValues(reference, values);
  }
};
} // namespace

//===----------------------------------------------------------------------===//
// Panels
//===----------------------------------------------------------------------===//

TEST(Quantize, FollowsTheDefinition) {
  std::mt19937_64 random(freshSeed());
  for (const FormatRecord *record : quantizedFormats())
    for (int64_t rows : edgeRows)
      for (int64_t columns : edgeColumns) {
        SCOPED_TRACE(record->name.str() + ", " + std::to_string(rows) + " by " +
                     std::to_string(columns));
        Matrix matrix = randomMatrix(rows, columns, random);
        Reference reference(*record, matrix);
        std::vector<uint8_t> bytes;
        std::vector<float> values;
        std::string error;
        ASSERT_TRUE(quantize(reference, random() % 5, bytes, values, error))
            << error;
        checkStored(reference, bytes);
        checkValues(reference, values);
        if (HasFatalFailure())
          return;
      }
}

TEST(Quantize, IntegersOfExamples) {
  expectIntegers("int8_channel", {127, -127, 0.5, 1.5, -0.5, -1.5, 2.5}, 1, 0,
                 2, {255, 1, 128, 130, 128, 126, 130, 128});
  expectIntegers("int8_g32_bf16", {-254, 1, 3}, 2, 0, -250, {1, 128, 130, 128});
  // The first extreme has a level, its mirror doesn't.
  expectIntegers("int4_g32", {-8, 8, 7.5, 3.5, 2.5, -0.5}, 1, 0, 12,
                 {0, 15, 15, 12, 10, 8, 8});
  expectIntegers("int4_g64", {8, -8, 7.5, 3.5, 2.5}, -1, 0, 15,
                 {0, 15, 0, 4, 6, 8});
  expectIntegers("uint4_g32", {-1, 14, 0.5, 1.5, -1}, 1, -1, 14,
                 {0, 15, 2, 2, 0, 0});
  expectIntegers("uint4_g32_bf16", {5, 5, 5}, 0, 5, 15, {0, 0, 0, 0});
  for (const FormatRecord *record : quantizedFormats())
    expectIntegers(record->name, {0, -0.0f, 0}, 0, 0, 0,
                   std::vector<int>(32, record->zeroPoint()));
}

TEST(Quantize, ExtremesAreKept) {
  // 0.1 has no short form.
  for (const FormatRecord *record : quantizedFormats()) {
    SCOPED_TRACE(record->name.str());
    Matrix matrix{1, 40};
    std::iota(matrix.x.begin(), matrix.x.end(), -20.0f);
    for (float &x : matrix.x)
      x *= 0.1f;
    Reference reference(*record, matrix);
    std::vector<uint8_t> bytes;
    std::vector<float> values;
    std::string error;
    ASSERT_TRUE(quantize(reference, 0, bytes, values, error)) << error;
    // What a stored scale or minimum is off by, at the last level.
    double ulp = reference.scaleType == "f32"   ? 0x1p-23
                 : reference.scaleType == "f16" ? 0x1p-10
                                                : 0x1p-7;
    EXPECT_NEAR(values[0], -2, 2 * ulp);
  }
}

TEST(Quantize, RefusesWhatItCannotHold) {
  for (const FormatRecord *record : quantizedFormats()) {
    SCOPED_TRACE(record->name.str());
    EXPECT_EQ(errorOf(record->name, 4, 32, 69), "");
    EXPECT_EQ(errorOf(record->name, INFINITY, 32, 69),
              "row 32, column 69: expected a finite element, got inf");
    EXPECT_EQ(errorOf(record->name, -INFINITY, 16, 0),
              "row 16, column 0: expected a finite element, got -inf");
    EXPECT_NE(errorOf(record->name, NAN, 0, 33)
                  .find("row 0, column 33: expected a finite element, got nan"),
              std::string::npos);
    EXPECT_NE(errorOf(record->name, -NAN, 0, 34).find("row 0, column 34: "),
              std::string::npos);
  }
  for (auto [name, least] : {std::pair<llvm::StringRef, float>{"int8_g32", 127},
                             {"int4_g32", -8},
                             {"int4_g64", 8},
                             {"uint4_g32", 15},
                             {"uint4_g128", -1}}) {
    SCOPED_TRACE(name.str());
    EXPECT_EQ(errorOf(name, 65000 * least, 17, 40), "");
    std::string error = errorOf(name, 66000 * least, 17, 40);
    EXPECT_NE(error.find("row 17, columns "), std::string::npos) << error;
    EXPECT_NE(error.find("scale fits f16"), std::string::npos) << error;
  }
  EXPECT_EQ(errorOf("int8_g32_bf16", 1e30f, 17, 40), "");
  EXPECT_EQ(errorOf("uint4_g32_bf16", -1e30f, 17, 40), "");
  // A range beyond f32, and a sum.
  Matrix matrix{1, 4, {3e38f, -3e38f, 3e38f, 3e38f}};
  std::vector<uint8_t> bytes;
  std::vector<float> values;
  std::string error;
  Reference range(format("uint4_g32_bf16"), matrix);
  EXPECT_FALSE(quantize(range, 0, bytes, values, error));
  EXPECT_NE(error.find("row 0, columns 0 to 3: expected elements whose scale"),
            std::string::npos)
      << error;
  Reference sum(format("int8_channel"), matrix);
  EXPECT_FALSE(quantize(sum, 0, bytes, values, error));
  EXPECT_NE(error.find("row 0: expected a sum that fits f32"),
            std::string::npos)
      << error;
}

//===----------------------------------------------------------------------===//
// Recipes
//===----------------------------------------------------------------------===//

TEST_F(QuantizedRecipeTest, ConcatenatesWithPadding) {
  for (const FormatRecord *record : quantizedFormats())
    for (int64_t align : {1, 16, 32}) {
      SCOPED_TRACE(record->name.str() + ", align " + std::to_string(align));
      Matrix a{0, 0}, b{0, 0};
      Source sources[] = {makeFinite("bf16", 40, 70, a),
                          makeFinite("bf16", 9, 70, b)};
      int64_t second = (40 + align - 1) / align * align;
      Matrix stacked{second + (9 + align - 1) / align * align, 70};
      std::copy(a.x.begin(), a.x.end(), stacked.x.begin());
      std::copy(b.x.begin(), b.x.end(), stacked.x.begin() + second * 70);
      auto param = makeParam(
          {sources[0], sources[1]}, std::to_string(stacked.rows) + "x70xbf16",
          "recipe [#llm.concat<parts = 2, align = " + std::to_string(align) +
              ">] " + tail(*record));
      check(param, *record, stacked);
    }
}

TEST_F(QuantizedRecipeTest, ScalesColumnsAndTransposes) {
  for (const FormatRecord *record : quantizedFormats())
    for (std::string type : {"f32", "f16", "bf16"}) {
      SCOPED_TRACE(record->name.str() + " from " + type);
      Matrix x{0, 0}, factors{0, 0};
      Source source = makeFinite(type, 37, 67, x);
      Source by = makeFinite("f32", 1, 67, factors);
      by.shape = {67};
      for (int64_t c = 0; c < 67; ++c) {
        factors.x[c] = 0.01f * (c - 30);
        by.bits[c] = bitsOfFloat(factors.x[c]);
      }
      Matrix turned{67, 37};
      for (int64_t r = 0; r < 37; ++r)
        for (int64_t c = 0; c < 67; ++c)
          turned.at(c, r) = x.at(r, c) * factors.x[c];
      auto param =
          makeParam({source, by}, "67x37xf32",
                    "recipe [#llm.scale_columns<by = 1>, #llm.transpose] " +
                        tail(*record));
      check(param, *record, turned);
    }
}

TEST_F(QuantizedRecipeTest, WritesTheSectionOrSaysWhyNot) {
  const FormatRecord &record = format("uint4_g64");
  Matrix matrix{0, 0};
  Source source = makeFinite("f32", 700, 1500, matrix);
  auto produce = [&](std::vector<uint8_t> &bytes, std::string &error) {
    auto param = makeParam({source}, "700x1500xf32", tail(record));
    param.setOffset(0);
    param.setStride(param.getStoredBytes());
    (*module)->setAttr("llm.checkpoint",
                       mlir::StringAttr::get(&context, folder));
    WeightsSection section;
    EXPECT_TRUE(section.create(*module, error)) << error;
    return section.produce(
        3,
        [&](const uint8_t *data, int64_t size) {
          bytes.insert(bytes.end(), data, data + size);
          return true;
        },
        error);
  };
  std::vector<uint8_t> bytes;
  std::string error;
  ASSERT_TRUE(produce(bytes, error)) << error;
  checkStored(Reference(record, matrix), bytes);

  // Of two rows, the first is named, whichever thread finds which.
  source.bits[690 * 1500] = source.bits[433 * 1500 + 1499] = 0x7f800000;
  EXPECT_FALSE(produce(bytes, error));
  EXPECT_EQ(error, "cannot store instance 0 of param 'p' as uint4_g64: row "
                   "433, column 1499: expected a finite element, got inf");
  std::vector<float> values;
  llm::ParamOp param = *module->getOps<llm::ParamOp>().begin();
  error.clear();
  EXPECT_FALSE(loadInstance(param, 0, folder, values, error));
  EXPECT_NE(error.find("row 433, column 1499"), std::string::npos) << error;
}
