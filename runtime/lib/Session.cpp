//===- Session.cpp - Runs steps of a model --------------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A step is checked as a whole before any slot grows, so that a refused one
// leaves no trace. Generated code trusts what it is given: every id, position
// and range that reaches it has passed here.
//
//===----------------------------------------------------------------------===//
#include "Session.h"

#include "HostCpus.h"

#include <algorithm>
#include <cstring>

using namespace smelt;

static std::string text(int64_t number) { return std::to_string(number); }

bool Session::resolve(const Manifest &manifest, SessionOptions &options,
                      std::string &error) {
  if (options.threads == 0)
    options.threads =
        std::min<int64_t>(defaultThreads(), ThreadTeam::maxThreads);
  if (options.context == 0)
    options.context = std::min(manifest.context, defaultContext);
  if (options.threads < 1 || options.threads > ThreadTeam::maxThreads)
    error = "expected 1 to " + text(ThreadTeam::maxThreads) +
            " threads, found " + text(options.threads);
  else if (options.context < 1 || options.context > manifest.context)
    error = "context of " + text(options.context) +
            " tokens, expected 1 to the model's " + text(manifest.context);
  else if (options.slots < 1 || options.slots > manifest.maxStepTokens)
    error = "session of " + text(options.slots) + " sequences, expected 1 to " +
            text(manifest.maxStepTokens);
  else
    return true;
  return false;
}

bool Session::plan(const Manifest &manifest, const CodeVersion &version,
                   const SessionOptions &options, MemoryPlan &plan,
                   std::string &error) {
  const int64_t tokens = manifest.maxStepTokens;
  std::optional<int64_t> arena =
      version.arena.evaluate(tokens, options.threads);
  __int128 blocks = (options.context + SMELT_KV_BLOCK_TOKENS - 1) /
                    SMELT_KV_BLOCK_TOKENS * __int128(options.slots);
  __int128 kv = blocks * manifest.kvBlockBytes;
  if (!arena || kv > INT64_MAX) {
    error = "the memory plan for " + text(options.threads) + " threads and " +
            text(options.context) + " positions exceeds the address space";
    return false;
  }
  const SectionInfo *weights = manifest.findSection("weights");
  plan.weights = weights ? weights->size : 0;
  plan.arena = *arena;
  plan.kv = manifest.kind == ModelKind::Decoder ? uint64_t(kv) : 0;
  plan.outputs = 0;
  for (const OutputInfo &output : manifest.outputs)
    plan.outputs += uint64_t(output.width) * tokens * sizeof(float);
  return true;
}

std::unique_ptr<Session> Session::create(std::shared_ptr<const Model> model,
                                         const SessionOptions &wanted,
                                         std::string &error) {
  std::unique_ptr<Session> session(new Session);
  SessionOptions options = wanted;
  if (!resolve(model->manifest(), options, error))
    return nullptr;
  session->shared = std::move(model);
  session->contextLimit = options.context;
  session->slotCount = options.slots;
  session->isDecoder = session->manifest().kind == ModelKind::Decoder;
  session->team = ThreadTeam::create(options.threads, error);
  if (!session->team || !session->allocate(error))
    return nullptr;
  return session;
}

bool Session::allocate(std::string &error) {
  SessionOptions options{threads(), contextLimit, slotCount};
  MemoryPlan bytes;
  if (!plan(manifest(), model().version(), options, bytes, error) ||
      !arena.allocate(bytes.arena, "arena", error))
    return false;
  if (isDecoder &&
      !kv.create(slotCount, contextLimit, manifest().kvBlockBytes, error))
    return false;

  int32_t **const parts[] = {&ids,       &positions, &types,
                             &slots,     &seqBegin,  &seqEnd,
                             &rowTokens, &poolBegin, &poolEnd};
  uint64_t tokens = maxStepTokens();
  // Each array begins on a cache line of its own.
  uint64_t stride = (tokens + 15) / 16 * 16;
  if (!arrays.allocate(std::size(parts) * stride * sizeof(int32_t),
                       "step's arrays", error))
    return false;
  for (size_t i = 0; i < std::size(parts); ++i)
    *parts[i] = arrays.as<int32_t>() + i * stride;

  for (size_t i = 0; i < manifest().outputs.size(); ++i)
    if (!outputs[i].allocate(manifest().outputs[i].width * tokens *
                                 sizeof(float),
                             "outputs", error))
      return false;

  SmeltStep &step = arguments;
  if (manifest().profileRecords > 0) {
    if (!profile.allocate(threads(), manifest().profileRecords, error))
      return false;
    profile.reset();
    step.profile = profile.threads();
  }
  step.weights = shared->weights();
  step.arena = arena.data();
  step.ids = ids;
  step.positions = positions;
  step.types = types;
  step.slots = slots;
  step.seq_begin = seqBegin;
  step.seq_end = seqEnd;
  step.rows = rowTokens;
  step.pool_begin = poolBegin;
  step.pool_end = poolEnd;
  for (size_t i = 0; i < manifest().outputs.size(); ++i)
    step.outputs[i] = outputs[i].as<float>();
  if (isDecoder) {
    step.kv = kv.data();
    step.block_table = kv.table();
    step.kv_blocks = kv.blocks();
    step.slots_count = kv.slots();
    step.blocks_per_slot = kv.blocksPerSlot();
  }
  step.barrier = ThreadTeam::barrier;
  step.barrier_context = team.get();
  return true;
}

bool Session::check(const Segment *segments, int64_t count,
                    std::string &error) const {
  int64_t tokens = 0;
  if (count < 1) {
    error = "a step without sequences cannot be run";
    return false;
  }
  for (int64_t s = 0; s < count; ++s) {
    const Segment &segment = segments[s];
    if (segment.count < 1) {
      error = "a sequence without tokens cannot be run";
      return false;
    }
    tokens += std::min(segment.count, maxStepTokens() + 1);
    if (tokens > maxStepTokens()) {
      error = isDecoder
                  ? "a step takes at most " + text(maxStepTokens()) + " tokens"
                  : "a sequence of " + text(segment.count) +
                        " tokens does not fit into a step of " +
                        text(maxStepTokens()) +
                        "; compile the model with more --max-step-tokens";
      return false;
    }
    if (isDecoder && (segment.slot < 0 || segment.slot >= slotCount)) {
      error = "slot " + text(segment.slot) +
              " is out of range: the session has " + text(slotCount);
      return false;
    }
    for (int64_t other = 0; isDecoder && other < s; ++other)
      if (segments[other].slot == segment.slot) {
        error = "slot " + text(segment.slot) + " occurs twice in a step";
        return false;
      }
    for (int64_t i = 0; i < segment.count; ++i) {
      if (segment.ids[i] < 0 || segment.ids[i] >= manifest().vocabulary) {
        error = "token id " + text(segment.ids[i]) +
                " is out of range: the vocabulary has " +
                text(manifest().vocabulary);
        return false;
      }
      if (segment.types && manifest().tokenTypes > 0 &&
          (segment.types[i] < 0 || segment.types[i] >= manifest().tokenTypes)) {
        error = "token type " + text(segment.types[i]) +
                " is out of range: the model has " +
                text(manifest().tokenTypes);
        return false;
      }
    }
    int64_t before = isDecoder ? kv.length(segment.slot) : 0;
    if (segment.count > contextLimit - before) {
      error = "the context of " + text(contextLimit) +
              " tokens is full: " + text(before) + " are in it, " +
              text(segment.count) + " more do not fit";
      return false;
    }
  }
  return true;
}

bool Session::growSlots(const Segment *segments, int64_t count,
                        std::string &error) {
  for (int64_t s = 0; s < count; ++s)
    if (!kv.grow(segments[s].slot, segments[s].count)) {
      while (s-- > 0)
        kv.shrink(segments[s].slot,
                  kv.length(segments[s].slot) - segments[s].count);
      error = "the KV cache has no free block left";
      return false;
    }
  return true;
}

bool Session::pretend(int64_t slot, int64_t count) {
  if (!isDecoder || !kv.grow(slot, count))
    return false;
  // A finite number in every type, which isn't small, in memory of its own.
  std::memset(kv.data(), 0x3c, kv.bytes());
  return true;
}

/// Writes the step's arrays. Decoder slots have grown already.
void Session::fill(const Segment *segments, int64_t count) {
  int32_t token = 0;
  rowCount = 0;
  for (int64_t s = 0; s < count; ++s) {
    const Segment &segment = segments[s];
    int64_t slot = isDecoder ? segment.slot : s;
    int64_t position = isDecoder ? kv.length(slot) - segment.count : 0;
    int32_t begin = token, end = token + int32_t(segment.count);
    poolBegin[s] = begin;
    poolEnd[s] = end;
    for (int64_t i = 0; i < segment.count; ++i, ++token) {
      ids[token] = segment.ids[i];
      types[token] = segment.types ? segment.types[i] : 0;
      positions[token] = int32_t(position + i);
      slots[token] = int32_t(slot);
      seqBegin[token] = begin;
      seqEnd[token] = end;
      if (segment.rows == Rows::All ||
          (segment.rows == Rows::Last && token + 1 == end))
        rowTokens[rowCount++] = token;
    }
  }
  arguments.tokens = token;
  arguments.n_rows = rowCount;
  arguments.sequences = count;
}

StepCounts Session::counts(int64_t window) const {
  StepCounts counts;
  counts.tokens = arguments.tokens;
  counts.rows = arguments.n_rows;
  counts.sequences = arguments.sequences;
  for (int64_t i = 0; i < arguments.tokens; ++i) {
    const int64_t length =
        isDecoder ? positions[i] + 1 : seqEnd[i] - seqBegin[i];
    const int64_t most = window ? window : length;
    counts.pairs += std::min(length, most);
    // What the first token of the sequence sees, and all that come after it.
    if (i + 1 == seqEnd[i])
      counts.positions +=
          std::min(length, most + (seqEnd[i] - seqBegin[i]) - 1);
  }
  return counts;
}

bool Session::step(const Segment *segments, int64_t count, std::string &error) {
  if (!check(segments, count, error) ||
      (isDecoder && !growSlots(segments, count, error)))
    return false;
  fill(segments, count);
  if (arguments.profile)
    profile.reset();
  team->run(
      [](void *self, int64_t thread, int64_t nthreads) {
        auto *session = static_cast<Session *>(self);
        session->shared->entry()(&session->arguments, thread, nthreads);
      },
      this);
  return true;
}
