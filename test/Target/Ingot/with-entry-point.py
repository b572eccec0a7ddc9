# ===- with-entry-point.py - Stage layout to stage llvm, with empty code ----===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Usage: with-entry-point.py < LAYOUT.mlir > LLVM.mlir

Keeps a module's attributes and params and replaces its functions by an entry
point that does nothing, so that the artefact can be tested by itself.
"""
import sys

for line in sys.stdin:
    if line.startswith("#"):
        print(line, end="")
    elif line.startswith("module"):
        print(line.replace('llm.stage = "layout"', 'llm.stage = "llvm", '
                           "llm.memory = {bytes = 64 : i64, per_token = 8 : "
                           "i64, per_thread = 4 : i64, per_token_thread = 2 : "
                           "i64}"), end="")
    elif line.startswith("  llm.param"):
        print(line, end="")
print("  llvm.func @smelt_step(%step: !llvm.ptr, %thread: i64, %n: i64) {\n"
      "    llvm.return\n  }\n}")
