# ===- cases.py - What compare.py runs ---------------------------------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""The cases, as records by name.

A decoder reads a prompt and generates; an encoder embeds a batch of texts. The
texts of a `mixed` batch differ in length: Smelt computes their tokens alone,
other systems pad them to the longest.
"""
import random
from collections import namedtuple

# name: for --case. shape, dtype: of the checkpoint. arguments: what `smelt
# compile` gets besides. lengths: tokens of each prompt or text. depth: positions
# in the cache before generating. generate: tokens to generate. weight: bytes of a stored weight, for the roofline of
# encoders. needs: a flag of /proc/cpuinfo, with ! in front one that is missing,
# or None. peers: systems, each with the format of its model file.
Case = namedtuple("Case", "name shape dtype arguments lengths depth generate "
                          "weight needs peers")


def mixedLengths(count, least, most, mean):
    """`count` lengths from `least` to `most` in an order without order: more
    short ones than long ones, so that their mean is near `mean`."""
    power = (most - least) / (mean - least) - 0.9
    lengths = [round(least + (most - least) * (i / (count - 1)) ** power)
               for i in range(count)]
    random.Random(1).shuffle(lengths)
    return lengths


# Arguments for `smelt compile`.
F32, BF16 = ["--dtype", "f32"], ["--dtype", "bf16"]
W8, W4 = ["--quantize", "w8a8"], ["--quantize", "w4a8"]


def decoder(name, shape, dtype, arguments, llama, openvino):
    """`llama`: formats of llama.cpp; `openvino`: one of OpenVINO's, or None."""
    peers = [("llama.cpp", kind) for kind in llama]
    if openvino:
        peers.append(("OpenVINO", openvino))
    return Case(name, shape, dtype, arguments, [128], 512, 16, None, None, peers)


DECODERS = (
    decoder("llama-1b-w4a8", "llama-3.2-1b", "bf16", W4, ["Q4_0"], "int4"),
    decoder("llama-1b-w8a8", "llama-3.2-1b", "bf16", W8, ["Q8_0"], "int8"),
    decoder("llama-1b-bf16", "llama-3.2-1b", "bf16", BF16, ["BF16", "F16"], None),
    decoder("qwen-0.5b-w4a8", "qwen2.5-0.5b", "bf16", W4, ["Q4_0"], "int4"),
    decoder("qwen-0.5b-f32", "qwen2.5-0.5b", "f32", F32, ["F32"], None),
    decoder("tinyllama-w4a8", "tinyllama", "bf16", W4, ["Q4_0"], None),
)

# Formats of encoders: arguments, bytes of a weight, what the processor needs,
# and the formats of ONNX Runtime and OpenVINO.
ENCODER_FORMATS = {
    "f32": (F32, 4, None, "f32", "f32"),
    "bf16": (BF16, 2, "avx512_bf16", "f32", "bf16"),
    "w7a8t": (["--dtype", "f32", "--quantize", "w7a8t"], 1, "!avx512_vnni",
              "int8", "int8"),
    "w8a8t": (["--dtype", "f32", "--quantize", "w8a8t"], 1, None, "int8",
              "int8"),
}
# What isn't integers in bf16.
NAMED_FORMATS = {
    "w8a8t-bf16": (["--dtype", "bf16", "--quantize", "w8a8t"], 1,
                   "avx512_bf16", "int8", "int8-bf16"),
}
BATCHES = {"8x64": 8 * [64], "mixed": mixedLengths(32, 8, 128, 40),
           "1x128": [128], "32x128": 32 * [128]}
SHAPES = {"minilm": "minilm-l6", "bert-base": "bert-base"}


def encoders(records):
    """Those that take longest come last."""
    for batch, lengths in BATCHES.items():
        for shape in SHAPES:
            for kind, (arguments, weight, needs, *formats) in records.items():
                yield Case(f"{shape}-{kind}-{batch}", SHAPES[shape], "f32",
                           arguments, lengths, 0, 0, weight, needs,
                           list(zip(("ONNX Runtime", "OpenVINO"), formats)))


CASES = {case.name: case for case in (*DECODERS, *encoders(ENCODER_FORMATS))}

# Left out unless named: a quick run through every system, and more shapes.
NAMED = {case.name: case for case in (
    decoder("smollm-f32", "smollm-135m", "f32", F32, ["F32"], None),
    decoder("smollm-bf16", "smollm-135m", "bf16", BF16, ["BF16", "F16"], None),
    decoder("smollm-w8a8", "smollm-135m", "bf16", W8, ["Q8_0"], "int8"),
    decoder("smollm-w4a8", "smollm-135m", "bf16", W4, ["Q4_0"], "int4"),
    decoder("tinyllama-bf16", "tinyllama", "bf16", BF16, ["BF16", "F16"], None),
    decoder("qwen-0.5b-w8a8", "qwen2.5-0.5b", "bf16", W8, ["Q8_0"], "int8"),
    *encoders(NAMED_FORMATS),
)}
