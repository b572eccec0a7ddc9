#!/usr/bin/env python3
# ===- run-examples.py - Run the examples of the reference pages ------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Runs the mlir examples in the descriptions of passes and ops.

A pass's example is IR that is complete in itself, then what becomes of it:

    func.func @f(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
      %y = llm.relu %x : tensor<?x8xf32>
      %z = llm.relu %y : tensor<?x8xf32>
      return %z : tensor<?x8xf32>
    }
    // =>
    %y = llm.relu %x : tensor<?x8xf32>
    return %y : tensor<?x8xf32>

The first part goes through `smelt-opt --FLAG`; the lines of the second are
looked for in its output, in order, by FileCheck. There the name of an argument
stands for that argument, any other name for one value, whatever it is called,
and `...` for any text within a line. A comment there is what the pass says on the standard error stream, and `// => tokens=4`
runs it with an option.

An op's example must parse and verify. It is complete, or a fragment of a
function: values that it does not define become arguments, whose types the
parser knows.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

import tablegen

ARROW = re.compile(r"^[ \t]*// =>[ \t]*(.*)\n", re.M)
UNDECLARED = re.compile(r":(\d+):(\d+): error: use of undeclared SSA value name")
OTHER_TYPE = re.compile(r"use of value '(%\w+)' expects different type than "
                        r"prior uses: '(.+)' vs '(.+)'")


def examples(description):
    """The mlir blocks of a description."""
    return [re.sub(r"^    ", "", block, flags=re.M) for block in re.findall(
        r"```mlir\n(.*?)^ *```", description, re.S | re.M)]


def smeltOpt(text, *options):
    """Exit status and both streams of smelt-opt."""
    run = subprocess.run(["smelt-opt", *options], input=text, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return run.returncode, run.stdout


def checks(before, after):
    """The lines of an example's second part as FileCheck's directives."""
    header = re.search(r"func (?:private )?@.*?\{\n", before, re.S)
    arguments = re.findall(r"%(\w+): ", header[0]) if header else []
    lines, seen = [], set()

    def name(match):
        if match[1] in arguments:
            return f"%arg{arguments.index(match[1])}"
        if match[1] in seen:
            return f"%[[v{match[1]}]]"
        seen.add(match[1])
        return f"%[[v{match[1]}:[a-zA-Z0-9_]+]]"

    for line in after.splitlines():
        says = line.strip().startswith("// ")
        line = line.strip()[3:] if says else line.partition(" // ")[0].strip()
        if not line:
            continue
        line = line.replace("[[", "{{\\[\\[}}").replace("...", "{{.*}}")
        lines.append("CHECK: " + re.sub(r"%(\w+)", name, line))
    return "\n".join(lines) + "\n"


def runPass(flag, example, folder):
    """What is wrong with a pass's example, or nothing."""
    before, options, after = ARROW.split(example, maxsplit=1)
    option = f'={options}' if options else ""
    status, output = smeltOpt(before, f"--{flag}{option}")
    path = os.path.join(folder, "checks")
    with open(path, "w") as file:
        file.write(checks(before, after))
    check = subprocess.run([tablegen.tool("FileCheck"), path], input=output,
                           text=True, stderr=subprocess.PIPE)
    return f"{check.stderr}{output}" if check.returncode else None


def runOp(example):
    """What is wrong with an op's example, or nothing."""
    if smeltOpt(example)[0] == 0:
        return None
    types = {}
    for _ in range(64):
        arguments = ", ".join(f"{name}: {type}" for name, type in types.items())
        text = f"func.func private @example({arguments}) {{\n{example}\nreturn\n}}\n"
        status, output = smeltOpt(text)
        if status == 0:
            return None
        undeclared, other = UNDECLARED.search(output), OTHER_TYPE.search(output)
        if undeclared:
            line, column = int(undeclared[1]) - 1, int(undeclared[2]) - 1
            rest = text.splitlines()[line][column:]
            types[re.match(r"%\w+", rest)[0]] = "none"
        elif other and types.get(other[1]) == other[3]:
            types[other[1]] = other[2]
        else:
            break
    return output


def problems(names):
    """Pairs (where, what) of examples that aren't so: of all, or of `names`."""
    with tempfile.TemporaryDirectory() as folder:
        for _, td in tablegen.passFiles():
            for record in tablegen.records(td, "PassBase").values():
                flag = record["argument"]
                if names and flag not in names:
                    continue
                for example in examples(record["description"]):
                    if not ARROW.search(example):
                        yield f"{td}: {flag}", "expects a line // => in:\n" + example
                        continue
                    problem = runPass(flag, example, folder)
                    if problem:
                        yield f"{td}: {flag}", problem
        for name, td in tablegen.dialects():
            for op in tablegen.records(td, "Op").values():
                if names and op["opName"] not in names:
                    continue
                for example in examples(op["description"]):
                    problem = runOp(example)
                    if problem:
                        yield f"{td}: {op['opName']}", problem


def main():
    parser = argparse.ArgumentParser(description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*",
                        help="flags of passes and names of ops; all where none is given")
    found = 0
    for where, what in problems(parser.parse_args().names):
        found += 1
        print(f"{where}\n{what}")
    print(f"{found} examples are not as they say")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
