# ===- reference.py - Llama and BERT in plain Python ------------------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""The models' formulas in doubles, slow and obvious, standard library only.

A `round` function is applied to what Smelt rounds to its dtype: all matrices
of the checkpoint, the activations that they are multiplied with, and the keys
and values that a cache stores. With `exactly` nothing is rounded; with `toBF16`
the results say what bf16 itself costs.

Matrices are lists of rows; a weight [n, k] is a list of n rows.
"""
import array
import math
import struct
from operator import mul


def exactly(row):
    return row


def toF32(row):
    return array.array("f", row).tolist()


def toBF16(row):
    """Rounded to the nearest bf16, ties to even."""
    words = array.array("I", array.array("f", row).tobytes())
    rounded = array.array("I", ((word + 0x7fff + (word >> 16 & 1)) & 0xffff0000
                                for word in words))
    return array.array("f", rounded.tobytes()).tolist()


def toF16(row):
    return [struct.unpack("e", struct.pack("e", x))[0] for x in toF32(row)]


def toInt8(row, size):
    """Integers of 8 bits, with a scale for each `size` elements."""
    row, out = toF32(row), []
    for begin in range(0, len(row), size):
        part = row[begin:begin + size]
        most = max(map(abs, part))
        inverse, scale = toF32([127 / most, most / 127]) if most else (0, 0)
        out += [round(x) * scale for x in toF32(x * inverse for x in part)]
    return toF32(out)


CACHES = {
    "f32": lambda row, size: row,
    "f16": lambda row, size: toF16(row),
    "bf16": lambda row, size: toBF16(row),
    "int8": toInt8,
}


def dot(x, y):
    return sum(map(mul, x, y))


def add(x, y):
    return [a + b for a, b in zip(x, y)]


def gelu(x):
    return x / 2 * (1 + math.erf(x / math.sqrt(2)))


def geluTanh(x):
    return x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) *
                                  (x + 0.044715 * x ** 3)))


ACTIVATIONS = {
    "silu": lambda x: x / (1 + math.exp(-x)),
    "gelu": gelu,
    "gelu_new": geluTanh,
    "gelu_pytorch_tanh": geluTanh,
    "relu": lambda x: max(x, 0.0),
}


class Weights:
    """Tensors of a checkpoint by name, under a prefix."""

    def __init__(self, tensors, round):
        self.tensors = tensors
        self.round = round
        self.matrices = {}

    def vector(self, name):
        return self.tensors[name].values.tolist()

    def rows(self, name):
        """The rows of a matrix."""
        if name not in self.matrices:
            shape, values, _ = self.tensors[name]
            self.matrices[name] = [
                self.round(values[i * shape[1]:(i + 1) * shape[1]].tolist())
                for i in range(shape[0])]
        return self.matrices[name]

    def linear(self, name, x):
        """x @ weight^T + bias, where there is one."""
        matrix = self.rows(name + ".weight")
        rows = [[dot(row, weight) for weight in matrix]
                for row in map(self.round, x)]
        if name + ".bias" in self.tensors:
            bias = self.vector(name + ".bias")
            rows = [add(row, bias) for row in rows]
        return rows


BLOCK = 64  # positions whose weights are relative to their largest score


def attend(q, k, v, heads, kvHeads, spans, round=exactly):
    """softmax(q . k / sqrt(size)) . v; row m sees the rows spans[m]. What is
    multiplied is rounded."""
    q, k, v = (list(map(round, rows)) for rows in (q, k, v))
    size, out = len(q[0]) // heads, []
    for m, (begin, end) in enumerate(spans):
        out.append([])
        for head in range(heads):
            mine = slice(head * size, (head + 1) * size)
            first = head // (heads // kvHeads) * size
            theirs = slice(first, first + size)
            query = q[m][mine]
            scores = [dot(query, k[p][theirs]) / math.sqrt(size)
                      for p in range(begin, end)]
            top, total, weights = max(scores), 0, []
            for b in range(0, len(scores), BLOCK):
                most = max(scores[b:b + BLOCK])
                exact = [math.exp(score - most)
                         for score in scores[b:b + BLOCK]]
                total += sum(exact) * math.exp(most - top)
                weights += [weight * math.exp(most - top)
                            for weight in round(exact)]
            columns = zip(*(v[p][theirs] for p in range(begin, end)))
            out[-1] += [dot(weights, column) / total for column in columns]
    return out


def rmsNorm(x, weight, eps):
    out = []
    for row in x:
        root = math.sqrt(dot(row, row) / len(row) + eps)
        out.append([a / root * w for a, w in zip(row, weight)])
    return out


def layerNorm(x, weight, bias, eps):
    out = []
    for row in x:
        mean = sum(row) / len(row)
        root = math.sqrt(sum((a - mean) ** 2 for a in row) / len(row) + eps)
        out.append([(a - mean) / root * w + b
                    for a, w, b in zip(row, weight, bias)])
    return out


def ropeFrequencies(config):
    """Frequencies of the pairs, as config.json scales them."""
    size, scaling = config["head_dim"], config.get("rope_scaling") or {}
    out = []
    for i in range(size // 2):
        f = config["rope_theta"] ** (-2 * i / size)
        kind = scaling.get("rope_type", "default")
        if kind == "linear":
            f /= scaling["factor"]
        elif kind == "llama3":
            low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
            turns = (scaling["original_max_position_embeddings"] * f /
                     (2 * math.pi))
            part = min(max((turns - low) / (high - low), 0), 1)
            f = (1 - part) * f / scaling["factor"] + part * f
        out.append(f)
    return toF32(out)


def rope(x, frequencies):
    """Rotates elements i and i + half of each head by the row's position."""
    half, out = len(frequencies), []
    for position, row in enumerate(x):
        # Angles are f32 by definition, which shows at large positions.
        angles = toF32(position * f for f in frequencies)
        row = list(row)
        for head in range(0, len(row), 2 * half):
            for i, angle in enumerate(angles, head):
                a, b = row[i], row[i + half]
                row[i] = a * math.cos(angle) - b * math.sin(angle)
                row[i + half] = b * math.cos(angle) + a * math.sin(angle)
        out.append(row)
    return out


def windowOf(config, layer):
    """How many positions a query of the layer sees; None: all."""
    if config["model_type"] == "qwen2" and not (
            config["use_sliding_window"] and
            layer >= config["max_window_layers"]):
        return None
    return config.get("sliding_window")


def llama(config, tensors, ids, round=exactly, cache="f32",
          roundAttended=exactly):
    """Logits [tokens][vocab_size] of one sequence; `cache` is what keys and
    values are rounded to after `round`, what attention multiplies is rounded by
    `roundAttended`."""
    weights = Weights(tensors, round)
    heads, kvHeads = (config["num_attention_heads"],
                      config["num_key_value_heads"])
    activation = ACTIVATIONS[config["hidden_act"]]
    eps, frequencies = config["rms_norm_eps"], ropeFrequencies(config)
    store = CACHES[cache]
    table = weights.rows("model.embed_tokens.weight")
    x = [table[i] for i in ids]
    for i in range(config["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        normed = rmsNorm(x, weights.vector(layer + "input_layernorm.weight"),
                         eps)
        q, k, v = (weights.linear(f"{layer}self_attn.{name}_proj", normed)
                   for name in "qkv")
        k, v = ([store(round(row), config["head_dim"]) for row in rows]
                for rows in (rope(k, frequencies), v))
        window = windowOf(config, i) or len(ids)
        spans = [(max(0, m + 1 - window), m + 1) for m in range(len(ids))]
        attended = attend(rope(q, frequencies), k, v, heads, kvHeads, spans,
                          roundAttended)
        x = list(map(add, x, weights.linear(layer + "self_attn.o_proj",
                                            attended)))
        normed = rmsNorm(
            x, weights.vector(layer + "post_attention_layernorm.weight"), eps)
        gate = weights.linear(layer + "mlp.gate_proj", normed)
        up = weights.linear(layer + "mlp.up_proj", normed)
        product = [[activation(a) * b for a, b in zip(g, u)]
                   for g, u in zip(gate, up)]
        x = list(map(add, x, weights.linear(layer + "mlp.down_proj", product)))
    x = rmsNorm(x, weights.vector("model.norm.weight"), eps)
    return weights.linear("model.embed_tokens" if config["tie_word_embeddings"]
                          else "lm_head", x)


def bert(config, tensors, ids, types, round=exactly, roundAttended=exactly):
    """The last hidden state [tokens][hidden_size] of one sequence; what attention
    multiplies is rounded by `roundAttended`."""
    weights = Weights(tensors, round)
    activation = ACTIVATIONS[config["hidden_act"]]

    def norm(x, name):
        return layerNorm(x, weights.vector(name + ".weight"),
                         weights.vector(name + ".bias"),
                         config["layer_norm_eps"])

    words, positions, kinds = (
        weights.rows(f"embeddings.{name}_embeddings.weight")
        for name in ("word", "position", "token_type"))
    x = norm([add(add(words[i], kinds[kind]), positions[m])
              for m, (i, kind) in enumerate(zip(ids, types))],
             "embeddings.LayerNorm")
    heads, spans = config["num_attention_heads"], [(0, len(ids))] * len(ids)
    for i in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{i}."
        q, k, v = (weights.linear(f"{layer}attention.self.{name}", x)
                   for name in ("query", "key", "value"))
        attended = attend(q, k, v, heads, heads, spans, roundAttended)
        out = weights.linear(layer + "attention.output.dense", attended)
        x = norm(list(map(add, x, out)), layer + "attention.output.LayerNorm")
        up = weights.linear(layer + "intermediate.dense", x)
        up = [[activation(a) for a in row] for row in up]
        out = weights.linear(layer + "output.dense", up)
        x = norm(list(map(add, x, out)), layer + "output.LayerNorm")
    return x


def pool(x, mode, normalize):
    """One embedding from a sequence's rows; mode is "mean" or "cls"."""
    row = (x[0] if mode == "cls" else
           [sum(column) / len(x) for column in zip(*x)])
    length = math.sqrt(dot(row, row)) if normalize else 1
    return [a / max(length, 1e-12) for a in row]
