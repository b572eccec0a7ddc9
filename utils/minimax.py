#!/usr/bin/env python3
# ===- minimax.py - Coefficients of the functions of expand-math ------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Prints lib/Transforms/Vector/MathPolynomials.inc.

Each record below is a function f on an interval, to be replaced by a polynomial
p so that the largest weight(x) * |p(x) - f(x)| is as small as it can be. The
weight turns the error of p into the error of the function that p is a part of.
Remez' exchange finds p: solve for a polynomial whose weighted error has the same
size and alternating signs at degree + 2 points, move those points to the extrema
of its error, repeat. All of it is done with 60 decimal digits; the coefficients
are then rounded to f32, and the bound printed beside a polynomial is that of the
rounded one, evaluated exactly. (What f32 arithmetic adds is measured by
test/Unit/Vector/ExpandMathTest.cpp, and bounded in the pass's description.)

usage: minimax.py > lib/Transforms/Vector/MathPolynomials.inc
"""
import struct
from dataclasses import dataclass
from decimal import Decimal as D, getcontext
from typing import Callable

getcontext().prec = 60
GRID = 400  # points at which the error is looked at


def series(first, ratio):
    """Sum of terms t0 = first, t(k+1) = t(k) * ratio(k)."""
    total, term, k = D(0), first, 0
    while abs(term) > D("1e-58"):
        total += term
        term *= ratio(k)
        k += 1
    return total


def sin(x):
    return series(x, lambda k: -x * x / ((2 * k + 2) * (2 * k + 3)))


def cos(x):
    return series(D(1), lambda k: -x * x / ((2 * k + 1) * (2 * k + 2)))


def arctan_inverse(n):
    return series(D(1) / n, lambda k: -D(2 * k + 1) / ((2 * k + 3) * n * n))


PI = 4 * (4 * arctan_inverse(5) - arctan_inverse(239))


def erf(x):
    terms = series(x, lambda k: -x * x * (2 * k + 1) / ((k + 1) * (2 * k + 3)))
    return 2 / PI.sqrt() * terms


def tanh(x):
    e = (2 * x).exp()
    return (e - 1) / (e + 1)


@dataclass
class Record:
    name: str
    doc: str
    degree: int
    interval: tuple
    function: Callable
    weight: Callable
    error: str = "relative"


# In u = x * x where the function is even or odd; EPS keeps clear of 0 / 0.
EPS = D("1e-12")
LN2 = D(2).ln()
RECORDS = [
    Record("expTail", "exp(r) = 1 + r + r^2 p(r)", 4, (D("-0.34662"), D("0.34662")),
           lambda r: (r.exp() - 1 - r) / (r * r),
           lambda r: r * r / r.exp()),
    Record("logTail", "log(1 + f) = f - f^2 / 2 + f^3 p(f)", 7,
           (D("0.5").sqrt() - 1, D(2).sqrt() - 1),
           lambda f: ((1 + f).ln() - f + f * f / 2) / f**3,
           lambda f: abs(f**3 / (1 + f).ln())),
    Record("sinTail", "sin(r) = r + r u p(u), u = r^2", 2, (EPS, (PI / 4) ** 2),
           lambda u: (sin(u.sqrt()) / u.sqrt() - 1) / u,
           lambda u: u * u.sqrt() / sin(u.sqrt())),
    Record("cosTail", "cos(r) = 1 - u / 2 + u^2 p(u), u = r^2", 2,
           (EPS, (PI / 4) ** 2),
           lambda u: (cos(u.sqrt()) - 1 + u / 2) / (u * u),
           lambda u: u * u / cos(u.sqrt())),
    Record("tanhTail", "tanh(x) = x + x u p(u), u = x^2, |x| <= 0.625", 4,
           (EPS, D("0.625") ** 2),
           lambda u: (tanh(u.sqrt()) / u.sqrt() - 1) / u,
           lambda u: u * u.sqrt() / tanh(u.sqrt())),
    Record("erfcExponent", "erfc(x) = 2^(x p(x)), 0 <= x <= 4", 7, (EPS, D(4)),
           lambda x: (1 - erf(x)).ln() / x / LN2,
           lambda x: x * LN2 * (1 - erf(x)), "absolute"),
    Record("exp2Tail", "2^r = 1 + r p(r)", 5, (D("-0.5"), D("0.5")),
           lambda r: ((r * LN2).exp() - 1) / r,
           lambda r: abs(r) / (r * LN2).exp()),
]


def solve(matrix, right):
    """Gaussian elimination with pivoting."""
    n = len(right)
    rows = [list(row) + [value] for row, value in zip(matrix, right)]
    for i in range(n):
        pivot = max(range(i, n), key=lambda k: abs(rows[k][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for k in range(i + 1, n):
            factor = rows[k][i] / rows[i][i]
            rows[k] = [a - factor * b for a, b in zip(rows[k], rows[i])]
    result = [D(0)] * n
    for i in reversed(range(n)):
        rest = sum(rows[i][k] * result[k] for k in range(i + 1, n))
        result[i] = (rows[i][n] - rest) / rows[i][i]
    return result


def evaluate(coefficients, x):
    result = D(0)
    for c in reversed(coefficients):
        result = result * x + c
    return result


def get_grid(low, high):
    """Chebyshev's points, which are dense at the ends."""
    middle, radius = (low + high) / 2, (high - low) / 2
    grid = [middle - radius * cos(PI * k / GRID) for k in range(GRID + 1)]
    return [x if abs(x) >= EPS else EPS for x in grid]


def remez(record):
    """Coefficients of the best polynomial and the weighted errors' points."""
    grid = get_grid(*record.interval)
    values = [record.function(x) for x in grid]
    weights = [record.weight(x) for x in grid]
    count = record.degree + 2
    points = [round(k * GRID / (count - 1)) for k in range(count)]
    for _ in range(30):
        matrix = [[grid[i] ** k for k in range(count - 1)] + [(-1) ** n / weights[i]]
                  for n, i in enumerate(points)]
        *coefficients, level = solve(matrix, [values[i] for i in points])
        errors = [w * (evaluate(coefficients, x) - v)
                  for x, v, w in zip(grid, values, weights)]
        # The largest error between two changes of its sign.
        extrema = []
        for i, error in enumerate(errors):
            if extrema and (errors[extrema[-1]] > 0) == (error > 0):
                if abs(error) > abs(errors[extrema[-1]]):
                    extrema[-1] = i
            else:
                extrema.append(i)
        while len(extrema) > count:
            extrema.pop(0 if abs(errors[extrema[0]]) < abs(errors[extrema[-1]]) else -1)
        if len(extrema) < count or extrema == points:
            break
        points = extrema
    rounded = [to_float(c) for c in coefficients]
    bound = max(w * abs(evaluate([D(c) for c in rounded], x) - v)
                for x, v, w in zip(grid, values, weights))
    return rounded, bound


def to_float(value):
    """The nearest f32, as a Python float."""
    return struct.unpack("f", struct.pack("f", float(value)))[0]


def main():
    print("// Generated by utils/minimax.py: do not edit.")
    for record in RECORDS:
        coefficients, bound = remez(record)
        print(f"\n// {record.doc}\n// {record.error} error <= {float(bound):.2g}")
        print(f"static constexpr double {record.name}[] = {{")
        for c in coefficients:
            print(f"    {c.hex()},")
        print("};")


if __name__ == "__main__":
    main()
