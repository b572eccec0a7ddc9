#!/usr/bin/env python3
# ===- perplexity.py - Perplexity of a decoder over a text ------------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Prints the perplexity of an ingot over a text file, from `smelt logits`.

The text's chapters are separated by blank lines. A chapter's ids are the id
that begins a text, then the encoding of the chapter and two line ends; all are
put in one row. Window i takes ids[W i : W i + W] from an empty cache and
predicts the next id at each of its positions, across borders of chapters:

    exp(sum of negative log likelihoods / (ids - 1))
"""
import argparse
import itertools
import json
import math
import os
import sys
import tempfile

import safetensors
from smelt import smelt


def encode(tokenizer, text, begin):
    """Ids of the whole text, in one row."""
    chapters = [chapter.strip("\n") + "\n\n" for chapter in text.split("\n\n")]
    lines = "".join(json.dumps({"text": chapter}) + "\n"
                    for chapter in chapters)
    out = smelt("tokenize", tokenizer, stdin=lines).splitlines()
    if len(out) != len(chapters):
        raise RuntimeError(f"smelt tokenize: {len(out)} lines for "
                           f"{len(chapters)} chapters")
    return [index for line in out
            for index in [begin] + json.loads(line)["ids_without_special"]]


def windows(ids, width):
    """Pairs of a window's ids and the ids that follow each of them."""
    for start in range(0, len(ids) - 1, width):
        targets = ids[start + 1:start + width + 1]
        yield ids[start:start + len(targets)], targets


def logitRows(ingot, window):
    """The logits after each id of a window that begins with an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        inputs = os.path.join(folder, "inputs.safetensors")
        outputs = os.path.join(folder, "outputs.safetensors")
        safetensors.save(inputs, {"prompt_ids": safetensors.integers(window)})
        smelt("logits", ingot, "--ids-file", inputs, "-o", outputs)
        logits = safetensors.load(outputs)["logits"]
    vocabulary = logits.shape[1]
    for begin in range(0, len(logits.values), vocabulary):
        yield logits.values[begin:begin + vocabulary]


def logSumExp(row):
    top = max(row)
    return top + math.log(math.fsum(math.exp(x - top) for x in row))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ingot")
    parser.add_argument("text")
    parser.add_argument("--tokenizer", required=True,
                        help="folder with tokenizer.json")
    parser.add_argument("--window", type=int, default=256)
    parser.add_argument("--begin", type=int, default=0,
                        help="id that begins a text (default 0)")
    parser.add_argument("--windows", type=int,
                        help="stop after so many windows")
    args = parser.parse_args()

    with open(args.text) as file:
        ids = encode(args.tokenizer, file.read(), args.begin)
    total, count = 0.0, 0
    for window, targets in itertools.islice(windows(ids, args.window),
                                            args.windows):
        for row, target in zip(logitRows(args.ingot, window), targets):
            total += logSumExp(row) - row[target]
            count += 1
    print(f"{len(ids)} ids, {count} predictions, "
          f"perplexity {math.exp(total / count):.3f}")


if __name__ == "__main__":
    sys.exit(main())
