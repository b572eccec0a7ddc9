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
import time

import common
import make_checkpoint
import roofline
from cases import CASES, NAMED
from common import Skipped
from smelt import program

# What pip installs for each system; a system whose packages fail is left out.
PACKAGES = {
    "llama.cpp": ["llama-cpp-python==0.3.36", "gguf==0.19.0"],
    "ONNX Runtime": ["onnxruntime==1.31.1", "onnx==1.23.2", "sympy==1.14.0"],
    "OpenVINO": ["openvino==2026.4.1", "nncf==3.4.0", "onnx==1.23.2",
                 "gguf==0.19.0"]}
NUMPY = "numpy==2.4.6"
PIP = ["install", "-q", "--no-binary", "llama-cpp-python", NUMPY]

MOST_REPETITIONS = 50


def smelt(limit, *args):
    """Standard output of `smelt ARGS`, which may take `limit` seconds."""
    try:
        process = subprocess.run([program(args[0]), *args], text=True,
                                 stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, timeout=limit)
    except subprocess.TimeoutExpired:
        raise Skipped(f"smelt {args[0]} took more than {limit:g} s (--limit)")
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
        common.pip(self.folder, *PIP, *PACKAGES[peer], variables=variables)
        with open(done, "w") as file:
            file.write(wanted)


def ask(environment, limit, action, peer, request):
    """Runs peers.py for one request, in `limit` seconds at most; what a
    measurement prints."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "peers.py")
    try:
        process = subprocess.run(
            [environment.tool("python"), script, action, peer,
             json.dumps(request)], text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=limit)
    except subprocess.TimeoutExpired:
        raise Skipped(f"{action} took more than {limit:g} s (--limit)")
    if process.returncode:
        raise Skipped(f"{action} failed with status {process.returncode}: "
                      f"{common.lastLine(process)}")
    return (json.loads(process.stdout.splitlines()[-1])
            if action == "measure" else None)


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
    """What one system took for a case with some threads, by phase."""

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
    """Bandwidth and peaks with some threads, measured before and after each of
    Smelt's runs, and where the cores were."""

    def __init__(self):
        self.bandwidths, self.peaks, self.placements = [], {}, []

    def add(self, bench):
        for when in ("machine_before", "machine_after"):
            self.bandwidths.append(
                bench[when]["bandwidth"][-1]["bytes_per_second"])
            for peak in bench[when]["peaks"]:
                self.peaks.setdefault(peak["unit"], []).append(
                    peak["operations_per_second"])
            self.placements.append(bench[when]["placement"])

    def extend(self, other):
        self.bandwidths += other.bandwidths
        self.placements += other.placements
        for unit, rates in other.peaks.items():
            self.peaks.setdefault(unit, []).extend(rates)

    def bandwidth(self):
        return statistics.median(self.bandwidths)

    def peak(self, unit):
        return statistics.median(self.peaks.get(unit, [0]))

    def placement(self):
        """near, far, or both by name where the host moved the cores."""
        return " and ".join(sorted(set(self.placements)))


class Run:
    """One case: prepares model files, takes rounds with each number of threads,
    keeps the results."""

    def __init__(self, case, environment, args, skip):
        self.case, self.environment = case, environment
        self.args, self.skip = args, skip
        self.folder = os.path.join(common.WORK, "compare", case.name)
        self.ingot = os.path.join(self.folder, "smelt.ingot")
        self.peers = []  # pairs of a peer and its request
        self.systems = {}  # by (threads, name), Smelt first
        self.limits = {threads: Limits() for threads in args.threads}
        self.unit = self.promptWork = None

    def prepare(self):
        case = self.case
        if case.needs:
            flag = case.needs.removeprefix("!")
            isWanted = flag == case.needs
            if (flag in common.processorFlags()) != isWanted:
                raise Skipped("for processors "
                              f"{'with' if isWanted else 'without'} {flag}")
        os.makedirs(self.folder, exist_ok=True)
        folder = common.checkpoint(case.shape, case.dtype)
        smelt(self.args.limit, "compile", folder, "-q", *case.arguments, "-o",
              self.ingot)
        for peer, kind in case.peers:
            request = dict(
                checkpoint=folder, format=kind, batch=len(case.lengths),
                file=os.path.join(self.folder, f"{peer} {kind}"),
                prompt=max(case.lengths), depth=case.depth,
                generate=case.generate,
                threads=max(self.args.threads))
            try:
                self.environment.require(peer)
                ask(self.environment, self.args.limit, "prepare", peer,
                    request)
                self.peers.append((peer, request))
            except Skipped as reason:
                self.skip(f"{case.name}, {peer} {kind}", reason)

    def system(self, threads, name):
        return self.systems.setdefault((threads, name), System(name))

    def bench(self, threads, repetitions):
        return json.loads(smelt(
            self.args.limit, "bench", self.ingot, "--json", "-t",
            str(threads), "--lengths",
            ",".join(map(str, self.case.lengths)), "-n",
            str(self.case.generate), "-d", str(self.case.depth), "-r",
            str(repetitions)))

    def measureSmelt(self, threads, repetitions):
        bench = self.bench(threads, repetitions)
        self.limits[threads].add(bench)
        prompt, *generate = bench["results"]
        work = {result["test"]: result["work_per_second"] *
                result["median_seconds"] for result in bench["results"]}
        self.unit, self.promptWork = prompt["resource"], work[prompt["test"]]
        result = {"prompt": prompt["seconds"]}
        for test in generate:
            result["generate"] = test["seconds"]
            result["bytes_per_token"] = work[test["test"]] / test["tokens"]
        self.system(threads, "Smelt").add(result)

    def repetitions(self, threads):
        """How many repetitions fill a turn."""
        results = self.bench(threads, 1)["results"]
        once = sum(result["median_seconds"] for result in results)
        return min(max(round(self.args.seconds / once), 1), MOST_REPETITIONS)

    def measure(self):
        for threads in self.args.threads:
            repetitions = self.repetitions(threads)
            for _ in range(self.args.rounds):
                self.measureSmelt(threads, repetitions)
                for entry in list(self.peers):
                    peer, request = entry
                    name = f"{peer} {request['format']}"
                    try:
                        self.system(threads, name).add(ask(
                            self.environment, self.args.limit, "measure", peer,
                            {**request, "threads": threads,
                             "repetitions": repetitions}))
                    except Skipped as reason:
                        self.skip(f"{self.case.name}, {name}", reason)
                        self.peers.remove(entry)

    def rows(self):
        """A record for each system and number of threads: speeds, shares of
        limits, time relative to Smelt's, and the points of the roofline."""
        case, weights = self.case, linearWeights(self.case.shape)
        for (threads, name), system in self.systems.items():
            limits = self.limits[threads]
            peak = limits.peak(self.unit)
            row = {"case": case.name, "system": name, "threads": threads,
                   "lengths": case.lengths, "unit": self.unit,
                   "placement": limits.placement()}
            for phase in ("prompt", "generate"):
                seconds = system.median(phase)
                if seconds is None:
                    continue
                isPrompt = phase == "prompt"
                tokens = sum(case.lengths) if isPrompt else case.generate
                read = system.bytesPerToken or weights * case.weight
                if isPrompt:
                    operations = self.promptWork
                    share = operations / seconds / peak if peak else None
                else:
                    operations, read = 2 * weights * tokens, read * tokens
                    share = read / seconds / limits.bandwidth()
                row[phase] = {
                    "seconds": seconds, "tokens_per_second": tokens / seconds,
                    "share_of_limit": share, "time_of_smelt": seconds /
                    self.systems[threads, "Smelt"].median(phase),
                    "intensity": operations / read,
                    "rate": operations / seconds}
            if "prompt" in row:
                yield row

    def clean(self):
        shutil.rmtree(self.folder, ignore_errors=True)


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
        print()
        common.printTable(lines, left=(0, 2))


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


def withLengths(case, args):
    """A decoder's case with the lengths that the command line asks for."""
    if not case.generate:
        return case
    return case._replace(
        lengths=[args.prompt] if args.prompt else case.lengths,
        depth=case.depth if args.depth is None else args.depth)


def listCases():
    for name, case in {**CASES, **NAMED}.items():
        count, longest = len(case.lengths), max(case.lengths)
        texts = (f"{count} x {longest}" if min(case.lengths) == longest else
                 f"{count} texts of {min(case.lengths)} to {longest}")
        after = f", generating after {case.depth}" if case.generate else ""
        print(f"{name}: {case.shape}, {texts} tokens{after}, "
              f"{' '.join(case.arguments)}; "
              f"{', '.join(' '.join(pair) for pair in case.peers)}"
              f"{'' if name in CASES else ' (only if named)'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", action="append", metavar="NAME",
                        choices=[*CASES, *NAMED],
                        help="run only this case; may be repeated")
    parser.add_argument("--list", action="store_true", help="list the cases")
    processors = len(os.sched_getaffinity(0))
    parser.add_argument("-t", "--threads", type=int, action="append",
                        help="threads of every system; may be repeated "
                             "(default: all)")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1.5,
                        help="what a turn of Smelt should take; every system "
                             "repeats as often (default: 1.5)")
    parser.add_argument("--minutes", type=float, default=26,
                        help="without --case: begin no case after so many; "
                             "those left out are named (default: 26)")
    parser.add_argument("--prompt", type=int, metavar="TOKENS",
                        help="tokens of a decoder's prompt (default: 128)")
    parser.add_argument("--depth", type=int, metavar="POSITIONS",
                        help="positions in a decoder's cache before it "
                             "generates (default: 512)")
    parser.add_argument("--limit", type=float, default=900, metavar="SECONDS",
                        help="what one command may take; filling a long cache "
                             "takes more (default: 900)")
    parser.add_argument("--keep", action="store_true",
                        help="keep compiled models and other systems' files")
    args = parser.parse_args()
    args.threads = args.threads or [processors]
    if min(*args.threads, args.rounds) < 1:
        parser.error("threads and rounds are 1 at least")
    if max(args.threads) > processors:
        parser.error(f"{max(args.threads)} threads on {processors} processors: "
                     "systems that spin would wait for each other")
    if min(args.prompt or 1, args.depth or 0) < 0 or args.prompt == 0:
        parser.error("a prompt has a token at least, a cache no fewer than 0")
    if args.list:
        listCases()
        return

    print(common.machine())
    os.makedirs(common.WORK, exist_ok=True)
    environment = Environment(os.path.join(common.WORK, "venv-compare"))
    rows, skipped = [], []
    limits = {threads: Limits() for threads in args.threads}

    def skip(what, reason):
        skipped.append(f"SKIPPED {what}: {reason}")
        print(skipped[-1], flush=True)

    begin = time.monotonic()
    for name in args.case or CASES:
        if not args.case and time.monotonic() - begin > 60 * args.minutes:
            skip(name, f"{args.minutes:g} minutes are over; name it with --case")
            continue
        run = Run(withLengths({**CASES, **NAMED}[name], args), environment,
                  args, skip)
        print(f"{name}: preparing", flush=True)
        try:
            run.prepare()
            print(f"{name}: {args.rounds} rounds", flush=True)
            run.measure()
            rows += run.rows()
        except Skipped as reason:
            skip(name, reason)
        finally:
            for threads, each in run.limits.items():
                limits[threads].extend(each)
            if not args.keep:
                run.clean()
    if not rows:
        sys.exit("no case ran")
    printTables(rows)
    print()
    for threads, each in limits.items():
        print(f"{threads} threads: read {each.bandwidth() / 1e9:.1f} GB/s, " +
              ", ".join(f"{unit} {each.peak(unit) / 1e9:.0f} Gop/s"
                        for unit in each.peaks if each.peak(unit)) +
              f"; placement of the cores {each.placement()}")
    for line in skipped:
        print(line)
    base = os.path.join(common.WORK, "compare")
    with open(base + ".json", "w") as file:
        json.dump({"machine": common.machine(), "rows": rows,
                   "skipped": skipped}, file, indent=2)
    most = max(args.threads)
    drawRoofline(base + ".svg", [row for row in rows
                                 if row["threads"] == most], limits[most])
    print(f"wrote {base}.json and {base}.svg")


if __name__ == "__main__":
    main()
