# ===- emulate.py - Code for other targets on processors with AVX2 -----------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Usage: emulate.py TARGET INGOT CHECKPOINT OPTION...

Compiles for one target, as far as vectors, and for AVX2 from there on.

LLVM splits vectors that are too wide, so what runs are the loops, masks and
tiles of the other target. Dot products of pairs of bf16 are spelled as two
fused multiply-adds, even k first, and those of bytes by pass smelt-expand-dots;
the instructions themselves aren't executed.
"""
import os
import re
import subprocess
import sys

from smelt import program, smelt

DOT = re.compile(r"(%\S+) = x86vector\.avx512\.dot (%\S+), (%\S+), (%\S+) : "
                 r"vector<32xbf16> -> vector<16xf32>")
WORDS, FLOATS = "vector<16xi32>", "vector<16xf32>"


def spellDots(text):
    count = 0

    def spell(match):
        nonlocal count
        count += 1
        result, sum_, x, y = match.groups()
        name = f"%dot{count}"
        lines = [f"{name}c = arith.constant dense<16> : {WORDS}",
                 f"{name}m = arith.constant dense<-65536> : {WORDS}"]
        for letter, value in (("x", x), ("y", y)):
            v = name + letter
            lines += [f"{v} = vector.bitcast {value} : vector<32xbf16> to {WORDS}",
                      f"{v}s = arith.shli {v}, {name}c : {WORDS}",
                      f"{v}a = arith.andi {v}, {name}m : {WORDS}",
                      f"{v}even = arith.bitcast {v}s : {WORDS} to {FLOATS}",
                      f"{v}odd = arith.bitcast {v}a : {WORDS} to {FLOATS}"]
        lines += [f"{name} = math.fma {name}xeven, {name}yeven, {sum_} : {FLOATS}",
                  f"{result} = math.fma {name}xodd, {name}yodd, {name} : {FLOATS}"]
        return "\n".join(lines)

    return DOT.sub(spell, text), count


def compileEmulated(target, checkpoint, options, ingot):
    """Returns how many dot products of bf16 were spelled."""
    smelt("compile", checkpoint, "-q", *options, "--mcpu", target,
          "--compile-to", "vector", "-o", ingot + ".mlir")
    text = subprocess.run(
        [os.path.join(os.path.dirname(program("compile")), "smelt-opt"),
         ingot + ".mlir", "--smelt-expand-dots"], check=True,
        stdout=subprocess.PIPE, text=True).stdout
    text, dots = spellDots(text)
    text, replaced = re.subn(r'llm\.target = "[^"]*"', 'llm.target = "avx2"',
                             text)
    if replaced != 1:
        raise ValueError(f"{replaced} targets in the module, expected one")
    with open(ingot + ".mlir", "w") as file:
        file.write(text)
    smelt("compile", ingot + ".mlir", "-q", "--mcpu", "avx2", "-o", ingot)
    return dots


if __name__ == "__main__":
    target, ingot, checkpoint, *options = sys.argv[1:]
    compileEmulated(target, checkpoint, options, ingot)
