//===- Ingot.h - Opens and checks a model file ------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An open ingot: the file mapped read-only, its header and manifest checked.
// Nothing of it is mapped executable here; CodeObject does that, on request.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_RUNTIME_INGOT_H
#define SMELT_RUNTIME_INGOT_H

#include "Manifest.h"

#include <memory>
#include <string>
#include <string_view>

namespace smelt {

class Ingot {
public:
  /// Maps the file and checks everything but the weights' hash: header, fields,
  /// extents (no holes, no overlaps, zero padding), params within the weights,
  /// hashes of the manifest and of all other sections.
  static std::unique_ptr<Ingot> open(const std::string &path,
                                     std::string &error);
  ~Ingot();
  Ingot(const Ingot &) = delete;
  Ingot &operator=(const Ingot &) = delete;

  const std::string &path() const { return filePath; }
  const Manifest &manifest() const { return contents; }
  uint64_t fileSize() const { return size; }
  uint64_t manifestSize() const { return manifestBytes; }

  /// The bytes of a section, null data where there is none of that name.
  std::string_view section(const std::string &name) const;
  /// The manifest's JSON text.
  std::string_view manifestText() const;

  /// Reads all weights and compares their hash.
  bool verifyWeights(std::string &error) const;

private:
  Ingot() = default;
  bool load(std::string &error);
  bool checkHeader(std::string &error);
  bool checkSections(std::string &error) const;
  bool checkParams(std::string &error) const;
  bool checkHash(const SectionInfo &section, std::string &error) const;
  bool checkPadding(uint64_t begin, uint64_t end, std::string &error) const;

  std::string filePath;
  const uint8_t *base = nullptr;
  uint64_t size = 0;
  uint64_t manifestOffset = 0;
  uint64_t manifestBytes = 0;
  Manifest contents;
};

} // namespace smelt

#endif // SMELT_RUNTIME_INGOT_H
