//===- Ingot.cpp - Opens and checks a model file --------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The file, front to back (docs/Ingot.md), each part at a multiple of 4096:
//
//   | header | 0 | section 0 | 0 | section 1 | 0 | ... | 0 | manifest | end
//
// Every byte of it is accounted for: by a field that is checked, by a hash, or
// as padding that must be zero. Only the weights' hash waits for a request,
// since reading gigabytes is what mapping them avoids.
//
//===----------------------------------------------------------------------===//
#include "Ingot.h"

#include "smelt/abi.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace smelt;

static constexpr uint64_t maxManifestSize = uint64_t(64) << 20;

/// The next multiple of a section's alignment; saturates instead of wrapping.
static uint64_t alignUp(uint64_t offset) {
  const uint64_t mask = SMELT_SECTION_ALIGNMENT - 1;
  return offset > UINT64_MAX - mask ? UINT64_MAX : (offset + mask) & ~mask;
}

static std::string text(uint64_t number) { return std::to_string(number); }

std::unique_ptr<Ingot> Ingot::open(const std::string &path,
                                   std::string &error) {
  std::unique_ptr<Ingot> ingot(new Ingot);
  ingot->filePath = path;
  if (ingot->load(error))
    return ingot;
  error = "cannot load '" + path + "': " + error;
  return nullptr;
}

Ingot::~Ingot() {
  if (base)
    munmap(const_cast<uint8_t *>(base), size);
}

bool Ingot::load(std::string &error) {
  // Without O_NONBLOCK, opening a named pipe would wait for a writer.
  int file = ::open(filePath.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) {
    error = std::strerror(errno);
    return false;
  }
  struct stat status;
  void *memory = MAP_FAILED;
  if (fstat(file, &status) != 0)
    error = std::strerror(errno);
  else if (!S_ISREG(status.st_mode))
    error = "not a regular file";
  else if (uint64_t(status.st_size) < sizeof(SmeltIngotHeader))
    error = "not an ingot: the file has " + text(status.st_size) +
            " bytes, a header takes " + text(sizeof(SmeltIngotHeader));
  else {
    size = status.st_size;
    memory = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (memory == MAP_FAILED)
      error = std::string("cannot map the file: ") + std::strerror(errno);
  }
  close(file);
  if (memory == MAP_FAILED)
    return false;
  base = static_cast<const uint8_t *>(memory);
  return checkHeader(error) &&
         Manifest::parse(reinterpret_cast<const char *>(base + manifestOffset),
                         manifestBytes, contents, error) &&
         checkSections(error) && checkParams(error);
}

bool Ingot::checkHeader(std::string &error) {
  SmeltIngotHeader header;
  std::memcpy(&header, base, sizeof(header));
  if (std::memcmp(header.magic, SMELT_INGOT_MAGIC, sizeof(header.magic)) != 0)
    error = "not an ingot: the first eight bytes are not " SMELT_INGOT_MAGIC;
  else if (header.version != SMELT_FORMAT_VERSION)
    error = "the ingot has format version " + text(header.version) +
            ", this runtime reads " + text(SMELT_FORMAT_VERSION) +
            "; compile the model again";
  else if (header.headerSize != sizeof(header))
    error = "the header claims " + text(header.headerSize) +
            " bytes, expected " + text(sizeof(header));
  else if (header.fileSize != size)
    error = "the file is incomplete or damaged: it has " + text(size) +
            " bytes, its header says " + text(header.fileSize);
  else if (header.manifestOffset > size ||
           header.manifestSize != size - header.manifestOffset)
    error = "the manifest at " + text(header.manifestOffset) + " with " +
            text(header.manifestSize) + " bytes does not end the file of " +
            text(size) + " bytes";
  else if (header.manifestSize > maxManifestSize)
    error = "the manifest has " + text(header.manifestSize) +
            " bytes, expected at most " + text(maxManifestSize);
  else if (header.reserved[0] || header.reserved[1])
    error = "reserved fields of the header are not zero";
  else if (XXH3_64bits(base + header.manifestOffset, header.manifestSize) !=
           header.manifestHash)
    error = "the manifest is damaged: its hash differs from the header's";
  if (!error.empty())
    return false;
  manifestOffset = header.manifestOffset;
  manifestBytes = header.manifestSize;
  return true;
}

bool Ingot::checkSections(std::string &error) const {
  uint64_t end = sizeof(SmeltIngotHeader);
  for (const SectionInfo &section : contents.sections) {
    if (section.offset != alignUp(end)) {
      error = "section '" + section.name + "' begins at " +
              text(section.offset) + ", expected " + text(alignUp(end));
      return false;
    }
    if (section.offset > manifestOffset ||
        section.size > manifestOffset - section.offset) {
      error = "section '" + section.name + "' with " + text(section.size) +
              " bytes at " + text(section.offset) +
              " reaches beyond the manifest at " + text(manifestOffset);
      return false;
    }
    if (!checkPadding(end, section.offset, error))
      return false;
    end = section.offset + section.size;
    if (section.name != "weights" && !checkHash(section, error))
      return false;
  }
  if (manifestOffset != alignUp(end)) {
    error = "the manifest begins at " + text(manifestOffset) + ", expected " +
            text(alignUp(end));
    return false;
  }
  return checkPadding(end, manifestOffset, error);
}

bool Ingot::checkPadding(uint64_t begin, uint64_t end,
                         std::string &error) const {
  if (std::all_of(base + begin, base + end, [](uint8_t b) { return b == 0; }))
    return true;
  error = "bytes " + text(begin) + " to " + text(end) +
          " are padding, but not zero: the file is damaged";
  return false;
}

bool Ingot::checkHash(const SectionInfo &section, std::string &error) const {
  if (XXH3_64bits(base + section.offset, section.size) == section.hash)
    return true;
  error = "section '" + section.name +
          "' is damaged: its hash differs from the manifest's";
  return false;
}

bool Ingot::checkParams(std::string &error) const {
  const SectionInfo *weights = contents.findSection("weights");
  uint64_t available = weights ? weights->size : 0;
  for (const ParamInfo &param : contents.params) {
    __int128 end = __int128(param.offset) + param.bytes +
                   __int128(param.sources - 1) * param.stride;
    if (end > __int128(available)) {
      error = "param '" + param.name + "' (" + text(param.sources) +
              " sources of " + text(param.bytes) + " bytes at " +
              text(param.offset) + ", stride " + text(param.stride) +
              ") reaches beyond the weights of " + text(available) + " bytes";
      return false;
    }
  }
  return true;
}

std::string_view Ingot::section(const std::string &name) const {
  const SectionInfo *info = contents.findSection(name);
  if (!info)
    return {};
  return {reinterpret_cast<const char *>(base + info->offset), info->size};
}

std::string_view Ingot::manifestText() const {
  return {reinterpret_cast<const char *>(base + manifestOffset), manifestBytes};
}

bool Ingot::verifyWeights(std::string &error) const {
  const SectionInfo *weights = contents.findSection("weights");
  return !weights || checkHash(*weights, error);
}
