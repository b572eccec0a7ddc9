//===- CpuFeatures.h - What this processor executes -------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Answers whether the processor and the operating system support an
// instruction-set extension, by the name that LLVM gives it.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_RUNTIME_CPUFEATURES_H
#define SMELT_RUNTIME_CPUFEATURES_H

#include <string>

namespace smelt {

enum class FeatureSupport { Present, Missing, Unknown };

/// Whether `feature` ("avx2", "avx512vnni", ...) can be executed. `Unknown`
/// where this runtime has no way to tell.
FeatureSupport cpuSupports(const std::string &feature);

/// The processor's name as it gives it, or "unknown".
std::string cpuName();

/// The triple's first component for the processor this runtime was built for.
const char *hostArchitecture();

} // namespace smelt

#endif // SMELT_RUNTIME_CPUFEATURES_H
