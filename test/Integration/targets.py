#!/usr/bin/env python3
# ===- targets.py - Every target compiles ------------------------------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Usage: targets.py WORKFOLDER CHECKPOINT...

Compiles each checkpoint for each target in f32 and bf16. The code must need no
symbol from anywhere, which the compiler checks when it links; here llvm-nm
checks it again. emulate.py runs what this processor can't.
"""
import os
import subprocess
import sys

from smelt import smelt

# Names of processors, and the target records that they choose.
TARGETS = {"znver5": "avx512-bf16", "skylake-avx512": "avx512",
           "x86-64-v3": "avx2", "x86-64": "generic"}


def undefined(library):
    return subprocess.run(
        ["llvm-nm", "--dynamic", "--undefined-only", library], check=True,
        stdout=subprocess.PIPE, text=True).stdout.split()


def check(work, checkpoint, dtype, cpu, target):
    """What is wrong with the code for a processor, or nothing."""
    module, library = (os.path.join(work, name)
                       for name in ("model.mlir", "code.so"))
    smelt("compile", checkpoint, "-q", "--dtype", dtype, "--mcpu", cpu,
          "--compile-to", "llvm", "-o", module)
    smelt("compile", module, "-q", "--emit", "shared", "-o", library)
    if symbols := undefined(library):
        return f"undefined symbols: {', '.join(symbols)}"
    with open(module) as file:
        if file.read().count(f'llm.target = "{target}"') != 1:
            return f"expected the target {target}"
    print(f"  {dtype} {cpu}: {target}")
    return None


def main():
    work, checkpoints = sys.argv[1], sys.argv[2:]
    os.makedirs(work, exist_ok=True)
    failed = 0
    for checkpoint in checkpoints:
        print(os.path.basename(checkpoint))
        for dtype in ("f32", "bf16"):
            for cpu, target in TARGETS.items():
                if problem := check(work, checkpoint, dtype, cpu, target):
                    failed += 1
                    print(f"  {dtype} {cpu}: FAILED: {problem}")
    if failed or not checkpoints:
        sys.exit(f"{failed} compilations failed")


if __name__ == "__main__":
    main()
