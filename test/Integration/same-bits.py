#!/usr/bin/env python3
# ===- same-bits.py - Results don't depend on threads, chunks or company ----===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Usage: same-bits.py WORKFOLDER INGOT GOLDEN [LENGTH]

Runs a decoder on the golden's text (or prompt, repeated until it takes LENGTH
positions, by default three blocks of the KV cache), or an encoder on the golden's batch, in many ways that
must all give the same bits: with 1, 2 and 3 threads, in chunks of several
sizes, and with sequences alone or sharing steps.
"""
import os
import sys

import safetensors
from smelt import smelt

THREADS = (1, 2, 3)
CHUNKS = (1, 3, 7, 63, 64, 65)
LENGTH = 150  # by default; a block of the KV cache is 64 positions
# Tokens of an encoder's batch, of which each of three threads has rows of its
# own: 128 or more.
MANY = 400
# How sequences 0, 1 and 2 share steps: tokens of a step that each one takes,
# all of them where it is None.
COMPANY = {
    "a token of each in a step": (1, 1, 1),
    "prompts beside tokens": (1, 7, 70),
    "all in one step": (None, None, None),
}


class Runner:
    """Runs `smelt logits` on one ingot and returns its outputs."""

    def __init__(self, work, ingot):
        self.ingot = ingot
        self.inputs = os.path.join(work, "inputs.safetensors")
        self.outputs = os.path.join(work, "outputs.safetensors")

    def __call__(self, tensors, *options):
        safetensors.save(self.inputs, tensors)
        smelt("logits", self.ingot, "--ids-file", self.inputs,
              "-o", self.outputs, *options)
        return safetensors.load(self.outputs)


def bits(values):
    return values.tobytes()


def expectSame(what, actual, expected):
    if bits(actual) != bits(expected):
        differing = sum(a != b for a, b in zip(actual, expected))
        sys.exit(f"{what}: {differing} of {len(expected)} numbers differ")
    print(f"{what}: same bits")


def rows(tensor, indices):
    """Rows of a [n, width] tensor as one flat array."""
    width = tensor.shape[1]
    out = tensor.values[:0]
    for index in indices:
        out.extend(tensor.values[index * width:(index + 1) * width])
    return out


def checkDecoder(run, ids):
    def alone(part, *options):
        return run({"prompt_ids": safetensors.integers(part)},
                   *options)["logits"]

    whole = alone(ids, "-t", "1")
    for threads in THREADS[1:]:
        expectSame(f"{threads} threads", alone(ids, "-t", str(threads)).values,
                   whole.values)
    for chunk in CHUNKS:
        threads = str(THREADS[chunk % len(THREADS)])
        expectSame(f"chunks of {chunk} with {threads} threads",
                   alone(ids, "--chunk", str(chunk), "-t", threads).values,
                   whole.values)

    # The first two sequences end behind a block of the KV cache.
    parts = [ids[:67], ids[67:-1], ids[-1:]]
    expected = [alone(part, "-t", "1").values for part in parts]
    for what, sizes in COMPANY.items():
        order = sorted((position // size if size else 0, sequence, position)
                       for sequence, size in enumerate(sizes)
                       for position in range(len(parts[sequence])))
        together = run({
            "prompt_ids": safetensors.integers(
                parts[sequence][position] for _, sequence, position in order),
            "sequence_ids": safetensors.integers(
                sequence for _, sequence, _ in order),
            "step_ids": safetensors.integers(step for step, _, _ in order),
        }, "-t", "2")["logits"]
        for sequence in range(len(parts)):
            mine = [i for i, (_, other, _) in enumerate(order)
                    if other == sequence]
            expectSame(f"sequence {sequence}, {what}", rows(together, mine),
                       expected[sequence])


def checkEncoder(run, batch):
    sequences, width = batch["input_ids"].shape
    times = -(-MANY // sum(batch["attention_mask"].values))
    for copies in (times, 1):
        some = {name: safetensors.integers(list(tensor.values) * copies,
                                           [sequences * copies, width])
                for name, tensor in batch.items()}
        whole = run(some, "-t", "1")
        for threads in THREADS[1:]:
            out = run(some, "-t", str(threads))
            for name in whole:
                expectSame(f"{name} with {threads} threads, {copies} copies",
                           out[name].values, whole[name].values)
    for i in range(sequences):
        out = run({name: safetensors.integers(
            tensor.values[i * width:(i + 1) * width], [1, width])
            for name, tensor in batch.items()})
        for name in whole:
            size = len(whole[name].values) // sequences
            expectSame(f"{name} of sequence {i} alone", out[name].values,
                       whole[name].values[i * size:(i + 1) * size])


def main():
    work, ingot, path = sys.argv[1:4]
    length = int(sys.argv[4]) if len(sys.argv) > 4 else LENGTH
    os.makedirs(work, exist_ok=True)
    golden = safetensors.load(path)
    run = Runner(work, ingot)
    if "input_ids" in golden:
        checkEncoder(run, {name: golden[name] for name in (
            "input_ids", "attention_mask", "token_type_ids")})
    else:
        ids = list((golden.get("text_ids") or golden["prompt_ids"]).values)
        checkDecoder(run, (ids * -(-length // len(ids)))[:length])


if __name__ == "__main__":
    main()
