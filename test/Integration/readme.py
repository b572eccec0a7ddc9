#!/usr/bin/env python3
# ===- readme.py - Run the commands of README.md ----------------------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""usage: readme.py SOURCE FOLDER

Runs each line of SOURCE/README.md that calls a tool, in order, in FOLDER, which
sees the examples as the root of the tree does.
"""
import os
import shlex
import subprocess
import sys

source, folder = sys.argv[1:]
os.makedirs(folder)
os.symlink(os.path.join(source, "examples"), os.path.join(folder, "examples"))
with open(os.path.join(source, "README.md")) as file:
    commands = [shlex.split(line, comments=True) for line in file
                if line.startswith(("    smelt ", "    smelt-"))]
for command in commands:
    command = [word for word in command if word != "COMMAND"]
    if command[1] == "bench":
        command += ["-r", "1", "-p", "8", "-n", "8"]
    run = subprocess.run(command, cwd=folder, text=True, stderr=subprocess.STDOUT,
                         stdout=subprocess.PIPE, timeout=600)
    if run.returncode:
        sys.exit(f"{shlex.join(command)}: exit status {run.returncode}\n"
                 f"{run.stdout}")
    print(f"ran {shlex.join(command)}")
