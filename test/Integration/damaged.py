#!/usr/bin/env python3
# ===- damaged.py - Damaged files are refused, never half-used ---------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Usage: damaged.py checkpoint|output|ingot WORKFOLDER CHECKPOINT

Damages a checkpoint, or the ingot made of it and inputs, one way at a time, or
gives the compiler no place for its output. Each time the tool exits with a
status of its own (no signal), says why on standard error in one paragraph, and
leaves neither output nor temporary file behind. What else a checkpoint may lie
about, test/Unit/Import tries.
"""
import json
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys

import safetensors
from smelt import program, smelt

MAX_LINES = 12
SANITIZER = re.compile(r"Sanitizer|runtime error:")


def overwrite(path, offset, data):
    with open(path, "r+b") as file:
        file.seek(offset, os.SEEK_END if offset < 0 else os.SEEK_SET)
        file.write(data)


def truncate(path, size):
    """Keeps `size` bytes, or drops as many where it is negative."""
    os.truncate(path, size if size >= 0 else os.path.getsize(path) + size)


def editHeader(path, edit):
    """Changes the JSON header of a safetensors file, data left as it is."""
    with open(path, "rb") as file:
        size, = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    edit(header)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def editConfig(folder, **fields):
    path = os.path.join(folder, "config.json")
    with open(path) as file:
        config = json.load(file)
    config.update(fields)
    with open(path, "w") as file:
        json.dump({k: v for k, v in config.items() if v is not None}, file)


def tensorNames(header):
    return [name for name in header if name != "__metadata__"]


def weights(folder):
    return os.path.join(folder, "model.safetensors")


def firstTensor(**fields):
    """An edit that overwrites fields of the first tensor's entry."""
    return lambda header: header[tensorNames(header)[0]].update(fields)


def dropTensor(header):
    del header[tensorNames(header)[-1]]


def overlapTensors(header):
    first, second = tensorNames(header)[:2]
    header[second].update({key: header[first][key]
                           for key in ("shape", "data_offsets")})


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def append(path, data):
    with open(path, "ab") as file:
        file.write(data)


def insteadOf(path, make):
    """Makes something else where a file is."""
    os.remove(path)
    make(path)


def tokenizer(**fields):
    """An edit that adds a tokenizer.json with these fields, else a sound one."""
    sound = {"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2},
                       "merges": ["a b"]}}
    sound["model"].update(fields.pop("model", {}))
    return lambda d: write(f"{d}/tokenizer.json",
                           json.dumps({**sound, **fields}).encode())


# What is wrong with the checkpoint: what to do to its folder.
CHECKPOINTS = {
    "no config": lambda d: os.remove(f"{d}/config.json"),
    "config is no JSON": lambda d: overwrite(f"{d}/config.json", 0, b"]["),
    "config is empty": lambda d: truncate(f"{d}/config.json", 0),
    "unknown family": lambda d: editConfig(d, model_type="gpt17",
                                           architectures=["Gpt17"]),
    "no hidden size": lambda d: editConfig(d, hidden_size=None),
    "hidden size is text": lambda d: editConfig(d, hidden_size="wide"),
    "hidden size is negative": lambda d: editConfig(d, hidden_size=-48),
    "hidden size is huge": lambda d: editConfig(d, hidden_size=2 ** 62),
    "another hidden size": lambda d: editConfig(d, hidden_size=64),
    "no layers": lambda d: editConfig(d, num_hidden_layers=0),
    "more layers than tensors": lambda d: editConfig(d, num_hidden_layers=4),
    "no heads": lambda d: editConfig(d, num_attention_heads=0),
    "heads don't divide": lambda d: editConfig(d, num_key_value_heads=5),
    "unknown activation": lambda d: editConfig(d, hidden_act="swoosh"),
    "unknown rope scaling": lambda d: editConfig(d, rope_scaling={
        "rope_type": "spiral", "factor": 2.0}),
    "no weights": lambda d: os.remove(weights(d)),
    "weights are empty": lambda d: truncate(weights(d), 0),
    "weights end in the header": lambda d: truncate(weights(d), 100),
    "weights end early": lambda d: truncate(weights(d), -1),
    "header length is huge": lambda d: overwrite(
        weights(d), 0, struct.pack("<Q", 2 ** 63)),
    "header length is 0": lambda d: overwrite(
        weights(d), 0, struct.pack("<Q", 0)),
    "header is no JSON": lambda d: overwrite(weights(d), 8, b"]["),
    "a tensor is missing": lambda d: editHeader(weights(d), dropTensor),
    "unknown element type": lambda d: editHeader(
        weights(d), firstTensor(dtype="F7")),
    "a shape is negative": lambda d: editHeader(
        weights(d), firstTensor(shape=[-1, 48])),
    "a shape overflows": lambda d: editHeader(
        weights(d), firstTensor(shape=[2 ** 40, 2 ** 40])),
    "offsets are outside": lambda d: editHeader(
        weights(d), firstTensor(data_offsets=[0, 2 ** 60])),
    "offsets are reversed": lambda d: editHeader(
        weights(d), firstTensor(data_offsets=[64, 0])),
    "tensors overlap": lambda d: editHeader(weights(d), overlapTensors),
    "bytes behind the tensors": lambda d: append(weights(d), b"\0" * 64),
    "weights are integers": lambda d: editHeader(
        weights(d), firstTensor(dtype="I32")),
    "weights have 8 bits": lambda d: editHeader(
        weights(d), firstTensor(dtype="F8_E4M3")),
    "weights are a folder": lambda d: insteadOf(weights(d), os.mkdir),
    "weights are a pipe": lambda d: insteadOf(weights(d), os.mkfifo),
    "header nests deeply": lambda d: write(
        weights(d), struct.pack("<Q", 50000) + b'{"a":' * 10000),
    "config is a folder": lambda d: insteadOf(f"{d}/config.json", os.mkdir),
    "config is a pipe": lambda d: insteadOf(f"{d}/config.json", os.mkfifo),
    "config nests deeply": lambda d: write(f"{d}/config.json", b"[" * 10 ** 6),
    "config says it twice": lambda d: write(
        f"{d}/config.json", b'{"hidden_size": 48, "hidden_size": 64}'),
    "config has NaN": lambda d: editConfig(d, rms_norm_eps=float("nan")),
    "generation config is empty": lambda d: write(
        f"{d}/generation_config.json", b""),
    "an end token is out of range": lambda d: write(
        f"{d}/generation_config.json", b'{"eos_token_id": [1, 307]}'),
    "tokenizer is empty": lambda d: write(f"{d}/tokenizer.json", b""),
    "tokenizer is a folder": lambda d: os.mkdir(f"{d}/tokenizer.json"),
    "tokenizer is of no known kind": tokenizer(model={"type": "Oracle"}),
    "tokenizer gives an id twice": tokenizer(model={"vocab": {"a": 0, "b": 0}}),
    "tokenizer has a huge id": tokenizer(model={"vocab": {"a": 2 ** 40}}),
    "tokenizer merges the unknown": tokenizer(model={"merges": ["a c"]}),
    "tokenizer has no sound regex": tokenizer(pre_tokenizer={
        "type": "Split", "pattern": {"Regex": "(("}, "behavior": "Isolated"}),
    "tokenizer adds a token twice": tokenizer(added_tokens=[
        {"id": 3, "content": "<s>"}, {"id": 3, "content": "</s>"}]),
    "tokenizer config is broken": lambda d: (
        tokenizer()(d), write(f"{d}/tokenizer_config.json", b"{")),
}

# Places that no ingot can be written to, in a folder with a file, a folder and
# a pipe of these names.
OUTPUTS = {
    "a folder": "folder",
    "a folder, by its slash": "new/",
    "in no folder": "nowhere/new",
    "in a file": "file/new",
    "a pipe": "pipe",
    "too long": "n" * 300,
    "standard output": "-",
}

# What is wrong with the ingot.
INGOTS = {
    "empty": lambda p: truncate(p, 0),
    "only a header": lambda p: truncate(p, 64),
    "ends early": lambda p: truncate(p, -1),
    "longer than it says": lambda p: truncate(p, os.path.getsize(p) + 1),
    "wrong magic": lambda p: overwrite(p, 0, b"MELTINGS"),
    "version of the future": lambda p: overwrite(p, 8, struct.pack("<I", 99)),
    "manifest is outside": lambda p: overwrite(
        p, 24, struct.pack("<Q", 2 ** 62)),
    "manifest is huge": lambda p: overwrite(p, 32, struct.pack("<Q", 2 ** 62)),
    "manifest is damaged": lambda p: overwrite(p, -8, b"]" * 8),
    "code is damaged": lambda p: overwrite(p, 4096 + 64, b"\xff" * 16),
}

# What is wrong with the tokens. The checkpoint's vocabulary has 307 ids and
# its context 256 positions.
TOKENS = {
    "an id is too large": ["--ids", "1,307"],
    "an id is negative": ["--ids", "1,-1"],
    "an id is no number": ["--ids", "1,two"],
    "an id overflows": ["--ids", "1,18446744073709551617"],
    "too many ids": ["--ids", ",".join(["5"] * 257)],
    "no ids": [],
    "no such file": ["--ids-file", "nowhere.safetensors"],
    "threads are 0": ["--ids", "1", "-t", "0"],
    "chunk is 0": ["--ids", "1", "--chunk", "0"],
}


class Checker:
    def __init__(self, folder):
        self.folder = folder
        self.failed = []

    def refused(self, what, args, output, largest=None):
        def limit():
            if largest:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

        before = set(os.listdir(self.folder))
        run = subprocess.run([program(args[0]), *args, "-o", output],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, timeout=120,
                             preexec_fn=limit)
        text = run.stderr.decode(errors="replace").strip()
        problem = None
        if not 0 < run.returncode < 126:
            problem = f"exit status {run.returncode}"
        elif SANITIZER.search(text):
            problem = "a sanitizer's finding"
        elif run.stdout:
            problem = "output"
        elif not text:
            problem = "no message"
        elif len(text.splitlines()) > MAX_LINES:
            problem = f"{len(text.splitlines())} lines of message"
        elif set(os.listdir(self.folder)) - before:
            problem = ("left behind "
                       f"{sorted(set(os.listdir(self.folder)) - before)}")
        print(f"{what}: {problem or 'refused'}: "
              f"{text.splitlines()[-1] if text else ''}")
        if problem:
            self.failed.append(what)


def damageCheckpoint(checker, checkpoint):
    damaged = os.path.join(checker.folder, "damaged")
    output = os.path.join(checker.folder, "output")
    for what, damage in CHECKPOINTS.items():
        shutil.rmtree(damaged, ignore_errors=True)
        shutil.copytree(checkpoint, damaged)
        damage(damaged)
        checker.refused(what, ["compile", damaged], output)
    checker.refused("no such folder", [
        "compile", os.path.join(checker.folder, "nowhere")], output)


def damageOutput(checker, checkpoint):
    folder = checker.folder
    os.mkdir(f"{folder}/folder")
    os.mkfifo(f"{folder}/pipe")
    write(f"{folder}/file", b"before")
    for what, name in OUTPUTS.items():
        checker.refused(what, ["compile", checkpoint],
                        name if name == "-" else os.path.join(folder, name))
    # As on a full disk, at the start, among the weights, and at the end.
    smelt("compile", checkpoint, "-o", f"{folder}/whole")
    size = os.path.getsize(f"{folder}/whole")
    for largest in (1, 4096, 40000, size // 2, size - 5000, size - 1):
        checker.refused(f"a disk of {largest} bytes", ["compile", checkpoint],
                        f"{folder}/file", largest)
    with open(f"{folder}/file", "rb") as file:
        if file.read() != b"before":
            checker.failed.append("the old file has changed")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        stopWhileWriting(checker, checkpoint, number)


def stopWhileWriting(checker, checkpoint, number):
    """Sends a signal as soon as there is a new file: it becomes whole or goes."""
    output = os.path.join(checker.folder, "stopped")
    before = set(os.listdir(checker.folder))
    run = subprocess.Popen([program("compile"), "compile", checkpoint, "-q",
                            "-o", output])
    while run.poll() is None:
        if set(os.listdir(checker.folder)) != before:
            run.send_signal(number)
            break
    status = run.wait()
    left = set(os.listdir(checker.folder)) - before
    print(f"stopped by {number.name}: status {status}, left {sorted(left)}")
    if left - {"stopped"} or (not status and not left):
        checker.failed.append(f"stopped by {number.name}")
    if os.path.exists(output):
        smelt("inspect", "--verify", output)
        os.remove(output)


def damageIngot(checker, checkpoint):
    ingot, damaged, inputs, output = (os.path.join(checker.folder, name)
                                      for name in ("model.ingot", "damaged",
                                                   "inputs", "output"))
    smelt("compile", checkpoint, "-o", ingot)
    for what, damage in INGOTS.items():
        shutil.copyfile(ingot, damaged)
        damage(damaged)
        checker.refused(what, ["logits", damaged, "--ids", "1"], output)
    for what, args in TOKENS.items():
        checker.refused(what, ["logits", ingot, *args], output)
    for what, tensors in {
            "file without prompt_ids": {"ids": safetensors.integers([1])},
            "empty prompt_ids": {"prompt_ids": safetensors.integers([])},
    }.items():
        safetensors.save(inputs, tensors)
        checker.refused(what, ["logits", ingot, "--ids-file", inputs], output)


def main():
    what, work, checkpoint = sys.argv[1:]
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    checker = Checker(work)
    {"checkpoint": damageCheckpoint, "output": damageOutput,
     "ingot": damageIngot}[what](checker, checkpoint)
    if checker.failed:
        sys.exit("not refused properly: " + "; ".join(checker.failed))


if __name__ == "__main__":
    main()
