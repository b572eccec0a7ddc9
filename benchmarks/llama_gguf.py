#!/usr/bin/env python3
# ===- llama_gguf.py - A Llama checkpoint as a GGUF file ---------------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Usage: llama_gguf.py CHECKPOINT F32|BF16 OUT.gguf     needs gguf, numpy

Writes the checkpoint's weights as llama.cpp expects them, with no vocabulary:
ids go in, logits come out. Matrices get the type that is asked for, vectors
are f32. llama.cpp's own quantiser (peers.py) makes other types from this file.
Tensors stream one by one, so that memory for the largest is enough.
"""
import json
import math
import struct
import sys

import gguf
import numpy

# Fields of config.json and the writer's methods that take them.
FIELDS = {"hidden_size": "add_embedding_length",
          "intermediate_size": "add_feed_forward_length",
          "num_hidden_layers": "add_block_count",
          "num_attention_heads": "add_head_count",
          "num_key_value_heads": "add_head_count_kv",
          "max_position_embeddings": "add_context_length",
          "vocab_size": "add_vocab_size",
          "head_dim": "add_rope_dimension_count",
          "rms_norm_eps": "add_layer_norm_rms_eps",
          "rope_theta": "add_rope_freq_base"}
FILE_TYPES = {"F32": gguf.LlamaFileType.ALL_F32,
              "BF16": gguf.LlamaFileType.MOSTLY_BF16}
TYPES = {"F32": numpy.dtype("<f4"), "BF16": numpy.dtype("<u2")}


def tensorsOf(path):
    """Pairs of a name and an array for each tensor: f32, or bits of bf16."""
    raw = numpy.memmap(path, numpy.uint8, "r")
    size, = struct.unpack("<Q", raw[:8].tobytes())
    for name, entry in json.loads(raw[8:8 + size].tobytes()).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        if entry["dtype"] not in TYPES:
            sys.exit(f"{path}: {name}: expected F32 or BF16, found "
                     f"{entry['dtype']}; write the checkpoint in one of those")
        yield name, raw[begin:end].view(TYPES[entry["dtype"]]).reshape(
            entry["shape"])


def convert(array, kind):
    """The array in another type, as floats or as bits of bf16."""
    if array.dtype == TYPES[kind]:
        return numpy.ascontiguousarray(array)
    if kind == "F32":
        return (array.astype(numpy.uint32) << 16).view(numpy.float32)
    return gguf.quants.quantize(
        numpy.ascontiguousarray(array),
        gguf.GGMLQuantizationType.BF16).view(numpy.uint16)


def interleave(array, heads):
    """Rotary embeddings pair row i of a head with row i + size / 2 in a
    checkpoint, and rows 2 i and 2 i + 1 in GGUF."""
    rows, columns = array.shape
    return array.reshape(heads, 2, rows // heads // 2, columns).swapaxes(
        1, 2).reshape(rows, columns)


def ropeFactors(config):
    """What the frequencies of Llama 3 are divided by: [head size / 2] f32, or
    None where the checkpoint scales none."""
    scaling = config.get("rope_scaling")
    if not scaling:
        return None
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    old, size = scaling["original_max_position_embeddings"], config["head_dim"]
    factors = []
    for i in range(0, size, 2):
        turns = old / (2 * math.pi * config["rope_theta"] ** (i / size))
        share = min(max((turns - low) / (high - low), 0.0), 1.0)
        factors.append(1 / ((1 - share) / scaling["factor"] + share))
    return numpy.array(factors, numpy.float32)


def write(checkpoint, kind, out):
    with open(f"{checkpoint}/config.json") as file:
        config = json.load(file)
    writer = gguf.GGUFWriter(out, "llama")
    for field, method in FIELDS.items():
        getattr(writer, method)(config[field])
    writer.add_file_type(FILE_TYPES[kind])
    writer.add_tokenizer_model("no_vocab")
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA,
                                     config["num_hidden_layers"])
    heads = {"q_proj": config["num_attention_heads"],
             "k_proj": config["num_key_value_heads"]}
    path = f"{checkpoint}/model.safetensors"

    factors = ropeFactors(config)
    if factors is not None:
        writer.add_tensor_info("rope_freqs.weight", factors.shape,
                               factors.dtype, factors.nbytes)
    for name, array in tensorsOf(path):
        stored = "F32" if array.ndim == 1 else kind
        writer.add_tensor_info(
            names.get_name(name, try_suffixes=(".weight",)), array.shape,
            numpy.dtype(numpy.float32), array.size * TYPES[stored].itemsize,
            raw_dtype=gguf.GGMLQuantizationType[stored])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    if factors is not None:
        writer.write_tensor_data(factors)
    for name, array in tensorsOf(path):
        projection = name.split(".")[-2]
        if projection in heads:
            array = interleave(array, heads[projection])
        writer.write_tensor_data(
            convert(array, "F32" if array.ndim == 1 else kind))
    writer.close()


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[2] not in FILE_TYPES:
        sys.exit(__doc__.splitlines()[0])
    write(*sys.argv[1:])
