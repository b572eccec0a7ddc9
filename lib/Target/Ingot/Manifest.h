//===- Manifest.h - What an ingot says of itself ----------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_TARGET_INGOT_MANIFEST_H
#define SMELT_LIB_TARGET_INGOT_MANIFEST_H

#include "smelt/Target/Ingot/Ingot.h"

#include <string>
#include <vector>

namespace smelt {

/// What the manifest says of a section.
struct WrittenSection {
  std::string name;
  uint64_t offset, size; // bytes from the start of the file
  uint64_t hash;         // XXH3_64bits
};

/// Collects the manifest of `module` from its attributes and params, as JSON.
/// False, and a message in `error`, if the stages left something out.
bool makeManifest(mlir::ModuleOp module, llvm::ArrayRef<IngotCode> versions,
                  const IngotOptions &options,
                  const std::vector<WrittenSection> &sections,
                  std::string &json, std::string &error);

} // namespace smelt

#endif // SMELT_LIB_TARGET_INGOT_MANIFEST_H
