#!/usr/bin/env python3
# ===- depth.py - Time to generate code against the number of layers --------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Compiles one model with 2, 16 and 32 layers to an object file.

Equal layers share one function, so that the time should hardly grow. Weights
are not packed: that is copying, and grows with the model.
"""
import os
import statistics

import common

LAYERS = (2, 16, 32)
REPEAT = 5


def main():
    print(common.machine())
    out = os.path.join(common.WORK, "depth.o")
    folders = {layers: common.checkpoint("smollm-135m", layers=layers,
                                         vocabulary=4096) for layers in LAYERS}
    # In turn, so that a slow minute of the machine slows all of them.
    rounds = [{layers: common.run("compile", folder, "--emit=obj", "-o", out)
               for layers, folder in folders.items()} for _ in range(REPEAT)]
    medians = {layers: statistics.median(timed[layers].processor
                                         for timed in rounds)
               for layers in LAYERS}
    for layers, seconds in medians.items():
        print(f"{layers:3d} layers: {seconds / medians[LAYERS[0]]:.2f} of the "
              f"time for {LAYERS[0]} ({seconds:.2f} s of processor)")
    print(f"object for {LAYERS[-1]} layers of {os.path.getsize(out) // 1024} "
          f"KiB")


if __name__ == "__main__":
    main()
