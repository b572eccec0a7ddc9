#!/usr/bin/env python3
# ===- versions.py - One ingot with code for several targets ----------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Usage: versions.py WORKFOLDER CHECKPOINT

Compiles a checkpoint for all targets of this architecture and of another one,
and alone for each target that this processor executes and some that it doesn't,
drawn anew each time. The ingot of all has the weights once, as the best
target wants them, and the code that each has alone for such weights; each
version that this processor executes gives the bits of the ingot with that
version alone, whether chosen by --target or by the environment; without a
choice, the first that runs does; one that doesn't run is refused.
"""
import json
import os
import random
import subprocess
import sys

import safetensors
from smelt import program, smelt

TARGETS = ("amx", "avx512-bf16", "avx512-vnni", "avx512", "avx-vnni", "avx2",
           "neon-i8mm", "neon-dotprod", "generic", "neon")
WIDE = TARGETS[:4]
FOREIGN = 3  # targets compiled for alone that don't run here
IDS = "1,17,301,5,5,44,120,9,23,2,77"


def expect(what, found, expected):
    if found != expected:
        sys.exit(f"{what}: expected {expected}, found {found}")
    print(f"{what}: {found}")


def refused(what, args, message, **environment):
    run = subprocess.run([program("run"), *args], text=True,
                         env={**os.environ, **environment},
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if run.returncode != 1 or message not in run.stderr or run.stdout:
        sys.exit(f"{what}: status {run.returncode}, {run.stderr.strip()}")
    print(f"{what}: refused: {run.stderr.strip()}")


class Checker:
    def __init__(self, work, checkpoint, options):
        self.work, self.checkpoint, self.options = work, checkpoint, options
        self.all = self.path("all.ingot")
        smelt("compile", checkpoint, "-q", *options, "--mcpu",
              "aarch64,x86_64", "-o", self.all)
        self.report = json.loads(smelt("inspect", "--json", self.all))
        self.manifest = self.report["manifest"]

    def path(self, name):
        return os.path.join(self.work, name)

    def logits(self, ingot, *options):
        smelt("logits", ingot, "--ids", IDS, "-t", "1", "-o",
              self.path("logits"), *options)
        values = safetensors.load(self.path("logits"))["logits"].values
        if any(x != x for x in values):
            sys.exit(f"{ingot} {options}: a NaN")
        return values.tobytes()

    def section(self, manifest, name):
        found = [s for s in manifest["sections"] if s["name"] == name]
        return found[0] if len(found) == 1 else None

    def checkFile(self):
        versions = [self.manifest["target"]] + self.manifest["versions"]
        expect("versions", tuple(v["isa"] for v in versions), TARGETS)
        names = [s["name"] for s in self.manifest["sections"]]
        expect("sections", names, [f"code/{t}" for t in TARGETS] + [
            "weights", "tokenizer.json"])
        smelt("inspect", "--verify", self.all)

    def checkAlone(self, target):
        """The ingot of one target, after a look at its sections."""
        alone = self.path("alone.ingot")
        smelt("compile", self.checkpoint, "-q", *self.options, "--mcpu", target,
              "-o", alone)
        manifest = json.loads(smelt("inspect", "--json", alone))["manifest"]
        # Floats alone lie in panels of the target, here in those of the best.
        isAlike = "--quantize" in self.options or target in WIDE
        for name in (f"code/{target}", "weights"):
            if isAlike != (self.section(manifest, name)["hash"] ==
                           self.section(self.manifest, name)["hash"]):
                sys.exit(f"{target}: section {name} "
                         f"{'differs' if isAlike else 'is the same'}")
        return alone

    def checkRefused(self, target, why):
        refused(target, ["logits", self.all, "--ids", "1", "--target", target],
                "which the model's code needs"
                if "lacks" in why else "its code is for")

    def checkBits(self, target):
        expected = self.logits(self.checkAlone(target))
        if self.logits(self.all, "--target", target) != expected:
            sys.exit(f"{target}: logits differ from those of the ingot alone")
        os.environ["SMELT_TARGET"] = target
        if self.logits(self.all) != expected:
            sys.exit(f"{target}: logits differ where the environment chooses")
        del os.environ["SMELT_TARGET"]
        print(f"{target}: same bits as alone")

    def checkChoice(self):
        runnable = [v["isa"] for v in self.report["versions"]
                    if not v["why_not"]]
        if self.logits(self.all) != self.logits(self.all, "--target",
                                                runnable[0]):
            sys.exit(f"the choice is not {runnable[0]}")
        run = subprocess.run(
            [program("run"), "run", self.all, "-p", "In the", "-n", "2",
             "--verbose", "-s", "1"], check=True, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        lines = run.stderr.splitlines()[:len(TARGETS)]
        expect("chosen", lines[0], f"code: {runnable[0]}")
        for version in self.report["versions"]:
            if version["isa"] != runnable[0]:
                why = version["why_not"] or f"{runnable[0]} was preferred"
                if f"  not {version['isa']}: {why}" not in lines:
                    sys.exit(f"no reason for {version['isa']}: {lines}")


def main():
    work, checkpoint = sys.argv[1:]
    os.makedirs(work, exist_ok=True)
    for options in (("--quantize", "w4a8"), ("--dtype", "bf16")):
        checker = Checker(work, checkpoint, options)
        checker.checkFile()
        versions = checker.report["versions"]
        foreign = [v for v in versions if v["why_not"]]
        for version in versions:
            if version["why_not"]:
                checker.checkRefused(version["isa"], version["why_not"])
            else:
                checker.checkBits(version["isa"])
        for version in random.sample(foreign, min(FOREIGN, len(foreign))):
            checker.checkAlone(version["isa"])
        checker.checkChoice()
        refused("no such version", ["logits", checker.all, "--ids", "1",
                                    "--target", "avx9"],
                "it has no code for 'avx9'; it has amx, avx512-bf16, ")
        refused("no such version of the environment",
                ["logits", checker.all, "--ids", "1"],
                "which SMELT_TARGET asks for", SMELT_TARGET="avx9")
    # Where no version runs, no code does.
    foreign = checker.path("foreign.ingot")
    smelt("compile", checkpoint, "-q", "--mcpu", "aarch64", "-o", foreign)
    refused("no version runs", ["logits", foreign, "--ids", "1"],
            "executes none of its versions: neon-i8mm: its code is for "
            "aarch64; neon-dotprod: ")


if __name__ == "__main__":
    main()
