#!/usr/bin/env python3
# ===- compile_1b.py - Compile a model of a billion parameters --------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Time and peak resident memory of a whole compilation, next to plain copying.

Resident memory counts pages of the mapped checkpoint and of the file being
written, which the system may drop at any time, beside what the compiler holds.
"""
import argparse
import os
import shutil
import time

import common


def main():
    parser = argparse.ArgumentParser(description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="llama-3.2-1b")
    parser.add_argument("--dtype", default="bf16")
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

    ingot = os.path.join(common.WORK, f"{args.shape}.ingot")
    timed = common.run("compile", folder, "--dtype", args.dtype, "-o", ingot)
    print(f"{args.shape}: {size / 1e9:.2f} GB of weights, compiled in "
          f"{timed.seconds:.1f} s, {timed.seconds / copying:.1f} times as long "
          f"as copying them")
    print(f"peak resident memory {timed.resident / 1e9:.2f} GB, "
          f"{100 * timed.resident / size:.0f} % of the weights")
    print(f"ingot of {os.path.getsize(ingot) / 1e9:.2f} GB, "
          f"{100 * os.path.getsize(ingot) / size:.1f} % of the weights")


if __name__ == "__main__":
    main()
