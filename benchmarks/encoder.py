#!/usr/bin/env python3
# ===- encoder.py - Sentence embeddings beside IREE -------------------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Compiles all-MiniLM-L6-v2 with Smelt and with IREE and times batches.

Both compute in f32 with the same threads. IREE gets static shapes and no mask
(bert_onnx.py), and the fastest of several sets of options counts; pip installs
its compiler, its runtime and the model into build/benchmarks. Runs of the two
alternate, and medians count.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import common

PACKAGES = ["iree-base-compiler==3.13.0", "iree-base-runtime==3.13.0",
            "onnx==1.23.2", "numpy==2.4.6"]
BATCHES = ((8, 64), (1, 128))  # sequences, tokens of each
ROUNDS = 3
# Its limit on stack space rejects the model's normalisation otherwise.
COMMON = ["--iree-hal-target-device=local", "--iree-opt-level=O3",
          "--iree-hal-local-target-device-backends=llvm-cpu",
          "--iree-llvmcpu-target-cpu=host",
          "--iree-llvmcpu-stack-allocation-limit=262144"]
OPTIONS = {"default": [], "data tiling": ["--iree-opt-data-tiling"],
           "data tiling, no microkernels": [
               "--iree-opt-data-tiling", "--iree-llvmcpu-enable-ukernels=none"]}


def environment():
    """The bin folder of the virtual environment with IREE."""
    venv = os.path.join(common.WORK, "venv")
    if not os.path.exists(os.path.join(venv, "complete")):
        common.pip(venv, "install", "-q", *PACKAGES)
        open(os.path.join(venv, "complete"), "w").close()
    return os.path.join(venv, "bin")


def quietly(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True).stdout


def compileIree(tools, model, batch, length):
    """Modules for one shape and seconds to compile, by name of the options."""
    base = os.path.join(common.WORK, f"minilm-{batch}x{length}")
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "bert_onnx.py")
    quietly(f"{tools}/python", script, model, str(batch), str(length), f"{base}.onnx")
    quietly(f"{tools}/iree-import-onnx", f"{base}.onnx", "-o", f"{base}.mlir")
    modules, seconds = {}, {}
    for number, (name, options) in enumerate(OPTIONS.items()):
        modules[name] = f"{base}-{number}.vmfb"
        start = time.perf_counter()
        quietly(f"{tools}/iree-compile", f"{base}.mlir", *COMMON, *options,
                "-o", modules[name])
        seconds[name] = time.perf_counter() - start
    return modules, seconds


def timeIree(tools, module, batch, length, threads):
    """Median of five repetitions, in seconds."""
    device = (["--device=local-sync"] if threads == 1 else
              ["--device=local-task", f"--task_topology_group_count={threads}"])
    out = json.loads(quietly(
        f"{tools}/iree-benchmark-module", f"--module={module}",
        "--function=bert", f"--input={batch}x{length}xi64=7", *device,
        "--benchmark_repetitions=5", "--benchmark_min_time=0.5s",
        "--benchmark_format=json"))
    scale = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
    return statistics.median(
        run["real_time"] * scale[run["time_unit"]]
        for run in out["benchmarks"] if run["run_type"] == "iteration")


def timeSmelt(ingot, batch, length, threads):
    """Median seconds, and the share of the multiply-add peak."""
    bench = json.loads(common.run(
        "bench", ingot, "--json", "-p", str(length), "--parallel", str(batch),
        "-r", "30", "-t", str(threads)).output)
    result = bench["results"][0]
    return result["median_seconds"], result["share_of_limit"]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-t", "--threads", type=int,
                        default=len(os.sched_getaffinity(0)))
    args = parser.parse_args()

    print(common.machine())
    os.makedirs(common.WORK, exist_ok=True)
    tools, model = environment(), common.minilm()
    ingot = os.path.join(common.WORK, "minilm.ingot")
    own = common.best(3, lambda: common.run(
        "compile", model, "-q", "--dtype", "f32", "-o", ingot)).seconds
    for batch, length in BATCHES:
        modules, seconds = compileIree(tools, model, batch, length)
        ours, shares, theirs = [], [], {name: [] for name in modules}
        for _ in range(ROUNDS):
            took, share = timeSmelt(ingot, batch, length, args.threads)
            ours.append(took)
            shares.append(share)
            for name, module in modules.items():
                theirs[name].append(
                    timeIree(tools, module, batch, length, args.threads))
        name = min(theirs, key=lambda name: statistics.median(theirs[name]))
        ratio = statistics.median(theirs[name]) / statistics.median(ours)
        share = statistics.median(shares)
        print(f"{batch} x {length} tokens, {args.threads} threads: "
              f"{100 * share:.0f} % of the multiply-add peak; IREE ({name}) "
              f"takes {ratio:.2f} times as long, {100 * share / ratio:.0f} %")
        print(f"compiling takes IREE {seconds[name] / own:.1f} times as long")


if __name__ == "__main__":
    main()
