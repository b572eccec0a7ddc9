//===- KvPool.h - Blocks of the KV cache ------------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The cache of all sequences is one pool of equal blocks; a block holds keys
// and values of SMELT_KV_BLOCK_TOKENS positions of one sequence, for all
// layers. A sequence (slot) owns any blocks, in the order of its row of the
// block table:
//
//   block table          pool
//   slot 0 | 3 | 0 | -   | 0: slot 0, positions 64-127 | 1: slot 1, 0-63 | ...
//   slot 1 | 1 | - | -
//
// Everything is taken when the pool is made; sequences grow and shrink within.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_RUNTIME_KVPOOL_H
#define SMELT_RUNTIME_KVPOOL_H

#include "Pages.h"

#include <vector>

namespace smelt {

class KvPool {
public:
  /// Room for `slots` sequences of up to `context` positions each.
  bool create(int64_t slots, int64_t context, int64_t blockBytes,
              std::string &error);

  /// Appends `count` positions to a slot; false, and nothing changed, where its
  /// row or the pool has no room for them.
  bool grow(int64_t slot, int64_t count);
  /// Shortens a slot to `length` positions and frees blocks beyond them.
  void shrink(int64_t slot, int64_t length);

  int64_t length(int64_t slot) const { return lengths[slot]; }
  uint8_t *data() const { return memory.data(); }
  uint64_t bytes() const { return memory.size(); }
  int64_t blocks() const { return blockCount; }
  int64_t slots() const { return int64_t(lengths.size()); }
  int64_t blocksPerSlot() const { return columns; }
  /// [slots, blocksPerSlot] block ids, -1 where a slot has no block.
  const int32_t *table() const { return entries.data(); }

private:
  Pages memory;
  int64_t blockCount = 0;
  int64_t columns = 0;
  std::vector<int32_t> entries;    // [slots, columns]
  std::vector<int64_t> lengths;    // [slots] positions
  std::vector<int32_t> freeBlocks; // a stack, the next one last
};

} // namespace smelt

#endif // SMELT_RUNTIME_KVPOOL_H
