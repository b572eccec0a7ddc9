#!/usr/bin/env python3
# ===- minilm.py - Embeddings against sentence-transformers -----------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Usage: minilm.py INGOT GOLDENFOLDER LEAST

Every sentence's embedding has a cosine of at least LEAST with the golden's.
"""
import json
import math
import sys

import safetensors
from smelt import smelt


def cosines(ingot, folder):
    """Pairs of a sentence and its embedding's cosine with the golden's."""
    with open(f"{folder}/sentences.json") as file:
        sentences = json.load(file)
    golden = safetensors.load(f"{folder}/golden.safetensors")["embeddings"]
    lines = "".join(json.dumps({"text": text}) + "\n" for text in sentences)
    out = smelt("embed", ingot, stdin=lines).splitlines()
    if len(out) != len(sentences):
        sys.exit(f"{len(out)} embeddings for {len(sentences)} sentences")
    width = golden.shape[1]
    for i, (sentence, line) in enumerate(zip(sentences, out)):
        x = json.loads(line)["embedding"]
        y = golden.values[i * width:(i + 1) * width]
        if len(x) != width:
            sys.exit(f"sentence {i}: {len(x)} numbers, expected {width}")
        yield sentence, math.fsum(a * b for a, b in zip(x, y)) / math.sqrt(
            math.fsum(a * a for a in x) * math.fsum(b * b for b in y))


def main():
    ingot, folder, least = sys.argv[1:]
    worst, count = 1.0, 0
    for sentence, cosine in cosines(ingot, folder):
        if not cosine >= float(least):
            sys.exit(f"sentence {count} ({sentence[:40]!r}): cosine {cosine}")
        worst, count = min(worst, cosine), count + 1
    print(f"{count} sentences, least cosine {worst:.7f}")


if __name__ == "__main__":
    main()
