//===- ExpandMathTest.cpp - Functions within their bounds -------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every 1009th of all 2^32 floats, and special ones, against the C library's
// functions of double, whose own error is far below the bounds.
//
//===----------------------------------------------------------------------===//
#include "Jit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

using namespace smelt::test;

namespace {

float fromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

uint32_t toBits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

const std::vector<float> &getArguments() {
  static const std::vector<float> arguments = [] {
    std::vector<float> values;
    for (uint64_t bits = 0; bits < uint64_t(1) << 32; bits += 1009)
      values.push_back(fromBits(uint32_t(bits)));
    // Zero, subnormals, the smallest and largest, infinity, NaN; where the
    // functions change their formula or saturate.
    for (uint32_t bits :
         {0u, 1u, 2u, 0x7fffffu, 0x800000u, 0x800001u, 0x7f7fffffu, 0x7f800000u,
          0x7f800001u, 0x7fc00000u, 0x7fffffffu, 0x3effffffu, 0x4affffffu,
          0x4b000000u, 0x4b000001u, 0x4b7fffffu, 0x4d800000u, 0x4d800001u})
      for (int step = -2; step <= 2; ++step)
        for (uint32_t sign : {0u, 0x80000000u})
          values.push_back(fromBits((bits + step) ^ sign));
    for (float center :
         {0.5f,        0.625f,     1.0f,        1.5f,        2.5f,
          4.0f,        9.0f,       10.0f,       87.336544f,  88.0f,
          88.722839f,  89.0f,      103.278929f, 103.972084f, 104.0f,
          126.0f,      126.5f,     127.0f,      127.5f,      128.0f,
          0.70710678f, 1.4142135f, 0.78539816f, 1.5707963f,  3.1415927f,
          6.2831853f,  1048576.0f, 268435456.0f})
      for (int step = -20; step <= 20; ++step)
        for (uint32_t sign : {0u, 0x80000000u})
          values.push_back(fromBits((toBits(center) + step) ^ sign));
    return values;
  }();
  return arguments;
}

/// `op` applied to all arguments by vectors, compiled with `options`.
std::vector<float> compute(const std::string &op, const std::string &options) {
  Jit jit("func.func @apply(%x: memref<?xf32>, %y: memref<?xf32>)\n"
          "    attributes {llvm.emit_c_interface} {\n"
          "  linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>,\n"
          "                                   affine_map<(d0) -> (d0)>],\n"
          "                  iterator_types = [\"parallel\"]}\n"
          "      ins(%x : memref<?xf32>) outs(%y : memref<?xf32>) {\n"
          "  ^bb0(%a: f32, %b: f32):\n"
          "    %0 = math." +
              op +
              " %a : f32\n"
              "    linalg.yield %0 : f32\n"
              "  }\n"
              "  return\n"
              "}\n",
          "smelt-vectorize-rows,smelt-expand-math{" + options + "}");
  std::vector<float> arguments = getArguments();
  std::vector<float> results(arguments.size());
  if (jit.isValid()) {
    auto x = makeMemRef(arguments), y = makeMemRef(results);
    jit.call("apply", x, y);
  }
  return results;
}

/// The distance of `got` from `expected` in units of its last place as an f32;
/// infinity counts as 2^128, and NaN is near to NaN alone.
double getUlps(float got, double expected) {
  if (std::isnan(got) || std::isnan(expected))
    return std::isnan(got) && std::isnan(expected) ? 0 : INFINITY;
  auto limit = [](double value) {
    return std::fmin(std::fmax(value, -0x1p128), 0x1p128);
  };
  int exponent = expected == 0 ? -126 : std::ilogb(limit(expected));
  double ulp = std::ldexp(1.0, std::max(std::min(exponent, 127), -126) - 23);
  return std::fabs(limit(got) - limit(expected)) / ulp;
}

struct Function {
  const char *op;
  double (*reference)(double);
  /// The bound that the pass's description states, and the largest absolute
  /// argument that it holds for.
  double ulps, domain;
};

const Function functions[] = {
    {"exp", std::exp, 1.25, INFINITY},
    {"exp2", std::exp2, 1.25, 126},
    {"log", std::log, 1.25, INFINITY},
    {"tanh", std::tanh, 2, INFINITY},
    {"sin", std::sin, 2, 0x1p20},
    {"cos", std::cos, 2, 0x1p20},
    {"rsqrt", [](double x) { return 1 / std::sqrt(x); }, 1.5, INFINITY},
};

class ExpandMath : public testing::TestWithParam<Function> {};

TEST_P(ExpandMath, StaysWithinItsBound) {
  const Function &function = GetParam();
  for (bool fma : {true, false}) {
    std::vector<float> results =
        compute(function.op, fma ? "fma=true" : "fma=false");
    double worst = 0;
    float worstArgument = 0;
    for (size_t i = 0; i < results.size(); ++i) {
      float x = getArguments()[i];
      if (std::fabs(x) > function.domain)
        continue;
      double ulps = getUlps(results[i], function.reference(x));
      if (ulps > worst) {
        worst = ulps;
        worstArgument = x;
      }
    }
    RecordProperty(fma ? "ulps" : "ulps_without_fma", std::to_string(worst));
    EXPECT_LE(worst, function.ulps) << function.op << "(" << worstArgument
                                    << ")" << (fma ? "" : " without fma");
  }
}

INSTANTIATE_TEST_SUITE_P(Functions, ExpandMath, testing::ValuesIn(functions),
                         [](const testing::TestParamInfo<Function> &info) {
                           return std::string(info.param.op);
                         });

TEST(ExpandMath, TakesSubnormalPowersOfTwoForZero) {
  for (const char *options : {"fma=true", "fma=false"}) {
    std::vector<float> results = compute("exp2", options);
    for (size_t i = 0; i < results.size(); ++i) {
      float x = getArguments()[i], y = results[i];
      if (std::isnan(x))
        ASSERT_TRUE(std::isnan(y)) << x;
      else if (x < -126.5f)
        ASSERT_EQ(y, 0) << x;
      else if (x < -126)
        ASSERT_TRUE(y == 0 || (y >= 0x1p-127f && y <= 0x1p-126f)) << x << y;
      else if (x >= 128)
        ASSERT_EQ(y, INFINITY) << x;
      else if (x > 126)
        ASSERT_TRUE(y == INFINITY || getUlps(y, std::exp2(x)) <= 1.25) << x;
    }
  }
}

TEST(ExpandMath, BoundsTheAbsoluteErrorOfErfc) {
  for (const char *options : {"fma=true", "fma=false"}) {
    std::vector<float> results = compute("erfc", options);
    double worst = 0;
    for (size_t i = 0; i < results.size(); ++i) {
      double x = getArguments()[i];
      if (std::isnan(x)) {
        ASSERT_TRUE(std::isnan(results[i])) << x;
        continue;
      }
      ASSERT_LE(std::fabs(results[i] - std::erfc(x)), 2e-7) << x;
      ASSERT_TRUE(results[i] >= 0 && results[i] <= 2) << x;
      worst = std::max(worst, std::fabs(results[i] - std::erfc(x)));
    }
    RecordProperty(options, std::to_string(worst * 1e9) + "e-9");
  }
}

TEST(ExpandMath, ReducesLargeAngles) {
  std::vector<float> sines = compute("sin", ""), cosines = compute("cos", "");
  for (size_t i = 0; i < sines.size(); ++i) {
    double x = getArguments()[i];
    if (std::fabs(x) <= 0x1p28) {
      ASSERT_LE(std::fabs(sines[i] - std::sin(x)), 1e-7) << x;
      ASSERT_LE(std::fabs(cosines[i] - std::cos(x)), 1e-7) << x;
    } else {
      ASSERT_TRUE(std::isnan(sines[i]) && std::isnan(cosines[i])) << x;
    }
  }
}

TEST(ExpandMath, KeepsZerosOfOddFunctions) {
  for (const char *op : {"sin", "tanh"}) {
    std::vector<float> results = compute(op, "");
    for (size_t i = 0; i < results.size(); ++i)
      if (getArguments()[i] == 0)
        ASSERT_EQ(toBits(results[i]), toBits(getArguments()[i])) << op;
  }
}

TEST(ExpandMath, RoundsWithoutInstructions) {
  struct {
    const char *op;
    float (*reference)(float);
  } roundings[] = {{"roundeven", std::nearbyint},
                   {"trunc", std::trunc},
                   {"floor", std::floor},
                   {"ceil", std::ceil},
                   {"round", std::round}};
  for (const auto &rounding : roundings) {
    std::vector<float> results = compute(rounding.op, "rounding=false");
    for (size_t i = 0; i < results.size(); ++i) {
      float x = getArguments()[i];
      if (std::isnan(x))
        ASSERT_TRUE(std::isnan(results[i])) << rounding.op << "(" << x << ")";
      else
        ASSERT_EQ(toBits(results[i]), toBits(rounding.reference(x)))
            << rounding.op << "(" << x << ")";
    }
  }
}

} // namespace
