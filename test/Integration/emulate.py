# ===- emulate.py - Code for other targets on processors with AVX2 -----------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Usage: emulate.py TARGET INGOT CHECKPOINT OPTION...

Compiles for one target, as far as vectors, and for AVX2 from there on.

LLVM splits vectors that are too wide, so what runs are the loops, masks and
tiles of the other target. Dot products and conversions are spelled out by
passes smelt-expand-dots and smelt-expand-conversions; the instructions
themselves aren't executed. Tests that can
execute them compare with what this computes (expectedDigest).
"""
import hashlib
import os
import re
import subprocess
import sys

import safetensors
from smelt import program, smelt

# What such tests compile, by name: options of `smelt compile`.
DECODERS = {"f32": ("--dtype", "f32"), "w8a8": ("--quantize", "w8a8"),
            "w8a8t": ("--quantize", "w8a8t"),
            "w4a8": ("--quantize", "w4a8", "--kv-cache", "int8"),
            "w4a8t": ("--quantize", "w4a8t")}
ENCODERS = {"f32": ("--dtype", "f32"), "w7a8t": ("--quantize", "w7a8t")}


def saveInputs(prompt, batch, tokens):
    """Writes ids for a decoder and texts of 33 for an encoder."""
    ids = [(i * i * 37 + 11 * i + 5) % 300 + 1 for i in range(tokens)]
    safetensors.save(prompt, {"prompt_ids": safetensors.integers(ids)})
    safetensors.save(batch, {"input_ids": safetensors.integers(
        [i % 100 for i in ids[:66]], [2, 33])})


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def expectedDigest(work, target, checkpoint, options, inputs):
    """The digest of what code for a target computes, run in emulation."""
    ingot, out = (os.path.join(work, name)
                  for name in ("emulated.ingot", "emulated.out"))
    compileEmulated(target, checkpoint, options, ingot)
    smelt("logits", ingot, "--ids-file", inputs, "-t", "1", "-o", out)
    for tensor in safetensors.load(out).values():
        if any(value != value for value in tensor.values):
            sys.exit(f"{checkpoint} {options}: {target} in emulation has a NaN")
    return digest(out)


def compileEmulated(target, checkpoint, options, ingot):
    """Returns how many dot products of bf16 the target's code has."""
    smelt("compile", checkpoint, "-q", *options, "--mcpu", target,
          "--compile-to", "vector", "-o", ingot + ".mlir")
    with open(ingot + ".mlir") as file:
        dots = file.read().count("x86vector.avx512.dot")
    text = subprocess.run(
        [os.path.join(os.path.dirname(program("compile")), "smelt-opt"),
         ingot + ".mlir", "--smelt-expand-dots", "--smelt-expand-conversions"],
        check=True,
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
