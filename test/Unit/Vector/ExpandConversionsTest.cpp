//===- ExpandConversionsTest.cpp - 16-bit floats, every one -----*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Extensions of all 65536 values; roundings of each of them, of the midpoints
// between neighbours and of the f32 next to those. The reference is APFloat.
//
//===----------------------------------------------------------------------===//
#include "Jit.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/APInt.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace smelt::test;
using llvm::APFloat;
using llvm::APInt;

namespace {

struct Format {
  const char *type;
  const llvm::fltSemantics &(*semantics)();
  /// Bits of an f32's mantissa that the format lacks.
  unsigned cut;
};

const Format formats[] = {{"bf16", APFloat::BFloat, 16},
                          {"f16", APFloat::IEEEhalf, 13}};

class ExpandConversions : public testing::TestWithParam<Format> {
protected:
  ExpandConversions()
      : jit(getFunctions(GetParam().type),
            "smelt-vectorize-rows,smelt-expand-conversions{f16=true}") {}

  static std::string getFunctions(const std::string &type) {
    auto get = [](const std::string &op, const std::string &from,
                  const std::string &to) {
      std::string source = "memref<?x" + from + ">",
                  target = "memref<?x" + to + ">";
      return "func.func @" + op + "(%x: " + source + ", %y: " + target +
             ") attributes {llvm.emit_c_interface} {\n"
             "  linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>,\n"
             "                                   affine_map<(d0) -> (d0)>],\n"
             "                  iterator_types = [\"parallel\"]}\n"
             "      ins(%x : " +
             source + ") outs(%y : " + target +
             ") {\n"
             "  ^bb0(%a: " +
             from + ", %b: " + to +
             "):\n"
             "    %0 = arith." +
             op + " %a : " + from + " to " + to +
             "\n"
             "    linalg.yield %0 : " +
             to +
             "\n"
             "  }\n"
             "  return\n"
             "}\n";
    };
    return get("extf", type, "f32") + get("truncf", "f32", type);
  }

  Jit jit;
};

APFloat extend(uint16_t bits) {
  APFloat value(ExpandConversions::GetParam().semantics(), APInt(16, bits));
  bool isInexact;
  value.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven,
                &isInexact);
  return value;
}

TEST_P(ExpandConversions, ExtendsAllValues) {
  ASSERT_TRUE(jit.isValid());
  std::vector<uint16_t> narrow;
  for (uint32_t bits = 0; bits < 65536; ++bits)
    narrow.push_back(uint16_t(bits));
  std::vector<uint32_t> wide(narrow.size());
  auto x = makeMemRef(narrow);
  auto y = makeMemRef(wide);
  jit.call("extf", x, y);
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    APFloat expected = extend(uint16_t(bits));
    if (expected.isNaN())
      ASSERT_TRUE(APFloat(APFloat::IEEEsingle(), APInt(32, wide[bits])).isNaN())
          << bits;
    else
      ASSERT_EQ(wide[bits], expected.bitcastToAPInt().getZExtValue()) << bits;
  }
}

TEST_P(ExpandConversions, RoundsToNearestEven) {
  ASSERT_TRUE(jit.isValid());
  const llvm::fltSemantics &semantics = GetParam().semantics();
  std::vector<uint32_t> wide;
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    uint32_t exact = extend(uint16_t(bits)).bitcastToAPInt().getZExtValue();
    uint32_t half = 1u << (GetParam().cut - 1);
    for (uint32_t offset : {0u, 1u, half - 1, half, half + 1})
      wide.push_back(exact + offset);
    // Between neighbours of an f16 that is subnormal lie powers of two more.
    for (unsigned bit = GetParam().cut; bit < 23; ++bit)
      for (uint32_t offset : {~0u, 0u, 1u})
        wide.push_back(exact + (1u << bit) + offset);
  }
  for (uint64_t bits = 0; bits < uint64_t(1) << 32; bits += 10007)
    wide.push_back(uint32_t(bits));
  std::vector<uint16_t> narrow(wide.size());
  auto x = makeMemRef(wide);
  auto y = makeMemRef(narrow);
  jit.call("truncf", x, y);
  for (size_t i = 0; i < wide.size(); ++i) {
    APFloat expected(APFloat::IEEEsingle(), APInt(32, wide[i]));
    APFloat got(semantics, APInt(16, narrow[i]));
    if (expected.isNaN()) {
      ASSERT_TRUE(got.isNaN() && !got.isSignaling()) << wide[i];
      ASSERT_EQ(got.isNegative(), expected.isNegative()) << wide[i];
      continue;
    }
    bool isInexact;
    expected.convert(semantics, APFloat::rmNearestTiesToEven, &isInexact);
    ASSERT_EQ(narrow[i], expected.bitcastToAPInt().getZExtValue()) << wide[i];
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, ExpandConversions, testing::ValuesIn(formats),
                         [](const testing::TestParamInfo<Format> &info) {
                           return std::string(info.param.type);
                         });

} // namespace
