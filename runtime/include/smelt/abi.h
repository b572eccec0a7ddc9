//===- abi.h - What generated code and the runtime agree on -----*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The only header of the runtime that the compiler reads. An ingot's code
// section is an ELF shared object with no undefined symbol that exports
//
//     void smelt_step(const SmeltStep *step, int64_t thread, int64_t nthreads);
//
// Every thread of a team enters it once per step (SPMD); the code owns a static
// partition of each operation and meets the others at `barrier`.
//
// A step is n tokens of any mix of sequences at any positions. The tokens of a
// sequence are adjacent, their positions ascend by one. Prefill, decode and
// batches are the same step with other arrays.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_ABI_H
#define SMELT_ABI_H

#include <stddef.h>
#include <stdint.h>

/// Version of SmeltStep, of the ingot's layout and of its manifest together.
#define SMELT_FORMAT_VERSION 1
/// The first eight bytes of an ingot.
#define SMELT_INGOT_MAGIC "SMELTING"
/// Sections begin at multiples of this many bytes.
#define SMELT_SECTION_ALIGNMENT 4096
/// Positions in a block of the KV cache.
#define SMELT_KV_BLOCK_TOKENS 64
/// Alignment in bytes that the code expects of arena, kv and weights.
#define SMELT_BUFFER_ALIGNMENT 64
/// The symbol of the entry point.
#define SMELT_ENTRY_POINT "smelt_step"
#define SMELT_MAX_OUTPUTS 4

/// An ingot begins with this header; all numbers are little-endian.
struct SmeltIngotHeader {
  char magic[8];           // SMELT_INGOT_MAGIC
  uint32_t version;        // SMELT_FORMAT_VERSION
  uint32_t headerSize;     // sizeof(SmeltIngotHeader)
  uint64_t fileSize;       // whole file
  uint64_t manifestOffset; // bytes from the start of the file
  uint64_t manifestSize;   // bytes of JSON, without padding
  uint64_t manifestHash;   // XXH3_64bits of the manifest
  uint64_t reserved[2];    // zero
};

/// Waits until all `nthreads` threads of the step have called it.
typedef void (*SmeltBarrier)(void *context, int64_t thread);

/// What a thread did between two looks at the counter of time.
struct SmeltRecord {
  int64_t entry;       // place in the manifest's profile.ops
  uint64_t begin, end; // ticks, of rdtsc or CNTVCT_EL0
};

/// Where a thread of a profiled step writes; room for as many records as the
/// manifest says.
struct SmeltProfile {
  struct SmeltRecord *next; // moves on with each
  uint64_t reserved[7];     // a cache line for each thread
};

/// One step. M = tokens, R = rows, S = sequences. Arrays that a model doesn't
/// take (its manifest lists "inputs") may be null.
struct SmeltStep {
  const uint8_t *weights;     // section "weights", mapped read-only
  uint8_t *arena;             // scratch; size from the memory plan
  uint8_t *kv;                // KV pool of all layers, null for encoders
  const int32_t *ids;         // [M] token ids, each < vocabulary
  const int32_t *positions;   // [M] absolute position in the sequence
  const int32_t *types;       // [M] token type ids
  const int32_t *slots;       // [M] row of block_table
  const int32_t *seq_begin;   // [M] first row of the token's sequence here
  const int32_t *seq_end;     // [M] one past its last row in this step
  const int32_t *rows;        // [R] tokens whose outputs are wanted
  const int32_t *pool_begin;  // [S] first row of each sequence to be pooled
  const int32_t *pool_end;    // [S] one past its last row
  const int32_t *block_table; // [slots_count, blocks_per_slot] KV block ids
  float *outputs[SMELT_MAX_OUTPUTS]; // in the manifest's order, [R|S, width]
  int64_t tokens;                    // M >= 1
  int64_t n_rows;                    // R >= 0
  int64_t sequences;                 // S >= 0
  int64_t kv_blocks;                 // blocks in the pool
  int64_t slots_count;               // rows of block_table
  int64_t blocks_per_slot;           // columns of block_table
  SmeltBarrier barrier;
  void *barrier_context;
  struct SmeltProfile *profile; // [nthreads], for an input "profile"
};

typedef void (*SmeltStepFunction)(const struct SmeltStep *step, int64_t thread,
                                  int64_t nthreads);

#endif // SMELT_ABI_H
