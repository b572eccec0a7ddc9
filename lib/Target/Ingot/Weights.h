//===- Weights.h - The weights section --------------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_TARGET_INGOT_WEIGHTS_H
#define SMELT_LIB_TARGET_INGOT_WEIGHTS_H

#include "smelt/Target/Ingot/Ingot.h"
#include "smelt/Target/Ingot/Recipe.h"

#include <memory>
#include <vector>

namespace smelt {

/// All instances of all params, in the order of their offsets.
class WeightsSection {
public:
  /// False, and a message in `error`, unless every param has a place, no two
  /// overlap, and the checkpoint holds all sources.
  bool create(mlir::ModuleOp module, std::string &error);

  int64_t size() const { return bytes; }

  /// Makes the section on `threads` threads and hands it to `write` in pieces,
  /// in order, on this thread. Takes a few MB per thread. False as soon as
  /// `write` returns false, or, with a message in `error`, at the first value
  /// that its format can't hold.
  bool produce(unsigned threads,
               llvm::function_ref<bool(const uint8_t *, int64_t)> write,
               std::string &error) const;

private:
  struct Instance {
    int64_t offset;
    Recipe recipe;
  };
  std::unique_ptr<CheckpointFiles> files;
  std::vector<Instance> instances;
  int64_t bytes = 0;
};

} // namespace smelt

#endif // SMELT_LIB_TARGET_INGOT_WEIGHTS_H
