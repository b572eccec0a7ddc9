//===- Trace.cpp - A step as slices of time -------------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The trace event format, which Perfetto and chrome://tracing read: a track for
// each thread of the team, whose slices are ops and the waiting at barriers,
// and one for the steps.
//
//===----------------------------------------------------------------------===//
#include "Bench.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <fstream>

using namespace smelt;
using Json = nlohmann::ordered_json;

static Json trackName(size_t track, const std::string &name) {
  return {{"name", "thread_name"},
          {"ph", "M"},
          {"pid", 1},
          {"tid", track},
          {"args", {{"name", name}}}};
}

namespace {
/// Appends slices to a list of events.
class Events {
public:
  Events(uint64_t origin, double ticksPerSecond, Json &list)
      : origin(origin), ticksPerSecond(ticksPerSecond), list(list) {}

  void add(const std::string &name, const std::string &category, size_t track,
           uint64_t begin, uint64_t end, Json arguments) {
    list.push_back({{"name", name},
                    {"cat", category},
                    {"ph", "X"},
                    {"ts", microseconds(begin - origin)},
                    {"dur", microseconds(end - begin)},
                    {"pid", 1},
                    {"tid", track},
                    {"args", std::move(arguments)}});
  }

private:
  double microseconds(uint64_t ticks) const {
    return double(ticks) / ticksPerSecond * 1e6;
  }

  uint64_t origin;
  double ticksPerSecond;
  Json &list;
};
} // namespace

static void addThread(const Manifest &manifest, size_t thread,
                      const std::vector<SmeltRecord> &records, Events &events) {
  std::vector<int64_t> runs(manifest.ops.size(), 0);
  for (const SmeltRecord &record : records) {
    const OpInfo &op = manifest.ops[record.entry];
    Json arguments = {{"op", op.name}, {"run", runs[record.entry]++}};
    if (!op.fused.empty())
      arguments["fused"] = op.fused;
    events.add(op.isBarrier() ? "wait for " + op.name : op.name, op.kind,
               thread, record.begin, record.end, std::move(arguments));
  }
}

bool smelt::writeTrace(const Manifest &manifest,
                       const std::vector<ProfiledStep> &steps,
                       double ticksPerSecond, const std::string &path,
                       std::string &error) {
  Json trace = {{"displayTimeUnit", "ns"}, {"traceEvents", Json::array()}};
  Json &list = trace["traceEvents"];
  if (!steps.empty()) {
    size_t threads = steps.front().threads.size();
    for (size_t thread = 0; thread < threads; ++thread)
      list.push_back(trackName(thread, "thread " + std::to_string(thread)));
    list.push_back(trackName(threads, "steps"));
    Events events(steps.front().begin, ticksPerSecond, list);
    for (const ProfiledStep &step : steps) {
      events.add(step.name, "step", threads, step.begin, step.end,
                 Json::object());
      for (size_t thread = 0; thread < threads; ++thread)
        addThread(manifest, thread, step.threads[thread], events);
    }
  }
  std::string part = path + ".part";
  std::ofstream file(part, std::ios::trunc);
  file << trace.dump() << '\n';
  file.close();
  if (file && std::rename(part.c_str(), path.c_str()) == 0)
    return true;
  std::remove(part.c_str());
  error = "cannot write '" + path + "'";
  return false;
}
