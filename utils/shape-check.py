#!/usr/bin/env python3
# ===- shape-check.py - Is everything where the tree's rules put it? --------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Checks what a reviewer would otherwise say twice; prints every departure.

- a pass FuseQKV of include/smelt/Transforms/Graph has its flag's words in
  lib/Transforms/Graph/FuseQKV.cpp and test/Transforms/Graph/fuse-qkv.mlir, a
  summary, a description with an example (`before // => after`), an entry on
  its reference page, and is registered;
- an op has a summary and a description with an mlir example, stands in its
  dialect's ops.mlir, and each of its constraints (Cn) in invalid.mlir as a
  case whose name ends in _cn or goes on after it;
- a source file names itself and its licence in its first lines, and has at
  most 900 lines;
- a file includes headers of the parts below its own alone (ALLOWED);
- no text marks unfinished work, or names a package registry or a folder of
  somebody's machine.
"""
import os
import re
import subprocess
import sys

import tablegen

MAX_LINES = 900
SOURCES = (".cpp", ".h", ".td", ".def", ".py", ".sh")
# A C header wraps it.
LICENCE = re.compile(
    r"Part of the Smelt project, under the Apache License v2\.0 with LLVM"
    r"( Exceptions| +\*\|\n\|\* Exceptions)\..*\n"
    r"\W*SPDX-License-Identifier: Apache-2\.0 WITH LLVM-exception")
# What no text may say, and why. In two parts, so that this file passes itself.
FORBIDDEN = (
    (re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b"),
     "marks unfinished work"),
    (re.compile(r"\bpy" r"pi\b|pythonhosted\.|hugging" r"face\.co\b|"
                r"crates\." r"io\b|npm" r"js\.|ana" r"conda\.|"
                r"proxy\.golang\.", re.I),
     "names a package registry"),
    (re.compile(r"(?<![\w.$}])/(ho" r"me|ro" r"ot|wo" r"rk)/\w"),
     "names a folder of one machine"),
)
# Which parts of the tree may include headers of which others. The line that
# begins a file's path decides; phases and edges don't know each other, but for
# the two that are named.
ALLOWED = {
    "Dialect/": ("Dialect/",),
    "Import/Formats/": (),
    "Import/Models/": ("Import/Formats/", "Dialect/"),
    "Target/CPU/": ("abi.h",),
    "Target/Ingot/": ("Target/CPU/", "Import/Formats/", "Dialect/", "abi.h"),
    "Transforms/Tile/": ("Conversion/LLMToLinalg/", "Target/CPU/", "Dialect/"),
    "Transforms/": ("Target/CPU/", "Dialect/"),
    "Conversion/KernelToVector/": ("Transforms/Vector/LaneTree.h", "Target/CPU/",
                                   "Dialect/"),
    "Conversion/": ("Target/CPU/", "Dialect/", "abi.h"),
    "Reference/": ("Target/Ingot/Recipe.h", "Dialect/"),
}
INCLUDE = re.compile(r'^#?include "smelt/([^"]+)"', re.M)
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


def readIfThere(path):
    try:
        return read(path) or ""
    except OSError:
        return ""


def checkPasses():
    registered = read("lib/Pipeline/InitAll.cpp") or ""
    for name, td in tablegen.passFiles():
        folder = os.path.dirname(td)[len("include/smelt/"):]
        if f"register{name}Passes();" not in registered:
            yield f"{td}: lib/Pipeline/InitAll.cpp doesn't register its passes"
        page = readIfThere(f"docs/Passes/{name}.md")
        for record in tablegen.records(td, "PassBase").values():
            flag, short = record["argument"], record["argument"].partition("-")[2]
            where = f"{td}: pass {flag}"
            test = f"test/{folder}/{short}.mlir"
            if not re.search(rf"RUN:.*\b{flag}\b", readIfThere(test)):
                yield f"{where} has no test {test} that runs it"
            source = record["!name"]
            if not any(os.path.exists(os.path.join(tablegen.ROOT, "lib", folder, file))
                       for file in (f"{source}.cpp",
                                    f"{source.replace('Convert', '', 1)}.cpp")):
                yield f"{where} has no lib/{folder}/{source}.cpp"
            for field in ("summary", "description"):
                if not record[field].strip():
                    yield f"{where} has no {field}"
            if not re.search(r"```mlir\n(?:(?!```).)*^ *// =>", record["description"],
                             re.S | re.M):
                yield f"{where} shows no example before // => after"
            if f"### `-{flag}`" not in page:
                yield f"{where} is not on docs/Passes/{name}.md"


def checkOps():
    for name, td in tablegen.dialects():
        dialect = tablegen.dialectName(td)
        test = f"test/Dialect/{name}/ops.mlir"
        text = readIfThere(test)
        invalid = readIfThere(f"test/Dialect/{name}/invalid.mlir")
        for record in tablegen.records(td, "Op").values():
            op = f"{dialect}.{record['opName']}"
            if not record["summary"].strip():
                yield f"{td}: {op} has no summary"
            if "```mlir" not in record["description"]:
                yield f"{td}: the description of {op} has no mlir example"
            if not re.search(re.escape(op) + r"\b(?!\.)", text):
                yield f"{test}: doesn't contain {op}"
            for number in re.findall(r"^\s*- \(C(\d+)\)", record["description"],
                                     re.M):
                if f"@{record['opName']}_c{number}" not in invalid:
                    yield (f"test/Dialect/{name}/invalid.mlir: has no case "
                           f"@{record['opName']}_c{number}")


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
            if not path.startswith((".ci/", "examples/", "cmake/")):
                head = text[:1000]
                if f"===- {os.path.basename(path)} - " not in head:
                    yield f"{path}: doesn't name itself in its first lines"
                if not LICENCE.search(head):
                    yield f"{path}: has no licence in whole lines"
        for number, line in enumerate(text.splitlines(), 1):
            for pattern, why in FORBIDDEN:
                if pattern.search(line):
                    yield f"{path}:{number}: {why}"


def checkIncludes():
    for path in trackedFiles():
        match = re.match(r"(?:lib|include/smelt)/(.*\.(?:h|cpp|td))$", path)
        if not match:
            continue
        part = next((part for part in ALLOWED if match[1].startswith(part)), None)
        if part is None:
            continue
        own = os.path.dirname(match[1]) + "/"
        for header in INCLUDE.findall(read(path)):
            if not header.startswith((own, part) if part.count("/") > 1 else own):
                if not header.startswith(ALLOWED[part]):
                    yield f"{path}: includes smelt/{header}, which isn't below it"


def main():
    problems = [problem for check in (checkPasses, checkOps, checkSources,
                                                  checkIncludes)
                for problem in check()]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
