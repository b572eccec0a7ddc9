#!/usr/bin/env python3
# ===- llama_openvino.py - A Llama checkpoint as an OpenVINO model ------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Usage: llama_openvino.py CHECKPOINT f32|int8|int4 OUT.xml

Writes the decoder as the graph that OpenVINO's own exporters make of it, for
which no PyTorch is needed: the cache is state of the model, attention one
operation, and NNCF stores the weights in 8 bits by row, or in 4 by groups of 64
with tables and head in 8. Inputs: input_ids and position_ids [batch, tokens]
i64, mask [1, 1, tokens, past + tokens] f32 (0, or -inf where a token doesn't
look), beam_idx [batch] i32; output: logits [batch, tokens, vocabulary].
"""
import json
import sys

import numpy
import openvino
from openvino import opset13 as op
from openvino.op.util import Variable, VariableInfo

import llama_gguf

I64 = numpy.int64


def scalar(value):
    return op.constant(numpy.float32(value))


def shape(*dims):
    return op.constant(numpy.array(dims, I64))


class Decoder:
    """The graph under construction."""

    def __init__(self, checkpoint):
        with open(f"{checkpoint}/config.json") as file:
            self.config = json.load(file)
        self.weights = dict(llama_gguf.tensorsOf(
            f"{checkpoint}/model.safetensors"))
        self.constants, self.assignments = {}, []
        self.size = self.config["head_dim"]
        self.parameters = {
            name: op.parameter(dims, kind, name=name)
            for name, dims, kind in (
                ("input_ids", [-1, -1], I64), ("position_ids", [-1, -1], I64),
                ("mask", [1, 1, -1, -1], numpy.float32),
                ("beam_idx", [-1], numpy.int32))}

    def weight(self, name):
        if name not in self.constants:
            self.constants[name] = op.constant(llama_gguf.convert(
                self.weights[f"{name}.weight"], "F32"), name=name)
        return self.constants[name]

    def linear(self, x, name):
        return op.matmul(x, self.weight(name), False, True)

    def norm(self, x, name):
        mean = op.reduce_mean(op.power(x, scalar(2)), shape(-1), True)
        root = op.sqrt(op.add(mean, scalar(self.config["rms_norm_eps"])))
        return op.multiply(op.multiply(x, op.divide(scalar(1), root)),
                           self.weight(name))

    def angles(self):
        """Cosines and sines of the positions, [batch, 1, tokens, size]."""
        exponents = numpy.arange(0, self.size, 2) / self.size
        frequencies = 1 / self.config["rope_theta"] ** exponents
        factors = llama_gguf.ropeFactors(self.config)
        if factors is not None:
            frequencies = frequencies / factors
        positions = op.unsqueeze(op.convert(self.parameters["position_ids"],
                                            "f32"), shape(-1))
        half = op.multiply(positions, op.constant(
            frequencies.astype(numpy.float32)))
        both = op.unsqueeze(op.concat([half, half], -1), shape(1))
        return op.cos(both), op.sin(both)

    def rotate(self, x, cosines, sines):
        half = self.size // 2
        low, high = (op.slice(x, shape(begin), shape(end), shape(1), shape(3))
                     for begin, end in ((0, half), (half, 2 ** 63 - 1)))
        turned = op.concat([op.multiply(high, scalar(-1)), low], -1)
        return op.add(op.multiply(x, cosines), op.multiply(turned, sines))

    def heads(self, x, count):
        split = op.reshape(x, shape(0, 0, count, self.size), True)
        return op.transpose(split, shape(0, 2, 1, 3))

    def cached(self, x, name, count):
        """The cache of all tokens so far, [batch, count, tokens, size]."""
        info = VariableInfo()
        info.data_shape = openvino.PartialShape([-1, count, -1, self.size])
        info.data_type, info.variable_id = openvino.Type.f32, name
        variable = Variable(info)
        batch = op.gather(op.shape_of(self.parameters["input_ids"]),
                          shape(0), op.constant(I64(0)))
        empty = op.broadcast(scalar(0), op.concat(
            [batch, shape(count, 0, self.size)], 0))
        past = op.gather(op.read_value(empty, variable),
                         self.parameters["beam_idx"], op.constant(I64(0)))
        both = op.concat([past, x], 2)
        self.assignments.append(op.assign(both, variable))
        return both

    def repeated(self, x, count):
        """Each head of the cache as often as queries share it."""
        times = self.config["num_attention_heads"] // count
        if times == 1:
            return x
        wide = op.broadcast(op.unsqueeze(x, shape(2)), shape(1, 1, times, 1, 1),
                            broadcast_spec="BIDIRECTIONAL")
        return op.reshape(wide, shape(0, count * times, -1, self.size), True)

    def attention(self, x, layer, angles):
        count = self.config["num_attention_heads"]
        few = self.config["num_key_value_heads"]
        q, k, v = (self.heads(self.linear(x, f"{layer}.{name}_proj"), heads)
                   for name, heads in (("q", count), ("k", few), ("v", few)))
        k = self.cached(self.rotate(k, *angles), f"{layer}.key", few)
        v = self.cached(v, f"{layer}.value", few)
        mixed = op.scaled_dot_product_attention(
            self.rotate(q, *angles), self.repeated(k, few),
            self.repeated(v, few), self.parameters["mask"])
        joined = op.reshape(op.transpose(mixed, shape(0, 2, 1, 3)),
                            shape(0, 0, count * self.size), True)
        return self.linear(joined, f"{layer}.o_proj")

    def model(self):
        x = op.gather(self.weight("model.embed_tokens"),
                      self.parameters["input_ids"], op.constant(I64(0)))
        angles = self.angles()
        for i in range(self.config["num_hidden_layers"]):
            layer = f"model.layers.{i}"
            x = op.add(x, self.attention(
                self.norm(x, f"{layer}.input_layernorm"),
                f"{layer}.self_attn", angles))
            h = self.norm(x, f"{layer}.post_attention_layernorm")
            gate = op.swish(self.linear(h, f"{layer}.mlp.gate_proj"))
            x = op.add(x, self.linear(
                op.multiply(gate, self.linear(h, f"{layer}.mlp.up_proj")),
                f"{layer}.mlp.down_proj"))
        head = ("model.embed_tokens" if self.config["tie_word_embeddings"]
                else "lm_head")
        logits = self.linear(self.norm(x, "model.norm"), head)
        logits.output(0).set_names({"logits"})
        parameters = list(self.parameters.values())
        for parameter in parameters:
            parameter.output(0).set_names({parameter.friendly_name})
        return openvino.Model([op.result(logits)], self.assignments,
                              parameters)


def write(checkpoint, kind, out):
    model = Decoder(checkpoint).model()
    if kind != "f32":
        import nncf
        modes = nncf.CompressWeightsMode
        options = (dict(mode=modes.INT8_ASYM) if kind == "int8" else
                   dict(mode=modes.INT4_SYM, group_size=64, ratio=1.0))
        model = nncf.compress_weights(model, **options)
    openvino.save_model(model, out, compress_to_fp16=False)


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[2] not in ("f32", "int8", "int4"):
        sys.exit(__doc__.splitlines()[0])
    write(*sys.argv[1:])
