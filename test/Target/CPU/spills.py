"""Exits with 1 if a loop of assembly keeps vectors of its own on the stack.

usage: spills.py ASSEMBLY INSTRUCTION COUNT

Of innermost loops, those with at least COUNT of INSTRUCTION are looked at;
there must be some.
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
