//===- Generation.h - Special ids and sampling defaults ---------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_IMPORT_MODELS_GENERATION_H
#define SMELT_LIB_IMPORT_MODELS_GENERATION_H

#include "Config.h"

#include "mlir/IR/BuiltinAttributes.h"

namespace smelt {

/// Reads generation_config.json of `directory`, where there is one, and for ids
/// that it lacks `config`: {bos, eos = [...]} and sampling defaults such as
/// {temperature, top_k, top_p}. Null, and a message in `error`, for values out
/// of range.
mlir::DictionaryAttr readGeneration(mlir::MLIRContext &context,
                                    const std::string &directory,
                                    const Config &config, std::string &error);

} // namespace smelt

#endif // SMELT_LIB_IMPORT_MODELS_GENERATION_H
