//===- Tensors.h - A family's tensors in a checkpoint -----------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_IMPORT_MODELS_TENSORS_H
#define SMELT_LIB_IMPORT_MODELS_TENSORS_H

#include "Family.h"

#include "smelt/Import/Formats/Checkpoint.h"

namespace smelt {

/// A param and the tensor it comes from.
struct FoundTensor {
  std::string param;
  Checkpoint::Entry entry;
};

/// Finds every tensor of the family's table, in the table's order: rows before
/// the first one with a layer, then layer by layer, then the rest. False, with
/// a message in `error`, if one is missing, has another shape or a type that
/// isn't supported, if tensors to be stacked differ in type, or if the
/// checkpoint has a tensor that the table doesn't know.
bool findTensors(const Family &family, const Config &config,
                 const Checkpoint &checkpoint, std::vector<FoundTensor> &found,
                 std::string &error);

} // namespace smelt

#endif // SMELT_LIB_IMPORT_MODELS_TENSORS_H
