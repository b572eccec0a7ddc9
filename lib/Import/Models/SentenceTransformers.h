//===- SentenceTransformers.h - How rows become an embedding ----*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Folders that sentence-transformers publishes say in modules.json what follows
// the encoder:
//
//     [{"path": "", "type": "sentence_transformers.models.Transformer"},
//      {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
//      {"path": "2_Normalize", "type":
//      "sentence_transformers.models.Normalize"}]
//
// in 1_Pooling/config.json how to pool, and in sentence_bert_config.json how
// long a text may be.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_IMPORT_MODELS_SENTENCETRANSFORMERS_H
#define SMELT_LIB_IMPORT_MODELS_SENTENCETRANSFORMERS_H

#include "Config.h"

namespace smelt {

/// How an encoder's rows become one embedding per sequence.
struct Pooling {
  std::string mode; // a mode of llm.pool
  bool normalize = false;
};

/// Reads the files above. `pooling` stays empty without modules.json;
/// `maxLength` is the smaller of what config.json and the last of them allow.
bool readSentenceTransformers(const std::string &directory,
                              const Config &config,
                              std::optional<Pooling> &pooling,
                              int64_t &maxLength, std::string &error);

} // namespace smelt

#endif // SMELT_LIB_IMPORT_MODELS_SENTENCETRANSFORMERS_H
