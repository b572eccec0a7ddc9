//===- ThreadTeamTest.cpp - Barriers, parking, and thread counts ----------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ThreadTeam.h"

#include "HostCpus.h"
#include "ToyModel.h"

#include <chrono>
#include <filesystem>
#include <gtest/gtest.h>
#include <random>

using namespace smelt;

namespace {
/// Each thread writes its cell, meets the others, and reads all cells, twice a
/// round: without the second barrier a fast thread would overwrite too early.
struct Exchange {
  ThreadTeam *team;
  int rounds;
  int slowThread;
  std::vector<int64_t> cells; // [nthreads], plain memory on purpose
  std::vector<int64_t> wrong; // [nthreads]

  static void body(void *self, int64_t thread, int64_t nthreads) {
    auto &e = *static_cast<Exchange *>(self);
    for (int round = 1; round <= e.rounds; ++round) {
      if (thread == e.slowThread && round % 64 == 0)
        std::this_thread::sleep_for(std::chrono::milliseconds(3));
      e.cells[thread] = round * (thread + 1);
      ThreadTeam::barrier(e.team, thread);
      for (int64_t other = 0; other < nthreads; ++other)
        e.wrong[thread] += e.cells[other] != round * (other + 1);
      ThreadTeam::barrier(e.team, thread);
    }
  }
};
} // namespace

TEST(ThreadTeam, BarriersHoldUnderStress) {
  for (int64_t threads = 1; threads <= 4; ++threads)
    for (int slow = -1; slow < threads; ++slow) {
      std::string error;
      auto team = ThreadTeam::create(threads, error);
      ASSERT_TRUE(team) << error;
      // The slow thread makes the others spin, yield and park.
      Exchange exchange{team.get(), slow < 0 ? 2000 : 256, slow,
                        std::vector<int64_t>(threads),
                        std::vector<int64_t>(threads)};
      team->run(Exchange::body, &exchange);
      EXPECT_EQ(exchange.wrong, std::vector<int64_t>(threads, 0));
    }
}

TEST(ThreadTeam, EveryThreadRunsOncePerJobEvenAfterParking) {
  std::string error;
  auto team = ThreadTeam::create(4, error);
  ASSERT_TRUE(team) << error;
  std::vector<int64_t> runs(4);
  for (int job = 1; job <= 400; ++job) {
    if (job % 40 == 0) // longer than threads spin and yield
      std::this_thread::sleep_for(std::chrono::milliseconds(4));
    team->run(
        [](void *context, int64_t thread, int64_t nthreads) {
          EXPECT_EQ(nthreads, 4);
          ++(*static_cast<std::vector<int64_t> *>(context))[thread];
        },
        &runs);
    ASSERT_EQ(runs, std::vector<int64_t>(4, job));
  }
}

TEST(ThreadTeam, IdleTeamsUseNoTime) {
  std::string error;
  auto team = ThreadTeam::create(3, error);
  ASSERT_TRUE(team) << error;
  team->run([](void *, int64_t, int64_t) {}, nullptr);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  auto used = [] {
    timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * 1e3 + time.tv_nsec * 1e-6;
  };
  double before = used();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_LT(used() - before, 50) << "ms of processor time while parked";
}

TEST(ThreadTeam, StartsAndStopsManyTimes) {
  for (int round = 0; round < 50; ++round) {
    std::string error;
    ASSERT_TRUE(ThreadTeam::create(1 + round % 4, error)) << error;
  }
}

TEST(ThreadTeam, RefusesCountsOutOfRange) {
  for (int64_t threads : {int64_t(-1), int64_t(0), int64_t(1025)}) {
    std::string error;
    EXPECT_FALSE(ThreadTeam::create(threads, error));
    EXPECT_NE(error.find("expected 1 to 1024 threads"), std::string::npos);
  }
}

TEST(HostCpus, ReadsCgroupQuotas) {
  namespace fs = std::filesystem;
  toy::TempFile name;
  fs::path root = name.path() + ".d";
  auto write = [&](const std::string &file, const std::string &text) {
    fs::create_directories((root / file).parent_path());
    toy::writeFile((root / file).string(), text);
  };
  EXPECT_EQ(cgroupCpuLimit("0::/\n", root.string()), 0);
  write("cpu.max", "max 100000\n");
  EXPECT_EQ(cgroupCpuLimit("0::/\n", root.string()), 0);
  write("a/cpu.max", "350000 100000\n");
  write("a/b/cpu.max", "800000 100000\n");
  // The tighter parent counts, and a part of a CPU is one.
  EXPECT_EQ(cgroupCpuLimit("0::/a/b\n", root.string()), 4);
  EXPECT_EQ(cgroupCpuLimit("0::/a/b/absent\n", root.string()), 4);
  write("cpu/job/cpu.cfs_quota_us", "20000\n");
  write("cpu/job/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroupCpuLimit("3:cpu,cpuacct:/job\n", root.string()), 1);
  write("cpu/job/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(cgroupCpuLimit("3:cpu,cpuacct:/job\n", root.string()), 0);
  EXPECT_EQ(cgroupCpuLimit("nonsense\n::\n", root.string()), 0);
  fs::remove_all(root);
  EXPECT_GE(defaultThreads(), 1);
  EXPECT_LE(defaultThreads(), int(affinityCpus().size()));
}
