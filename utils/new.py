#!/usr/bin/env python3
# ===- new.py - Begin a pass or an op ---------------------------------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Writes the parts of a new pass or op to where the tree's rules put them.

    utils/new.py pass Graph FuseQKV     a pass of lib/Transforms/Graph
    utils/new.py op Softplus            an op of the llm dialect

What it writes builds and passes its test, but does nothing yet. It never
changes a file that would have to be guessed at: the last lines it prints say
what is left to do by hand, such as the pass's place in its pipeline.
"""
import argparse
import collections
import os
import re
import shutil
import subprocess
import sys

import tablegen

LICENCE = """//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
"""

PASS_TD = """\
def {name} : Pass<"{flag}"> {{
  let summary = "{words}";
  let description = [{{
    When it applies, and why that is right.

    ```mlir
    func.func @{case}(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {{
      return %x : tensor<?x8xf32>
    }}
    // =>
    return %x : tensor<?x8xf32>
    ```
  }}];
}}

"""

PASS_CPP = """\
{header}{licence}#include "smelt/{folder}/Passes.h"

#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace smelt {{
#define GEN_PASS_DEF_{upper}
#include "smelt/{folder}/Passes.h.inc"
}} // namespace smelt

using namespace mlir;
using namespace smelt;

namespace {{
/// OpRewritePattern<SomeOp> is the base of a pattern for one kind of op.
struct {name}Pattern : RewritePattern {{
  explicit {name}Pattern(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, context) {{}}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {{
    return rewriter.notifyMatchFailure(op, "expects an op to {words}");
  }}
}};

struct {name} : smelt::impl::{name}Base<{name}> {{
  LogicalResult initialize(MLIRContext *context) override {{
    RewritePatternSet set(context);
    set.add<{name}Pattern>(context);
    patterns = std::move(set);
    return success();
  }}
  void runOnOperation() override {{
    if (failed(applyPatternsGreedily(getOperation(), patterns)))
      signalPassFailure();
  }}
  FrozenRewritePatternSet patterns;
}};
}} // namespace
"""

PASS_TEST = """\
// RUN: smelt-opt %s --{flag} | FileCheck %s

// CHECK-LABEL: @negative_{case}_no_candidate
// CHECK-NEXT: return %arg0
func.func @negative_{case}_no_candidate(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {{
  return %x : tensor<?x8xf32>
}}
"""

OP_TD = """\
def LLM_{name}Op : LLM_PureOp<"{mnemonic}"> {{
  let summary = "{words}, row by row";
  let description = [{{
    `result[m, d] = {mnemonic}(x[m, d])`.

    ```mlir
    %y = llm.{mnemonic} %x : tensor<?x256xf32>
    ```
  }}];
  let arguments = (ins LLM_Rows:$x);
  let results = (outs LLM_Rows:$result);
  let assemblyFormat = "$x attr-dict `:` type($x)";
}}

"""

OP_CPP = """
INFER({name}Op) {{
  results.assign({{operands[0].getType()}});
  return success();
}}
"""

OP_TEST = """
// CHECK-LABEL: func @{mnemonic}
func.func @{mnemonic}(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {{
  // CHECK: llm.{mnemonic} %{{{{.*}}}} : tensor<?x8xf32>
  %0 = llm.{mnemonic} %x : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}}
"""


def fail(message):
    sys.exit(f"new.py: {message}")


def split(name):
    """FuseQKV -> [Fuse, QKV]."""
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name):
        fail(f"expects a name such as FuseQKV, got '{name}'")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ",
                  name).split()


def sentence(words):
    return words[0].upper() + words[1:]


def headerLine(file, what):
    """The first line of a C++ file, 80 columns wide."""
    text = f"//===- {file} - {what} "
    return text + "-" * max(0, 80 - len(text) - 15) + "*- C++ -*-===//\n"


def full(path):
    return os.path.join(tablegen.ROOT, path)


def read(path):
    with open(full(path)) as file:
        return file.read()


def write(path, text):
    os.makedirs(os.path.dirname(full(path)), exist_ok=True)
    isNew = not os.path.exists(full(path))
    with open(full(path), "w") as file:
        file.write(text)
    if path.endswith(".cpp") and shutil.which("clang-format-22"):
        subprocess.run(["clang-format-22", "-i", full(path)], check=True)
    print(f"{'wrote' if isNew else 'changed'} {path}")


def insertBefore(path, marker, text):
    """Puts `text` in front of the last line that begins with `marker`."""
    old = read(path)
    at = old.rfind(f"\n{marker}") + 1
    if not at:
        fail(f"{path}: expects a line that begins with '{marker}'")
    write(path, old[:at] + text + old[at:])


def flagOf(td, words):
    """The pass's flag, with the first word that its phase's flags have."""
    first = collections.Counter(
        record["argument"].partition("-")[0]
        for record in tablegen.records(td, "PassBase").values())
    return "-".join([first.most_common(1)[0][0]] + [w.lower() for w in words])


def addSource(path, source):
    """Adds a file to the one library of a CMakeLists.txt, in order."""
    text = read(path)
    match = re.search(r"(smelt_add_library\(\w+)\s+(.*?)(\s+LINK)", text, re.S)
    if not match:
        fail(f"{path}: expects smelt_add_library(NAME SOURCES... LINK ...)")
    sources = sorted(match[2].split() + [source])
    write(path, text[:match.start()] + "\n  ".join([match[1]] + sources) +
          text[match.start(3):])


def newPass(phase, name):
    phases = dict(tablegen.passFiles())
    if phase not in phases:
        fail(f"expects one of {', '.join(sorted(phases))}, got '{phase}'")
    td = phases[phase]
    folder = os.path.dirname(td)[len("include/smelt/"):]
    words = split(name)
    flag = flagOf(td, words)
    short = "-".join(words).lower()
    cpp = f"lib/{folder}/{name}.cpp"
    test = f"test/{folder}/{short}.mlir"
    for path in (cpp, test):
        if os.path.exists(full(path)):
            fail(f"{path} is there already")
    fields = {
        "name": name, "flag": flag, "folder": folder, "licence": LICENCE,
        "upper": name.upper(), "case": short.replace("-", "_"),
        "words": " ".join(w if w.isupper() else w.lower() for w in words)}
    fields["header"] = headerLine(f"{name}.cpp", sentence(fields["words"]))
    insertBefore(td, "#endif", PASS_TD.format(**fields))
    write(cpp, PASS_CPP.format(**fields))
    addSource(f"lib/{folder}/CMakeLists.txt", f"{name}.cpp")
    write(test, PASS_TEST.format(**fields))

    pipeline = f"lib/{folder}/Pipeline.cpp"
    if not os.path.exists(full(pipeline)):
        pipeline = "lib/Pipeline/Pipeline.cpp"
    return [f"put `pm.addPass(create{name}());` where it belongs in {pipeline}"]


def newOp(name):
    words = split(name)
    mnemonic = "_".join(words).lower()
    td = "include/smelt/Dialect/LLM/IR/LLMOps.td"
    cpp = "lib/Dialect/LLM/IR/LLMOps.cpp"
    test = "test/Dialect/LLM/ops.mlir"
    if f"def LLM_{name}Op " in read(td):
        fail(f"{td} has LLM_{name}Op already")
    fields = {"name": name, "mnemonic": mnemonic,
              "words": " ".join(words).lower()}
    insertBefore(td, "#endif", OP_TD.format(**fields))
    write(cpp, read(cpp) + OP_CPP.format(**fields))
    write(test, read(test) + OP_TEST.format(**fields))
    return ["write the formula into the description; number its constraints, "
            "and set `let hasVerifier = 1` if there are any",
            f"test/Dialect/LLM/invalid.mlir: a case @{mnemonic}_cN for each",
            "lib/Reference/Ops.cpp: a function with the formula and a line of "
            "the table; test/Unit/Reference/OpsTest.cpp: its test",
            "lib/Conversion/LLMToLinalg: the lowering, and its test"]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    ofPass = kinds.add_parser("pass", help="a pass of a phase")
    ofPass.add_argument("phase", help="a folder with a Passes.td, such as Graph")
    ofPass.add_argument("name", help="a name such as FuseQKV")
    ofOp = kinds.add_parser("op", help="an op of the llm dialect")
    ofOp.add_argument("name", help="a name such as Softplus")
    args = parser.parse_args()

    left = (newPass(args.phase, args.name) if args.kind == "pass"
            else newOp(args.name))
    subprocess.run([sys.executable, full("utils/make-docs.py")], check=True)
    print("Left to do:")
    for line in left:
        print(f"- {line}")


if __name__ == "__main__":
    main()
