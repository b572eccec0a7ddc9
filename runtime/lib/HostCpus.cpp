//===- HostCpus.cpp - How many threads this process may use ---------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A container often sees every CPU of its host but may use the time of a few:
// its cgroup then has a quota. A team with more threads than that spins its
// time away at barriers. Quotas of all enclosing cgroups hold, so the smallest
// counts. Version 2 keeps them in `cpu.max`, version 1 in two files below
// `cpu`.
//
//===----------------------------------------------------------------------===//
#include "HostCpus.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sched.h>
#include <sstream>

using namespace smelt;

std::vector<int> smelt::affinityCpus() {
  std::vector<int> cpus;
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof(mask), &mask) == 0)
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &mask))
        cpus.push_back(cpu);
  if (cpus.empty())
    cpus.push_back(0);
  return cpus;
}

static std::string firstLine(const std::string &path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// The quota of one folder in CPUs, infinite where it has none.
static double folderLimit(const std::string &folder) {
  double quota = -1, period = -1;
  std::string line = firstLine(folder + "/cpu.max");
  if (line.empty())
    line = firstLine(folder + "/cpu.cfs_quota_us") + " " +
           firstLine(folder + "/cpu.cfs_period_us");
  std::istringstream(line) >> quota >> period; // "max" leaves -1 or 0
  return quota > 0 && period > 0 ? quota / period : INFINITY;
}

int smelt::cgroupCpuLimit(const std::string &membership,
                          const std::string &root) {
  double limit = INFINITY;
  std::istringstream lines(membership);
  for (std::string line; std::getline(lines, line);) {
    // hierarchy:controllers:path; version 2 has no controllers.
    size_t first = line.find(':');
    size_t second =
        first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos)
      continue;
    std::string controllers = line.substr(first + 1, second - first - 1);
    std::string mount = root;
    if (!controllers.empty()) {
      if (("," + controllers + ",").find(",cpu,") == std::string::npos)
        continue;
      mount += "/cpu";
    }
    std::string path = line.substr(second + 1);
    // In a container the path may lead outside of what is mounted: its
    // parents, up to the mount itself, still count.
    while (true) {
      limit = std::min(limit, folderLimit(mount + path));
      size_t slash = path.rfind('/');
      if (slash == std::string::npos)
        break;
      path.resize(slash);
    }
  }
  return std::isinf(limit) ? 0 : std::max(1, int(std::ceil(limit)));
}

int smelt::defaultThreads() {
  std::ifstream file("/proc/self/cgroup");
  std::stringstream membership;
  membership << file.rdbuf();
  int limit = cgroupCpuLimit(membership.str(), "/sys/fs/cgroup");
  int cpus = int(affinityCpus().size());
  return limit > 0 ? std::min(cpus, limit) : cpus;
}
