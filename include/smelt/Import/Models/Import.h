//===- Import.h - A checkpoint becomes llm ops ------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_IMPORT_MODELS_IMPORT_H
#define SMELT_IMPORT_MODELS_IMPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <optional>
#include <string>

namespace smelt {

/// What inputs of linears are rounded to.
enum class ComputeType { F32, BF16 };

struct ImportOptions {
  /// As stored when absent: bf16 for bf16, f32 for f32 and f16.
  std::optional<ComputeType> dtype;
  /// What the KV cache stores, a CACHE of Formats.def; as `dtype` when empty.
  std::string cache;
};

/// Imports a folder in the layout that Hugging Face publishes: config.json,
/// model.safetensors or shards with their index, and, where they exist,
/// generation_config.json, modules.json and what the latter names. The module
/// is at stage `import`, verified; its params refer to files of `directory`,
/// nothing of their data is read. Null, and a message in `error` that names the
/// file and the field or tensor, for anything that isn't supported.
mlir::OwningOpRef<mlir::ModuleOp> importCheckpoint(mlir::MLIRContext &context,
                                                   llvm::StringRef directory,
                                                   const ImportOptions &options,
                                                   std::string &error);

} // namespace smelt

#endif // SMELT_IMPORT_MODELS_IMPORT_H
