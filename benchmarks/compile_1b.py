#!/usr/bin/env python3
# ===- compile_1b.py - Compile a model of a billion parameters --------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Time and peak resident memory of whole compilations, next to plain copying.

Resident memory counts pages of the mapped checkpoint and of the file being
written, which the system may drop at any time, beside what the compiler holds.
What a compilation takes longer than its code alone (`--emit shared`) is packing
weights: medians of processor time, of compilations in turn.
"""
import argparse
import os
import shutil
import statistics
import time

import common


def main():
    parser = argparse.ArgumentParser(description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="llama-3.2-1b")
    parser.add_argument("--dtype", default="bf16")
    parser.add_argument("--quantize", action="append", metavar="SCHEME",
                        help="also with this scheme; may be repeated "
                             "(default: w4a8)")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()

    print(common.machine())
    folder = common.checkpoint(args.shape, args.dtype)
    weights = os.path.join(folder, "model.safetensors")
    size = os.path.getsize(weights)
    copied = os.path.join(common.WORK, "copy")
    start = time.perf_counter()
    shutil.copyfile(weights, copied)
    copying = time.perf_counter() - start
    os.remove(copied)
    print(f"{args.shape}: {size / 1e9:.2f} GB of weights in {args.dtype}, "
          f"copied in {copying:.1f} s")

    lines = [["", "s", "of copying", "code, s", "packing, s of a processor",
              "GB/s a processor", "resident GB", "of the weights",
              "ingot GB"]]
    ingot = os.path.join(common.WORK, f"{args.shape}.ingot")
    code = os.path.join(common.WORK, "code.so")

    def median(runs, field):
        return statistics.median(getattr(run, field) for run in runs)

    for scheme in (None, *(args.quantize or ["w4a8"])):
        options = ["--dtype", args.dtype]
        options += ["--quantize", scheme] if scheme else []
        alone, whole = [], []
        for _ in range(args.rounds):
            alone.append(common.run("compile", folder, *options, "--emit",
                                    "shared", "-o", code))
            whole.append(common.run("compile", folder, *options, "-o", ingot))
        seconds, resident = (median(whole, field)
                             for field in ("seconds", "resident"))
        packing = median(whole, "processor") - median(alone, "processor")
        lines.append([
            scheme or args.dtype, f"{seconds:.1f}",
            f"{seconds / copying:.1f}", f"{median(alone, 'seconds'):.1f}",
            f"{packing:.1f}", f"{size / 1e9 / packing:.1f}",
            f"{resident / 1e9:.2f}", f"{100 * resident / size:.0f} %",
            f"{os.path.getsize(ingot) / 1e9:.2f}"])
        os.remove(ingot)
        os.remove(code)
    common.printTable(lines, left=(0,))


if __name__ == "__main__":
    main()
