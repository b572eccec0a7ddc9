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

import common

LAYERS = (2, 16, 32)
REPEAT = 3


def main():
    print(common.machine())
    out = os.path.join(common.WORK, "depth.o")
    first = None
    for layers in LAYERS:
        folder = common.checkpoint("smollm-135m", layers=layers,
                                   vocabulary=4096)
        timed = common.best(REPEAT, lambda: common.run(
            "compile", folder, "--emit=obj", "-o", out))
        first = first or timed.processor
        print(f"{layers:3d} layers: {timed.processor / first:.2f} of the time "
              f"for {LAYERS[0]} ({timed.processor:.2f} s of processor, "
              f"{timed.seconds:.2f} s of wall clock), object of "
              f"{os.path.getsize(out) // 1024} KiB")


if __name__ == "__main__":
    main()
