# ===- smelt.py - Run the smelt tool from scripts ---------------------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Finds the tool in $SMELT, on the PATH, or in build/bin of this tree.

$SMELT_RUNTIME names another build of it for everything but compiling: a build
with sanitizers has no compiler.
"""
import os
import shutil
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def program(command):
    """The program that runs a command of smelt."""
    runtime = os.environ.get("SMELT_RUNTIME")
    if runtime and command != "compile":
        return runtime
    return (os.environ.get("SMELT") or shutil.which("smelt") or
            os.path.join(ROOT, "build", "bin", "smelt"))


def smelt(*args, stdin=None, timeout=600):
    """Standard output of `smelt ARGS`; RuntimeError where it fails."""
    run = subprocess.run([program(args[0]), *args], input=stdin, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         timeout=timeout)
    if run.returncode:
        lines = (run.stderr or run.stdout).strip().splitlines()
        raise RuntimeError(f"smelt {args[0]}: exit status {run.returncode}: "
                           f"{lines[-1] if lines else 'no message'}")
    return run.stdout
