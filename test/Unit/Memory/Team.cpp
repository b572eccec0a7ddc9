//===- Team.cpp - Threads that run a compiled step --------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Team.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <random>
#include <thread>
#include <vector>

using namespace smelt::test;

//===----------------------------------------------------------------------===//
// One at a time
//===----------------------------------------------------------------------===//

namespace {

/// Threads of the system that pass a turn around.
class Turns {
public:
  Turns(int numThreads, unsigned seed) : states(numThreads), random(seed) {}

  int64_t run(SmeltStepFunction function, SmeltStep step);

private:
  enum State { Waiting, Finished };
  static constexpr int64_t scheduler = -1;

  static void wait(void *context, int64_t thread) {
    static_cast<Turns *>(context)->endTurn(thread, Waiting);
  }
  void endTurn(int64_t thread, State state);
  void awaitTurn(std::unique_lock<std::mutex> &lock, int64_t thread) {
    changed.wait(lock, [&] { return turn == thread; });
  }

  std::vector<State> states;
  std::mt19937 random;
  std::mutex mutex;
  std::condition_variable changed;
  int64_t turn = scheduler;
};

} // namespace

void Turns::endTurn(int64_t thread, State state) {
  std::unique_lock<std::mutex> lock(mutex);
  states[thread] = state;
  turn = scheduler;
  changed.notify_all();
  if (state == Waiting)
    awaitTurn(lock, thread);
}

int64_t Turns::run(SmeltStepFunction function, SmeltStep step) {
  int64_t numThreads = states.size();
  step.barrier = wait;
  step.barrier_context = this;
  std::vector<std::thread> threads;
  for (int64_t t = 0; t < numThreads; ++t)
    threads.emplace_back([&, t] {
      {
        std::unique_lock<std::mutex> lock(mutex);
        awaitTurn(lock, t);
      }
      function(&step, t, numThreads);
      endTurn(t, Finished);
    });

  int64_t barriers = 0;
  bool isTogether = true;
  std::vector<int64_t> order(numThreads);
  std::iota(order.begin(), order.end(), 0);
  while (true) {
    std::shuffle(order.begin(), order.end(), random);
    for (int64_t t : order) {
      std::unique_lock<std::mutex> lock(mutex);
      if (states[t] == Finished)
        continue;
      turn = t;
      changed.notify_all();
      awaitTurn(lock, scheduler);
    }
    int64_t finished = std::count(states.begin(), states.end(), Finished);
    if (finished == numThreads)
      break;
    isTogether &= finished == 0;
    ++barriers;
  }
  for (std::thread &thread : threads)
    thread.join();
  return isTogether ? barriers : -1;
}

int64_t smelt::test::runInTurns(SmeltStepFunction function, SmeltStep step,
                                int numThreads, unsigned seed) {
  return Turns(numThreads, seed).run(function, step);
}

//===----------------------------------------------------------------------===//
// All at once
//===----------------------------------------------------------------------===//

namespace {

class Barrier {
public:
  explicit Barrier(int numThreads) : numThreads(numThreads) {}

  static void wait(void *context, int64_t) {
    auto *self = static_cast<Barrier *>(context);
    std::unique_lock<std::mutex> lock(self->mutex);
    int64_t round = self->round;
    if (++self->arrived == self->numThreads) {
      self->arrived = 0;
      ++self->round;
      self->changed.notify_all();
      return;
    }
    self->changed.wait(lock, [&] { return self->round != round; });
  }

private:
  int numThreads;
  int arrived = 0;
  int64_t round = 0;
  std::mutex mutex;
  std::condition_variable changed;
};

} // namespace

void smelt::test::runTogether(SmeltStepFunction function, SmeltStep step,
                              int numThreads) {
  Barrier barrier(numThreads);
  step.barrier = Barrier::wait;
  step.barrier_context = &barrier;
  std::vector<std::thread> threads;
  for (int t = 0; t < numThreads; ++t)
    threads.emplace_back([&, t] { function(&step, t, numThreads); });
  for (std::thread &thread : threads)
    thread.join();
}
