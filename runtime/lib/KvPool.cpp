//===- KvPool.cpp - Blocks of the KV cache --------------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Blocks go from the free list to a slot's row of the table and back; their
// contents stay as they are, since code reads only positions that it has
// written.
//
//===----------------------------------------------------------------------===//
#include "KvPool.h"

#include "smelt/abi.h"

using namespace smelt;

static int64_t blocksFor(int64_t positions) {
  return (positions + SMELT_KV_BLOCK_TOKENS - 1) / SMELT_KV_BLOCK_TOKENS;
}

bool KvPool::create(int64_t slots, int64_t context, int64_t blockBytes,
                    std::string &error) {
  columns = blocksFor(context);
  int64_t bytes;
  if (__builtin_mul_overflow(slots, columns, &blockCount) ||
      blockCount > INT32_MAX ||
      __builtin_mul_overflow(blockCount, blockBytes, &bytes)) {
    error = "a KV cache of " + std::to_string(slots) + " sequences of " +
            std::to_string(context) +
            " positions is too large; use a smaller context";
    return false;
  }
  if (!memory.allocate(bytes, "KV cache", error))
    return false;
  entries.assign(blockCount, -1);
  lengths.assign(slots, 0);
  freeBlocks.reserve(blockCount);
  for (int64_t block = blockCount; block-- > 0;)
    freeBlocks.push_back(int32_t(block));
  return true;
}

bool KvPool::grow(int64_t slot, int64_t count) {
  int64_t held = blocksFor(lengths[slot]);
  int64_t needed = blocksFor(lengths[slot] + count);
  if (needed > columns || needed - held > int64_t(freeBlocks.size()))
    return false;
  for (int64_t i = held; i < needed; ++i) {
    entries[slot * columns + i] = freeBlocks.back();
    freeBlocks.pop_back();
  }
  lengths[slot] += count;
  return true;
}

void KvPool::shrink(int64_t slot, int64_t length) {
  for (int64_t i = blocksFor(lengths[slot]); i-- > blocksFor(length);) {
    int32_t &entry = entries[slot * columns + i];
    freeBlocks.push_back(entry);
    entry = -1;
  }
  lengths[slot] = length;
}
