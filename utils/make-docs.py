#!/usr/bin/env python3
# ===- make-docs.py - Pages that are written from the sources --------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Writes docs/Dialects/*.md and docs/Passes/*.md with mlir-tblgen, and the
snippets of the other pages from marked source.

On a page, a comment names the place of the block below it:

    <!-- from lib/Transforms/Graph/FuseResidual.cpp [doc:pattern] -->

and there, lines between comments `// [doc:pattern]` and `// [/doc:pattern]` are
what is shown. With --check nothing is written: the exit status is 1 where a
page on disk differs from what the sources say now.
"""
import argparse
import itertools
import os
import re
import sys
import textwrap

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


SNIPPET = re.compile(r"(<!-- from (\S+) \[doc:([\w-]+)\] -->\n)( *)(```+)(\w*)\n.*?"
                     r"^ *\5$", re.S | re.M)


def snippet(path, name):
    """The lines between the marks of a source, without their indentation."""
    with open(os.path.join(tablegen.ROOT, path)) as file:
        match = re.search(rf"^ *// \[doc:{name}\]\n(.*?)^ *// \[/doc:{name}\]$",
                          file.read(), re.S | re.M)
    if not match:
        sys.exit(f"{path}: expects marks [doc:{name}] and [/doc:{name}]")
    return textwrap.dedent(match[1])


def pagesWithSnippets():
    """Pairs (path in the tree, text) of the pages that show sources."""
    for page in tablegen.find("docs/*.md") + tablegen.find("docs/*/*.md"):
        with open(os.path.join(tablegen.ROOT, page)) as file:
            text = file.read()
        if not SNIPPET.search(text):
            continue
        yield page, SNIPPET.sub(
            lambda m: m[1] + textwrap.indent(
                f"{m[5]}{m[6]}\n{snippet(m[2], m[3])}{m[5]}", m[4]), text)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    stale, expected = [], set()
    for path, text in itertools.chain(pages(), pagesWithSnippets()):
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
            print(f"{path}: not what the sources say; run utils/make-docs.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
