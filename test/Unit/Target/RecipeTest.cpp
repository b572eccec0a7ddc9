//===- RecipeTest.cpp - Recipes against an obvious reference --------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every recipe is executed twice: by the streaming executor, in pieces of
// random size, and by a formula for one element that follows the layout's
// definition. Bits are compared; where nothing is converted, those of NaNs too.
//
//===----------------------------------------------------------------------===//
#include "RecipeFixture.h"

#include "Convert.h"

using namespace smelt;
using llvm::APFloat;

namespace {
class RecipeTest : public RecipeFixture {
protected:
  /// Compares all stored elements with `expected(row, column)`; those outside
  /// the matrix are zero. NaNs compare by their bits if `exactNaN`.
  template <typename F>
  void compare(llm::ParamOp param, bool exactNaN, F expected) {
    std::vector<uint8_t> bytes = execute(param);
    int64_t rows = param.getParamType().getDimSize(0);
    int64_t columns = param.getParamType().getDimSize(1);
    llm::LayoutAttr layout = *param.getLayout();
    int64_t n = layout.isPanel() ? layout.getN() : 1;
    int64_t k = layout.isPanel() ? layout.getK() : 1;
    llvm::StringRef stored = param.getFormat()->getName();
    unsigned size = bitsOf(stored) / 8;
    int64_t panels = (rows + n - 1) / n, steps = (columns + k - 1) / k;
    ASSERT_EQ(int64_t(bytes.size()), panels * steps * n * k * size);
    for (int64_t r = 0; r < panels * n; ++r)
      for (int64_t c = 0; c < steps * k; ++c) {
        int64_t place = ((r / n * steps + c / k) * n + r % n) * k + c % k;
        uint64_t bits = 0;
        std::memcpy(&bits, bytes.data() + place * size, size);
        uint64_t want = r < rows && c < columns ? expected(r, c) : 0;
        if (!exactNaN && isNaN(want, stored) && isNaN(bits, stored))
          continue;
        ASSERT_EQ(bits, want) << "row " << r << ", column " << c;
      }
  }
};
} // namespace

TEST(Convert, EveryHalfExtendsExactly) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    uint32_t want = isNaN(bits, "f16") ? (bits & 0x8000) << 16 | 0x7f800000 |
                                             (bits & 0x3ff) << 13
                                       : convert(bits, "f16", "f32");
    ASSERT_EQ(f32FromF16(bits), want) << bits;
    ASSERT_EQ(f32FromBF16(bits), bits << 16);
  }
}

TEST(Convert, RoundsToNearestEven) {
  auto check = [](uint32_t bits) {
    if (isNaN(bits, "f32")) {
      ASSERT_TRUE(isNaN(f16FromF32(bits), "f16")) << bits;
      ASSERT_TRUE(isNaN(bf16FromF32(bits), "bf16")) << bits;
      return;
    }
    ASSERT_EQ(f16FromF32(bits), convert(bits, "f32", "f16")) << bits;
    ASSERT_EQ(bf16FromF32(bits), convert(bits, "f32", "bf16")) << bits;
  };
  std::mt19937 random(1);
  for (int i = 0; i < 100000; ++i)
    check(random());
  // Around every half and the tie behind it.
  for (uint32_t half = 0; half < 0x10000; ++half)
    for (uint32_t base : {f32FromF16(half), f32FromF16(half) + 0x1000,
                          f32FromBF16(half) + 0x8000})
      for (int delta = -1; delta <= 1; ++delta)
        check(base + delta);
}

TEST_F(RecipeTest, CopiesKeepEveryBit) {
  for (std::string type : {"f32", "f16", "bf16"})
    for (auto [rows, columns] :
         {std::pair<int64_t, int64_t>{1, 1}, {31, 33}, {32, 64}, {65, 3001}})
      for (std::string layout :
           {"rows", "panel, n = 32, k = 2", "panel, n = 32, k = 1",
            "panel, n = 5, k = 3"}) {
        Source source = makeSource(type, {rows, columns});
        std::string shape =
            std::to_string(rows) + "x" + std::to_string(columns) + "x" + type;
        auto param = makeParam({source}, shape,
                               "format <" + type + "> layout <" + layout + ">");
        compare(param, true, [&, columns = columns](int64_t r, int64_t c) {
          return source.bits[r * columns + c];
        });
      }
}

TEST_F(RecipeTest, ConcatenatesWithPadding) {
  for (int64_t align : {1, 32}) {
    Source a = makeSource("bf16", {40, 70}), b = makeSource("bf16", {9, 70});
    int64_t second = (40 + align - 1) / align * align;
    int64_t rows = second + (9 + align - 1) / align * align;
    auto param = makeParam(
        {a, b}, std::to_string(rows) + "x70xbf16",
        "recipe [#llm.concat<parts = 2, align = " + std::to_string(align) +
            ">] format <bf16> layout <panel, n = 32, k = 2>");
    compare(param, true, [&](int64_t r, int64_t c) -> uint64_t {
      if (r < 40)
        return a.bits[r * 70 + c];
      if (r >= second && r < second + 9)
        return b.bits[(r - second) * 70 + c];
      return 0;
    });
  }
}

TEST_F(RecipeTest, ConvertsAndTransposes) {
  for (std::string from : {"f32", "f16", "bf16"})
    for (std::string to : {"f32", "f16", "bf16"}) {
      Source source = makeSource(from, {67, 45});
      auto param = makeParam({source}, "45x67x" + from,
                             "recipe [#llm.transpose] format <" + to +
                                 "> layout <panel, n = 32, k = 2>");
      compare(param, from == to, [&](int64_t r, int64_t c) {
        uint64_t bits = source.bits[c * 45 + r];
        return from == to ? bits : convert(bits, from, to);
      });
    }
}

TEST_F(RecipeTest, ScalesColumnsBeforeTranspose) {
  Source source = makeSource("bf16", {50, 300}), by = makeSource("f32", {300});
  for (int64_t i = 0; i < 300; ++i)
    by.bits[i] = bitsOfFloat(0.01f * (i - 150));
  auto product = [&](int64_t r, int64_t c) -> uint64_t {
    APFloat value = floatOf(source.bits[r * 300 + c] << 16, "f32");
    value.multiply(floatOf(by.bits[c], "f32"), APFloat::rmNearestTiesToEven);
    return value.bitcastToAPInt().getZExtValue();
  };
  auto plain = makeParam({source, by}, "50x300xf32",
                         "recipe [#llm.scale_columns<by = 1>] format <f32> "
                         "layout <panel, n = 32, k = 1>");
  compare(plain, false, product);
  auto turned = makeParam({source, by}, "300x50xf32",
                          "recipe [#llm.scale_columns<by = 1>, #llm.transpose] "
                          "format <bf16> layout <panel, n = 32, k = 2>");
  compare(turned, false, [&](int64_t r, int64_t c) {
    return convert(product(c, r), "f32", "bf16");
  });
}

TEST_F(RecipeTest, RoundsWhereTheRecipeSays) {
  Source source = makeSource("f32", {20, 30});
  auto param = makeParam({source}, "20x30xf32",
                         "recipe [#llm.cast<bf16>, #llm.cast<f32>] "
                         "format <f32> layout <rows>");
  compare(param, false, [&](int64_t r, int64_t c) {
    return convert(convert(source.bits[r * 30 + c], "f32", "bf16"), "bf16",
                   "f32");
  });
}

TEST_F(RecipeTest, VectorsAreExtended) {
  Source source = makeSource("bf16", {77});
  auto param = makeParam({source}, "77xf32",
                         "recipe [#llm.cast<f32>] format <f32> layout <rows>");
  std::vector<uint8_t> bytes = execute(param);
  ASSERT_EQ(bytes.size(), 77u * 4);
  for (int64_t i = 0; i < 77; ++i) {
    uint32_t bits;
    std::memcpy(&bits, bytes.data() + i * 4, 4);
    EXPECT_EQ(bits, uint32_t(source.bits[i]) << 16);
  }
}

TEST_F(RecipeTest, LoadsLogicalValuesAsStored) {
  Source source = makeSource("f32", {33, 17});
  auto param = makeParam({source}, "33x17xf32",
                         "format <bf16> layout <panel, n = 32, k = 2>");
  std::vector<float> values;
  std::string error;
  ASSERT_TRUE(loadInstance(param, 0, folder, values, error)) << error;
  ASSERT_EQ(values.size(), source.bits.size());
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(isNaN(bitsOfFloat(values[i]), "f32"),
              isNaN(source.bits[i], "f32"));
    if (!isNaN(source.bits[i], "f32")) {
      EXPECT_EQ(bitsOfFloat(values[i]),
                convert(convert(source.bits[i], "f32", "bf16"), "bf16", "f32"));
    }
  }
}

TEST_F(RecipeTest, RefusesAnotherCheckpoint) {
  std::string tail = "format <f32> layout <rows>", error;
  std::vector<float> values;
  makeParam({makeSource("f32", {4, 4})}, "4x4xf32", tail);
  mlir::OwningOpRef<mlir::ModuleOp> before = std::move(module);
  llm::ParamOp param = *before->getOps<llm::ParamOp>().begin();
  EXPECT_FALSE(loadInstance(param, 0, folder + "/none", values, error));
  EXPECT_NE(error.find("m.safetensors"), std::string::npos) << error;

  makeParam({makeSource("f32", {2, 8})}, "2x8xf32", tail);
  EXPECT_FALSE(loadInstance(param, 0, folder, values, error));
  EXPECT_NE(error.find("does not hold tensor 't0' as it did at import"),
            std::string::npos)
      << error;
}
