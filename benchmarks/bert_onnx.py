#!/usr/bin/env python3
# ===- bert_onnx.py - A BERT sentence encoder as an ONNX graph ---------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Usage: bert_onnx.py CHECKPOINT BATCH LENGTH OUT.onnx     needs onnx, numpy

Writes the checkpoint's encoder with mean pooling and normalisation for whole
sequences of one length, with static shapes and no mask: what a compiler of
graphs likes best. Input ids [BATCH, LENGTH] i64, output [BATCH, hidden] f32.
"""
import json
import struct
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper


class Builder:
    """An ONNX graph under construction: a method call is a node."""

    def __init__(self, weights):
        self.nodes, self.initializers, self.weights = [], {}, weights

    def weight(self, name):
        return self.constant(name, self.weights[name])

    def constant(self, name, value):
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(
                numpy.ascontiguousarray(value), name)
        return name

    def scalar(self, value):
        return self.constant(f"scalar{value}", numpy.float32(value))

    def shape(self, *dims):
        return self.constant("shape" + "x".join(map(str, dims)),
                             numpy.array(dims, numpy.int64))

    def __getattr__(self, op):
        def add(*inputs, **attributes):
            out = f"v{len(self.nodes)}"
            self.nodes.append(helper.make_node(op, inputs, [out],
                                               **attributes))
            return out
        return add

    def linear(self, x, name):
        transposed = self.constant(
            f"{name}.transposed", self.weights[f"{name}.weight"].T)
        return self.Add(self.MatMul(x, transposed),
                        self.weight(f"{name}.bias"))

    def norm(self, x, name, eps):
        return self.LayerNormalization(
            x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"),
            axis=-1, epsilon=eps)

    def gelu(self, x):
        erf = self.Erf(self.Div(x, self.scalar(2 ** 0.5)))
        return self.Mul(self.Mul(x, self.Add(erf, self.scalar(1.0))),
                        self.scalar(0.5))


def loadWeights(path):
    """f32 tensors of a safetensors file by name, without a "bert." prefix."""
    with open(path, "rb") as file:
        raw = file.read()
    size, = struct.unpack("<Q", raw[:8])
    weights = {}
    for name, entry in json.loads(raw[8:8 + size]).items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        begin, end = entry["data_offsets"]
        weights[name.removeprefix("bert.")] = numpy.frombuffer(
            raw[8 + size + begin:8 + size + end],
            numpy.float32).reshape(entry["shape"])
    return weights


def build(checkpoint, batch, length):
    with open(f"{checkpoint}/config.json") as file:
        config = json.load(file)
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    size, eps = hidden // heads, config["layer_norm_eps"]
    b = Builder(loadWeights(f"{checkpoint}/model.safetensors"))

    x = b.Gather(b.weight("embeddings.word_embeddings.weight"), "ids")
    x = b.Add(x, b.constant(
        "positions", b.weights["embeddings.position_embeddings.weight"][:length]
        + b.weights["embeddings.token_type_embeddings.weight"][0]))
    x = b.norm(x, "embeddings.LayerNorm", eps)

    def headsOf(y, order):
        split = b.Reshape(y, b.shape(batch, length, heads, size))
        return b.Transpose(split, perm=order)

    for i in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{i}"
        q = headsOf(b.linear(x, f"{layer}.attention.self.query"), [0, 2, 1, 3])
        k = headsOf(b.linear(x, f"{layer}.attention.self.key"), [0, 2, 3, 1])
        v = headsOf(b.linear(x, f"{layer}.attention.self.value"), [0, 2, 1, 3])
        scores = b.Softmax(b.Div(b.MatMul(q, k), b.scalar(size ** 0.5)),
                           axis=-1)
        mixed = b.Reshape(b.Transpose(b.MatMul(scores, v), perm=[0, 2, 1, 3]),
                          b.shape(batch, length, hidden))
        x = b.norm(b.Add(x, b.linear(mixed, f"{layer}.attention.output.dense")),
                   f"{layer}.attention.output.LayerNorm", eps)
        y = b.gelu(b.linear(x, f"{layer}.intermediate.dense"))
        x = b.norm(b.Add(x, b.linear(y, f"{layer}.output.dense")),
                   f"{layer}.output.LayerNorm", eps)
    pooled = b.ReduceMean(x, b.shape(1), keepdims=0)
    squares = b.ReduceSum(b.Mul(pooled, pooled), b.shape(1), keepdims=1)
    b.nodes.append(helper.make_node("Div", [pooled, b.Sqrt(squares)],
                                    ["embedding"]))
    graph = helper.make_graph(
        b.nodes, "bert",
        [helper.make_tensor_value_info("ids", TensorProto.INT64,
                                       [batch, length])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT,
                                       [batch, hidden])],
        list(b.initializers.values()))
    return helper.make_model(graph, ir_version=8, opset_imports=[
        helper.make_opsetid("", 18)])


def main():
    checkpoint, batch, length, out = sys.argv[1:]
    model = build(checkpoint, int(batch), int(length))
    onnx.checker.check_model(model)
    onnx.save(model, out)


if __name__ == "__main__":
    main()
