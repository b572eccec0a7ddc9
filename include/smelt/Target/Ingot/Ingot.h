//===- Ingot.h - Write the artefact -----------------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TARGET_INGOT_INGOT_H
#define SMELT_TARGET_INGOT_INGOT_H

#include "smelt/Target/CPU/Targets.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <cstdint>
#include <string>

namespace mlir {
class ModuleOp;
} // namespace mlir

namespace smelt {

/// The code of a step for one target, a shared object, and the memory plan that
/// it was made with (llm.memory).
struct IngotCode {
  const TargetRecord *target;
  llvm::StringRef code;
  mlir::DictionaryAttr memory;
};

struct IngotOptions {
  /// Tokens that one step takes at most; an encoder's takes a whole text, so
  /// at least its context.
  int64_t maxStepTokens = 512;
  /// Positions of a sequence; 0 leaves the model's own.
  int64_t context = 0;
  /// Threads that pack weights; 0 takes one for each processor.
  unsigned threads = 0;
  /// Is told how many bytes of the weights are written, of how many.
  llvm::function_ref<void(int64_t done, int64_t total)> progress;
};

/// Writes the versions of the code, best first, the weights of `module` (at
/// stage layout or later) and the tokenizer of its checkpoint to `path`, as
/// docs/Ingot.md says. The file comes into being complete or not at all, and
/// depends on the contents of its inputs alone. False, and a message in
/// `error`, otherwise.
bool writeIngot(mlir::ModuleOp module, llvm::ArrayRef<IngotCode> versions,
                llvm::StringRef path, const IngotOptions &options,
                std::string &error);

} // namespace smelt

#endif // SMELT_TARGET_INGOT_INGOT_H
