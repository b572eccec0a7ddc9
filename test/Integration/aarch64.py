#!/usr/bin/env python3
# ===- aarch64.py - Code for AArch64, run under qemu ------------------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Usage: aarch64.py EMULATED WORKFOLDER DECODER ENCODER

Compiles checkpoints for AArch64 and runs them under qemu's user mode, with the
programs EMULATED/smelt-CPU. The same loops, vectors and sums, with the products
of bytes spelled out, are also compiled for this processor (emulate.py): both
round the same operations in the same order, so every output must be the same
bits. Of several versions of the code each processor runs the best that it can,
and code that it lacks instructions for is refused.
"""
import json
import os
import shutil
import subprocess
import sys

import safetensors
from emulate import compileEmulated
from smelt import smelt

IDS = [1, 17, 301, 5, 5, 44, 120, 9, 23, 2, 77]
# Target, emulated processor, options of `smelt compile`.
CASES = (("neon-i8mm", "max", ("--quantize", "w8a8")),
         ("neon-dotprod", "neoverse-n1", ("--quantize", "w4a8")),
         ("neon-dotprod", "neoverse-n1", ("--quantize", "w8a8t")),
         ("neon", "cortex-a72", ("--quantize", "w4a8t", "--dtype", "bf16")),
         ("neon", "cortex-a72", ("--dtype", "f32")))
# Which version of an ingot with all of them each processor runs.
CHOICES = (("max", "neon-i8mm"), ("neoverse-n1", "neon-dotprod"),
           ("cortex-a72", "neon"))
# Of the ingots for these targets, what these processors lack.
REFUSED = (("neon-i8mm", "neoverse-n1", "lacks i8mm, which"),
           ("neon-i8mm", "cortex-a72", "lacks dotprod, i8mm, which"),
           ("neon-dotprod", "cortex-a72", "lacks dotprod, which"),
           ("avx2", "max", "its code is for x86_64, this processor is aarch64"))


class Runner:
    def __init__(self, emulated, work):
        self.emulated, self.work = emulated, work

    def path(self, name):
        return os.path.join(self.work, name)

    def emulate(self, cpu, *args):
        """Standard output of `smelt ARGS` on an emulated processor."""
        run = subprocess.run([os.path.join(self.emulated, f"smelt-{cpu}"),
                              *args], text=True, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, timeout=600)
        if run.returncode:
            raise RuntimeError(f"{cpu}: status {run.returncode}: {run.stderr}")
        return run.stdout

    def sameBits(self, checkpoint, inputs, target, cpu, options):
        ingot, native, out, expected = map(self.path, (
            "emulated.ingot", "native.ingot", "emulated.out", "native.out"))
        smelt("compile", checkpoint, "-q", *options, "--mcpu", target,
              "-o", ingot)
        compileEmulated(target, checkpoint, options, native)
        run = ("--ids-file", inputs, "-t", "2", "-o")
        self.emulate(cpu, "logits", ingot, *run, out)
        smelt("logits", native, *run, expected)
        out, expected = map(safetensors.load, (out, expected))
        if sorted(out) != sorted(expected) or not out:
            return f"outputs {sorted(out)}, expected {sorted(expected)}"
        for name in out:
            ours, theirs = out[name].values, expected[name].values
            if any(x != x for x in ours):
                return f"{name} has a NaN"
            if ours.tobytes() != theirs.tobytes():
                differing = sum(x != y for x, y in zip(ours, theirs))
                return f"{differing} of {len(ours)} numbers of {name} differ"
        return None

    def compiled(self, checkpoint, mcpu):
        """An ingot for `mcpu`, compiled once."""
        ingot = self.path(f"{mcpu}.ingot")
        if not os.path.exists(ingot):
            smelt("compile", checkpoint, "-q", "--quantize", "w4a8", "--mcpu",
                  mcpu, "-o", ingot)
        return ingot

    def chooses(self, checkpoint, cpu, target):
        """Whether an ingot with all versions runs as that of one alone."""
        out, expected = map(self.path, ("all.out", "alone.out"))
        ingot = self.compiled(checkpoint, "avx2,aarch64")
        alone = self.compiled(checkpoint, target)
        versions = json.loads(self.emulate(cpu, "inspect", "--json", ingot))[
            "versions"]
        runnable = [v["isa"] for v in versions if not v["why_not"]]
        if runnable[:1] != [target]:
            return f"runs {runnable}"
        for args in ((ingot, "-o", out), (alone, "-o", expected),
                     (ingot, "--target", runnable[-1], "-o", out + "2")):
            self.emulate(cpu, "logits", *args, "--ids", "1,5,9")
        if (safetensors.load(out)["logits"].values !=
                safetensors.load(expected)["logits"].values):
            return "other logits than the version alone"
        return None

    def refused(self, checkpoint, target, cpu, expected):
        ingot = self.compiled(checkpoint, target)
        try:
            self.emulate(cpu, "logits", ingot, "--ids", "1")
        except RuntimeError as error:
            return None if expected in str(error) else str(error)
        return "ran"


def main():
    emulated, work, decoder, encoder = sys.argv[1:]
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    runner = Runner(emulated, work)
    ids, batch = map(runner.path, ("ids.safetensors", "batch.safetensors"))
    safetensors.save(ids, {"prompt_ids": safetensors.integers(IDS)})
    safetensors.save(batch, {"input_ids": safetensors.integers(
        IDS[:8], [2, 4])})
    failed = 0

    def note(what, problem):
        nonlocal failed
        failed += bool(problem)
        print(f"{what}: {'FAILED: ' + problem if problem else 'as expected'}",
              flush=True)

    for checkpoint, inputs, cases in ((decoder, ids, CASES),
                                      (encoder, batch, CASES[1:2])):
        for target, cpu, options in cases:
            note(f"{os.path.basename(checkpoint)} {target} on {cpu} "
                 f"{' '.join(options)}",
                 runner.sameBits(checkpoint, inputs, target, cpu, options))
    for cpu, target in CHOICES:
        note(f"{cpu} chooses {target}", runner.chooses(decoder, cpu, target))
    for target, cpu, expected in REFUSED:
        note(f"{target} on {cpu} is refused",
             runner.refused(decoder, target, cpu, expected))
    if failed:
        sys.exit(f"{failed} failed")


if __name__ == "__main__":
    main()
