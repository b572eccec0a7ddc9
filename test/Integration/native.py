#!/usr/bin/env python3
# ===- native.py - Code for all that this processor has ----------------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Usage: native.py WORKFOLDER FLAGS DECODER ENCODER

Compiles checkpoints for the targets above AVX2 whose flags of /proc/cpuinfo are
among FLAGS (separated by commas), and runs them here. The same loops, vectors
and sums, with dot products spelled out, are also compiled for AVX2
(emulate.py): both round the same operations in the same order, so every output
must be the same bits, whatever the steps that a text comes in and the threads.
"""
import os
import shutil
import sys

from emulate import (DECODERS, ENCODERS, digest, expectedDigest, saveInputs)
from smelt import smelt

# Targets, the best one first: the flag without which each isn't run, and the
# kinds of products that it has instructions of its own for.
TARGETS = {"amx": ("amx_int8", "bf16 w7a8t mixed"),
           "avx512-bf16": ("avx512_bf16", "bf16"),
           "avx512-vnni": ("avx512_vnni", "w4a8t"),
           "avx512": ("avx512bw", "f32"),
           "avx-vnni": ("avx_vnni", "w8a8t")}
# Of the mixed formats, products take tile registers of different shapes.
MORE = {"bf16": ("--dtype", "bf16"),
        "mixed": ("--quantize", "w8a8t,*down*=w4a8,*.o=w8a8")}
# How a text is fed: for tiles of every number of rows.
FEEDS = {"at once": (), "in steps of 1": ("--chunk", "1"),
         "in steps of 13": ("--chunk", "13"),
         "in steps of 47": ("--chunk", "47", "-t", "2")}
# Over a block of the cache, whole tiles of rows and one that is not.
TOKENS = 99


def main():
    work, flags, decoder, encoder = sys.argv[1:]
    targets = {target: kinds.split()
               for target, (flag, kinds) in TARGETS.items()
               if flag in flags.split(",")}
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    prompt, batch, ingot, out = (os.path.join(work, name) for name in (
        "ids.safetensors", "batch.safetensors", "native.ingot", "native.out"))
    saveInputs(prompt, batch, TOKENS)
    count = failed = 0
    for checkpoint, kinds, inputs in (
            (decoder, {**DECODERS, **MORE}, prompt),
            (encoder, {**ENCODERS, **MORE}, batch)):
        feeds = {feed: arguments for feed, arguments in FEEDS.items()
                 if inputs == prompt or "--chunk" not in arguments}
        for target, kind in ((target, kind) for target in targets
                             for kind in kinds if kind in targets[target]):
            smelt("compile", checkpoint, "-q", *kinds[kind], "--mcpu", target,
                  "-o", ingot)
            expected = expectedDigest(work, target, checkpoint, kinds[kind],
                                      inputs)
            for feed, arguments in feeds.items():
                smelt("logits", ingot, "--ids-file", inputs, *arguments, "-o",
                      out)
                isSame = digest(out) == expected
                count, failed = count + 1, failed + (not isSame)
                print(f"{os.path.basename(checkpoint)} {kind} {target} {feed}:",
                      "same bits" if isSame else "FAILED", flush=True)
    if failed or not count:
        sys.exit(f"{failed} of {count} failed")


if __name__ == "__main__":
    main()
