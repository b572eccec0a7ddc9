//===- Safetensors.h - Named tensors in a file ------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A safetensors file is
//
//     +--------+----------------------+-----------------------------+
//     | N, u64 | N bytes of JSON      | the tensors, back to back   |
//     +--------+----------------------+-----------------------------+
//     0        8                      8 + N                  file size
//
// all numbers little-endian, tensors row-major. The JSON names each tensor:
//
//     {"norm.weight": {"dtype": "BF16", "shape": [256], "data_offsets": [0,
//     512]},
//      "__metadata__": {"format": "pt"}}
//
// with offsets that count from 8 + N. The file is untrusted: a reader that has
// opened it has checked that every tensor lies within the file, that its bytes
// are those of its shape and type, and that no two overlap and none of the
// bytes is left over.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_IMPORT_FORMATS_SAFETENSORS_H
#define SMELT_IMPORT_FORMATS_SAFETENSORS_H

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smelt {

/// How elements of a tensor are stored in a checkpoint.
enum class ElementType {
#define ELEMENT(name, text, bits) name,
#include "smelt/Import/Formats/ElementTypes.def"
};

/// Name in a safetensors header, such as "BF16".
std::string_view elementTypeName(ElementType type);
std::optional<ElementType> parseElementType(std::string_view name);
unsigned elementTypeBits(ElementType type);

/// Bytes that a tensor takes; nothing where the product overflows, a dimension
/// is negative, or the elements don't fill whole bytes.
std::optional<uint64_t> tensorBytes(ElementType type,
                                    const std::vector<int64_t> &shape);

/// A shape as users read it: [256, 64].
std::string shapeText(const std::vector<int64_t> &shape);

/// A tensor of a file, or one to be written.
struct NamedTensor {
  std::string name;
  ElementType type = ElementType::F32;
  std::vector<int64_t> shape;
  /// Bytes from the start of the file; ignored when writing.
  uint64_t offset = 0;
  /// Always tensorBytes(type, shape).
  uint64_t bytes = 0;
  /// The bytes, row-major, aligned to nothing. Lives as long as the file.
  const uint8_t *data = nullptr;
};

/// A file mapped read-only, with its header checked.
class SafetensorsFile {
public:
  /// A header of more bytes than this is refused.
  static constexpr uint64_t kMaxHeaderBytes = 100'000'000;

  /// Null, and a message in `error`, for anything but a sound file.
  static std::unique_ptr<SafetensorsFile> open(const std::string &path,
                                               std::string &error);
  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile &) = delete;
  SafetensorsFile &operator=(const SafetensorsFile &) = delete;

  /// Null if the file has no tensor of this name.
  const NamedTensor *find(std::string_view name) const;
  /// In the order of their offsets.
  const std::vector<NamedTensor> &tensors() const { return byOffset; }
  const std::string &path() const { return filePath; }

private:
  SafetensorsFile() = default;
  bool map(std::string &error);
  bool readHeader(std::string &error);
  bool checkCoverage(uint64_t dataBegin, std::string &error) const;

  std::string filePath;
  const uint8_t *begin = nullptr;
  uint64_t size = 0;
  std::vector<NamedTensor> byOffset;
  std::map<std::string_view, size_t> byName;
};

/// Writes a file beside `path` and renames it when it is complete, so that
/// `path` holds either what it held before or all of `tensors`. Names must be
/// distinct; the tensors keep their order. The header is padded so that data
/// begins at a multiple of 8 bytes.
bool writeSafetensors(const std::string &path,
                      const std::vector<NamedTensor> &tensors,
                      std::string &error);

} // namespace smelt

#endif // SMELT_IMPORT_FORMATS_SAFETENSORS_H
