#!/usr/bin/env python3
# ===- shape-check.py - Is everything where the tree's rules put it? --------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Checks what a reviewer would otherwise say twice; prints every departure.

- a pass has a summary, a description and a test file of its name (without the
  first word of the flag: `smelt-derive-barriers` has derive-barriers.mlir);
- an op has a summary and a description with an mlir example, and stands in its
  dialect's ops.mlir;
- a source file says its licence and has at most 900 lines;
- no text marks unfinished work.
"""
import os
import re
import subprocess
import sys

import tablegen

MAX_LINES = 900
SOURCES = (".cpp", ".h", ".td", ".def", ".py", ".sh")
# In two parts, so that this file passes itself.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
# Texts that others wrote, or data.
UNREAD = ("LICENSE", "examples/models/kjv-tiny/heldout.txt",
          "examples/models/kjv-tiny/calibration.txt")


def trackedFiles():
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=tablegen.ROOT,
                             check=True, stdout=subprocess.PIPE, text=True)
    return [path for path in listing.stdout.split("\0") if path and
            os.path.isfile(os.path.join(tablegen.ROOT, path))]


def read(path):
    """A tracked file's text, or None where it is data."""
    with open(os.path.join(tablegen.ROOT, path), "rb") as file:
        raw = file.read()
    if path in UNREAD or path.endswith((".safetensors", "tokenizer.json")):
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def checkPasses():
    tests = {os.path.basename(path)
             for path in tablegen.find("test/**/*.mlir") +
             tablegen.find("test/**/*.test")}
    for _, td in tablegen.passFiles():
        for record in tablegen.records(td, "PassBase").values():
            flag = record["argument"]
            short = flag.partition("-")[2]
            names = {f"{name}.{suffix}" for name in (flag, short)
                     for suffix in ("mlir", "test")}
            if not names & tests:
                yield f"{td}: pass {flag} has no test {short}.mlir under test/"
            for field in ("summary", "description"):
                if not record[field].strip():
                    yield f"{td}: pass {flag} has no {field}"


def checkOps():
    for name, td in tablegen.dialects():
        dialect = tablegen.dialectName(td)
        test = f"test/Dialect/{name}/ops.mlir"
        try:
            text = read(test)
        except OSError:
            yield f"{td}: dialect {dialect} has no {test}"
            continue
        for record in tablegen.records(td, "Op").values():
            op = f"{dialect}.{record['opName']}"
            if not record["summary"].strip():
                yield f"{td}: {op} has no summary"
            if "```mlir" not in record["description"]:
                yield f"{td}: the description of {op} has no mlir example"
            if not re.search(re.escape(op) + r"\b(?!\.)", text):
                yield f"{test}: doesn't contain {op}"


def checkSources():
    for path in trackedFiles():
        text = read(path)
        if text is None:
            continue
        script = text.startswith("#!")
        if path.endswith(SOURCES) or script:
            lines = text.count("\n")
            if lines > MAX_LINES:
                yield f"{path}: {lines} lines, expected at most {MAX_LINES}"
            if "SPDX-License-Identifier" not in text and not path.startswith(
                    (".ci/", "examples/", "cmake/")):
                yield f"{path}: has no SPDX-License-Identifier"
        for number, line in enumerate(text.splitlines(), 1):
            if UNFINISHED.search(line):
                yield f"{path}:{number}: marks unfinished work"


def main():
    problems = [problem for check in (checkPasses, checkOps, checkSources)
                for problem in check()]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
