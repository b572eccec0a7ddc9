//===- Passes.h - From check to loops -*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_CONVERSION_CHECKTOSCF_PASSES_H
#define SMELT_CONVERSION_CHECKTOSCF_PASSES_H

#include "mlir/Pass/Pass.h"

namespace smelt {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "smelt/Conversion/CheckToSCF/Passes.h.inc"
} // namespace smelt

#endif // SMELT_CONVERSION_CHECKTOSCF_PASSES_H
