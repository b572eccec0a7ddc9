//===- HostCpus.h - How many threads this process may use -------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_RUNTIME_HOSTCPUS_H
#define SMELT_RUNTIME_HOSTCPUS_H

#include <string>
#include <vector>

namespace smelt {

/// The CPUs of the process's affinity mask, ascending.
std::vector<int> affinityCpus();

/// CPUs that the cgroup's time quota amounts to, rounded up; 0 without a quota.
/// `membership` is the text of /proc/self/cgroup, `root` where the cgroup file
/// systems are mounted.
int cgroupCpuLimit(const std::string &membership, const std::string &root);

/// The smaller of both, at least 1: the default of `-t`.
int defaultThreads();

} // namespace smelt

#endif // SMELT_RUNTIME_HOSTCPUS_H
