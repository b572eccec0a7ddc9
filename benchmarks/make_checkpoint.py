#!/usr/bin/env python3
# ===- make_checkpoint.py - A checkpoint of any size with random weights -----===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Writes a Hugging Face checkpoint of a known shape with random weights.

Speed doesn't depend on what the weights are, so that benchmarks need no
download. The same arguments give the same bytes. Weights stream from one block
of normal numbers, scaled for each tensor by a power of two near the root of
its fan-in; each tensor begins elsewhere in the block. A billion parameters in
bf16 take some seconds.
"""
import argparse
import array
import json
import math
import os
import random
import struct

# What differs from the defaults in config(); named after published models.
DECODERS = {
    "llama-3.2-1b": dict(
        hidden_size=2048, intermediate_size=8192, num_hidden_layers=16,
        num_attention_heads=32, num_key_value_heads=8, head_dim=64,
        vocab_size=128256, tie_word_embeddings=True, rope_theta=500000.0,
        rope_scaling=dict(rope_type="llama3", factor=32.0,
                          low_freq_factor=1.0, high_freq_factor=4.0,
                          original_max_position_embeddings=8192),
        max_position_embeddings=131072),
    "tinyllama": dict(
        hidden_size=2048, intermediate_size=5632, num_hidden_layers=22,
        num_attention_heads=32, num_key_value_heads=4, head_dim=64,
        vocab_size=32000, max_position_embeddings=2048),
    # Llama's blocks in the sizes of Qwen2.5-0.5B.
    "qwen2.5-0.5b": dict(
        hidden_size=896, intermediate_size=4864, num_hidden_layers=24,
        num_attention_heads=14, num_key_value_heads=2, head_dim=64,
        vocab_size=151936, tie_word_embeddings=True, rope_theta=1000000.0,
        max_position_embeddings=32768),
    "smollm-135m": dict(
        hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
        num_attention_heads=9, num_key_value_heads=3, head_dim=64,
        vocab_size=49152, tie_word_embeddings=True,
        max_position_embeddings=2048),
    "stories-15m": dict(
        hidden_size=288, intermediate_size=768, num_hidden_layers=6,
        num_attention_heads=6, num_key_value_heads=6, head_dim=48,
        vocab_size=32000, tie_word_embeddings=True,
        max_position_embeddings=256),
}
ENCODERS = {
    "minilm-l6": dict(hidden_size=384, intermediate_size=1536,
                      num_hidden_layers=6, num_attention_heads=12),
    "bert-base": dict(hidden_size=768, intermediate_size=3072,
                      num_hidden_layers=12, num_attention_heads=12),
}
TYPES = {"bf16": ("BF16", "bfloat16", 2), "f16": ("F16", "float16", 2),
         "f32": ("F32", "float32", 4)}
BLOCK = 1048573  # a prime: rows of a matrix start at different places


def config(shape):
    if shape in DECODERS:
        return {**dict(
            architectures=["LlamaForCausalLM"], model_type="llama",
            hidden_act="silu", rms_norm_eps=1e-5, rope_theta=10000.0,
            rope_scaling=None, tie_word_embeddings=False,
            attention_bias=False, mlp_bias=False, bos_token_id=1,
            eos_token_id=2), **DECODERS[shape]}
    return {**dict(
        architectures=["BertModel"], model_type="bert", vocab_size=30522,
        hidden_act="gelu", max_position_embeddings=512, type_vocab_size=2,
        layer_norm_eps=1e-12, position_embedding_type="absolute",
        pad_token_id=0), **ENCODERS[shape]}


def decoderTensors(c):
    """Pairs (name, shape) in the order of the file."""
    d, f, v = c["hidden_size"], c["intermediate_size"], c["vocab_size"]
    q = c["num_attention_heads"] * c["head_dim"]
    kv = c["num_key_value_heads"] * c["head_dim"]
    yield "model.embed_tokens.weight", (v, d)
    for i in range(c["num_hidden_layers"]):
        for name, shape in (
                ("input_layernorm", (d,)), ("self_attn.q_proj", (q, d)),
                ("self_attn.k_proj", (kv, d)), ("self_attn.v_proj", (kv, d)),
                ("self_attn.o_proj", (d, q)),
                ("post_attention_layernorm", (d,)), ("mlp.gate_proj", (f, d)),
                ("mlp.up_proj", (f, d)), ("mlp.down_proj", (d, f))):
            yield f"model.layers.{i}.{name}.weight", shape
    yield "model.norm.weight", (d,)
    if not c["tie_word_embeddings"]:
        yield "lm_head.weight", (v, d)


def encoderTensors(c):
    d, f = c["hidden_size"], c["intermediate_size"]
    for name, rows in (("word", c["vocab_size"]),
                       ("position", c["max_position_embeddings"]),
                       ("token_type", c["type_vocab_size"])):
        yield f"embeddings.{name}_embeddings.weight", (rows, d)
    yield "embeddings.LayerNorm.weight", (d,)
    yield "embeddings.LayerNorm.bias", (d,)
    for i in range(c["num_hidden_layers"]):
        for name, shape in (
                ("attention.self.query", (d, d)), ("attention.self.key", (d, d)),
                ("attention.self.value", (d, d)),
                ("attention.output.dense", (d, d)),
                ("attention.output.LayerNorm", (d,)),
                ("intermediate.dense", (f, d)), ("output.dense", (d, f)),
                ("output.LayerNorm", (d,))):
            yield f"encoder.layer.{i}.{name}.weight", shape
            yield f"encoder.layer.{i}.{name}.bias", shape[:1]


class Weights:
    """Bytes of random tensors in one element type."""

    def __init__(self, dtype, seed):
        numbers = random.Random(seed)
        self.dtype = dtype
        self.size = TYPES[dtype][2]
        self.normal = array.array("f", (numbers.gauss(0.0, 1.0)
                                        for _ in range(BLOCK)))
        self.offsets = numbers
        self.blocks = {}

    def encode(self, values):
        if self.dtype == "f32":
            return values.tobytes()
        if self.dtype == "f16":
            return struct.pack(f"<{len(values)}e", *values)
        bits = array.array("I", values.tobytes())
        # Half of the last place kept is added: nearest, ties away from zero.
        return array.array("H", ((bit + 0x8000) >> 16 for bit in bits)).tobytes()

    def block(self, name, shape):
        """The block scaled for a tensor: around 1 for weights of norms, small
        for biases, 1 / sqrt(columns) for matrices."""
        if len(shape) == 1:
            mean, exponent = (0.0, -4) if name.endswith("bias") else (1.0, -4)
        else:
            mean, exponent = 0.0, -round(math.log2(shape[1]) / 2)
        if (mean, exponent) not in self.blocks:
            scale = 2.0 ** exponent
            self.blocks[mean, exponent] = self.encode(array.array(
                "f", (mean + x * scale for x in self.normal)))
        return self.blocks[mean, exponent]

    def write(self, file, name, shape):
        block = self.block(name, shape)
        left = math.prod(shape) * self.size
        start = self.offsets.randrange(BLOCK) * self.size
        while left > 0:
            part = block[start:start + left]
            file.write(part)
            left, start = left - len(part), 0


def write(folder, shape, dtype, layers=None, vocabulary=None, seed=1):
    """Writes the checkpoint and returns its number of parameters."""
    fields = config(shape)
    fields["torch_dtype"] = TYPES[dtype][1]
    if layers:
        fields["num_hidden_layers"] = layers
    if vocabulary:
        fields["vocab_size"] = vocabulary
    tensors = list((decoderTensors if shape in DECODERS else encoderTensors)(
        fields))
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(fields, file, indent=2)

    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, dims in tensors:
        size = math.prod(dims) * TYPES[dtype][2]
        header[name] = {"dtype": TYPES[dtype][0], "shape": dims,
                        "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    weights = Weights(dtype, seed)
    with open(os.path.join(folder, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, dims in tensors:
            weights.write(file, name, dims)
    if shape in ENCODERS:
        writePooling(folder, fields["hidden_size"])
    return offset // TYPES[dtype][2]


def writePooling(folder, hidden):
    """Mean pooling, as sentence-transformers describes it."""
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling"),
             ("2_Normalize", "Normalize")]
    with open(os.path.join(folder, "modules.json"), "w") as file:
        json.dump([{"idx": i, "name": str(i), "path": path,
                    "type": f"sentence_transformers.models.{kind}"}
                   for i, (path, kind) in enumerate(kinds)], file, indent=2)
    os.makedirs(os.path.join(folder, "1_Pooling"), exist_ok=True)
    with open(os.path.join(folder, "1_Pooling", "config.json"), "w") as file:
        json.dump({"word_embedding_dimension": hidden,
                   "pooling_mode_cls_token": False,
                   "pooling_mode_mean_tokens": True,
                   "pooling_mode_max_tokens": False}, file, indent=2)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--shape", required=True,
                        choices=[*DECODERS, *ENCODERS])
    parser.add_argument("--dtype", choices=list(TYPES), default="bf16")
    parser.add_argument("--layers", type=int)
    parser.add_argument("--vocabulary", type=int)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    count = write(args.folder, args.shape, args.dtype, args.layers,
                  args.vocabulary, args.seed)
    print(f"{args.folder}: {args.shape}, {count / 1e6:.1f} million parameters "
          f"in {args.dtype}")


if __name__ == "__main__":
    main()
