#!/usr/bin/env python3
# ===- quality.py - What quantisation does to a model's answers --------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Compiles kjv-tiny and all-MiniLM-L6-v2 in every scheme and compares with f32.

kjv-tiny reads its held-out text in windows of 256 tokens: perplexity, divided
by that of f32; the mean divergence KL(f32 || scheme) of the next token's
distributions, in nats; how often the most probable token is the same. MiniLM:
the least and the mean cosine of its embeddings with those that
sentence-transformers computes in f32, over the sentences of the tests. All are
compiled with --dtype f32, but for the row that says bf16.
"""
import argparse
import json
import math
import operator
import os
import re
import statistics
import sys

import common
import minilm
import perplexity
from smelt import ROOT

MODEL = os.path.join(ROOT, "examples", "models", "kjv-tiny")
GOLDEN = os.path.join(ROOT, "test", "Integration", "Inputs", "minilm")
FORMATS = os.path.join(ROOT, "include", "smelt", "Dialect", "LLM", "IR",
                       "Formats.def")


def variants():
    """What `smelt compile` gets, by name: f32 first, then each scheme."""
    with open(FORMATS) as file:
        schemes = re.findall(r"^SCHEME\((\w+),", file.read(), re.M)
    return {"f32": ["--dtype", "f32"], "bf16": ["--dtype", "bf16"],
            **{scheme: ["--dtype", "f32", "--quantize", scheme]
               for scheme in schemes}}


def compiled(model, title, name, arguments):
    ingot = os.path.join(common.WORK, f"quality-{title}-{name}.ingot")
    common.run("compile", model, "-q", *arguments, "-o", ingot)
    return ingot


class Predictions:
    """Sums over the predictions of one variant."""

    def __init__(self):
        self.loss, self.divergence, self.same, self.count = 0.0, 0.0, 0, 0

    def add(self, row, target, reference, probabilities, norm):
        """`reference`: the row in f32, `norm`: its logSumExp."""
        own = perplexity.logSumExp(row)
        self.loss += own - row[target]
        # The sum of p log(p / q); what p and q are divided by comes out of it.
        self.divergence += own - norm + math.fsum(map(
            operator.mul, probabilities,
            map(operator.sub, reference, row)))
        self.same += row.index(max(row)) == reference.index(max(reference))
        self.count += 1

    def result(self, base):
        return {"perplexity": math.exp(self.loss / self.count),
                "relative": math.exp((self.loss - base.loss) / self.count),
                "divergence": self.divergence / self.count,
                "same_token": self.same / self.count}


def decoderQuality(chosen, windowCount):
    """What Predictions.result says, by variant."""
    ingots = {name: compiled(MODEL, "kjv-tiny", name, arguments)
              for name, arguments in chosen.items()}
    with open(os.path.join(MODEL, "heldout.txt")) as file:
        ids = perplexity.encode(MODEL, file.read(), begin=0)
    sums = {name: Predictions() for name in chosen}
    windows = list(perplexity.windows(ids, 256))[:windowCount]
    for window, targets in windows:
        references = list(perplexity.logitRows(ingots["f32"], window))
        norms = [perplexity.logSumExp(row) for row in references]
        probabilities = [[math.exp(x - norm) for x in row]
                         for row, norm in zip(references, norms)]
        for name, ingot in ingots.items():
            rows = perplexity.logitRows(ingot, window)
            for each in zip(rows, targets, references, probabilities, norms):
                sums[name].add(*each)
    return {name: each.result(sums["f32"]) for name, each in sums.items()}


def encoderQuality(chosen, model):
    """The least and the mean cosine, by variant."""
    results = {}
    for name, arguments in chosen.items():
        ingot = compiled(model, "minilm", name, arguments)
        cosines = [cosine for _, cosine in minilm.cosines(ingot, GOLDEN)]
        results[name] = {"least_cosine": min(cosines),
                         "mean_cosine": statistics.fmean(cosines)}
    return results


# Title, key and format of each column after the first.
COLUMNS = (("perplexity", "perplexity", "{:.3f}"),
           ("relative to f32", "relative", "{:.4f}"),
           ("divergence, nats", "divergence", "{:.5f}"),
           ("same token", "same_token", "{:.2%}"),
           ("least cosine", "least_cosine", "{:.4f}"),
           ("mean cosine", "mean_cosine", "{:.4f}"))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scheme", action="append", choices=list(variants()),
                        help="only this one beside f32; may be repeated")
    parser.add_argument("--mcpu", default="host",
                        help="compile for this target, which has to run here "
                             "(default: %(default)s)")
    parser.add_argument("--windows", type=int,
                        help="read only the first windows of the text")
    parser.add_argument("--minilm", metavar="FOLDER",
                        help="all-MiniLM-L6-v2 (default: what pip installs)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args()

    chosen = {name: [*arguments, "--mcpu", args.mcpu]
              for name, arguments in variants().items()
              if not args.scheme or name in ("f32", *args.scheme)}
    os.makedirs(common.WORK, exist_ok=True)
    results = decoderQuality(chosen, args.windows)
    skipped = None
    try:
        model = args.minilm or common.minilm()
        for name, result in encoderQuality(chosen, model).items():
            results[name].update(result)
    except common.Skipped as reason:
        skipped = f"SKIPPED all-MiniLM-L6-v2: {reason}"
    if args.json:
        print(json.dumps({"results": results, "skipped": skipped}, indent=2))
    else:
        common.printTable([
            ["scheme", *(title for title, _, _ in COLUMNS)],
            *([name, *(form.format(result[key]) if key in result else "-"
                       for _, key, form in COLUMNS)]
              for name, result in results.items())], left=(0,))
    if skipped:
        print(skipped, file=sys.stderr if args.json else sys.stdout)


if __name__ == "__main__":
    main()
