//===- Inspect.cpp - smelt inspect ----------------------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Shows what an ingot holds and what running it takes. Nothing of the file is
// executed, and no code of it is mapped executable.
//
//===----------------------------------------------------------------------===//
#include "Commands.h"
#include "CpuFeatures.h"
#include "Support.h"
#include "Versions.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <iomanip>
#include <iostream>

using namespace smelt;
using Json = nlohmann::ordered_json;

namespace {
struct InspectOptions {
  SessionFlags session;
  bool json = false, verify = false, params = false;
};
} // namespace

static std::string hexadecimal(uint64_t number) {
  std::ostringstream text;
  text << std::hex << std::setw(16) << std::setfill('0') << number;
  return text.str();
}

/// Bytes as people read them, with the unit that leaves three digits or more.
static std::string readable(uint64_t bytes) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  double value = double(bytes);
  for (; value >= 10000 && unit + 1 < std::size(units); ++unit)
    value /= 1024;
  std::ostringstream text;
  text << std::fixed << std::setprecision(unit ? 1 : 0) << value << ' '
       << units[unit];
  return text.str();
}

static std::string shape(const std::vector<int64_t> &dimensions) {
  std::string text;
  for (int64_t dimension : dimensions)
    text += (text.empty() ? "" : "x") + std::to_string(dimension);
  return text;
}

static const char *supportText(const std::string &feature) {
  switch (cpuSupports(feature)) {
  case FeatureSupport::Present:
    return "present";
  case FeatureSupport::Missing:
    return "missing";
  case FeatureSupport::Unknown:
    break;
  }
  return "unknown";
}

/// The version that this machine runs, or the best one if it runs none.
static const CodeVersion &versionOf(const Manifest &manifest) {
  std::string error;
  const CodeVersion *chosen = chooseVersion(manifest, "", error);
  return chosen ? *chosen : manifest.versions.front();
}

/// The manifest as it is, and what follows from it on this machine.
static Json toJson(const Ingot &ingot, const SessionOptions &session,
                   const MemoryPlan &memory) {
  std::string_view text = ingot.manifestText();
  Json json;
  json["file"] = {{"path", ingot.path()}, {"size", ingot.fileSize()}};
  json["manifest"] = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  json["memory"] = {{"threads", session.threads}, {"context", session.context},
                    {"weights", memory.weights},  {"kv", memory.kv},
                    {"arena", memory.arena},      {"outputs", memory.outputs}};
  Json &features = json["features"] = Json::object();
  for (const CodeVersion &version : ingot.manifest().versions)
    for (const std::string &feature : version.features)
      features[feature] = supportText(feature);
  json["versions"] = Json::array();
  for (const CodeVersion &version : ingot.manifest().versions)
    json["versions"].push_back(
        {{"isa", version.isa}, {"why_not", whyNot(version)}});
  return json;
}

static void printParams(const Manifest &manifest) {
  std::cout << "\nparams\n";
  for (const ParamInfo &param : manifest.params)
    std::cout << "  " << std::left << std::setw(32) << param.name << ' '
              << std::setw(4) << param.sources << "x " << std::setw(14)
              << shape(param.shape) << ' ' << std::setw(8) << param.format
              << ' ' << std::setw(24) << param.layout << ' ' << std::right
              << std::setw(14) << param.bytes << '\n';
}

static void printVersions(const Manifest &manifest) {
  for (const CodeVersion &version : manifest.versions) {
    std::cout << "target    " << version.triple << ", " << version.cpu << " ("
              << version.isa << ")";
    if (manifest.versions.size() > 1) {
      std::string why = whyNot(version);
      bool isChosen = &version == &versionOf(manifest);
      std::cout << (!why.empty() ? ": " + why
                    : isChosen   ? ": runs here"
                                 : ": could run here");
    }
    std::cout << "\nfeatures ";
    for (const std::string &feature : version.features)
      std::cout << ' ' << feature << " (" << supportText(feature) << ')';
    std::cout << '\n';
  }
}

static void printTable(const Ingot &ingot, const InspectOptions &options,
                       const SessionOptions &session,
                       const MemoryPlan &memory) {
  const Manifest &m = ingot.manifest();
  bool isDecoder = m.kind == ModelKind::Decoder;
  std::cout << "model     " << m.modelName << " (" << m.family << ", "
            << (isDecoder ? "decoder" : "encoder") << "), " << m.dtype << '\n'
            << "          vocabulary " << m.vocabulary << ", hidden "
            << m.hidden << ", layers " << m.layers << ", context " << m.context
            << '\n';
  printVersions(m);
  std::cout << "made by   " << m.producer << "\n\nsections\n";
  for (const SectionInfo &s : m.sections)
    std::cout << "  " << std::left << std::setw(24) << s.name << ' '
              << std::right << std::setw(14) << s.size << " at "
              << std::setw(12) << s.offset << "  " << hexadecimal(s.hash)
              << '\n';
  std::cout << "  " << std::left << std::setw(24) << "manifest" << ' '
            << std::right << std::setw(14) << ingot.manifestSize() << '\n';
  if (options.params)
    printParams(m);
  std::cout << "\nmemory for a context of " << session.context << " and "
            << session.threads << " threads\n"
            << "  weights  " << readable(memory.weights) << '\n'
            << "  kv       " << readable(memory.kv) << '\n'
            << "  arena    " << readable(memory.arena) << " (steps of up to "
            << m.maxStepTokens << " tokens)\n"
            << "  outputs  " << readable(memory.outputs) << '\n';
}

static int run(const InspectOptions &options) {
  std::string error;
  std::unique_ptr<Ingot> ingot = Ingot::open(options.session.model, error);
  if (!ingot)
    return fail("inspect", error);
  SessionOptions session{options.session.threads, options.session.context, 1};
  MemoryPlan memory;
  if (!Session::resolve(ingot->manifest(), session, error) ||
      !Session::plan(ingot->manifest(), versionOf(ingot->manifest()), session,
                     memory, error))
    return fail("inspect", error);
  if (options.verify && !ingot->verifyWeights(error))
    return fail("inspect", "'" + ingot->path() + "': " + error);
  if (options.json) {
    Json json = toJson(*ingot, session, memory);
    if (options.verify)
      json["verified"] = true;
    std::cout << json.dump(2) << '\n';
  } else {
    printTable(*ingot, options, session, memory);
    if (options.verify)
      std::cout << "\nall hashes hold\n";
  }
  return finishOutput("inspect");
}

void smelt::addInspectCommand(CLI::App &app, std::function<int()> &action) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App *command =
      app.add_subcommand("inspect", "Show what an ingot holds and needs");
  addModelOption(*command, options->session);
  command->add_flag("--json", options->json, "Print everything as JSON");
  command->add_flag("--verify", options->verify,
                    "Compare the hash of the weights, too");
  command->add_flag("--params", options->params, "List the packed weights");
  addThreadsOption(*command, options->session);
  addContextOption(*command, options->session);
  command->footer("Examples:\n"
                  "  smelt inspect model.ingot -c 8192 -t 16\n"
                  "  smelt inspect model.ingot --verify --json");
  command->callback([=, &action] { action = [=] { return run(*options); }; });
}
