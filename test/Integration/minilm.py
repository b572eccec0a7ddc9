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


def main():
    ingot, folder, least = sys.argv[1:]
    with open(f"{folder}/sentences.json") as file:
        sentences = json.load(file)
    golden = safetensors.load(f"{folder}/golden.safetensors")["embeddings"]
    lines = "".join(json.dumps({"text": text}) + "\n" for text in sentences)
    out = smelt("embed", ingot, stdin=lines).splitlines()
    if len(out) != len(sentences):
        sys.exit(f"{len(out)} embeddings for {len(sentences)} sentences")
    width, worst = golden.shape[1], 1.0
    for i, line in enumerate(out):
        x = json.loads(line)["embedding"]
        y = golden.values[i * width:(i + 1) * width]
        if len(x) != width:
            sys.exit(f"sentence {i}: {len(x)} numbers, expected {width}")
        cosine = math.fsum(a * b for a, b in zip(x, y)) / math.sqrt(
            math.fsum(a * a for a in x) * math.fsum(b * b for b in y))
        if not cosine >= float(least):
            sys.exit(f"sentence {i} ({sentences[i][:40]!r}): cosine {cosine}")
        worst = min(worst, cosine)
    print(f"{len(out)} sentences, least cosine {worst:.7f}")


if __name__ == "__main__":
    main()
