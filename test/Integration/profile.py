#!/usr/bin/env python3
# ===- profile.py - A profiled step says where its time goes ----------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Usage: profile.py WORKFOLDER CHECKPOINT [OPTION...]

Compiles a checkpoint with the options, with and without --profile, and expects:

- the same outputs, bit for bit, and without --profile no records: no profile in
  the manifest, and the code that IR without names gives;
- a trace whose slices of a thread don't overlap, lie within their step, and are
  every entry of the manifest's profile as often as it runs;
- a table that has every op, a layer's as often as there are layers, with shares
  that add up to the step, and at least the bytes of all weights that a step
  reads and the operations of its linear layers.
"""
import json
import os
import subprocess
import sys

import safetensors
from smelt import smelt

THREADS = (1, 2, 3)


def expect(condition, message):
    if not condition:
        sys.exit(message)


def manifestOf(ingot):
    return json.loads(smelt("inspect", "--json", ingot))["manifest"]


def codeOf(ingot):
    """Name and hash of the sections with code."""
    return [(section["name"], section["hash"])
            for section in manifestOf(ingot)["sections"]
            if section["name"].startswith("code/")]


def outputs(ingot, golden, work):
    path = os.path.join(work, "outputs.safetensors")
    smelt("logits", ingot, "--ids-file", golden, "-o", path, "-t", "2")
    return {name: tensor.values.tobytes()
            for name, tensor in safetensors.load(path).items()}


def checkTrace(manifest, path, threads):
    """Slices in order, within their step, and as many as the manifest says."""
    with open(path) as file:
        events = json.load(file)["traceEvents"]
    slices = [event for event in events if event["ph"] == "X"]
    steps = [event for event in slices if event["cat"] == "step"]
    names = {event["tid"]: event["args"]["name"] for event in events
             if event["ph"] == "M"}
    expect(len(names) == threads + 1, f"{threads + 1} tracks, got {names}")
    entries = manifest["profile"]["ops"]
    for thread in range(threads):
        own = [event for event in slices if event["tid"] == thread]
        end = 0.0
        for event in own:
            # Times are printed as doubles of microseconds.
            expect(event["ts"] >= end - 1e-6 and event["dur"] >= 0,
                   f"slice at {event['ts']} begins before {end}")
            end = event["ts"] + event["dur"]
        for step in steps:
            inside = [e for e in own if step["ts"] <= e["ts"] and
                      e["ts"] + e["dur"] <= step["ts"] + step["dur"] + 1e-6]
            total = sum(event["dur"] for event in inside)
            expect(0 < total <= step["dur"],
                   f"{total} us of slices in {step['dur']} us of a step")
            for entry in entries:
                count = sum(e["args"]["op"] == entry["name"] and
                            e["cat"] == entry["kind"] for e in inside)
                runs = sum(other["runs"] for other in entries
                           if other["name"] == entry["name"] and
                           other["kind"] == entry["kind"])
                expect(count == runs, f"{entry['name']}: {count} slices in "
                       f"'{step['name']}', expected {runs}")
    expect(sum(len([e for e in slices if e["tid"] == t]) for t in
               range(threads)) == len(slices) - len(steps), "strange tracks")
    return len(slices)


def phasesOf(ingot, threads, *options):
    return json.loads(smelt("bench", ingot, "--per-op", "--json", "-n", "5",
                            "-r", "2", "-t", str(threads), *options))["phases"]


def checkDepth(manifest, ingot, threads, generating):
    """A token after `depth` positions reads those of the cache, too."""
    depth = 32
    deep = phasesOf(ingot, threads, "-p", "0", "-d", str(depth))[-1]
    least = sum(entry["runs"] * entry["bytes"].get("per_position", 0)
                for entry in manifest["profile"]["ops"]
                if entry["kind"] != "barrier")
    more = sum(line["bytes"] for line in deep["ops"]) - sum(
        line["bytes"] for line in generating["ops"])
    expect(least > 0 and more == depth * least,
           f"{more} bytes for {depth} positions of {least}")


def checkTable(manifest, ingot, threads):
    phases = phasesOf(ingot, threads, "-p", "9")
    decoder = manifest["model"]["kind"] == "decoder"
    expect(len(phases) == (2 if decoder else 1), f"{len(phases)} phases")
    ops = [entry for entry in manifest["profile"]["ops"]
           if entry["kind"] != "barrier"]
    barriers = sum(entry["runs"] for entry in manifest["profile"]["ops"]
                   if entry["kind"] == "barrier")
    expect(barriers == manifest["cost"]["barriers"],
           f"{barriers} barriers, the cost record has {manifest['cost']}")
    for phase in phases:
        lines = {line["name"]: line for line in phase["ops"]}
        expect(len(lines) == len(phase["ops"]) == len(ops) + 2,
               f"{len(ops)} ops, {len(phase['ops'])} lines")
        for op in ops:
            name = " + ".join([op["name"]] + op.get("fused", []))
            expect(lines[name]["runs"] == op["runs"], f"{name}: runs")
            if name.startswith("layers."):
                expect(op["runs"] == manifest["model"]["layers"],
                       f"{name} runs {op['runs']} times")
        expect(lines["(barriers)"]["runs"] == barriers, "runs of barriers")
        shares = sum(line["share_of_step"] for line in phase["ops"])
        # The last line takes what is left, and is never negative.
        expect(shares > 0.999, f"shares add up to {shares}")
        operations = sum(line["operations"] for line in phase["ops"])
        flops = (manifest["cost"]["flops_per_token"] * phase["tokens"] +
                 manifest["cost"]["flops_per_row"])
        # Attention comes on top of the linear layers, and padded columns.
        expect(flops <= operations, f"{operations} operations, {flops} in all")
        if phase["tokens"] == 1:
            bytesRead = sum(line["bytes"] for line in phase["ops"])
            expect(bytesRead >= manifest["cost"]["step_bytes"],
                   f"{bytesRead} bytes, weights {manifest['cost']}")
            checkDepth(manifest, ingot, threads, phase)


def main():
    work, checkpoint, *options = sys.argv[1:]
    os.makedirs(work, exist_ok=True)
    plain = os.path.join(work, "plain.ingot")
    timed = os.path.join(work, "timed.ingot")
    smelt("compile", checkpoint, "-q", "-o", plain, *options)
    smelt("compile", checkpoint, "-q", "-o", timed, "--profile", *options)

    expect("profile" not in manifestOf(plain)["inputs"], "a profile unasked")
    text = os.path.join(work, "bufferize.mlir")
    nameless = os.path.join(work, "nameless.ingot")
    smelt("compile", checkpoint, "-q", "--compile-to=bufferize", "-o", text,
          *options)
    smelt("compile", text, "-q", "-o", nameless)
    expect(codeOf(nameless) == codeOf(plain), "names change the code")
    manifest = manifestOf(timed)
    expect("profile" in manifest["inputs"], "no input 'profile'")
    golden = os.path.join(checkpoint, "golden.safetensors")
    expect(outputs(plain, golden, work) == outputs(timed, golden, work),
           "--profile changes outputs")

    trace = os.path.join(work, "trace.json")
    slices = 0
    for threads in THREADS:
        smelt("bench", timed, "--trace", trace, "-p", "9", "-n", "5", "-r", "1",
              "-t", str(threads))
        slices += checkTrace(manifest, trace, threads)
    checkTable(manifest, timed, THREADS[1])
    print(f"{os.path.basename(checkpoint)}: {slices} slices, "
          f"{len(manifest['profile']['ops'])} entries")

    refusal = subprocess.run(["smelt", "bench", plain, "--per-op", "-p", "9",
                              "-n", "5"], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    expect(refusal.returncode == 1 and "--profile" in refusal.stderr and
           not refusal.stdout, f"no refusal: {refusal}")


if __name__ == "__main__":
    main()
