//===- Ingot.cpp - Write the artefact ---------------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sections are streamed one after the other and hashed on the way; the manifest
// follows when all are known; the header, which says where it is, goes to the
// start last. A file without a header is no ingot.
//
//===----------------------------------------------------------------------===//
#include "smelt/Target/Ingot/Ingot.h"

#include "Manifest.h"
#include "OutputFile.h"
#include "Weights.h"
#include "smelt/abi.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Threading.h"
#include <fstream>

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace mlir;
using namespace smelt;

namespace {
/// The sections of a file in the making.
class SectionWriter {
public:
  explicit SectionWriter(OutputFile &file) : file(file) {}

  /// Runs `fill`, which calls `append`, between the bounds of a section.
  bool section(std::string name, ::llvm::function_ref<bool()> fill) {
    if (!file.alignTo(SMELT_SECTION_ALIGNMENT))
      return false;
    XXH3_64bits_reset(&state);
    uint64_t begin = file.size();
    if (!fill())
      return false;
    sections.push_back({std::move(name), begin, file.size() - begin,
                        XXH3_64bits_digest(&state)});
    return true;
  }

  bool append(const void *data, uint64_t bytes) {
    XXH3_64bits_update(&state, data, bytes);
    return file.append(data, bytes);
  }

  std::vector<WrittenSection> sections;

private:
  OutputFile &file;
  XXH3_state_t state;
};
} // namespace

/// Copies a file of the checkpoint into a section of its name; an absent or
/// empty one is left out.
static bool writeFile(SectionWriter &writer, StringRef directory,
                      StringRef name, std::string &error) {
  ::llvm::SmallString<256> path(directory);
  ::llvm::sys::path::append(path, name);
  uint64_t size;
  if (::llvm::sys::fs::file_size(path, size) || size == 0)
    return true;
  std::ifstream stream(path.c_str(), std::ios::binary);
  return writer.section(name.str(), [&] {
    std::vector<char> buffer(1 << 16);
    while (stream.read(buffer.data(), buffer.size()) || stream.gcount())
      if (!writer.append(buffer.data(), stream.gcount()))
        return false;
    if (stream.eof())
      return true;
    error = "cannot read " + path.str().str();
    return false;
  });
}

bool smelt::writeIngot(ModuleOp module, ArrayRef<IngotCode> versions,
                       StringRef path, const IngotOptions &options,
                       std::string &error) {
  // Whatever can be refused is refused before gigabytes are written.
  WeightsSection weights;
  std::string manifest;
  if (!weights.create(module, error) ||
      !makeManifest(module, versions, options, {}, manifest, error))
    return false;
  unsigned threads =
      options.threads ? options.threads
                      : ::llvm::hardware_concurrency().compute_thread_count();

  error.clear();
  OutputFile file(path.str(), error);
  if (!file.isOpen())
    return false;
  SmeltIngotHeader header = {};
  if (!file.append(&header, sizeof(header)))
    return false;

  SectionWriter writer(file);
  bool isWritten = true;
  for (const IngotCode &version : versions)
    isWritten =
        isWritten && writer.section("code/" + version.target->name.str(), [&] {
          return writer.append(version.code.data(), version.code.size());
        });
  if (isWritten && weights.size())
    isWritten = writer.section("weights", [&] {
      int64_t done = 0;
      auto write = [&](const uint8_t *data, int64_t bytes) {
        done += bytes;
        if (options.progress)
          options.progress(done, weights.size());
        return writer.append(data, bytes);
      };
      return weights.produce(threads, write, error);
    });
  StringRef checkpoint =
      module->getAttrOfType<StringAttr>("llm.checkpoint").getValue();
  for (StringRef name : {"tokenizer.json", "tokenizer_config.json"})
    isWritten = isWritten && writeFile(writer, checkpoint, name, error);

  if (!isWritten || !file.alignTo(SMELT_SECTION_ALIGNMENT) ||
      !makeManifest(module, versions, options, writer.sections, manifest,
                    error))
    return false;
  std::memcpy(header.magic, SMELT_INGOT_MAGIC, sizeof(header.magic));
  header.version = SMELT_FORMAT_VERSION;
  header.headerSize = sizeof(header);
  header.manifestOffset = file.size();
  header.manifestSize = manifest.size();
  header.manifestHash = XXH3_64bits(manifest.data(), manifest.size());
  header.fileSize = header.manifestOffset + header.manifestSize;
  return file.append(manifest.data(), manifest.size()) &&
         file.overwriteStart(&header, sizeof(header)) && file.commit();
}
