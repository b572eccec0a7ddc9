//===- Versions.h - Which of an ingot's codes runs here ---------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An ingot has the code of a step in one or more versions, best first, each for
// a target of the compiler. All read the same weights.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_RUNTIME_VERSIONS_H
#define SMELT_RUNTIME_VERSIONS_H

#include "Manifest.h"

#include <string>

namespace smelt {

/// The environment variable that names the version to run.
constexpr const char *versionVariable = "SMELT_TARGET";

/// Why this machine can't execute a version, such as "the processor lacks
/// avx512f"; empty where it can.
std::string whyNot(const CodeVersion &version);

/// The version called `wanted`, where that is empty the one that the
/// environment names, and otherwise the first that this machine executes. Null,
/// and a message, where there is none, or where it can't be executed.
const CodeVersion *chooseVersion(const Manifest &manifest,
                                 const std::string &wanted, std::string &error);

/// Lines that name `chosen`, and why it is none of the others.
std::string describeChoice(const Manifest &manifest, const CodeVersion &chosen);

} // namespace smelt

#endif // SMELT_RUNTIME_VERSIONS_H
