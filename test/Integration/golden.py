#!/usr/bin/env python3
# ===- golden.py - Compile checkpoints, compare with reference outputs ------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Usage: golden.py DTYPE[@TARGET] WORKFOLDER CHECKPOINT...

Every checkpoint has a golden.safetensors (test/Integration/Inputs/README.md).
With DTYPE f32, outputs are within 1e-4 of the golden's range, and all greedy
tokens are the golden's. With bf16, outputs are no further from the f32 golden
than 1.5 times as far as transformers' own bf16 is. Code for another TARGET
runs in emulation (emulate.py).
"""
import math
import os
import sys

import safetensors
from emulate import compileEmulated
from smelt import smelt

INPUTS = ("prompt_ids", "input_ids", "attention_mask", "token_type_ids")


def distance(x, y):
    """The largest difference; NaN where there is one."""
    worst = 0.0
    for a, b in zip(x, y):
        difference = abs(a - b)
        if not difference <= worst:
            worst = difference
            if math.isnan(worst):
                return worst
    return worst


def compareOutputs(golden, out, dtype):
    """The largest error in parts of the allowed one, over all outputs."""
    worst = 0.0
    for name in golden:
        if not name.endswith("_f32"):
            continue
        key, reference = name[:-4], golden[name]
        if key not in out:
            raise ValueError(f"no output {key}, got {', '.join(out)}")
        if out[key].shape != reference.shape:
            raise ValueError(f"{key} has shape {out[key].shape}, "
                             f"expected {reference.shape}")
        if dtype == "f32":
            span = max(reference.values) - min(reference.values)
            allowed = 1e-4 * span
        else:
            allowed = 1.5 * distance(golden[key + "_bf16"].values,
                                     reference.values)
        error = distance(out[key].values, reference.values)
        if not error <= allowed:
            raise ValueError(f"{key} is {error:g} away, allowed is {allowed:g}")
        worst = max(worst, error / allowed)
    return worst


def check(dtype, target, work, checkpoint):
    golden = safetensors.load(os.path.join(checkpoint, "golden.safetensors"))
    ingot, inputs, outputs = (os.path.join(work, name) for name in (
        "model.ingot", "inputs.safetensors", "outputs.safetensors"))
    if target:
        dots = compileEmulated(target, checkpoint, ("--dtype", dtype),
                               ingot)
        # AMX leaves the last k, if it is odd, to such a product.
        if target != "amx" and (
                (dots > 0) != (target == "avx512-bf16" and dtype == "bf16")):
            raise ValueError(f"{dots} dot products of bf16 for {target}")
    else:
        smelt("compile", checkpoint, "-o", ingot, "--dtype", dtype)

    given = {name: golden[name] for name in INPUTS if name in golden}
    if "text_ids" in golden:  # the logits belong to a text of their own
        given = {"prompt_ids": golden["text_ids"]}
    safetensors.save(inputs, given)
    smelt("logits", ingot, "--ids-file", inputs, "-o", outputs)
    worst = compareOutputs(golden, safetensors.load(outputs), dtype)

    if dtype == "f32" and "greedy_ids" in golden:
        expected = list(golden["greedy_ids"].values)
        safetensors.save(inputs, {"prompt_ids": golden["prompt_ids"]})
        smelt("generate-ids", ingot, "--ids-file", inputs, "--n",
              str(len(expected)), "-o", outputs)
        ids = list(safetensors.load(outputs)["ids"].values)
        if ids[-len(expected):] != expected:
            raise ValueError(f"greedy tokens differ: got {ids}, "
                             f"expected {expected}")
    return worst


def main():
    kind, work, checkpoints = sys.argv[1], sys.argv[2], sys.argv[3:]
    dtype, _, target = kind.partition("@")
    os.makedirs(work, exist_ok=True)
    failed = 0
    for checkpoint in checkpoints:
        name = os.path.basename(checkpoint)
        try:
            worst = check(dtype, target, work, checkpoint)
            print(f"{name}: {worst:.2f} of the allowed error")
        except (OSError, RuntimeError, ValueError) as error:
            failed += 1
            print(f"{name}: FAILED: {error}")
    if failed or not checkpoints:
        sys.exit(f"{failed} of {len(checkpoints)} checkpoints failed")


if __name__ == "__main__":
    main()
