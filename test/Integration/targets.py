#!/usr/bin/env python3
# ===- targets.py - Every target compiles, wide vectors compute --------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Usage: targets.py WORKFOLDER CHECKPOINT...

Compiles each checkpoint for each target in f32 and bf16. The code must need no
symbol from anywhere, which the compiler checks when it links; here llvm-nm
checks it again.

Then what the targets with vectors of 512 bits compute is compared with the
checkpoint's golden, on a processor that may not have them: at the stage llvm,
the module is given to the target avx2, and LLVM splits its vectors.
"""
import os
import subprocess
import sys

import safetensors
from smelt import smelt

# Names of processors, and the target records that they choose.
TARGETS = {"znver5": "avx512-bf16", "skylake-avx512": "avx512",
           "x86-64-v3": "avx2", "x86-64": "generic"}
INPUTS = ("prompt_ids", "input_ids", "attention_mask", "token_type_ids")


def undefined(library):
    return subprocess.run(
        ["llvm-nm", "--dynamic", "--undefined-only", library], check=True,
        stdout=subprocess.PIPE, text=True).stdout.split()


def worstError(out, golden):
    """The largest error of an output, in parts of the golden's range."""
    worst = 0.0
    for name in out:
        reference = golden[name + "_f32"].values
        span = max(reference) - min(reference)
        for a, b in zip(out[name].values, reference):
            if not abs(a - b) <= worst * span:
                worst = abs(a - b) / span
    return worst


def check(work, checkpoint, dtype, cpu, target):
    """What is wrong with the code for a processor, or nothing."""
    module, library, ingot, inputs, outputs = (
        os.path.join(work, name) for name in (
            "model.mlir", "code.so", "model.ingot", "inputs", "outputs"))
    smelt("compile", checkpoint, "-q", "--dtype", dtype, "--mcpu", cpu,
          "--compile-to", "llvm", "-o", module)
    smelt("compile", module, "-q", "--emit", "shared", "-o", library)
    if symbols := undefined(library):
        return f"undefined symbols: {', '.join(symbols)}"
    with open(module) as file:
        text = file.read()
    name = f'llm.target = "{target}"'
    if text.count(name) != 1:
        return f"no {name} in the module"
    # Products of bf16 are an instruction that can't be split.
    if not target.startswith("avx512") or "x86.avx512bf16" in text:
        return None
    with open(module, "w") as file:
        file.write(text.replace(name, 'llm.target = "avx2"'))
    smelt("compile", module, "-q", "-o", ingot)
    golden = safetensors.load(os.path.join(checkpoint, "golden.safetensors"))
    safetensors.save(inputs, {name: golden[name] for name in INPUTS
                              if name in golden})
    smelt("logits", ingot, "--ids-file", inputs, "-o", outputs)
    out, allowed = safetensors.load(outputs), 1e-4
    if dtype == "bf16":
        allowed = 1.5 * worstError(
            {name[:-5]: golden[name] for name in golden
             if name.endswith("_bf16")}, golden)
    error = worstError(out, golden)
    if not error <= allowed:
        return f"error {error:g}, allowed is {allowed:g}"
    print(f"  {dtype} {target}: {error / allowed:.3f} of the allowed error")
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
