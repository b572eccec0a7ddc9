# ===- common.py - What the benchmarks share ---------------------------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Checkpoints in build/benchmarks, timed commands, the machine in a line."""
import collections
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "utils"))
sys.dont_write_bytecode = True

import make_checkpoint  # noqa: E402
from smelt import program  # noqa: E402

WORK = os.path.join(ROOT, "build", "benchmarks")

# Wall-clock seconds, seconds of processors, peak resident bytes of the process
# tree's largest process, and standard output.
Timed = collections.namedtuple("Timed", "seconds processor resident output")


def checkpoint(shape, dtype="bf16", layers=None, vocabulary=None):
    """The folder of a random checkpoint, written where it is missing."""
    parts = [shape, dtype] + [f"{n}{what}" for n, what in (
        (layers, "layers"), (vocabulary, "ids")) if n]
    folder = os.path.join(WORK, "-".join(parts))
    if not os.path.exists(os.path.join(folder, "complete")):
        make_checkpoint.write(folder, shape, dtype, layers, vocabulary)
        open(os.path.join(folder, "complete"), "w").close()
    return folder


def run(*args):
    """Runs `smelt ARGS`; its failure ends the benchmark."""
    start = time.perf_counter()
    process = subprocess.Popen([program(args[0]), *args], text=True,
                               stdout=subprocess.PIPE)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"smelt {' '.join(args)}: exit status {process.returncode}")
    return Timed(seconds, usage.ru_utime + usage.ru_stime,
                 usage.ru_maxrss * 1024, output)


def best(times, measure):
    """The fastest of several measurements."""
    return min((measure() for _ in range(times)),
               key=lambda timed: timed.seconds)


def machine():
    """Processor, processors to run on, memory."""
    model = "unknown processor"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return (f"{model}, {len(os.sched_getaffinity(0))} processors, "
            f"{memory / 2 ** 30:.0f} GiB")
