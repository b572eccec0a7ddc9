#!/usr/bin/env python3
# ===- random-models.py - Random checkpoints against plain Python -----------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Makes small checkpoints of random shapes, compiles them for this processor
and for `generic`, and compares what they compute with reference.py.

Each record below fixes what it is about; all else is drawn from a seed, which
is fresh unless --seed gives it and is printed first. Checked for each model:

- f32: outputs are within 1e-4 of the reference's range;
- bf16: the error (root mean square) is at most 1.5 times that of a reference
  that rounds where Smelt does. With one layer, the distance to that reference
  is also at most half its error: it isn't 0 because some sums differ in their
  last bits and then round the other way, which further layers magnify;
- a KV cache of another type than the model's: as bf16;
- one step, chunks and sequences that share steps give the same bits, with 1
  and 2 threads;
- greedy tokens are the largest logits of the text that they make.
"""
import argparse
import json
import math
import os
import random
import shutil
import sys

import reference
import safetensors
from smelt import smelt

LLAMA = {
    "hidden_size": (40, 48, 60, 72, 96, 136),
    "intermediate_size": (17, 64, 101, 128, 333),
    "num_hidden_layers": (1, 2, 3),
    "heads": ((1, 1), (2, 1), (3, 3), (4, 2), (5, 1), (5, 5), (6, 3), (7, 7)),
    "head_dim": (2, 6, 8, 16, 20, 32, 40, 64),
    "vocab_size": (31, 128, 307, 509),
    "max_position_embeddings": (96, 131, 200),
    "rms_norm_eps": (1e-6, 1e-5, 1e-3),
    "rope_theta": (100.0, 10000.0, 500000.0),
    "rope_scaling": (
        None, {"rope_type": "linear", "factor": 2.5},
        {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
         "high_freq_factor": 4.0, "original_max_position_embeddings": 64}),
    "hidden_act": ("silu", "silu", "gelu", "gelu_pytorch_tanh", "relu"),
    "attention_bias": (False, True),
    "mlp_bias": (False, True),
    "tie_word_embeddings": (False, True),
    "stored": ("F32", "F16", "BF16"),
    "stored_vectors": ("F32", "F16", "BF16"),
    "shards": (1, 3),
}
# Queries see all positions, a window, or, from some layer on, a window.
WINDOWS = (1, 5, 63, 64, 65, 80, 1000)
MISTRAL = {**LLAMA, "attention_bias": (False,), "mlp_bias": (False,),
           "sliding_window": (None, *WINDOWS)}
QWEN2 = {**LLAMA, "attention_bias": (True,), "mlp_bias": (False,),
         "use_sliding_window": (True, True, False), "sliding_window": WINDOWS,
         "max_window_layers": (0, 1, 2)}
DECODERS = {"llama": LLAMA, "mistral": MISTRAL, "qwen2": QWEN2}
BERT = {
    "heads": ((1, 1), (2, 2), (3, 3), (5, 5), (7, 7)),
    "head_dim": (5, 8, 12, 16),
    "intermediate_size": (17, 64, 101, 128, 333),
    "num_hidden_layers": (1, 2, 3),
    "vocab_size": (31, 128, 307),
    "max_position_embeddings": (96, 131),
    "type_vocab_size": (1, 2),
    "layer_norm_eps": (1e-12, 1e-5),
    "hidden_act": ("gelu", "gelu_new", "relu", "silu"),
    "pooling": (None, "mean", "cls"),
    "normalize": (False, True),
    "stored": ("F32", "F16", "BF16"),
    "stored_vectors": ("F32", "F16", "BF16"),
    "shards": (1, 3),
}

# name: (family, fields that are not drawn)
MODELS = {
    "odd-sizes": (LLAMA, dict(hidden_size=60, head_dim=40,
                              intermediate_size=333, num_hidden_layers=2,
                              heads=(5, 1), stored="F16", shards=3)),
    "wide-vocabulary": (LLAMA, dict(vocab_size=1009, num_hidden_layers=1)),
    "deep": (LLAMA, dict(num_hidden_layers=20, hidden_size=40,
                         intermediate_size=50, vocab_size=61,
                         heads=(2, 1), head_dim=20,
                         max_position_embeddings=20)),
    "short": (LLAMA, dict(max_position_embeddings=13)),
    # Rows with one column more than vectors hold.
    "one-lane": (QWEN2, dict(hidden_size=33, intermediate_size=17)),
    "any-llama": (LLAMA, {}),
    "mistral": (MISTRAL, {}),
    "qwen2": (QWEN2, {}),
    "odd-encoder": (BERT, dict(heads=(5, 5), head_dim=8,
                               intermediate_size=333, pooling="mean")),
    "plain-encoder": (BERT, dict(pooling="cls", normalize=False)),
    "any-encoder": (BERT, {}),
}


def draw(family, fixed, rng):
    """A config with every field of the family."""
    config = {name: rng.choice(values) for name, values in family.items()}
    config.update(fixed)
    config["num_attention_heads"], config["num_key_value_heads"] = config.pop(
        "heads")
    if family is BERT:
        config["hidden_size"] = (config["num_attention_heads"] *
                                 config.pop("head_dim"))
        del config["num_key_value_heads"]
    config["model_type"] = next(
        (name for name, other in DECODERS.items() if other is family), "bert")
    config["architectures"] = [
        "BertModel" if family is BERT else
        config["model_type"].capitalize() + "ForCausalLM"]
    config["torch_dtype"] = {"F32": "float32", "F16": "float16",
                             "BF16": "bfloat16"}[config["stored"]]
    return config


def llamaShapes(config):
    """Tensors of a checkpoint with their shapes."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    queries = config["num_attention_heads"] * config["head_dim"]
    keys = config["num_key_value_heads"] * config["head_dim"]
    shapes = {"model.embed_tokens": (config["vocab_size"], hidden),
              "model.norm": (hidden,)}
    if not config["tie_word_embeddings"]:
        shapes["lm_head"] = (config["vocab_size"], hidden)
    biased = set()
    for i in range(config["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        attention = {"q": (queries, hidden), "k": (keys, hidden),
                     "v": (keys, hidden), "o": (hidden, queries)}
        mlp = {"gate": (inner, hidden), "up": (inner, hidden),
               "down": (hidden, inner)}
        for group, linears, flag in (
                ("self_attn", attention, "attention_bias"),
                ("mlp", mlp, "mlp_bias")):
            for name, shape in linears.items():
                shapes[f"{layer}{group}.{name}_proj"] = shape
                if config[flag] and not (name == "o" and
                                         config["model_type"] == "qwen2"):
                    biased.add(f"{layer}{group}.{name}_proj")
        shapes[layer + "input_layernorm"] = (hidden,)
        shapes[layer + "post_attention_layernorm"] = (hidden,)
    return withBiases(shapes, biased)


def bertShapes(config):
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    square = (hidden, hidden)
    shapes = {"embeddings.word_embeddings": (config["vocab_size"], hidden),
              "embeddings.position_embeddings": (
                  config["max_position_embeddings"], hidden),
              "embeddings.token_type_embeddings": (
                  config["type_vocab_size"], hidden)}
    biased = {"embeddings.LayerNorm": (hidden,)}
    for i in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{i}."
        biased.update({
            layer + "attention.self.query": square,
            layer + "attention.self.key": square,
            layer + "attention.self.value": square,
            layer + "attention.output.dense": square,
            layer + "attention.output.LayerNorm": (hidden,),
            layer + "intermediate.dense": (inner, hidden),
            layer + "output.dense": (hidden, inner),
            layer + "output.LayerNorm": (hidden,)})
    return withBiases({**shapes, **biased}, biased)


def withBiases(modules, biased):
    shapes = {}
    for name, shape in modules.items():
        shapes[name + ".weight"] = shape
        if name in biased:
            shapes[name + ".bias"] = shape[:1]
    return shapes


def drawTensor(name, shape, config, rng):
    """Numbers with which a mistake shows: peaked attention, norms and biases
    far from 1 and 0."""
    mean, deviation = 0.0, 0.2
    if len(shape) == 1:
        mean = 1.0 if name.endswith("weight") else 0.0
    elif "embed" in name:
        isTied = config.get("tie_word_embeddings")
        deviation = 0.25 if isTied else 0.3 if "_type_" in name else 1.0
    else:
        isPeaked = any(part in name for part in ("q_proj", "k_proj", ".query",
                                                 ".key"))
        deviation = (1.8 if isPeaked else 1.0) / shape[1] ** 0.5
    size = shape[0] * (shape[1] if len(shape) > 1 else 1)
    return safetensors.narrow(
        config["stored_vectors" if len(shape) == 1 else "stored"], list(shape),
        [rng.gauss(mean, deviation) for _ in range(size)])


def writeJson(path, value):
    with open(path, "w") as file:
        json.dump(value, file, indent=2)


def writeCheckpoint(folder, config, rng):
    """Writes what a publisher would, and returns the tensors as stored."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    shapes = (bertShapes if config["model_type"] == "bert" else llamaShapes)(
        config)
    tensors = {name: drawTensor(name, shape, config, rng)
               for name, shape in shapes.items()}
    count = config.pop("shards")
    names = list(tensors)
    rng.shuffle(names)
    places = {}
    for i in range(count):
        file = ("model.safetensors" if count == 1 else
                f"model-{i + 1:05}-of-{count:05}.safetensors")
        places.update((name, file) for name in names[i::count])
        safetensors.save(os.path.join(folder, file),
                         {name: tensors[name] for name in names[i::count]})
    if count > 1:
        writeJson(os.path.join(folder, "model.safetensors.index.json"),
                  {"metadata": {}, "weight_map": places})
    private = ["stored", "stored_vectors", "pooling", "normalize"]
    if config["model_type"] == "qwen2":
        private.append("attention_bias")  # not a field of its config.json
    writeJson(os.path.join(folder, "config.json"), {
        name: value for name, value in config.items() if name not in private})
    if config.get("pooling"):
        modules = ["Transformer", "Pooling", "Normalize"]
        writeJson(os.path.join(folder, "modules.json"), [
            {"idx": i, "name": str(i), "path": f"{i}_{name}" if i else "",
             "type": f"sentence_transformers.models.{name}"}
            for i, name in enumerate(modules[:2 + config["normalize"]])])
        os.makedirs(os.path.join(folder, "1_Pooling"))
        writeJson(os.path.join(folder, "1_Pooling", "config.json"), {
            "word_embedding_dimension": config["hidden_size"],
            "pooling_mode_cls_token": config["pooling"] == "cls",
            "pooling_mode_mean_tokens": config["pooling"] == "mean"})
    return {name: safetensors.Tensor(
                tensor.shape, safetensors.widen(tensor.dtype, tensor.values))
            for name, tensor in tensors.items()}


class Runner:
    """Runs commands on one ingot through files of a folder."""

    def __init__(self, work, ingot):
        self.ingot = ingot
        self.inputs = os.path.join(work, "inputs.safetensors")
        self.outputs = os.path.join(work, "outputs.safetensors")

    def __call__(self, command, tensors, *options):
        safetensors.save(self.inputs, {
            name: values if isinstance(values, safetensors.Tensor)
            else safetensors.integers(values)
            for name, values in tensors.items()})
        smelt(command, self.ingot, "--ids-file", self.inputs,
              "-o", self.outputs, *options)
        return safetensors.load(self.outputs)


def flatten(rows):
    return [value for row in rows for value in row]


def distance(x, y):
    if len(x) != len(y):
        raise ValueError(f"{len(x)} numbers, expected {len(y)}")
    worst = 0.0
    for a, b in zip(x, y):
        if not abs(a - b) <= worst:
            worst = abs(a - b)
            if worst != worst:
                return worst
    return worst


def meanDistance(x, y):
    return math.sqrt(sum((a - b) ** 2 for a, b in zip(x, y)) / len(x))


def judge(what, config, dtype, values, exact, rounded):
    """The error in parts of the allowed one, which is at most 1. `rounded`: what
    references that round compute, of which the nearest counts; without any,
    nothing is to be rounded."""
    def partOf(rounded):
        cost = meanDistance(rounded, exact)
        part = meanDistance(values, exact) / (1.5 * cost)
        if config["num_hidden_layers"] == 1:
            part = max(part, meanDistance(values, rounded) / (0.5 * cost))
        return part

    if not rounded:
        part = distance(values, exact) / (1e-4 * (max(exact) - min(exact)))
    else:
        part = min(map(partOf, rounded))
    if not part <= 1:
        raise ValueError(f"{what} is {part:.3g} of the allowed error away")
    return part


def expectSame(what, actual, expected):
    if actual.tobytes() != expected.tobytes():
        differing = sum(a != b for a, b in zip(actual, expected))
        raise ValueError(f"{what}: {differing} of {len(expected)} numbers "
                         "differ")


class Decoder:
    """Checks of a decoder."""

    def __init__(self, config, tensors, rng):
        self.config, self.rng = config, rng
        count = min(config["max_position_embeddings"], rng.randrange(66, 99))
        self.ids = [rng.randrange(config["vocab_size"]) for _ in range(count)]
        self.tensors = tensors
        self.exact = self.reference(reference.exactly)

    def reference(self, *how):
        return flatten(reference.llama(self.config, self.tensors, self.ids,
                                       *how))

    def check(self, run, dtype, cache, mcpu):
        rounded = []
        if dtype == "bf16" or cache != "f32":
            # What attention over bf16 multiplies is, too, on some targets.
            rounded = [self.reference(
                reference.toBF16 if dtype == "bf16" else reference.exactly,
                cache, roundAttended)
                for roundAttended in (reference.exactly, reference.toBF16)
                if (cache == "bf16" and mcpu != "generic")
                or roundAttended == reference.exactly]
        ids, width = self.ids, self.config["vocab_size"]

        def alone(part, *options):
            return run("logits", {"prompt_ids": part}, *options)[
                "logits"].values

        whole = alone(ids, "-t", "1")
        part = judge("logits", self.config, dtype, whole, self.exact, rounded)
        for chunk in (1, self.rng.randrange(2, 9), self.rng.randrange(9, 66)):
            threads = self.rng.choice("12")
            expectSame(f"chunks of {chunk}, {threads} threads",
                       alone(ids, "--chunk", str(chunk), "-t", threads), whole)

        # Sequences of random lengths, some tokens of each in every step.
        cuts = sorted(self.rng.sample(range(1, len(ids)), 2))
        parts = [ids[:cuts[0]], ids[cuts[0]:cuts[1]], ids[cuts[1]:]]
        order = sorted((position // (sequence + 1), sequence, position)
                       for sequence, part_ in enumerate(parts)
                       for position in range(len(part_)))
        mixed = run("logits", {
            "prompt_ids": [parts[s][p] for _, s, p in order],
            "sequence_ids": [s for _, s, _ in order],
            "step_ids": [step for step, _, _ in order]}, "-t", "2")["logits"]
        for sequence, mine in enumerate(parts):
            got = mixed.values[:0]
            for i, (_, other, _) in enumerate(order):
                if other == sequence:
                    got.extend(mixed.values[i * width:(i + 1) * width])
            expectSame(f"sequence {sequence} beside others", got, alone(mine))

        # What greedy decoding adds is what all steps at once find largest.
        new = min(6, self.config["max_position_embeddings"] - len(ids[:5]))
        made = run("generate-ids", {"prompt_ids": ids[:5]}, "--n",
                   str(new))["ids"].values.tolist()
        text = ids[:5] + made
        logits = alone(text)
        for i, token in enumerate(made, 4):
            row = logits[i * width:(i + 1) * width]
            if row[token] != max(row):
                raise ValueError(f"greedy token {token} after {i + 1} tokens "
                                 f"is not {row.index(max(row))}")
        return part


class Encoder:
    """Checks of an encoder on a padded batch."""

    def __init__(self, config, tensors, rng):
        self.config = config
        longest = rng.randrange(65, config["max_position_embeddings"] + 1)
        self.lengths = [rng.randrange(2, longest), longest, 1]
        self.width = longest
        self.ids, self.types = ([
            [rng.randrange(config[size]) for _ in range(length)]
            for length in self.lengths]
            for size in ("vocab_size", "type_vocab_size"))
        self.exact = self.outputs(tensors, reference.exactly)
        # What attention multiplies is rounded on some processors.
        self.rounded = [
            self.outputs(tensors, reference.toBF16, roundAttended)
            for roundAttended in (reference.exactly, reference.toBF16)]

    def outputs(self, tensors, *how):
        hidden, embeddings = [], []
        for ids, types in zip(self.ids, self.types):
            x = reference.bert(self.config, tensors, ids, types, *how)
            hidden += flatten(x)
            hidden += [0.0] * ((self.width - len(ids)) *
                               self.config["hidden_size"])
            if self.config["pooling"]:
                embeddings += reference.pool(x, self.config["pooling"],
                                             self.config["normalize"])
        return {"last_hidden_state": hidden, "embedding": embeddings}

    def batch(self, sequences):
        def padded(rows):
            return safetensors.integers(
                flatten(rows[s] + [0] * (self.width - len(rows[s]))
                        for s in sequences), [len(sequences), self.width])

        return {"input_ids": padded(self.ids),
                "attention_mask": padded([[1] * n for n in self.lengths]),
                "token_type_ids": padded(self.types)}

    def check(self, run, dtype, cache, mcpu):
        count = len(self.lengths)
        whole = run("logits", self.batch(range(count)), "-t", "1")
        names = ["last_hidden_state"] + ["embedding"] * bool(
            self.config["pooling"])
        if sorted(whole) != sorted(names):
            raise ValueError(f"outputs are {list(whole)}, expected {names}")
        part = max(judge(name, self.config, dtype, whole[name].values,
                         self.exact[name],
                         [outputs[name] for outputs in self.rounded
                          if dtype == "bf16"])
                   for name in names)
        for batch, threads in ((range(count), "2"), ([1], "1"), ([2], "2"),
                               ([0, 2], "2")):
            out = run("logits", self.batch(batch), "-t", threads)
            for name in names:
                size = len(whole[name].values) // count
                expected = whole[name].values[:0]
                for s in batch:
                    expected.extend(whole[name].values[s * size:(s + 1) * size])
                expectSame(f"{name} of sequences {list(batch)}, {threads} "
                           "threads", out[name].values, expected)
        return part


def check(work, name, seed, mcpu):
    """Checks one model on `mcpu` and on generic; returns the number of failures."""
    rng = random.Random(f"{name} {seed}")
    family, fixed = MODELS[name]
    config = draw(family, fixed, rng)
    folder = os.path.join(work, name)
    tensors = writeCheckpoint(folder, config, rng)
    print(f"{name}: {json.dumps(config)}", flush=True)
    model = (Encoder if family is BERT else Decoder)(config, tensors, rng)
    failed = 0
    variants = [("f32", "f32"), ("bf16", "bf16")]
    if family is not BERT:
        variants.append(("f32", rng.choice(("f16", "bf16", "int8", "int8"))))
    hosts = rng.choice(((mcpu, "generic"), ("generic", mcpu)))
    for i, (dtype, cache) in enumerate(variants):
        ingot, mcpu = os.path.join(work, f"{name}.ingot"), hosts[i % 2]
        options = ["--kv-cache", cache] if cache != dtype else []
        what = " ".join([dtype, mcpu, *options])
        try:
            smelt("compile", folder, "-q", "-o", ingot, "--dtype", dtype,
                  "--mcpu", mcpu, *options)
            part = model.check(Runner(work, ingot), dtype, cache,
                               mcpu)
            print(f"  {what}: {part:.3f} of the allowed error", flush=True)
        except (OSError, RuntimeError, ValueError) as error:
            failed += 1
            print(f"  {what}: FAILED: {error}", flush=True)
    return failed


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", help="folder for checkpoints and ingots")
    parser.add_argument("model", nargs="*", choices=[[], *MODELS],
                        help="records to draw from (default: all)")
    parser.add_argument("--seed", type=int,
                        default=random.randrange(1 << 32))
    parser.add_argument("--rounds", type=int, default=1,
                        help="models of each record, with seeds that ascend")
    parser.add_argument("--mcpu", default="host",
                        help="target that this processor executes, beside "
                             "generic (default: %(default)s)")
    args = parser.parse_args()
    os.makedirs(args.work, exist_ok=True)
    failed = 0
    for seed in range(args.seed, args.seed + args.rounds):
        print(f"--seed {seed}", flush=True)
        failed += sum(check(args.work, name, seed, args.mcpu)
                      for name in args.model or MODELS)
    if failed:
        sys.exit(f"{failed} checks failed")


if __name__ == "__main__":
    main()
