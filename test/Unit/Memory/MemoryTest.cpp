//===- MemoryTest.cpp - Random steps, planned and in parallel ---*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Random steps go through the memory passes and the entry point and are
// compiled. Their plans are compared with when the evaluation touched each
// buffer; their outputs with the evaluation's, for several team sizes, with
// threads in adverse order, in an arena full of garbage.
//
//===----------------------------------------------------------------------===//
#include "../Support/JitContext.h"
#include "RandomStep.h"
#include "Team.h"

#include "smelt/Transforms/Memory/Linear.h"
#include "smelt/Transforms/Memory/Passes.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/ExecutionEngine/ExecutionEngine.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

#include <gtest/gtest.h>

#include <map>

using namespace smelt;
using namespace smelt::test;

static const char *const plan = "smelt-plan-memory,smelt-check-buffers";
static const char *const lower =
    "smelt-derive-barriers,smelt-spmd,canonicalize,cse,expand-strided-metadata,"
    "lower-affine,convert-scf-to-cf,convert-kernel-to-llvm,convert-to-llvm,"
    "reconcile-unrealized-casts,smelt-emit-entry-point";

static bool runPasses(mlir::ModuleOp module, const char *passes) {
  mlir::PassManager manager(&getJitContext());
  return mlir::succeeded(mlir::parsePassPipeline(passes, manager)) &&
         mlir::succeeded(manager.run(module));
}

namespace {

/// The size of an arena: of what the threads share, and of a thread's slice.
struct ArenaSize {
  Linear shared, perThread;

  explicit ArenaSize(mlir::ModuleOp module) {
    auto memory = module->getAttrOfType<mlir::DictionaryAttr>(kMemoryAttr);
    auto get = [&](llvm::StringRef name) {
      return memory.getAs<mlir::IntegerAttr>(name).getInt();
    };
    shared = {get("per_token"), get("bytes")};
    perThread = {get("per_token_thread"), get("per_thread")};
  }
  int64_t bytes(int64_t tokens, int64_t numThreads) const {
    return shared.at(tokens) + perThread.at(tokens) * numThreads;
  }
};

/// A buffer's place for a number of tokens, computed from the plan's attribute
/// and the program's own size.
struct Bytes {
  int64_t begin, end;
};

} // namespace

/// Compares a plan with when each buffer was in use.
static void checkPlan(mlir::ModuleOp module, const RandomStep &program) {
  std::map<int, mlir::DenseI64ArrayAttr> offsets;
  module.walk([&](mlir::memref::AllocOp alloc) {
    if (auto id = alloc->getAttrOfType<mlir::IntegerAttr>("test.id"))
      offsets[id.getInt()] =
          alloc->getAttrOfType<mlir::DenseI64ArrayAttr>(kOffsetAttr);
  });
  ArenaSize size(module);
  for (int64_t traced : {1, 2, 63}) {
    std::vector<Lifetime> lifetimes = program.evaluate(traced).lifetimes;
    for (int64_t tokens : {1, 2, 63, 64, 512}) {
      std::vector<Bytes> places;
      for (const Lifetime &lifetime : lifetimes) {
        auto offset = offsets.find(lifetime.alloc);
        ASSERT_TRUE(offset != offsets.end() && offset->second)
            << "buffer " << lifetime.alloc << " has no place";
        int64_t begin = offset->second[0] * tokens + offset->second[1];
        int64_t bytes = 4 * (lifetime.perToken * tokens + lifetime.constant);
        EXPECT_GE(begin, 0);
        EXPECT_EQ(begin % 64, 0);
        EXPECT_LE(begin + bytes, size.shared.at(tokens));
        places.push_back({begin, begin + bytes});
      }
      for (size_t i = 0; i < places.size(); ++i)
        for (size_t j = 0; j < i; ++j) {
          bool atOnce = lifetimes[i].first <= lifetimes[j].last &&
                        lifetimes[j].first <= lifetimes[i].last;
          EXPECT_TRUE(!atOnce || places[i].end <= places[j].begin ||
                      places[j].end <= places[i].begin)
              << "buffers " << lifetimes[i].alloc << " and "
              << lifetimes[j].alloc << " overlap for " << tokens << " tokens";
        }
    }
  }
}

namespace {

/// A random step from text to machine code.
class Compiled {
public:
  explicit Compiled(const RandomStep &program);

  /// Runs and compares the output.
  void check(const RandomStep &program, int64_t tokens, int numThreads,
             unsigned seed, bool inTurns);

  int64_t barriers = 0; // of the last run in turns

private:
  std::unique_ptr<mlir::ExecutionEngine> engine;
  SmeltStepFunction function = nullptr;
  std::unique_ptr<ArenaSize> size;
};

} // namespace

Compiled::Compiled(const RandomStep &program) {
  std::string text = program.print();
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &getJitContext());
  if (!module || !runPasses(*module, plan)) {
    ADD_FAILURE() << "can't plan:\n" << text;
    return;
  }
  checkPlan(*module, program);
  size = std::make_unique<ArenaSize>(*module);
  if (!runPasses(*module, lower)) {
    ADD_FAILURE() << "can't lower:\n" << text;
    return;
  }
  auto compiled = mlir::ExecutionEngine::create(*module);
  if (!compiled) {
    ADD_FAILURE() << llvm::toString(compiled.takeError());
    return;
  }
  engine = std::move(*compiled);
  auto symbol = engine->lookup(SMELT_ENTRY_POINT);
  if (!symbol) {
    ADD_FAILURE() << llvm::toString(symbol.takeError());
    return;
  }
  function = reinterpret_cast<SmeltStepFunction>(*symbol);
}

void Compiled::check(const RandomStep &program, int64_t tokens, int numThreads,
                     unsigned seed, bool inTurns) {
  ASSERT_NE(function, nullptr);
  constexpr size_t guard = 256;
  constexpr uint8_t garbage = 0xa5;
  size_t bytes = size->bytes(tokens, numThreads);
  std::vector<uint8_t> memory(bytes + guard + 64, garbage);
  auto *arena = reinterpret_cast<uint8_t *>(
      (reinterpret_cast<uintptr_t>(memory.data()) + 63) / 64 * 64);
  std::vector<int32_t> ids(tokens);
  std::vector<float> logits(tokens * kColumns, -1.0f);

  SmeltStep step = {};
  step.arena = arena;
  step.ids = ids.data();
  step.outputs[0] = logits.data();
  step.tokens = step.n_rows = tokens;
  if (inTurns) {
    barriers = runInTurns(function, step, numThreads, seed);
    EXPECT_GE(barriers, 0) << "threads don't meet at the same barriers";
  } else {
    runTogether(function, step, numThreads);
  }
  EXPECT_EQ(logits, program.evaluate(tokens).logits)
      << tokens << " tokens, " << numThreads << " threads, schedule " << seed;
  EXPECT_TRUE(std::all_of(arena + bytes, arena + bytes + guard,
                          [](uint8_t byte) { return byte == garbage; }))
      << "writes beyond the arena";
}

TEST(Memory, RandomStepsInTurns) {
  int64_t total = 0;
  for (unsigned seed = 0; seed < 24; ++seed) {
    SCOPED_TRACE("program " + std::to_string(seed));
    RandomStep program(seed);
    Compiled compiled(program);
    for (int numThreads : {1, 2, 4})
      for (int64_t tokens : {1, 2, 63})
        for (unsigned schedule = 0; schedule < 2; ++schedule)
          compiled.check(program, tokens, numThreads, schedule, true);
    if (HasFailure()) {
      FAIL() << program.print();
    }
    total += compiled.barriers;
  }
  // Not vacuous: the programs do have something to wait for.
  EXPECT_GT(total, 24);
}

TEST(Memory, RandomStepsTogether) {
  for (unsigned seed = 100; seed < 110; ++seed) {
    SCOPED_TRACE("program " + std::to_string(seed));
    RandomStep program(seed);
    Compiled compiled(program);
    for (int numThreads : {1, 2, 3})
      for (int64_t tokens : {1, 63, 512})
        compiled.check(program, tokens, numThreads, 0, false);
  }
}

TEST(Linear, ComparesForAllTokens) {
  // Against every M up to where the lines have crossed.
  for (int64_t a = 0; a < 5; ++a)
    for (int64_t b = -4; b < 20; ++b)
      for (int64_t c = 0; c < 5; ++c)
        for (int64_t d = -4; d < 20; ++d) {
          Linear f{a, b}, g{c, d};
          bool isAtMost = true;
          for (int64_t m = 1; m <= 64; ++m) {
            isAtMost &= f.at(m) <= g.at(m);
            EXPECT_GE(join(f, g).at(m), std::max(f.at(m), g.at(m)));
          }
          EXPECT_EQ(f.isAtMost(g), isAtMost);
          EXPECT_EQ(join(f, g).at(1), std::max(f.at(1), g.at(1)));
        }
}
