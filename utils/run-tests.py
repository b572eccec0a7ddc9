#!/usr/bin/env python3
# ===- run-tests.py - Run lit and the unit tests, print one summary ---------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Runs the lit suite in a build folder and googletest programs.

Failures come with their output, each skipped test as `SKIPPED: name: reason`.
The last line is `N passed, N failed, N skipped`; the exit status is 1 where
anything failed, or where nothing ran at all. With --counts FILE the three
numbers are also appended to FILE as one line.
"""
import argparse
import collections
import json
import os
import re
import subprocess
import sys
import tempfile

Result = collections.namedtuple("Result", "passed failed skipped")
Result.__add__ = lambda a, b: Result(*(x + y for x, y in zip(a, b)))

LIT_PASSED = {"PASS", "XFAIL", "FLAKYPASS"}
LIT_SKIPPED = {"UNSUPPORTED", "SKIPPED"}
MISSING = re.compile(r"unavailable features: (.*)")
UNSUPPORTED_BY = re.compile(r"unsupported features and targets: (.*)")


def skip(name, reason):
    print(f"SKIPPED: {name}: {reason}", flush=True)


def litReason(output):
    """What lit says about an unsupported test, in a few words."""
    match = MISSING.search(output)
    if match:
        return f"needs {match.group(1)}"
    match = UNSUPPORTED_BY.search(output)
    if match:
        return f"not with {match.group(1)}"
    return output.strip().splitlines()[0] if output.strip() else "unsupported"


def runLit(lit, suite, options, folder):
    report = os.path.join(folder, "lit.json")
    command = [sys.executable, lit] + options + [
        "-q", "--no-progress-bar", "-o", report, suite]
    status = subprocess.run(command).returncode
    try:
        with open(report) as file:
            tests = json.load(file)["tests"]
    except (OSError, ValueError) as error:
        print(f"lit left no report (exit status {status}): {error}")
        return Result(0, 1, 0)
    passed = failed = skipped = 0
    for test in tests:
        if test["code"] in LIT_PASSED:
            passed += 1
        elif test["code"] in LIT_SKIPPED:
            skipped += 1
            skip(test["name"], litReason(test.get("output", "")))
        elif test["code"] != "EXCLUDED":
            failed += 1
            print(f"FAIL: {test['name']} ({test['code']})")
            print(test.get("output", ""))
    if status and not failed:
        print(f"lit failed with exit status {status}")
        failed = 1
    return Result(passed, failed, skipped)


def runUnit(program, folder):
    name = os.path.basename(program)
    report = os.path.join(folder, name + ".json")
    run = subprocess.run([program, f"--gtest_output=json:{report}"],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         text=True, errors="replace")
    try:
        with open(report) as file:
            suites = json.load(file)["testsuites"]
    except (OSError, ValueError):
        print(run.stdout)
        print(f"FAIL: {name}: exit status {run.returncode} before its end")
        return Result(0, 1, 0)
    passed = failed = skipped = 0
    for suite in suites:
        for test in suite["testsuite"]:
            full = f"{name}: {suite['name']}.{test['name']}"
            if test.get("failures"):
                failed += 1
                print(f"FAIL: {full}")
            elif test["result"] == "SKIPPED" or test["status"] == "NOTRUN":
                skipped += 1
                skip(full, unitReason(run.stdout, suite, test))
            else:
                passed += 1
    if run.returncode and not failed:
        print(f"FAIL: {name}: exit status {run.returncode}")
        failed = 1
    if failed:
        print(run.stdout)
    return Result(passed, failed, skipped)


def unitReason(output, suite, test):
    """The text given to GTEST_SKIP: between the test's RUN and SKIPPED lines."""
    full = re.escape(f"{suite['name']}.{test['name']}")
    match = re.search(rf"\] {full}\n(.*?)\[  SKIPPED \] {full}", output, re.S)
    lines = [line for line in (match.group(1) if match else "").splitlines()
             if line.strip() and not line.rstrip().endswith("Skipped")]
    return "; ".join(lines) or "disabled"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lit", help="lit's main program")
    parser.add_argument("--suite", help="folder with lit.site.cfg.py")
    parser.add_argument("--counts", help="file to append the numbers to")
    parser.add_argument("programs", nargs="*", help="googletest programs")
    args = parser.parse_args()
    options = os.environ.get("SMELT_LIT_OPTIONS", "").split()
    counts = args.counts or os.environ.get("SMELT_TEST_COUNTS")

    total = Result(0, 0, 0)
    with tempfile.TemporaryDirectory() as folder:
        for program in args.programs:
            total += runUnit(program, folder)
        if args.suite:
            total += runLit(args.lit, args.suite, options, folder)
    if counts:
        with open(counts, "a") as file:
            print(*total, file=file)
    if not sum(total):
        print("no test ran")
    print(f"{total.passed} passed, {total.failed} failed, "
          f"{total.skipped} skipped", flush=True)
    return 1 if total.failed or not sum(total) else 0


if __name__ == "__main__":
    sys.exit(main())
