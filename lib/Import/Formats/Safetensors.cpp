//===- Safetensors.cpp - Named tensors in a file ----------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "smelt/Import/Formats/Safetensors.h"

#include "smelt/Import/Formats/Json.h"
#include "smelt/Import/Formats/Output.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <set>
#include <sys/mman.h>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>

using namespace smelt;
using nlohmann::json;

//===----------------------------------------------------------------------===//
// Element types and shapes
//===----------------------------------------------------------------------===//

namespace {
struct ElementRecord {
  std::string_view name;
  unsigned bits;
};
} // namespace

static constexpr ElementRecord kElements[] = {
#define ELEMENT(name, text, bits) {text, bits},
#include "smelt/Import/Formats/ElementTypes.def"
};

std::string_view smelt::elementTypeName(ElementType type) {
  return kElements[static_cast<size_t>(type)].name;
}

unsigned smelt::elementTypeBits(ElementType type) {
  return kElements[static_cast<size_t>(type)].bits;
}

std::optional<ElementType> smelt::parseElementType(std::string_view name) {
  for (size_t i = 0; i < std::size(kElements); ++i)
    if (kElements[i].name == name)
      return static_cast<ElementType>(i);
  return std::nullopt;
}

std::optional<uint64_t> smelt::tensorBytes(ElementType type,
                                           const std::vector<int64_t> &shape) {
  uint64_t bits = elementTypeBits(type);
  for (int64_t dimension : shape)
    if (dimension < 0 ||
        __builtin_mul_overflow(bits, static_cast<uint64_t>(dimension), &bits))
      return std::nullopt;
  if (bits % 8)
    return std::nullopt;
  return bits / 8;
}

std::string smelt::shapeText(const std::vector<int64_t> &shape) {
  constexpr size_t kShown = 8;
  std::string text = "[";
  for (size_t i = 0; i < std::min(shape.size(), kShown); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + (shape.size() > kShown ? ", ...]" : "]");
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

static uint64_t readLittleEndian64(const uint8_t *bytes) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; --i)
    value = value << 8 | bytes[i];
  return value;
}

SafetensorsFile::~SafetensorsFile() {
  if (begin)
    munmap(const_cast<uint8_t *>(begin), size);
}

bool SafetensorsFile::map(std::string &error) {
  // Without O_NONBLOCK, opening a named pipe would wait for a writer.
  int fd = ::open(filePath.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    error = strerror(errno);
    return false;
  }
  struct stat info;
  bool isMapped = false;
  if (fstat(fd, &info) != 0) {
    error = strerror(errno);
  } else if (!S_ISREG(info.st_mode)) {
    error = "expected a regular file";
  } else if (info.st_size < 8) {
    error = "expected a header of at least 8 bytes, found a file of " +
            std::to_string(info.st_size);
  } else {
    size = static_cast<uint64_t>(info.st_size);
    void *mapped = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapped == MAP_FAILED) {
      error = strerror(errno);
    } else {
      begin = static_cast<const uint8_t *>(mapped);
      isMapped = true;
    }
  }
  close(fd);
  return isMapped;
}

/// Reads {"dtype", "shape", "data_offsets"} of one tensor; `offset` then counts
/// from the start of the data. `dataBytes` is what the file has of it.
static bool readTensor(const json &value, uint64_t dataBytes,
                       NamedTensor &tensor, std::string &error) {
  auto fail = [&](const std::string &message) {
    error = "tensor " + jsonText(tensor.name) + ": " + message;
    return false;
  };
  if (!value.is_object())
    return fail("expected an object, found " + jsonText(value));
  static constexpr const char *kFields[] = {"dtype", "shape", "data_offsets"};
  for (const char *field : kFields)
    if (!value.contains(field))
      return fail("expected '" + std::string(field) + "'");
  if (value.size() != std::size(kFields))
    return fail("expected 'dtype', 'shape' and 'data_offsets' only, found " +
                std::to_string(value.size()) + " fields");

  const json &type = value["dtype"];
  std::optional<ElementType> element;
  if (type.is_string())
    element = parseElementType(type.get_ref<const std::string &>());
  if (!element)
    return fail("expected 'dtype' to be a type such as \"F32\" or \"BF16\", "
                "found " +
                jsonText(type));
  tensor.type = *element;

  const json &shape = value["shape"];
  if (!shape.is_array())
    return fail("expected 'shape' to be an array, found " + jsonText(shape));
  for (const json &dimension : shape) {
    if (!dimension.is_number_unsigned() ||
        dimension.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX))
      return fail("expected dimensions to be integers of at least 0, found " +
                  jsonText(dimension) + " in 'shape'");
    tensor.shape.push_back(dimension.get<int64_t>());
  }
  std::optional<uint64_t> bytes = tensorBytes(tensor.type, tensor.shape);
  if (!bytes)
    return fail("expected 'shape' to make a whole number of bytes that fits "
                "64 bits, found " +
                shapeText(tensor.shape) + " of " +
                std::string(elementTypeName(tensor.type)));
  tensor.bytes = *bytes;

  const json &offsets = value["data_offsets"];
  if (!offsets.is_array() || offsets.size() != 2 ||
      !offsets[0].is_number_unsigned() || !offsets[1].is_number_unsigned())
    return fail("expected 'data_offsets' to be two integers of at least 0, "
                "found " +
                jsonText(offsets));
  uint64_t first = offsets[0].get<uint64_t>(),
           last = offsets[1].get<uint64_t>();
  if (first > last || last > dataBytes)
    return fail("expected 'data_offsets' to ascend within the file's " +
                std::to_string(dataBytes) + " bytes of data, found " +
                jsonText(offsets));
  if (last - first != tensor.bytes)
    return fail("expected 'data_offsets' to span the " +
                std::to_string(tensor.bytes) + " bytes of " +
                shapeText(tensor.shape) + " of " +
                std::string(elementTypeName(tensor.type)) + ", found " +
                std::to_string(last - first));
  tensor.offset = first;
  return true;
}

bool SafetensorsFile::readHeader(std::string &error) {
  uint64_t headerBytes = readLittleEndian64(begin);
  if (headerBytes > kMaxHeaderBytes) {
    error = "expected a header of at most " + std::to_string(kMaxHeaderBytes) +
            " bytes, found a length of " + std::to_string(headerBytes) +
            "; is it a safetensors file?";
    return false;
  }
  if (headerBytes > size - 8) {
    error = "expected a header of " + std::to_string(headerBytes) +
            " bytes, found " + std::to_string(size - 8) +
            "; is the file complete?";
    return false;
  }
  std::string_view text(reinterpret_cast<const char *>(begin) + 8, headerBytes);
  if (text.empty() || text.front() != '{') {
    error = "expected the header to begin with '{'";
    return false;
  }
  json header;
  JsonLimits limits;
  limits.depth = 4;
  if (!parseJson(text, header, error, limits)) {
    error = "header: " + error;
    return false;
  }

  uint64_t dataBegin = 8 + headerBytes;
  for (const auto &[name, value] : header.items()) {
    if (name == "__metadata__") {
      bool isSound = value.is_object();
      for (const json &entry : value)
        isSound &= entry.is_string();
      if (!isSound) {
        error = "expected '__metadata__' to be an object of strings, found " +
                jsonText(value);
        return false;
      }
      continue;
    }
    NamedTensor tensor;
    tensor.name = name;
    if (!readTensor(value, size - dataBegin, tensor, error))
      return false;
    tensor.offset += dataBegin;
    tensor.data = begin + tensor.offset;
    byOffset.push_back(std::move(tensor));
  }
  std::sort(byOffset.begin(), byOffset.end(),
            [](const NamedTensor &a, const NamedTensor &b) {
              return std::tie(a.offset, a.bytes, a.name) <
                     std::tie(b.offset, b.bytes, b.name);
            });
  if (!checkCoverage(dataBegin, error))
    return false;
  for (size_t i = 0; i < byOffset.size(); ++i)
    byName[byOffset[i].name] = i;
  return true;
}

/// Tensors, in order of their offsets, must follow each other without gaps.
bool SafetensorsFile::checkCoverage(uint64_t dataBegin,
                                    std::string &error) const {
  uint64_t end = dataBegin;
  for (const NamedTensor &tensor : byOffset) {
    if (tensor.offset != end) {
      error = "tensor " + jsonText(tensor.name) + ": expected data at byte " +
              std::to_string(end) +
              " of the file, where the one before ends, found " +
              std::to_string(tensor.offset) +
              (tensor.offset < end ? " (tensors overlap)"
                                   : " (bytes of no tensor between)");
      return false;
    }
    end += tensor.bytes;
  }
  if (end != size) {
    error = "expected the tensors to end at the end of the file, " +
            std::to_string(size) + ", found " + std::to_string(end);
    return false;
  }
  return true;
}

std::unique_ptr<SafetensorsFile> SafetensorsFile::open(const std::string &path,
                                                       std::string &error) {
  std::unique_ptr<SafetensorsFile> file(new SafetensorsFile());
  file->filePath = path;
  std::string reason;
  if (!file->map(reason) || !file->readHeader(reason)) {
    error = "cannot read '" + path + "': " + reason;
    return nullptr;
  }
  return file;
}

const NamedTensor *SafetensorsFile::find(std::string_view name) const {
  auto it = byName.find(name);
  return it == byName.end() ? nullptr : &byOffset[it->second];
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

/// Writes all of `bytes`, continuing after short writes and interruptions.
static bool writeAll(int fd, const void *data, uint64_t bytes) {
  const char *at = static_cast<const char *>(data);
  while (bytes) {
    // Linux writes at most 2 GiB at once.
    ssize_t written = write(fd, at, std::min<uint64_t>(bytes, 1u << 30));
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return false;
    at += written;
    bytes -= static_cast<uint64_t>(written);
  }
  return true;
}

/// The header's text, padded; false with a message for unusable tensors.
static bool makeHeader(const std::vector<NamedTensor> &tensors,
                       std::string &text, std::string &error) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  std::set<std::string_view> names;
  uint64_t offset = 0;
  for (const NamedTensor &tensor : tensors) {
    auto fail = [&](const std::string &message) {
      error = "tensor " + jsonText(tensor.name) + ": " + message;
      return false;
    };
    if (tensor.name == "__metadata__")
      return fail("expected another name, this one is the format's own");
    if (!names.insert(tensor.name).second)
      return fail("expected distinct names, found it twice");
    std::optional<uint64_t> bytes = tensorBytes(tensor.type, tensor.shape);
    if (!bytes || *bytes != tensor.bytes)
      return fail("expected the bytes of " + shapeText(tensor.shape) + " of " +
                  std::string(elementTypeName(tensor.type)) + ", found " +
                  std::to_string(tensor.bytes));
    if (tensor.bytes && !tensor.data)
      return fail("expected data");
    uint64_t end;
    if (__builtin_add_overflow(offset, tensor.bytes, &end))
      return fail("expected sizes whose sum fits 64 bits");
    // Pushing to the array directly keeps the order without searching.
    header.get_ref<nlohmann::ordered_json::object_t &>().emplace_back(
        tensor.name,
        nlohmann::ordered_json{{"dtype", elementTypeName(tensor.type)},
                               {"shape", tensor.shape},
                               {"data_offsets", {offset, end}}});
    offset = end;
  }
  text = header.dump(-1, ' ', /*ensure_ascii=*/false,
                     nlohmann::ordered_json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > SafetensorsFile::kMaxHeaderBytes) {
    error = "expected a header of at most " +
            std::to_string(SafetensorsFile::kMaxHeaderBytes) +
            " bytes, found " + std::to_string(text.size());
    return false;
  }
  return true;
}

bool smelt::writeSafetensors(const std::string &path,
                             const std::vector<NamedTensor> &tensors,
                             std::string &error) {
  std::string header;
  if (!makeHeader(tensors, header, error)) {
    error = "cannot write '" + path + "': " + error;
    return false;
  }
  if (!checkOutputPath(path, error))
    return false;
  std::string temporary = path + ".tmp-XXXXXX";
  int fd = mkostemp(temporary.data(), O_CLOEXEC);
  auto fail = [&] {
    error = "cannot write '" + path + "': " + strerror(errno);
    return false;
  };
  if (fd < 0)
    return fail();

  uint8_t length[8];
  for (int i = 0; i < 8; ++i)
    length[i] = static_cast<uint8_t>(uint64_t(header.size()) >> 8 * i);
  bool isWritten = writeAll(fd, length, sizeof(length)) &&
                   writeAll(fd, header.data(), header.size());
  for (const NamedTensor &tensor : tensors)
    isWritten = isWritten && writeAll(fd, tensor.data, tensor.bytes);
  // mkostemp makes files for the owner only; give it the usual mode.
  mode_t mask = umask(0);
  umask(mask);
  isWritten = isWritten && fchmod(fd, 0666 & ~mask) == 0 && fsync(fd) == 0;
  int failure = errno;
  if (close(fd) != 0 && isWritten) {
    isWritten = false;
    failure = errno;
  }
  if (isWritten && rename(temporary.c_str(), path.c_str()) != 0) {
    isWritten = false;
    failure = errno;
  }
  if (!isWritten) {
    unlink(temporary.c_str());
    errno = failure;
    return fail();
  }
  return true;
}
