//===- ThreadTeam.h - The threads that execute a step -----------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A step is one parallel region: every thread of the team enters it once, and
// they meet at barriers, hundreds of times per token. So the barrier is a spin
// barrier, and only a thread that waited long gives its core away:
//
//   spin 50 us  ->  yield 1 ms  ->  park on a futex until woken
//
// Workers wait for the next step in the same way; between requests they park.
// The caller of `run` is thread 0.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_RUNTIME_THREADTEAM_H
#define SMELT_RUNTIME_THREADTEAM_H

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace smelt {

/// A 32-bit word that threads wait on until it changes.
class alignas(128) WaitWord {
public:
  uint32_t load() const { return word.load(std::memory_order_acquire); }
  /// Stores a value and wakes whoever has parked.
  void publish(uint32_t value);
  /// Returns once the word differs from `old`.
  void awaitChange(uint32_t old);

private:
  std::atomic<uint32_t> word{0};
  std::atomic<uint32_t> parked{0};
};

/// A sense-reversing barrier whose sense counts up.
class SpinBarrier {
public:
  explicit SpinBarrier(int64_t threads) : threads(threads) {}
  void wait();

private:
  const int64_t threads;
  alignas(128) std::atomic<int64_t> arrived{0};
  WaitWord sense;
};

class ThreadTeam {
public:
  using Body = void (*)(void *context, int64_t thread, int64_t nthreads);
  static constexpr int64_t maxThreads = 1024;

  /// Starts `threads` - 1 workers.
  static std::unique_ptr<ThreadTeam> create(int64_t threads,
                                            std::string &error);
  ~ThreadTeam();

  int64_t size() const { return threads; }

  /// Runs `body` once in every thread and returns when all have returned.
  void run(Body body, void *context);

  /// SmeltBarrier of abi.h; `team` is the ThreadTeam.
  static void barrier(void *team, int64_t thread);

private:
  explicit ThreadTeam(int64_t threads)
      : threads(threads), inner(threads), done(threads) {}
  void work(int64_t thread);

  const int64_t threads;
  SpinBarrier inner; // the step's own
  SpinBarrier done;  // the end of a step
  WaitWord job;      // counts steps
  Body body = nullptr;
  void *context = nullptr;
  bool stopping = false;
  std::vector<std::thread> workers;
};

} // namespace smelt

#endif // SMELT_RUNTIME_THREADTEAM_H
