//===- OutputFile.h - A file that appears when complete ---------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_TARGET_INGOT_OUTPUTFILE_H
#define SMELT_LIB_TARGET_INGOT_OUTPUTFILE_H

#include <cstdint>
#include <string>

namespace smelt {

/// A temporary file beside its destination, appended to, then renamed. Without
/// `commit` it disappears, also if a signal ends the process. After an error
/// every call returns false and leaves the first message.
class OutputFile {
public:
  OutputFile(std::string path, std::string &error);
  ~OutputFile();
  OutputFile(const OutputFile &) = delete;
  OutputFile &operator=(const OutputFile &) = delete;

  bool isOpen() const { return descriptor >= 0; }
  /// Bytes appended so far.
  uint64_t size() const { return end; }
  bool append(const void *data, uint64_t bytes);
  /// Appends zeros up to the next multiple of `alignment`.
  bool alignTo(uint64_t alignment);
  /// Replaces bytes at the start of the file.
  bool overwriteStart(const void *data, uint64_t bytes);
  /// Gives the file its name.
  bool commit();

private:
  bool fail(const char *what);

  std::string path, temporary;
  std::string &error;
  int descriptor = -1;
  uint64_t end = 0;
};

} // namespace smelt

#endif // SMELT_LIB_TARGET_INGOT_OUTPUTFILE_H
