//===- Checkpoint.h - The tensors of a model's folder -----------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A folder holds its tensors in model.safetensors, or in several such files
// ("shards") that model.safetensors.index.json assigns tensors to:
//
//     {"weight_map": {"model.norm.weight": "model-00003-of-00003.safetensors"}}
//
// Where both exist, model.safetensors is read.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_IMPORT_FORMATS_CHECKPOINT_H
#define SMELT_IMPORT_FORMATS_CHECKPOINT_H

#include "smelt/Import/Formats/Safetensors.h"

namespace smelt {

class Checkpoint {
public:
  /// A tensor and the name, relative to the folder, of the file it is in.
  struct Entry {
    const NamedTensor *tensor;
    std::string_view file;
  };

  /// Null, and a message in `error`, if a file is missing or unsound, or the
  /// index names a file outside the folder or a tensor that its shard lacks.
  static std::unique_ptr<Checkpoint> open(const std::string &directory,
                                          std::string &error);

  const Entry *find(std::string_view name) const;
  /// All tensors, by name. Tensors that an index leaves out aren't there.
  const std::map<std::string_view, Entry> &tensors() const { return entries; }

private:
  Checkpoint() = default;
  bool openShards(const std::string &directory, std::string &error);

  std::map<std::string, std::unique_ptr<SafetensorsFile>> files;
  std::map<std::string_view, Entry> entries;
};

} // namespace smelt

#endif // SMELT_IMPORT_FORMATS_CHECKPOINT_H
