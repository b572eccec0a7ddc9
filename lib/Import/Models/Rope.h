//===- Rope.h - Rotary positions of config.json -----------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Published models write the base and the scaling of rotary frequencies in two
// styles:
//
//     "rope_theta": 1e4, "rope_scaling": null
//     "rope_theta": 1e4, "rope_scaling": {"type": "linear", "factor": 4.0}
//     "rope_parameters": {"rope_theta": 1e4, "rope_type": "llama3", ...}
//
// in the first of which "type" may be "rope_type".
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_IMPORT_MODELS_ROPE_H
#define SMELT_LIB_IMPORT_MODELS_ROPE_H

#include "StepBuilder.h"

namespace smelt {

/// Checks the fields above.
bool checkRope(Config &config, std::string &error);

/// Rotates the heads of x, as the fields of a checked config say.
mlir::Value emitRope(StepBuilder &step, mlir::Value x, mlir::Value positions,
                     int64_t heads);

} // namespace smelt

#endif // SMELT_LIB_IMPORT_MODELS_ROPE_H
