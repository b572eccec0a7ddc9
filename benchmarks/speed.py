#!/usr/bin/env python3
# ===- speed.py - Decoding and prompts against the machine's limits ---------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Runs `smelt bench` on decoders with random weights.

Generation is given as a percentage of the bandwidth with which the machine
reads memory, prompts as a percentage of its multiply-add peak; `smelt bench`
measures both limits before and after with the same threads.
"""
import argparse
import json
import os

import common

# Shape, layers, dtype, scheme: larger than any cache, small enough to be quick.
MODELS = [("tinyllama", 8, "f32", None), ("tinyllama", 8, "bf16", None),
          ("llama-3.2-1b", None, "bf16", None),
          ("llama-3.2-1b", None, "bf16", "w8a8"),
          ("llama-3.2-1b", None, "bf16", "w4a8")]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-t", "--threads", type=int,
                        default=len(os.sched_getaffinity(0)))
    parser.add_argument("-r", "--repetitions", type=int, default=5)
    args = parser.parse_args()

    print(common.machine())
    for shape, layers, dtype, scheme in MODELS:
        folder = common.checkpoint(shape, dtype, layers)
        name = os.path.basename(folder) + (f"-{scheme}" if scheme else "")
        ingot = os.path.join(common.WORK, name + ".ingot")
        quantize = ["--quantize", scheme] if scheme else []
        common.run("compile", folder, "-q", "--dtype", dtype, *quantize, "-o",
                   ingot)
        bench = json.loads(common.run(
            "bench", ingot, "--json", "-t", str(args.threads), "-p", "256",
            "-n", "32", "-r", str(args.repetitions)).output)
        for result in bench["results"]:
            print(f"{name}, {result['test']}: "
                  f"{100 * result['share_of_limit']:.0f} % of "
                  f"{result['resource']} with {args.threads} threads "
                  f"({result['tokens_per_second']:.1f} tokens/s)")


if __name__ == "__main__":
    main()
