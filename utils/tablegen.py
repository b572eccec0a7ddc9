# ===- tablegen.py - What the .td files of the tree define ------------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Finds dialects and passes by where their .td files lie, and reads records."""
import glob
import json
import os
import shutil
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LLVM_BIN = "/usr/lib/llvm-22/bin"
LLVM_INCLUDE = os.path.join(os.path.dirname(LLVM_BIN), "include")


def tool(name):
    path = os.path.join(LLVM_BIN, name)
    return path if os.path.exists(path) else shutil.which(name) or path


def run(program, td, *options):
    """What a tblgen program prints for a file of the tree."""
    return subprocess.run(
        [tool(program), *options, f"-I{ROOT}/include", f"-I{LLVM_INCLUDE}",
         os.path.join(ROOT, td)],
        check=True, stdout=subprocess.PIPE, text=True).stdout


def find(pattern):
    """Files of the tree that match, relative to its root."""
    return sorted(os.path.relpath(path, ROOT) for path in glob.glob(
        os.path.join(ROOT, pattern), recursive=True))


def dialects():
    """Pairs (folder's name, .td file): the file that has all of its ops."""
    for td in find("include/smelt/Dialect/*/IR/*Ops.td"):
        name = td.split("/")[3]
        if os.path.basename(td) == f"{name}Ops.td":
            yield name, td


def passFiles():
    """Pairs (name of the phase or edge, Passes.td)."""
    for td in find("include/smelt/**/Passes.td"):
        yield os.path.basename(os.path.dirname(td)), td


def records(td, base):
    """Records of `td` derived from class `base`, as dictionaries by name."""
    data = json.loads(run("llvm-tblgen", td, "-dump-json"))
    return {name: data[name] for name in data["!instanceof"].get(base, [])}


def dialectName(td):
    """The mnemonic of the dialect that the ops of a file belong to."""
    data = json.loads(run("llvm-tblgen", td, "-dump-json"))
    for name in data["!instanceof"].get("Op", []):
        return data[data[name]["opDialect"]["def"]]["name"]
    raise ValueError(f"{td}: defines no op")
