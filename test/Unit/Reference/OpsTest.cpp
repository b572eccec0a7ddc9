//===- OpsTest.cpp - Each op against its formula ----------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The formula stands beside the op, in f64 and without rounding between steps.
// An op rounds its result once, and a linear each of its three terms, so the
// two agree to a few units of the last place of the terms.
//
//===----------------------------------------------------------------------===//
#include "Models.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace mlir;
using namespace smelt;
using namespace smelt::test;

namespace {
using Rows = std::vector<std::vector<double>>;

struct OpsTest : testing::TestWithParam<std::pair<int, int>> {
  OpsTest() {
    context.loadDialect<llm::LLMDialect, arith::ArithDialect, func::FuncDialect,
                        scf::SCFDialect, tensor::TensorDialect>();
  }
  int rows() const { return GetParam().first; }
  int columns() const { return GetParam().second; }

  /// Result 0 of a function with this signature and body, where D stands for
  /// the number of columns and 2D for twice as many.
  Datum run(std::string text, const std::vector<Datum> &arguments) {
    auto replaceAll = [&](const std::string &from, int value) {
      for (size_t at; (at = text.find(from)) != std::string::npos;)
        text.replace(at, from.size(), std::to_string(value));
    };
    replaceAll("2D", 2 * columns());
    replaceAll("$D", columns());
    auto module = parseSourceString<ModuleOp>("func.func @f" + text, &context);
    EXPECT_TRUE(module) << text;
    if (!module)
      return Datum::matrix(0, 0);
    Evaluator evaluator(*module, makeParam);
    std::vector<Evaluator::Data> data, results;
    for (const Datum &argument : arguments)
      data.push_back(std::make_shared<const Datum>(argument));
    EXPECT_TRUE(succeeded(evaluator.call(
        *module->getOps<func::FuncOp>().begin(), data, results)));
    return results.empty() ? Datum::matrix(0, 0) : *results[0];
  }
  Datum random(const std::string &name, int m, int n) {
    return Datum::matrix(m, n, randomValues(name, m * n));
  }
  Datum vector(const std::string &name, int n) {
    Datum datum;
    datum.shape = {n};
    datum.floats = randomValues(name, n);
    return datum;
  }
  /// Compares with `formula(m, d)`, within `units` of 2^-24 of `size`.
  template <typename Formula>
  static void expectNear(const Datum &y, Formula formula, double units = 1,
                         double size = 0) {
    ASSERT_GT(y.rows(), 0);
    for (int64_t m = 0; m < y.rows(); ++m)
      for (int64_t d = 0; d < y.columns(); ++d) {
        double expected = formula(m, d);
        double bound = 0x1p-24 * units * std::max(std::abs(expected), size);
        ASSERT_LE(std::abs(y.row(m)[d] - expected), bound + 0x1p-149)
            << "row " << m << ", column " << d;
      }
  }
  MLIRContext context;
};
} // namespace

INSTANTIATE_TEST_SUITE_P(Sizes, OpsTest,
                         testing::Values(std::pair(1, 1), std::pair(1, 7),
                                         std::pair(13, 1), std::pair(5, 31),
                                         std::pair(3, 64)));

TEST_P(OpsTest, Linear) {
  int m = rows(), k = columns(), n = 2 * k;
  Datum x = random("x", m, k), w = random("w", n, k), r = random("r", m, n);
  Datum b = vector("b", n);
  Datum y = run(
      R"((%x: tensor<?x$Dxf32>, %w: tensor<2Dx$Dxf32>, %b: tensor<2Dxf32>, %r: tensor<?x2Dxf32>) -> tensor<?x2Dxf32> {
    %y = llm.linear %x, %w bias %b residual %r {compute = f32} : tensor<?x$Dxf32>, tensor<2Dx$Dxf32> bias tensor<2Dxf32> residual tensor<?x2Dxf32>
    return %y : tensor<?x2Dxf32>
  })",
      {x, w, b, r});
  // Three roundings, of terms of at most k + 2 in all.
  expectNear(
      y,
      [&](int i, int j) {
        double sum = static_cast<double>(b.floats[j]) + r.row(i)[j];
        for (int d = 0; d < k; ++d)
          sum += static_cast<double>(x.row(i)[d]) * w.row(j)[d];
        return sum;
      },
      3, k + 2);
}

TEST_P(OpsTest, LinearRoundsInputsToBF16) {
  int m = rows(), k = columns();
  Datum x = random("x", m, k), w = random("w", 2 * k, k);
  for (float &value : w.floats)
    value = roundTo(BFloat16Type::get(&context), value);
  Datum y = run(
      R"((%x: tensor<?x$Dxf32>, %w: tensor<2Dx$Dxbf16>) -> tensor<?x2Dxf32> {
    %y = llm.linear %x, %w {compute = bf16} : tensor<?x$Dxf32>, tensor<2Dx$Dxbf16>
    return %y : tensor<?x2Dxf32>
  })",
      {x, w});
  expectNear(y, [&](int i, int j) {
    double sum = 0;
    for (int d = 0; d < k; ++d)
      sum += static_cast<double>(
                 roundTo(BFloat16Type::get(&context), x.row(i)[d])) *
             w.row(j)[d];
    return sum;
  });
}

TEST_P(OpsTest, RoundsTiesToEven) {
  Type bf16 = BFloat16Type::get(&context);
  EXPECT_EQ(roundTo(bf16, 1.0f + 0x1p-8f), 1.0f);
  EXPECT_EQ(roundTo(bf16, 1.0f + 3 * 0x1p-8f), 1.0f + 0x1p-6f);
  EXPECT_EQ(roundTo(bf16, 1.0f + 0x1p-8f + 0x1p-20f), 1.0f + 0x1p-7f);
  EXPECT_TRUE(std::isnan(roundTo(bf16, std::nanf(""))));
}

TEST_P(OpsTest, Norms) {
  int n = columns();
  Datum x = random("x", rows(), n), w = vector("w", n), b = vector("b", n);
  Datum rms =
      run(R"((%x: tensor<?x$Dxf32>, %w: tensor<$Dxf32>) -> tensor<?x$Dxf32> {
    %y = llm.rms_norm %x weight %w {eps = 0.5 : f32} : tensor<?x$Dxf32> weight tensor<$Dxf32>
    return %y : tensor<?x$Dxf32>
  })",
          {x, w});
  auto moment = [&](int m, double center, int power) {
    double sum = 0;
    for (int d = 0; d < n; ++d)
      sum += std::pow(x.row(m)[d] - center, power);
    return sum / n;
  };
  expectNear(
      rms,
      [&](int m, int d) {
        return static_cast<double>(x.row(m)[d]) * w.floats[d] /
               std::sqrt(moment(m, 0, 2) + 0.5);
      },
      1.01);
  Datum layer = run(
      R"((%x: tensor<?x$Dxf32>, %w: tensor<$Dxf32>, %b: tensor<$Dxf32>) -> tensor<?x$Dxf32> {
    %y = llm.layer_norm %x, %w, %b {eps = 0.5 : f32} : tensor<?x$Dxf32>, tensor<$Dxf32>
    return %y : tensor<?x$Dxf32>
  })",
      {x, w, b});
  expectNear(
      layer,
      [&](int m, int d) {
        double mean = moment(m, 0, 1);
        return (x.row(m)[d] - mean) * w.floats[d] /
                   std::sqrt(moment(m, mean, 2) + 0.5) +
               b.floats[d];
      },
      1.01, 0x1p-20);
  Datum unit = run(R"((%x: tensor<?x$Dxf32>) -> tensor<?x$Dxf32> {
    %y = llm.normalize %x : tensor<?x$Dxf32>
    return %y : tensor<?x$Dxf32>
  })",
                   {x});
  expectNear(
      unit,
      [&](int m, int d) {
        return x.row(m)[d] / std::sqrt(moment(m, 0, 2) * n);
      },
      1.01);
}

TEST_P(OpsTest, Activations) {
  int n = columns();
  Datum x = random("x", rows(), 2 * n);
  const std::pair<const char *, double (*)(double)> functions[] = {
      {"silu", [](double x) { return x / (1 + std::exp(-x)); }},
      {"gelu", [](double x) { return x * 0.5 * std::erfc(-x * M_SQRT1_2); }},
      {"gelu_tanh",
       [](double x) {
         double u = 1.5957691216057308 * (x + 0.044715 * x * x * x);
         return x / (1 + std::exp(-u));
       }},
      {"relu", [](double x) { return std::max(x, 0.0); }}};
  for (auto [name, function] : functions) {
    Datum y = run(std::string(R"((%x: tensor<?x2Dxf32>) -> tensor<?x2Dxf32> {
      %y = llm.)") + name +
                      R"( %x : tensor<?x2Dxf32>
      return %y : tensor<?x2Dxf32>
    })",
                  {x});
    expectNear(
        y, [&, f = function](int m, int d) { return f(x.row(m)[d]); }, 1.01);
    Datum glu = run(std::string(R"((%x: tensor<?x2Dxf32>) -> tensor<?x$Dxf32> {
      %y = llm.glu %x {activation = ")") +
                        name + R"("} : tensor<?x2Dxf32>
      return %y : tensor<?x$Dxf32>
    })",
                    {x});
    expectNear(
        glu,
        [&, f = function](int m, int d) {
          return f(x.row(m)[d]) * x.row(m)[n + d];
        },
        2.01);
  }
}

TEST_P(OpsTest, Rope) {
  int half = columns();
  Datum x = random("x", rows(), 2 * half);
  std::vector<int32_t> positions;
  for (int m = 0; m < rows(); ++m)
    positions.push_back(37 * m + 1);
  Datum y =
      run(R"((%x: tensor<?x2Dxf32>, %p: tensor<?xi32>) -> tensor<?x2Dxf32> {
    %y = llm.rope %x, %p {heads = 1 : i64, base = 1.0e4 : f64} : tensor<?x2Dxf32>, tensor<?xi32>
    return %y : tensor<?x2Dxf32>
  })",
          {x, Datum::vector(positions)});
  // An angle of up to 445 radians is off by some 2^-23 of itself (frequency:
  // three roundings, product: one), sine and cosine by a rounding each.
  expectNear(
      y,
      [&](int m, int d) {
        int i = d % half;
        double angle =
            positions[m] * std::pow(1e4, -static_cast<double>(i) / half);
        double a = x.row(m)[i], b = x.row(m)[half + i];
        return d < half ? a * std::cos(angle) - b * std::sin(angle)
                        : b * std::cos(angle) + a * std::sin(angle);
      },
      2 * (4 * 445 + 2), 1);
}

TEST_P(OpsTest, PoolAndGather) {
  Datum x = random("x", rows(), columns());
  int last = rows();
  Datum y = run(
      R"((%x: tensor<?x$Dxf32>, %b: tensor<?xi32>, %e: tensor<?xi32>) -> tensor<?x$Dxf32> {
    %y = llm.pool %x in %b, %e {mode = "mean"} : tensor<?x$Dxf32>, tensor<?xi32>
    return %y : tensor<?x$Dxf32>
  })",
      {x, Datum::vector({0}), Datum::vector({last})});
  expectNear(
      y,
      [&](int, int d) {
        double sum = 0;
        for (int m = 0; m < last; ++m)
          sum += x.row(m)[d];
        return sum / last;
      },
      1.01, 0x1p-20);
  Datum z =
      run(R"((%x: tensor<?x$Dxf32>, %r: tensor<?xi32>) -> tensor<?x$Dxf32> {
    %y = llm.gather_rows %x, %r : tensor<?x$Dxf32>, tensor<?xi32>
    return %y : tensor<?x$Dxf32>
  })",
          {x, Datum::vector({last - 1, 0, last - 1})});
  expectNear(z, [&](int r, int d) { return x.row(r == 1 ? 0 : last - 1)[d]; });
}

/// A window that covers all of a short sequence is no window, and one of one
/// position returns its value; heads share a kv head.
TEST_P(OpsTest, CachedAttention) {
  int n = columns(), m = rows();
  Datum q = random("q", m, 2 * n), k = random("k", m, n), v = random("v", m, n);
  std::vector<int32_t> positions, slots(m, 4);
  for (int i = 0; i < m; ++i)
    positions.push_back(i);
  for (int window : {1, 2, 1000}) {
    KVState state;
    Datum kv;
    kv.kv = &state;
    Datum y = run(
        R"((%q: tensor<?x2Dxf32>, %k: tensor<?x$Dxf32>, %v: tensor<?x$Dxf32>, %s: tensor<?xi32>, %p: tensor<?xi32>, %kv: !llm.kv<layers = 1, heads = 1, size = $D, type = f32>) -> tensor<?x2Dxf32> {
      %c0 = arith.constant 0 : index
      llm.kv_append %kv[%c0], %k, %v at %s, %p : !llm.kv<layers = 1, heads = 1, size = $D, type = f32>, tensor<?x$Dxf32>, tensor<?xi32>
      %y = llm.cached_attention %q, %kv[%c0] at %s, %p {heads = 2 : i64, scale = 2.0 : f32, window = )" +
            std::to_string(window) +
            R"( : i64} : tensor<?x2Dxf32>, !llm.kv<layers = 1, heads = 1, size = $D, type = f32>, tensor<?xi32>
      return %y : tensor<?x2Dxf32>
    })",
        {q, k, v, Datum::vector(slots), Datum::vector(positions), kv});
    expectNear(
        y,
        [&](int i, int column) {
          double sum = 0, mixed = 0;
          for (int p = std::max(0, i + 1 - window); p <= i; ++p) {
            double dot = 0;
            for (int d = 0; d < n; ++d)
              dot += static_cast<double>(q.row(i)[column / n * n + d]) *
                     k.row(p)[d];
            sum += std::exp(2 * dot);
            mixed += std::exp(2 * dot) * v.row(p)[column % n];
          }
          return mixed / sum;
        },
        1.01, 0x1p-20);
  }
}
