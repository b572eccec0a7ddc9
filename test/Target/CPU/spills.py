#!/usr/bin/env python3
# ===- spills.py - Sums of products stay in registers -----------------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Usage: spills.py ASSEMBLY INSTRUCTION COUNT

Exits with 1 if an innermost loop of x86-64 ASSEMBLY with at least COUNT of
INSTRUCTION reads or writes vectors on the stack, or if there is no such loop.
"""
import re
import sys


def innermost_loops(lines):
    """Lists of lines from a label to a jump back to it, with no other label."""
    labels = {}
    for number, line in enumerate(lines):
        if match := re.match(r"(\.L\w+):", line):
            labels = {match[1]: number}  # what is before it is another loop's
        elif (match := re.match(r"\s+j\w+\s+(\.L\w+)", line)) and match[1] in labels:
            yield lines[labels[match[1]] : number + 1]


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    path, instruction, count = sys.argv[1:]
    with open(path) as file:
        lines = file.read().split("\n")
    loops = [
        loop
        for loop in innermost_loops(lines)
        if sum(instruction in line for line in loop) >= int(count)
    ]
    spills = [
        sum("(%rsp)" in line and "mm" in line for line in loop) for loop in loops
    ]
    print(f"{len(loops)} loops, with {spills} vectors on the stack")
    return not loops or any(spills)


if __name__ == "__main__":
    sys.exit(main())
