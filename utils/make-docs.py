#!/usr/bin/env python3
# ===- make-docs.py - Reference pages from the .td files --------------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Writes docs/Dialects/*.md and docs/Passes/*.md with mlir-tblgen.

With --check nothing is written: the exit status is 1 where a page on disk
differs from what its .td file says now.
"""
import argparse
import os
import re
import sys

import tablegen


def tidy(text):
    """Drops mlir-tblgen's site macros and runs of empty lines."""
    text = text.replace("[TOC]\n\n", "")
    text = re.sub(r"[ \t]+$", "", text, flags=re.M)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def pages():
    """Pairs (path in the tree, text) of every reference page."""
    for name, td in tablegen.dialects():
        dialect = tablegen.dialectName(td)
        text = tablegen.run("mlir-tblgen", td, "-gen-dialect-doc",
                            f"-dialect={dialect}")
        yield f"docs/Dialects/{name}.md", tidy(text)
    for name, td in tablegen.passFiles():
        text = tablegen.run("mlir-tblgen", td, "-gen-pass-doc")
        head, _, rest = text.partition("\n")
        yield f"docs/Passes/{name}.md", tidy(
            f"{head}\n\n# Passes of {name}\n\n{rest}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    stale, expected = [], set()
    for path, text in pages():
        expected.add(path)
        full = os.path.join(tablegen.ROOT, path)
        old = open(full).read() if os.path.exists(full) else None
        if old == text:
            continue
        stale.append(path)
        if not args.check:
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w") as file:
                file.write(text)
            print(f"wrote {path}")
    for path in tablegen.find("docs/Dialects/*.md") + tablegen.find("docs/Passes/*.md"):
        if path not in expected:
            stale.append(path)
            if not args.check:
                os.remove(os.path.join(tablegen.ROOT, path))
                print(f"removed {path}")
    if args.check and stale:
        for path in stale:
            print(f"{path}: not what its .td file says; run utils/make-docs.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
