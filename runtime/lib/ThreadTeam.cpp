//===- ThreadTeam.cpp - The threads that execute a step -------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Why no wake-up is lost: a waiter counts itself as parked and then lets the
// kernel compare the word; a publisher stores the word and then looks for
// parked waiters. Both are sequentially consistent, so at least one sees the
// other.
//
//===----------------------------------------------------------------------===//
#include "ThreadTeam.h"

#include <chrono>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>

using namespace smelt;
using Clock = std::chrono::steady_clock;

static constexpr auto spinTime = std::chrono::microseconds(50);
static constexpr auto yieldTime = std::chrono::milliseconds(1);

static void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static long futex(std::atomic<uint32_t> &word, int operation, uint32_t value) {
  static_assert(sizeof(word) == sizeof(uint32_t), "a futex has 32 bits");
  return syscall(SYS_futex, &word, operation | FUTEX_PRIVATE_FLAG, value,
                 nullptr, nullptr, 0);
}

void WaitWord::publish(uint32_t value) {
  word.store(value, std::memory_order_seq_cst);
  if (parked.load(std::memory_order_seq_cst) != 0)
    futex(word, FUTEX_WAKE, INT32_MAX);
}

void WaitWord::awaitChange(uint32_t old) {
  // Most waits are shorter than reading the clock.
  for (int i = 0; i < 64; ++i, relax())
    if (load() != old)
      return;
  auto start = Clock::now();
  while (Clock::now() - start < spinTime)
    for (int i = 0; i < 16; ++i, relax())
      if (load() != old)
        return;
  while (Clock::now() - start < spinTime + yieldTime) {
    sched_yield();
    if (load() != old)
      return;
  }
  parked.fetch_add(1, std::memory_order_seq_cst);
  while (word.load(std::memory_order_seq_cst) == old)
    futex(word, FUTEX_WAIT, old);
  parked.fetch_sub(1, std::memory_order_relaxed);
}

void SpinBarrier::wait() {
  uint32_t current = sense.load();
  if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 != threads)
    return sense.awaitChange(current);
  arrived.store(0, std::memory_order_relaxed);
  sense.publish(current + 1);
}

std::unique_ptr<ThreadTeam> ThreadTeam::create(int64_t threads,
                                               std::string &error) {
  if (threads < 1 || threads > maxThreads) {
    error = "expected 1 to " + std::to_string(maxThreads) + " threads, found " +
            std::to_string(threads);
    return nullptr;
  }
  std::unique_ptr<ThreadTeam> team(new ThreadTeam(threads));
  try {
    for (int64_t thread = 1; thread < threads; ++thread)
      team->workers.emplace_back(
          [&team = *team, thread] { team.work(thread); });
  } catch (const std::system_error &failure) {
    error = "cannot start thread " + std::to_string(team->workers.size() + 1) +
            " of " + std::to_string(threads) + ": " + failure.what();
    return nullptr;
  }
  return team;
}

ThreadTeam::~ThreadTeam() {
  stopping = true;
  job.publish(job.load() + 1);
  for (std::thread &worker : workers)
    worker.join();
}

void ThreadTeam::work(int64_t thread) {
  for (uint32_t seen = 0;; ++seen) {
    job.awaitChange(seen);
    if (stopping)
      return;
    body(context, thread, threads);
    done.wait();
  }
}

void ThreadTeam::run(Body newBody, void *newContext) {
  body = newBody;
  context = newContext;
  job.publish(job.load() + 1);
  body(context, 0, threads);
  done.wait();
}

void ThreadTeam::barrier(void *team, int64_t) {
  static_cast<ThreadTeam *>(team)->inner.wait();
}
