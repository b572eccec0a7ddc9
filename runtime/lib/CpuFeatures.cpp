//===- CpuFeatures.cpp - What this processor executes ---------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One row per extension. Of x86-64: the cpuid bit that announces it, and the
// register state that the operating system must save for it (XCR0); a processor
// with AVX-512 under a kernel that doesn't save zmm registers doesn't have
// AVX-512. Of AArch64: the bit of the auxiliary vector by which Linux says that
// programs may use it.
//
//===----------------------------------------------------------------------===//
#include "CpuFeatures.h"

#include <cstdint>
#include <cstdio>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

using namespace smelt;

#if defined(__x86_64__)

namespace {
enum Register { EAX, EBX, ECX, EDX };

/// State components of XCR0 that an extension needs.
enum State : uint64_t {
  NoState = 0,
  Avx = 0x6,     // xmm, ymm
  Avx512 = 0xe6, // and opmask, zmm0-15 high halves, zmm16-31
  Amx = 0x60000  // tile configuration, tile data
};

struct Feature {
  const char *name;
  uint32_t leaf, subleaf;
  Register reg;
  unsigned bit;
  State state;
};
} // namespace

static const Feature features[] = {
    {"cx16", 1, 0, ECX, 13, NoState},
    {"sse", 1, 0, EDX, 25, NoState},
    {"sse2", 1, 0, EDX, 26, NoState},
    {"sse3", 1, 0, ECX, 0, NoState},
    {"ssse3", 1, 0, ECX, 9, NoState},
    {"sse4.1", 1, 0, ECX, 19, NoState},
    {"sse4.2", 1, 0, ECX, 20, NoState},
    {"popcnt", 1, 0, ECX, 23, NoState},
    {"movbe", 1, 0, ECX, 22, NoState},
    {"avx", 1, 0, ECX, 28, Avx},
    {"fma", 1, 0, ECX, 12, Avx},
    {"f16c", 1, 0, ECX, 29, Avx},
    {"lzcnt", 0x80000001, 0, ECX, 5, NoState},
    {"bmi", 7, 0, EBX, 3, NoState},
    {"bmi2", 7, 0, EBX, 8, NoState},
    {"avx2", 7, 0, EBX, 5, Avx},
    {"avx512f", 7, 0, EBX, 16, Avx512},
    {"avx512dq", 7, 0, EBX, 17, Avx512},
    {"avx512ifma", 7, 0, EBX, 21, Avx512},
    {"avx512cd", 7, 0, EBX, 28, Avx512},
    {"avx512bw", 7, 0, EBX, 30, Avx512},
    {"avx512vl", 7, 0, EBX, 31, Avx512},
    {"avx512vbmi", 7, 0, ECX, 1, Avx512},
    {"avx512vbmi2", 7, 0, ECX, 6, Avx512},
    {"avx512vnni", 7, 0, ECX, 11, Avx512},
    {"avx512bitalg", 7, 0, ECX, 12, Avx512},
    {"avx512vpopcntdq", 7, 0, ECX, 14, Avx512},
    {"avx512fp16", 7, 0, EDX, 23, Avx512},
    {"avx512bf16", 7, 1, EAX, 5, Avx512},
    {"avxvnni", 7, 1, EAX, 4, Avx},
    {"avxvnniint8", 7, 1, EDX, 4, Avx},
    {"amx-tile", 7, 0, EDX, 24, Amx},
    {"amx-int8", 7, 0, EDX, 25, Amx},
    {"amx-bf16", 7, 0, EDX, 22, Amx},
};

/// XCR0, or zero where the operating system doesn't use xsave.
static uint64_t savedState() {
  uint32_t eax, ebx, ecx, edx;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx >> 27 & 1))
    return 0;
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
}

/// Linux hands out AMX's tile registers to a process on request only.
static bool requestTiles() {
  const long requestPermission = 0x1023, tileData = 18;
  return syscall(SYS_arch_prctl, requestPermission, tileData) == 0;
}

static bool isPresent(const Feature &feature) {
  uint32_t regs[4];
  if (!__get_cpuid_count(feature.leaf, feature.subleaf, &regs[EAX], &regs[EBX],
                         &regs[ECX], &regs[EDX]))
    return false;
  if (!(regs[feature.reg] >> feature.bit & 1))
    return false;
  if ((savedState() & feature.state) != feature.state)
    return false;
  return feature.state != Amx || requestTiles();
}

FeatureSupport smelt::cpuSupports(const std::string &name) {
  for (const Feature &feature : features)
    if (name == feature.name)
      return isPresent(feature) ? FeatureSupport::Present
                                : FeatureSupport::Missing;
  return FeatureSupport::Unknown;
}

std::string smelt::cpuName() {
  uint32_t words[12];
  for (uint32_t i = 0; i < 3; ++i)
    if (!__get_cpuid(0x80000002 + i, &words[4 * i], &words[4 * i + 1],
                     &words[4 * i + 2], &words[4 * i + 3]))
      return "unknown";
  char name[sizeof(words) + 1] = {};
  std::memcpy(name, words, sizeof(words));
  std::string result = name;
  while (!result.empty() && result.back() == ' ')
    result.pop_back();
  return result.empty() ? "unknown" : result;
}

const char *smelt::hostArchitecture() { return "x86_64"; }

#elif defined(__aarch64__)

namespace {
struct Feature {
  const char *name;
  unsigned long vector; // AT_HWCAP or AT_HWCAP2
  unsigned bit;
};
} // namespace

static const Feature features[] = {
    {"neon", AT_HWCAP, 1},     {"fullfp16", AT_HWCAP, 10},
    {"dotprod", AT_HWCAP, 20}, {"sve", AT_HWCAP, 22},
    {"sve2", AT_HWCAP2, 1},    {"i8mm", AT_HWCAP2, 13},
    {"bf16", AT_HWCAP2, 14},
};

FeatureSupport smelt::cpuSupports(const std::string &name) {
  for (const Feature &feature : features)
    if (name == feature.name)
      return getauxval(feature.vector) >> feature.bit & 1
                 ? FeatureSupport::Present
                 : FeatureSupport::Missing;
  return FeatureSupport::Unknown;
}

/// Who designed the processor, and which of theirs it is: numbers, since only
/// they are to be had everywhere.
std::string smelt::cpuName() {
  const unsigned identification = 11; // of AT_HWCAP: MIDR_EL1 may be read
  if (!(getauxval(AT_HWCAP) >> identification & 1))
    return "unknown";
  uint64_t id;
  __asm__("mrs %0, MIDR_EL1" : "=r"(id));
  char name[64];
  std::snprintf(name, sizeof(name), "implementer 0x%02x, part 0x%03x",
                unsigned(id >> 24 & 0xff), unsigned(id >> 4 & 0xfff));
  return name;
}

const char *smelt::hostArchitecture() { return "aarch64"; }

#else

FeatureSupport smelt::cpuSupports(const std::string &) {
  return FeatureSupport::Unknown;
}

std::string smelt::cpuName() { return "unknown"; }

const char *smelt::hostArchitecture() { return "unknown"; }

#endif
