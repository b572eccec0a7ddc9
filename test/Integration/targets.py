#!/usr/bin/env python3
# ===- targets.py - Every target compiles ------------------------------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Usage: targets.py WORKFOLDER CHECKPOINT...

Compiles for each target in f32, bf16 and quantised, with the checkpoints in
turn, so that each target compiles each of them. The code must need no symbol
from anywhere, which the compiler checks when it links; here llvm-nm checks it
again. emulate.py runs what this processor can't.
"""
import os
import subprocess
import sys

from smelt import smelt

# Names of processors, and the target records that they choose.
TARGETS = {"sapphirerapids": "amx", "znver5": "avx512-bf16", "cascadelake": "avx512-vnni",
           "skylake-avx512": "avx512", "alderlake": "avx-vnni",
           "x86-64-v3": "avx2", "x86-64": "generic",
           "neoverse-v1": "neon-i8mm", "neoverse-n1": "neon-dotprod",
           "cortex-a72": "neon"}
# What a model is computed in: options of `smelt compile`.
KINDS = {"f32": ("--dtype", "f32"), "bf16": ("--dtype", "bf16"),
         "w4a8": ("--quantize", "w4a8"), "w8a8t": ("--quantize", "w8a8t")}


def undefined(library):
    return subprocess.run(
        ["llvm-nm", "--dynamic", "--undefined-only", library], check=True,
        stdout=subprocess.PIPE, text=True).stdout.split()


def check(work, checkpoint, kind, cpu, target):
    """What is wrong with the code for a processor, or nothing."""
    module, library = (os.path.join(work, name)
                       for name in ("model.mlir", "code.so"))
    smelt("compile", checkpoint, "-q", *KINDS[kind], "--mcpu", cpu,
          "--compile-to", "import", "-o", module)
    with open(module) as file:
        if file.read().count(f'llm.target = "{target}"') != 1:
            return f"expected the target {target}"
    smelt("compile", module, "-q", "--emit", "shared", "-o", library)
    if symbols := undefined(library):
        return f"undefined symbols: {', '.join(symbols)}"
    return None


def main():
    work, checkpoints = sys.argv[1], sys.argv[2:]
    os.makedirs(work, exist_ok=True)
    failed = compiled = 0
    for i, (cpu, target) in enumerate(TARGETS.items()):
        for j, kind in enumerate(KINDS):
            checkpoint = checkpoints[(i + j) % len(checkpoints)]
            problem = check(work, checkpoint, kind, cpu, target)
            compiled += 1
            failed += bool(problem)
            print(f"{os.path.basename(checkpoint)} {kind} {cpu}:",
                  f"FAILED: {problem}" if problem else target, flush=True)
    if failed or not compiled:
        sys.exit(f"{failed} of {compiled} compilations failed")


if __name__ == "__main__":
    main()
