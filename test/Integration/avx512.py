#!/usr/bin/env python3
# ===- avx512.py - Code for AVX-512, run in Bochs ---------------------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Usage: avx512.py KERNEL WORKFOLDER DECODER ENCODER

Compiles checkpoints for AVX-512, without and with VNNI, and runs them on the
processor that Bochs emulates (bochs.py). The same loops, vectors and sums, with
the products of bytes spelled out, are also compiled for this processor
(emulate.py): both round the same operations in the same order, so every output
must be the same bits. Code that the emulated processor lacks instructions for
is refused, and of several versions it runs the best that it can.
"""
import os
import shutil
import sys

import bochs
from emulate import DECODERS, ENCODERS, expectedDigest, saveInputs
from smelt import program, smelt

TARGETS = ("avx512-vnni", "avx512")  # the best one first
REFUSED = "avx512-bf16"
# Over a block of the cache, whole tiles of rows and one that is not.
TOKENS = 67


class Images:
    """Ingots for the emulated processor, and the digests that are expected of
    what they compute."""

    def __init__(self, work):
        self.work = work
        self.files, self.expected, self.script = [], {}, ""

    def path(self, name):
        return os.path.join(self.work, name)

    def check(self, what, ingot, inputs, expected, *options):
        """Notes what to run, and what has to come of it."""
        self.expected[what] = expected
        self.script += (
            f"smelt logits {ingot} --ids-file {os.path.basename(inputs)} -t 1 "
            f"-o out {' '.join(options)} && "
            f"echo {what} $(sha256sum out)\n")

    def add(self, checkpoint, kind, options, inputs):
        """Every target's version alone and in one file, and in small steps."""
        name = f"{os.path.basename(checkpoint)}-{kind}"
        ingot = f"{name}.ingot"
        smelt("compile", checkpoint, "-q", *options, "--mcpu",
              ",".join((*TARGETS, "avx2")), "-o", self.path(ingot))
        self.files.append(self.path(ingot))
        for target in TARGETS:
            expected = expectedDigest(self.work, target, checkpoint, options,
                                      inputs)
            self.check(f"{name}:{target}", ingot, inputs, expected, "--target",
                       target)
            if target == TARGETS[0]:
                self.check(f"{name}:best", ingot, inputs, expected)
                self.check(f"{name}:steps", ingot, inputs, expected, "--chunk",
                           "1")


def main():
    kernel, work, decoder, encoder = sys.argv[1:]
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    images = Images(work)
    prompt, batch = map(images.path, ("ids.safetensors", "batch.safetensors"))
    saveInputs(prompt, batch, TOKENS)
    images.files += [prompt, batch]
    for checkpoint, cases, inputs in ((decoder, DECODERS, prompt),
                                      (encoder, ENCODERS, batch)):
        for kind, options in cases.items():
            images.add(checkpoint, kind, options, inputs)
    refused = images.path("refused.ingot")
    smelt("compile", encoder, "-q", "--mcpu", REFUSED, "-o", refused)
    images.files.append(refused)
    images.script += ("smelt logits refused.ingot --ids-file "
                      "batch.safetensors -o out\n")

    lines = bochs.run(images.path("bochs"), kernel, [program("logits")],
                      images.files, images.script)
    words = [line.split() for line in lines]
    found = {some[0]: some[1] for some in words if len(some) > 1}
    failed = 0
    for what, expected in images.expected.items():
        isSame = found.get(what) == expected
        failed += not isSame
        print(f"{what}: {'same bits' if isSame else 'FAILED'}")
    if not any("lacks avx512bf16" in line for line in lines):
        failed += 1
        print(f"{REFUSED} wasn't refused")
    if failed:
        print("\n".join(lines))
        sys.exit(f"{failed} failed")


if __name__ == "__main__":
    main()
