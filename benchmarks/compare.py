#!/usr/bin/env python3
# ===- compare.py - Decoders and encoders beside other systems ---------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Runs the same shapes with Smelt, llama.cpp, ONNX Runtime and OpenVINO.

pip installs the others into build/benchmarks/venv-compare, llama.cpp from its
source for this processor. Systems take turns with the same threads, each in a
process of its own; medians over all rounds count. Percentages are of limits
that `smelt bench` measured in the same rounds. What can't be installed or run
is named with the reason. Results and a roofline go to build/benchmarks.
"""
import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
from collections import namedtuple

import common
import make_checkpoint
import roofline
from smelt import program

# What pip installs for each system; a system whose packages fail is left out.
PACKAGES = {
    "llama.cpp": ["llama-cpp-python==0.3.36", "gguf==0.19.0"],
    "ONNX Runtime": ["onnxruntime==1.31.1", "onnx==1.23.2"],
    "OpenVINO": ["openvino==2026.4.1", "onnxruntime==1.31.1", "onnx==1.23.2"]}
NUMPY = "numpy==2.4.6"
PIP = ["install", "-q", "--no-binary", "llama-cpp-python", NUMPY]

# name: for --case. shape, dtype: of the checkpoint. arguments: what `smelt
# compile` gets besides. batch, prompt, generate: texts, tokens of each, tokens
# to generate. weight: bytes of a stored weight, for the roofline of encoders.
# peers: systems, each with the format of its model file.
Case = namedtuple(
    "Case", "name shape dtype arguments batch prompt generate weight peers")


def decoder(name, shape, dtype, arguments, *formats):
    return Case(name, shape, dtype, arguments, 1, 128, 16, None,
                [("llama.cpp", kind) for kind in formats])


def encoder(name, shape, arguments, batch, length, weight, onnx, openvino):
    return Case(name, shape, "f32", arguments, batch, length, 0, weight,
                [("ONNX Runtime", onnx), ("OpenVINO", openvino)])


F32, BF16 = ["--dtype", "f32"], ["--dtype", "bf16"]
W8, W4 = ["--quantize", "w8a8"], ["--quantize", "w4a8"]
INT8 = ("int8-dynamic", "int8-static")

CASES = {case.name: case for case in (
    decoder("llama-1b-bf16", "llama-3.2-1b", "bf16", BF16, "BF16", "F16"),
    decoder("llama-1b-w8a8", "llama-3.2-1b", "bf16", W8, "Q8_0"),
    decoder("llama-1b-w4a8", "llama-3.2-1b", "bf16", W4, "Q4_0"),
    decoder("tinyllama-bf16", "tinyllama", "bf16", BF16, "BF16", "F16"),
    decoder("tinyllama-w4a8", "tinyllama", "bf16", W4, "Q4_0"),
    decoder("qwen-0.5b-f32", "qwen2.5-0.5b", "f32", F32, "F32"),
    decoder("qwen-0.5b-w8a8", "qwen2.5-0.5b", "bf16", W8, "Q8_0"),
    decoder("qwen-0.5b-w4a8", "qwen2.5-0.5b", "bf16", W4, "Q4_0"),
    encoder("bert-base-f32", "bert-base", F32, 8, 64, 4, "f32", "f32"),
    encoder("bert-base-w8a8", "bert-base", W8, 8, 64, 1, *INT8),
    encoder("minilm-f32", "minilm-l6", F32, 8, 64, 4, "f32", "f32"),
    encoder("minilm-f32-one", "minilm-l6", F32, 1, 128, 4, "f32", "f32"),
    encoder("minilm-w8a8", "minilm-l6", W8, 8, 64, 1, *INT8),
)}
# Left out unless named: a quick run through every system.
SMALL = {case.name: case for case in (
    decoder("smollm-f32", "smollm-135m", "f32", F32, "F32"),
    decoder("smollm-bf16", "smollm-135m", "bf16", BF16, "BF16", "F16"),
    decoder("smollm-w8a8", "smollm-135m", "bf16", W8, "Q8_0"),
    decoder("smollm-w4a8", "smollm-135m", "bf16", W4, "Q4_0"),
)}
LIMIT = 900  # seconds that one command may take


class Skipped(Exception):
    """A system that can't be installed or can't run a case, and why."""


def lastLine(process):
    lines = (process.stderr or process.stdout or "").strip().splitlines()
    return lines[-1].strip() if lines else "no message"


def smelt(*args):
    """Standard output of `smelt ARGS`."""
    try:
        process = subprocess.run([program(args[0]), *args], text=True,
                                 stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        raise Skipped(f"smelt {args[0]} took more than {LIMIT} s")
    if process.returncode:
        reason = "; ".join(process.stderr.split("\n")[:3]).strip("; ")
        raise Skipped(f"smelt {args[0]}: exit status {process.returncode}: "
                      f"{reason or 'no message'}")
    return process.stdout


class Environment:
    """The virtual environment of the other systems."""

    def __init__(self, folder):
        self.folder = folder
        self.failures = {}  # reasons, by system: no second try in one run

    def tool(self, name):
        return os.path.join(self.folder, "bin", name)

    def require(self, peer):
        """Installs a system where it isn't yet."""
        if peer not in self.failures:
            try:
                self.install(peer)
                return
            except Skipped as reason:
                self.failures[peer] = reason
        raise self.failures[peer]

    def install(self, peer):
        wanted = " ".join([NUMPY, *PACKAGES[peer]])
        done = os.path.join(self.folder, f"complete {peer}")
        if os.path.exists(done):
            with open(done) as file:
                if file.read() == wanted:
                    return
        print(f"installing {peer}: {wanted}", flush=True)
        variables = {**os.environ,
                     "CMAKE_ARGS": "-DGGML_NATIVE=ON -DLLAVA_BUILD=OFF"}
        if shutil.which("clang-22"):
            variables.update(CC="clang-22", CXX="clang++-22")
        commands = [[self.tool("pip"), *PIP, *PACKAGES[peer]]]
        if not os.path.exists(self.tool("pip")):
            commands.insert(0, [sys.executable, "-m", "venv", self.folder])
        for command in commands:
            process = subprocess.run(command, env=variables, text=True,
                                     stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE)
            if process.returncode:
                raise Skipped(f"can't be installed: {lastLine(process)}")
        with open(done, "w") as file:
            file.write(wanted)


def ask(environment, action, peer, request):
    """Runs peers.py for one request and returns what it prints."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "peers.py")
    try:
        process = subprocess.run(
            [environment.tool("python"), script, action, peer,
             json.dumps(request)], text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        raise Skipped(f"{action} took more than {LIMIT} s")
    if process.returncode:
        raise Skipped(f"{action} failed with status {process.returncode}: "
                      f"{lastLine(process)}")
    lines = process.stdout.splitlines()
    return json.loads(lines[-1]) if lines else None


def linearWeights(shape):
    """How many weights a token is multiplied with, those of a head included."""
    config = make_checkpoint.config(shape)
    if shape in make_checkpoint.ENCODERS:
        tensors = make_checkpoint.encoderTensors(config)
        return sum(math.prod(dims) for name, dims in tensors
                   if len(dims) == 2 and not name.startswith("embeddings"))
    tied = config["tie_word_embeddings"]
    return sum(math.prod(dims)
               for name, dims in make_checkpoint.decoderTensors(config)
               if len(dims) == 2 and (tied or "embed_tokens" not in name))


class System:
    """What one system took for a case, by phase, and what its runs read."""

    def __init__(self, name):
        self.name = name
        self.seconds = {"prompt": [], "generate": []}
        self.bytesPerToken = None

    def add(self, result):
        for phase, seconds in self.seconds.items():
            seconds += result.get(phase, [])
        self.bytesPerToken = result.get("bytes_per_token")

    def median(self, phase):
        seconds = self.seconds[phase]
        return statistics.median(seconds) if seconds else None


class Limits:
    """Bandwidth and peaks, measured before and after each of Smelt's runs."""

    def __init__(self):
        self.bandwidths, self.peaks = [], {}

    def add(self, bench):
        for when in ("machine_before", "machine_after"):
            self.bandwidths.append(
                bench[when]["bandwidth"][-1]["bytes_per_second"])
            for peak in bench[when]["peaks"]:
                self.peaks.setdefault(peak["unit"], []).append(
                    peak["operations_per_second"])

    def bandwidth(self):
        return statistics.median(self.bandwidths)

    def peak(self, unit):
        return statistics.median(self.peaks.get(unit, [0]))


class Run:
    """One case: prepares model files, takes rounds, keeps the results."""

    def __init__(self, case, environment, args, skip):
        self.case, self.environment = case, environment
        self.args, self.skip = args, skip
        self.limits = Limits()
        self.smelt = System("Smelt")
        self.peers = []  # (system, name of the peer, request)
        self.files = []
        self.unit = self.promptWork = None

    def path(self, suffix):
        path = os.path.join(common.WORK, f"{self.case.name}{suffix}")
        self.files.append(path)
        return path

    def prepare(self):
        case = self.case
        folder = common.checkpoint(case.shape, case.dtype)
        self.ingot = self.path(".ingot")
        smelt("compile", folder, "-q", *case.arguments, "-o", self.ingot)
        for peer, kind in case.peers:
            extension = "gguf" if peer == "llama.cpp" else "onnx"
            request = dict(
                checkpoint=folder, format=kind, batch=case.batch,
                file=self.path(f"-{peer.split('.')[0].replace(' ', '')}-"
                               f"{kind}.{extension}"),
                prompt=case.prompt, generate=case.generate,
                threads=self.args.threads, repetitions=self.args.repetitions)
            try:
                self.environment.require(peer)
                ask(self.environment, "prepare", peer, request)
                self.peers.append((System(f"{peer} {kind}"), peer, request))
            except Skipped as reason:
                self.skip(f"{case.name}, {peer} {kind}", reason)

    def measureSmelt(self):
        case = self.case
        bench = json.loads(smelt(
            "bench", self.ingot, "--json", "-t", str(self.args.threads),
            "-p", str(case.prompt), "-n", str(case.generate), "-r",
            str(self.args.repetitions), "--parallel", str(case.batch)))
        self.limits.add(bench)
        prompt, *generate = bench["results"]
        work = {result["test"]: result["work_per_second"] *
                result["median_seconds"] for result in bench["results"]}
        self.unit, self.promptWork = prompt["resource"], work[prompt["test"]]
        result = {"prompt": prompt["seconds"]}
        for test in generate:
            result["generate"] = test["seconds"]
            result["bytes_per_token"] = work[test["test"]] / test["tokens"]
        self.smelt.add(result)

    def measure(self):
        for _ in range(self.args.rounds):
            self.measureSmelt()
            for entry in list(self.peers):
                system, peer, request = entry
                try:
                    system.add(ask(self.environment, "measure", peer,
                                   request))
                except Skipped as reason:
                    self.skip(f"{self.case.name}, {system.name}", reason)
                    self.peers.remove(entry)

    def rows(self):
        """A record for each system: speeds, shares of limits, time relative
        to Smelt's, and the points of the roofline."""
        case, peak = self.case, self.limits.peak(self.unit)
        weights = linearWeights(case.shape)
        for system in [self.smelt, *(entry[0] for entry in self.peers)]:
            row = {"case": case.name, "system": system.name,
                   "threads": self.args.threads, "batch": case.batch,
                   "length": case.prompt, "unit": self.unit}
            for phase in ("prompt", "generate"):
                seconds = system.median(phase)
                if seconds is None:
                    continue
                isPrompt = phase == "prompt"
                tokens = (case.batch * case.prompt if isPrompt
                          else case.generate)
                read = system.bytesPerToken or weights * case.weight
                if isPrompt:
                    operations = self.promptWork
                    share = operations / seconds / peak if peak else None
                else:
                    operations, read = 2 * weights * tokens, read * tokens
                    share = read / seconds / self.limits.bandwidth()
                row[phase] = {
                    "seconds": seconds, "tokens_per_second": tokens / seconds,
                    "share_of_limit": share,
                    "time_of_smelt": seconds / self.smelt.median(phase),
                    "intensity": operations / read,
                    "rate": operations / seconds}
            yield row

    def clean(self):
        for path in self.files:
            for leftover in (path, path + ".source"):
                if os.path.exists(leftover):
                    os.remove(leftover)


def percent(share):
    return f"{100 * share:.0f} %" if share is not None else "-"


def speedCells(row, phase):
    result = row[phase]
    return [f"{result['tokens_per_second']:.1f}",
            percent(result["share_of_limit"]),
            f"{result['time_of_smelt']:.2f}"]


# Titles of columns, and what a row has after its first three.
TABLES = (
    (["case", "threads", "system", "prompt tokens/s", "of peak",
      "time / Smelt's", "generated tokens/s", "of bandwidth",
      "time / Smelt's"],
     lambda row: [*speedCells(row, "prompt"), *speedCells(row, "generate")]),
    (["case", "threads", "system", "ms a batch", "tokens/s", "of peak",
      "time / Smelt's"],
     lambda row: [f"{1e3 * row['prompt']['seconds']:.2f}",
                  *speedCells(row, "prompt")]))


def printTables(rows):
    for (titles, cells), chosen in zip(TABLES, (
            [row for row in rows if "generate" in row],
            [row for row in rows if "generate" not in row])):
        if not chosen:
            continue
        lines = [titles] + [[row["case"], str(row["threads"]), row["system"],
                             *cells(row)] for row in chosen]
        widths = [max(map(len, column)) for column in zip(*lines)]
        lines.insert(1, ["-" * width for width in widths])
        print()
        for line in lines:
            print("| " + " | ".join(
                cell.ljust(width) if i in (0, 2) else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths))) + " |")


def drawRoofline(path, rows, limits):
    """One picture of all cases, with medians of all measured limits."""
    peaks = {unit: statistics.median(rates)
             for unit, rates in limits.peaks.items()
             if statistics.median(rates) > 0}
    points = [{"case": row["case"], "system": row["system"], "phase": phase,
               "intensity": row[phase]["intensity"],
               "rate": row[phase]["rate"]}
              for row in rows for phase in ("prompt", "generate")
              if phase in row]
    for point in points:  # one colour for each system, whatever the format
        point["system"] = next((peer for peer in PACKAGES if
                                point["system"].startswith(peer)),
                               point["system"])
    roofline.draw(path, common.machine(), limits.bandwidth(), peaks, points)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", action="append", metavar="NAME",
                        choices=[*CASES, *SMALL],
                        help="run only this case; may be repeated")
    parser.add_argument("--list", action="store_true", help="list the cases")
    parser.add_argument("-t", "--threads", type=int,
                        default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("-r", "--repetitions", type=int, default=2,
                        help="runs of each system in a round (default: 2)")
    parser.add_argument("--keep", action="store_true",
                        help="keep compiled models and other systems' files")
    args = parser.parse_args()
    if min(args.threads, args.rounds, args.repetitions) < 1:
        parser.error("threads, rounds and repetitions are 1 at least")
    processors = len(os.sched_getaffinity(0))
    if args.threads > processors:
        parser.error(f"{args.threads} threads on {processors} processors: "
                     "systems that spin would wait for each other")
    if args.list:
        for case in (*CASES.values(), *SMALL.values()):
            print(f"{case.name}: {case.shape}, {case.batch} x {case.prompt} "
                  f"tokens, {' '.join(case.arguments)}; "
                  f"{', '.join(' '.join(pair) for pair in case.peers)}"
                  f"{'' if case.name in CASES else ' (only if named)'}")
        return

    print(common.machine())
    os.makedirs(common.WORK, exist_ok=True)
    environment = Environment(os.path.join(common.WORK, "venv-compare"))
    rows, skipped, limits = [], [], Limits()

    def skip(what, reason):
        skipped.append(f"SKIPPED {what}: {reason}")
        print(skipped[-1], flush=True)

    for name in args.case or CASES:
        run = Run({**CASES, **SMALL}[name], environment, args, skip)
        print(f"{name}: preparing", flush=True)
        try:
            run.prepare()
            print(f"{name}: {args.rounds} rounds", flush=True)
            run.measure()
            rows += run.rows()
        except Skipped as reason:
            skip(name, reason)
        finally:
            limits.bandwidths += run.limits.bandwidths
            for unit, rates in run.limits.peaks.items():
                limits.peaks.setdefault(unit, []).extend(rates)
            if not args.keep:
                run.clean()
    if not rows:
        sys.exit("no case ran")
    printTables(rows)
    print(f"\nread {limits.bandwidth() / 1e9:.1f} GB/s; " + ", ".join(
        f"{unit} {limits.peak(unit) / 1e9:.0f} Gop/s"
        for unit in limits.peaks if limits.peak(unit)))
    for line in skipped:
        print(line)
    base = os.path.join(common.WORK, "compare")
    with open(base + ".json", "w") as file:
        json.dump({"machine": common.machine(), "rows": rows,
                   "skipped": skipped}, file, indent=2)
    drawRoofline(base + ".svg", rows, limits)
    print(f"wrote {base}.json and {base}.svg")


if __name__ == "__main__":
    main()
