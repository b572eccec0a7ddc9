# ===- emulate.py - Code for other targets on processors with AVX2 -----------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Usage: emulate.py TARGET INGOT CHECKPOINT OPTION...

Compiles for one target, as far as vectors, and for AVX2 from there on.

LLVM splits vectors that are too wide, so what runs are the loops, masks and
tiles of the other target. Dot products are spelled out by pass
smelt-expand-dots; the instructions themselves aren't executed.
"""
import os
import re
import subprocess
import sys

from smelt import program, smelt


def compileEmulated(target, checkpoint, options, ingot):
    """Returns how many dot products of bf16 the target's code has."""
    smelt("compile", checkpoint, "-q", *options, "--mcpu", target,
          "--compile-to", "vector", "-o", ingot + ".mlir")
    with open(ingot + ".mlir") as file:
        dots = file.read().count("x86vector.avx512.dot")
    text = subprocess.run(
        [os.path.join(os.path.dirname(program("compile")), "smelt-opt"),
         ingot + ".mlir", "--smelt-expand-dots"], check=True,
        stdout=subprocess.PIPE, text=True).stdout
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
