//===- Machine.cpp - What this machine can do at best ---------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each probe runs in all threads of a team, several times; the median counts.
//
//===----------------------------------------------------------------------===//
#include "Machine.h"

#include "CpuFeatures.h"
#include "Pages.h"
#include "ThreadTeam.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>

using namespace smelt;
using Clock = std::chrono::steady_clock;

static constexpr int repeats = 7;
/// Larger than caches, small enough to be quick.
static constexpr int64_t bytesInAll = int64_t(512) << 20;
static constexpr int64_t mostBytesPerThread = int64_t(128) << 20;
/// A line between cores that share a cache takes 20-70 ns, else 100-250 ns.
static constexpr double farLatency = 100e-9;

/// Sixty-four bytes at a time in four independent streams of OR.
using Lane = uint64_t __attribute__((vector_size(64)));

static uint64_t readAll(const uint8_t *data, int64_t bytes) {
  const Lane *at = reinterpret_cast<const Lane *>(data);
  const Lane *end = reinterpret_cast<const Lane *>(data + bytes);
  Lane a = {}, b = {}, c = {}, d = {};
  for (; at < end; at += 4) {
    a |= at[0];
    b |= at[1];
    c |= at[2];
    d |= at[3];
  }
  a |= b | c | d;
  return a[0] | a[1] | a[2] | a[3] | a[4] | a[5] | a[6] | a[7];
}

#if defined(__x86_64__)

#define TWELVE(ROW)                                                            \
  ROW(0)                                                                       \
  ROW(1) ROW(2) ROW(3) ROW(4) ROW(5) ROW(6) ROW(7) ROW(8) ROW(9) ROW(10) ROW(11)
#define CLEAR(i) "vpxor %%ymm" #i ",%%ymm" #i ",%%ymm" #i "\n"
#define FMA_Y(i) "vfmadd231ps %%ymm14,%%ymm15,%%ymm" #i "\n"
#define FMA_Z(i) "vfmadd231ps %%zmm14,%%zmm15,%%zmm" #i "\n"
#define BF16_Z(i) "vdpbf16ps %%zmm14,%%zmm15,%%zmm" #i "\n"
#define VNNI_Z(i) "vpdpbusd %%zmm14,%%zmm15,%%zmm" #i "\n"
#define VNNI_Y(i) "%{vex%} vpdpbusd %%ymm14,%%ymm15,%%ymm" #i "\n"
#define MADD_Y(i) "vpmaddubsw %%ymm14,%%ymm15,%%ymm" #i "\n"

/// `n` rounds of twelve independent instructions on zeroes: enough chains to
/// hide a latency of four cycles at three instructions per cycle.
#define PROBE(name, ROW)                                                       \
  static void name(int64_t n) {                                                \
    __asm__ volatile(                                                          \
        TWELVE(CLEAR) CLEAR(14)                                                \
            CLEAR(15) "1:\n" TWELVE(ROW) "dec %0\n jnz 1b\n vzeroupper\n"      \
        : "+r"(n)::"cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",       \
          "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm14", "xmm15"); \
  }
PROBE(probeFma256, FMA_Y)
PROBE(probeFma512, FMA_Z)
PROBE(probeBf16, BF16_Z)
PROBE(probeVnni512, VNNI_Z)
PROBE(probeVnni256, VNNI_Y)
PROBE(probeMadd256, MADD_Y)

/// What ldtilecfg reads: all eight tiles have 16 rows of 64 bytes.
struct alignas(64) TileConfiguration {
  uint8_t palette = 1, startRow = 0, reserved[14] = {};
  uint16_t rowBytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

#define SIX(ROW) ROW(0) ROW(1) ROW(2) ROW(3) ROW(4) ROW(5)
#define CLEAR_T(i) "tilezero %%tmm" #i "\n"
#define BYTES_T(i) "tdpbusd %%tmm6,%%tmm7,%%tmm" #i "\n"
#define PAIRS_T(i) "tdpbf16ps %%tmm6,%%tmm7,%%tmm" #i "\n"

/// Likewise of tile registers, with six sums.
#define TILE_PROBE(name, ROW)                                                  \
  static void name(int64_t n) {                                                \
    static const TileConfiguration configuration;                              \
    __asm__ volatile("ldtilecfg %1\n" SIX(CLEAR_T) CLEAR_T(6)                  \
                         CLEAR_T(7) "1:\n" SIX(ROW)                            \
                             SIX(ROW) "dec %0\n jnz 1b\n tilerelease\n"        \
                     : "+r"(n)                                                 \
                     : "m"(configuration)                                      \
                     : "cc");                                                  \
  }
TILE_PROBE(probeTileBytes, BYTES_T)
TILE_PROBE(probeTilePairs, PAIRS_T)

namespace {
struct Unit {
  const char *unit, *instruction, *feature;
  void (*probe)(int64_t rounds);
  int64_t rounds;
  double operations; // per instruction
};
} // namespace

/// The best of a unit comes first.
static const Unit units[] = {
    {"f32", "vfmadd231ps zmm", "avx512f", probeFma512, 1000000, 32},
    {"f32", "vfmadd231ps ymm", "fma", probeFma256, 1000000, 16},
    {"bf16", "vdpbf16ps zmm", "avx512bf16", probeBf16, 1000000, 64},
    {"int8", "vpdpbusd zmm", "avx512vnni", probeVnni512, 1000000, 128},
    {"int8", "vpdpbusd ymm", "avxvnni", probeVnni256, 1000000, 64},
    {"int8", "vpmaddubsw ymm", "avx2", probeMadd256, 1000000, 64},
    {"bf16 tiles", "tdpbf16ps", "amx-bf16", probeTilePairs, 50000, 16384},
    {"int8 tiles", "tdpbusd", "amx-int8", probeTileBytes, 50000, 32768},
};

#endif

/// Median seconds that the team takes for `body`, between barriers.
template <typename Body>
static double medianSeconds(ThreadTeam &team, Body body) {
  struct Context {
    ThreadTeam *team;
    Body *body;
    std::vector<double> seconds;
  } context{&team, &body, std::vector<double>(repeats)};
  team.run(
      [](void *argument, int64_t thread, int64_t) {
        auto &c = *static_cast<Context *>(argument);
        (*c.body)(thread); // once to warm up
        for (double &seconds : c.seconds) {
          ThreadTeam::barrier(c.team, thread);
          auto start = Clock::now();
          (*c.body)(thread);
          ThreadTeam::barrier(c.team, thread);
          if (thread == 0)
            seconds =
                std::chrono::duration<double>(Clock::now() - start).count();
        }
      },
      &context);
  std::sort(context.seconds.begin(), context.seconds.end());
  return context.seconds[repeats / 2];
}

static bool measureBandwidth(int64_t most, MachineLimits &limits,
                             std::string &error) {
  int64_t bytes = std::min(mostBytesPerThread, bytesInAll / most) / 4096 * 4096;
  Pages memory;
  if (!memory.allocate(bytes * most, "bandwidth probe", error))
    return false;
  std::memset(memory.data(), 1, memory.size());
  std::vector<int64_t> counts;
  for (int64_t threads = 1; threads < most; threads *= 2)
    counts.push_back(threads);
  counts.push_back(most);
  for (int64_t threads : counts) {
    std::unique_ptr<ThreadTeam> team = ThreadTeam::create(threads, error);
    if (!team)
      return false;
    static std::atomic<uint64_t> sink;
    double seconds = medianSeconds(*team, [&](int64_t thread) {
      sink.fetch_or(readAll(memory.data() + thread * bytes, bytes),
                    std::memory_order_relaxed);
    });
    limits.bandwidth.emplace_back(threads, double(bytes) * threads / seconds);
  }
  return true;
}

static void measurePeaks(ThreadTeam &team, MachineLimits &limits) {
  for (const char *name : {"f32", "bf16", "int8", "bf16 tiles", "int8 tiles"})
    limits.peaks.push_back({name, "", 0});
#if defined(__x86_64__)
  for (PeakRate &peak : limits.peaks)
    for (const Unit &unit : units)
      if (peak.unit == unit.unit && peak.instruction.empty() &&
          cpuSupports(unit.feature) == FeatureSupport::Present) {
        double seconds =
            medianSeconds(team, [&](int64_t) { unit.probe(unit.rounds); });
        peak.instruction = unit.instruction;
        peak.rate =
            12.0 * unit.rounds * unit.operations * team.size() / seconds;
      }
#endif
}

/// Two threads hand a number back and forth on one cache line.
static double measureLatency(ThreadTeam &team) {
  const int64_t trips = 500;
  alignas(128) std::atomic<int64_t> line{0};
  double seconds = medianSeconds(team, [&](int64_t thread) {
    if (thread > 1)
      return;
    for (int64_t i = 0; i < trips; ++i) {
      // On a busy machine the other thread may have no core: lend it this one.
      for (int spins = 1; line.load(std::memory_order_acquire) % 2 != thread;
           ++spins)
        if (spins % 4096 == 0)
          std::this_thread::yield();
      line.fetch_add(1, std::memory_order_release);
    }
  });
  return seconds / trips / 2;
}

/// The step's own barrier with nothing in between.
static double measureBarrier(ThreadTeam &team) {
  const int64_t rounds = 500;
  double seconds = medianSeconds(team, [&](int64_t thread) {
    for (int64_t i = 0; i < rounds; ++i)
      ThreadTeam::barrier(&team, thread);
  });
  return seconds / rounds;
}

bool smelt::measureMachine(int64_t threads, MachineLimits &limits,
                           std::string &error) {
  limits = MachineLimits();
  std::unique_ptr<ThreadTeam> team = ThreadTeam::create(threads, error);
  if (!team || !measureBandwidth(threads, limits, error))
    return false;
  measurePeaks(*team, limits);
  limits.barrier = measureBarrier(*team);
  if (threads > 1)
    limits.latency = measureLatency(*team);
  return true;
}

const PeakRate *MachineLimits::peak(const std::string &unit) const {
  for (const PeakRate &peak : peaks)
    if (peak.unit == unit)
      return &peak;
  return nullptr;
}

const char *MachineLimits::placement() const {
  return latency == 0 ? "-" : latency < farLatency ? "near" : "far";
}
