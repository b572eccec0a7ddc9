//===- Weights.cpp - The weights section ------------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Workers take pieces of about a megabyte in order and fill the slots of a
// ring; this thread empties the slots in the same order:
//
//     ring     [ 7: filling ][ 4: ready ][ 5: ready ][ 6: filling ]
//                              ^ written next
//
// so that the section is written and hashed as one stream, whatever the number
// of threads, and memory is bounded by the ring.
//
//===----------------------------------------------------------------------===//
#include "Weights.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <condition_variable>
#include <system_error>
#include <thread>

using namespace mlir;
using namespace smelt;

/// Bytes of a piece, unless a single step is larger.
static constexpr int64_t pieceBytes = 1 << 20;

bool WeightsSection::create(ModuleOp module, std::string &error) {
  auto directory = module->getAttrOfType<StringAttr>("llm.checkpoint");
  if (!directory) {
    error =
        "expects module attribute llm.checkpoint, the folder of the weights";
    return false;
  }
  files = std::make_unique<CheckpointFiles>(directory.str());
  for (auto param : module.getOps<llm::ParamOp>()) {
    if (!param.getOffset() || !param.getStride() || !param.getFormat() ||
        !param.getLayout()) {
      error = "param '" + param.getSymName().str() +
              "' has no place in the weights; did stage layout run?";
      return false;
    }
    for (int64_t i = 0; i < param.getInstanceCount(); ++i) {
      int64_t offset;
      if (::llvm::MulOverflow<int64_t>(*param.getStride(), i, offset) ||
          ::llvm::AddOverflow<int64_t>(*param.getOffset(), offset, offset)) {
        error = "param '" + param.getSymName().str() + "' is out of bounds";
        return false;
      }
      instances.push_back({offset, {}});
      if (!Recipe::create(param, i, *files, instances.back().recipe, error))
        return false;
    }
  }
  ::llvm::sort(instances, [](const Instance &a, const Instance &b) {
    return a.offset < b.offset;
  });
  for (const Instance &instance : instances) {
    if (instance.offset < bytes) {
      error = "params overlap at byte " + std::to_string(instance.offset) +
              " of the weights";
      return false;
    }
    bytes = instance.offset + instance.recipe.storedBytes();
  }
  return true;
}

bool WeightsSection::produce(
    unsigned threads,
    ::llvm::function_ref<bool(const uint8_t *, int64_t)> write,
    std::string &error) const {
  struct Piece {
    const Instance *instance;
    int64_t begin, end; // steps
  };
  std::vector<Piece> pieces;
  for (const Instance &instance : instances) {
    const Recipe &recipe = instance.recipe;
    int64_t count = std::max<int64_t>(
        pieceBytes / std::max<int64_t>(recipe.stepBytes(), 1), 1);
    for (int64_t step = 0; step < recipe.stepCount(); step += count)
      pieces.push_back(
          {&instance, step, std::min(step + count, recipe.stepCount())});
  }

  struct Slot {
    std::vector<uint8_t> bytes;
    std::string error; // empty: none
    bool isReady = false;
  };
  std::vector<Slot> ring(2 * threads + 2);
  std::mutex mutex;
  std::condition_variable changed;
  size_t taken = 0, written = 0;
  bool isStopped = false;

  auto work = [&] {
    std::unique_lock<std::mutex> lock(mutex);
    while (true) {
      changed.wait(lock, [&] {
        return isStopped || taken == pieces.size() ||
               taken < written + ring.size();
      });
      if (isStopped || taken == pieces.size())
        return;
      size_t mine = taken++;
      lock.unlock();
      const Piece &piece = pieces[mine];
      const Recipe &recipe = piece.instance->recipe;
      Slot &slot = ring[mine % ring.size()];
      slot.bytes.resize((piece.end - piece.begin) * recipe.stepBytes());
      recipe.pack(piece.begin, piece.end, slot.bytes.data(), slot.error);
      recipe.release(piece.begin, piece.end);
      lock.lock();
      slot.isReady = true;
      changed.notify_all();
    }
  };
  std::vector<std::thread> workers;
  workers.reserve(threads);
  try {
    for (unsigned i = 0; i < threads; ++i)
      workers.emplace_back(work);
  } catch (const std::system_error &) {
    // Where the system gives fewer threads, these do all of it.
    if (workers.empty())
      throw;
  }

  static const uint8_t zeros[64] = {};
  int64_t end = 0;
  bool isGood = true;
  for (size_t i = 0; i < pieces.size() && isGood; ++i) {
    Slot &slot = ring[i % ring.size()];
    {
      std::unique_lock<std::mutex> lock(mutex);
      changed.wait(lock, [&] { return slot.isReady; });
    }
    if (!slot.error.empty()) {
      error = slot.error;
      isGood = false;
      break;
    }
    const Piece &piece = pieces[i];
    int64_t begin = piece.instance->offset +
                    piece.begin * piece.instance->recipe.stepBytes();
    for (; isGood && end < begin; end += std::min<int64_t>(begin - end, 64))
      isGood = write(zeros, std::min<int64_t>(begin - end, 64));
    isGood = isGood && write(slot.bytes.data(), slot.bytes.size());
    end = begin + slot.bytes.size();
    std::lock_guard<std::mutex> lock(mutex);
    slot.isReady = false;
    written = i + 1;
    changed.notify_all();
  }
  {
    std::lock_guard<std::mutex> lock(mutex);
    isStopped = true;
    changed.notify_all();
  }
  for (std::thread &worker : workers)
    worker.join();
  return isGood;
}
