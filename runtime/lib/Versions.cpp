//===- Versions.cpp - Which of an ingot's codes runs here -----------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Versions.h"

#include "CpuFeatures.h"

#include <cstdlib>

using namespace smelt;

static std::string architectureOf(const CodeVersion &version) {
  return version.triple.substr(0, version.triple.find('-'));
}

/// Those of the version's features that are as `support` says.
static std::string featuresThatAre(FeatureSupport support,
                                   const CodeVersion &version) {
  std::string list;
  for (const std::string &feature : version.features)
    if (cpuSupports(feature) == support)
      list += (list.empty() ? "" : ", ") + feature;
  return list;
}

std::string smelt::whyNot(const CodeVersion &version) {
  if (architectureOf(version) != hostArchitecture())
    return "its code is for " + architectureOf(version);
  std::string missing = featuresThatAre(FeatureSupport::Missing, version);
  if (!missing.empty())
    return "the processor lacks " + missing;
  std::string unknown = featuresThatAre(FeatureSupport::Unknown, version);
  if (!unknown.empty())
    return "this runtime cannot detect " + unknown;
  return "";
}

/// Why the only version can't be executed, or the one that was asked for.
static std::string refusal(const CodeVersion &version) {
  if (architectureOf(version) != hostArchitecture())
    return "its code is for " + architectureOf(version) +
           ", this processor is " + hostArchitecture();
  std::string missing = featuresThatAre(FeatureSupport::Missing, version);
  if (!missing.empty())
    return "this processor (" + cpuName() + ") lacks " + missing +
           ", which the model's code needs; compile it for this processor";
  return "the model's code needs " +
         featuresThatAre(FeatureSupport::Unknown, version) +
         ", which this runtime cannot detect; use a newer runtime";
}

static std::string join(const Manifest &manifest,
                        std::string (*text)(const CodeVersion &),
                        const char *separator) {
  std::string list;
  for (const CodeVersion &version : manifest.versions)
    list += (list.empty() ? "" : separator) + text(version);
  return list;
}

static const CodeVersion *findVersion(const Manifest &manifest,
                                      const std::string &wanted,
                                      const std::string &asked,
                                      std::string &error) {
  for (const CodeVersion &version : manifest.versions)
    if (version.isa == wanted) {
      if (whyNot(version).empty())
        return &version;
      error = refusal(version);
      return nullptr;
    }
  error = "it has no code for '" + wanted + "'" + asked + "; it has " +
          join(manifest, [](const CodeVersion &v) { return v.isa; }, ", ");
  return nullptr;
}

const CodeVersion *smelt::chooseVersion(const Manifest &manifest,
                                        const std::string &wanted,
                                        std::string &error) {
  if (!wanted.empty())
    return findVersion(manifest, wanted, "", error);
  const char *variable = std::getenv(versionVariable);
  if (variable && *variable)
    return findVersion(manifest, variable,
                       std::string(", which ") + versionVariable + " asks for",
                       error);
  for (const CodeVersion &version : manifest.versions)
    if (whyNot(version).empty())
      return &version;
  if (manifest.versions.size() == 1)
    error = refusal(manifest.versions.front());
  else
    error = "this processor (" + cpuName() + ", " + hostArchitecture() +
            ") executes none of its versions: " +
            join(
                manifest,
                [](const CodeVersion &v) { return v.isa + ": " + whyNot(v); },
                "; ") +
            "; compile it for this processor";
  return nullptr;
}

std::string smelt::describeChoice(const Manifest &manifest,
                                  const CodeVersion &chosen) {
  std::string text = "code: " + chosen.isa + "\n";
  for (const CodeVersion &version : manifest.versions)
    if (&version != &chosen) {
      std::string why = whyNot(version);
      text += "  not " + version.isa + ": " +
              (why.empty() ? chosen.isa + " was preferred" : why) + "\n";
    }
  return text;
}
