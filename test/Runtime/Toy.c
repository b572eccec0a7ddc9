/*===- Toy.c - A model that a test can predict ----------------------------===*\
|*                                                                            *|
|* Part of the Smelt project, under the Apache License v2.0 with LLVM         *|
|* Exceptions.                                                                *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|*===----------------------------------------------------------------------===*|
|*                                                                            *|
|* The code section of the tests' ingots. A decoder keeps a number for each   *|
|* position in the KV pool; its logits are a hash of all numbers up to the    *|
|* token's position, read back through the block table. An encoder hashes the *|
|* token's whole sequence. So a wrong slot, block, position, range or type, a *|
|* missing barrier or a lost token changes the result. ToyModel.h predicts it.*|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/
#include "smelt/abi.h"

#define VOCABULARY 2048
#define HIDDEN 8

static uint32_t mix(uint32_t state, uint32_t value) {
  state = (state ^ value) * 2654435761u;
  return state ^ state >> 15;
}

static float number(uint32_t state, int64_t column) {
  return (float)(mix(state, (uint32_t)column) >> 8) / 1048576.0f - 8.0f;
}

static uint32_t token(const struct SmeltStep *step, int64_t i) {
  return mix(mix(step->weights[0], (uint32_t)step->ids[i]),
             (uint32_t)step->types[i]);
}

static uint32_t *cell(const struct SmeltStep *step, int64_t slot, int64_t position) {
  int64_t column = position / SMELT_KV_BLOCK_TOKENS;
  int64_t block = step->block_table[slot * step->blocks_per_slot + column];
  return (uint32_t *)step->kv + block * SMELT_KV_BLOCK_TOKENS +
         position % SMELT_KV_BLOCK_TOKENS;
}

static void decode(const struct SmeltStep *step, int64_t thread, int64_t nthreads) {
  for (int64_t i = thread; i < step->tokens; i += nthreads)
    *cell(step, step->slots[i], step->positions[i]) = token(step, i);
  step->barrier(step->barrier_context, thread);
  for (int64_t r = thread; r < step->n_rows; r += nthreads) {
    int64_t i = step->rows[r];
    uint32_t state = 1;
    for (int64_t p = 0; p <= step->positions[i]; ++p)
      state = mix(state, *cell(step, step->slots[i], p) + (uint32_t)p);
    for (int64_t v = 0; v < VOCABULARY; ++v)
      step->outputs[0][r * VOCABULARY + v] = number(state, v);
  }
}

static void encode(const struct SmeltStep *step, int64_t thread, int64_t nthreads) {
  uint32_t *numbers = (uint32_t *)step->arena; /* [M] */
  for (int64_t i = thread; i < step->tokens; i += nthreads)
    numbers[i] = mix(token(step, i), (uint32_t)step->positions[i]);
  step->barrier(step->barrier_context, thread);
  for (int64_t r = thread; r < step->n_rows; r += nthreads) {
    int64_t i = step->rows[r];
    uint32_t state = numbers[i];
    for (int64_t j = step->seq_begin[i]; j < step->seq_end[i]; ++j)
      state = mix(state, numbers[j]);
    for (int64_t c = 0; c < HIDDEN; ++c)
      step->outputs[0][r * HIDDEN + c] = number(state, c);
  }
  for (int64_t s = thread; s < step->sequences; s += nthreads) {
    uint32_t state = 1;
    for (int64_t j = step->pool_begin[s]; j < step->pool_end[s]; ++j)
      state = mix(state, numbers[j]);
    for (int64_t c = 0; c < HIDDEN; ++c)
      step->outputs[1][s * HIDDEN + c] = number(state, c);
  }
}

void smelt_step(const struct SmeltStep *step, int64_t thread, int64_t nthreads) {
  if (step->kv)
    decode(step, thread, nthreads);
  else
    encode(step, thread, nthreads);
}
