//===- TemporaryFolder.h - A folder for one test ----------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TEST_UNIT_IMPORT_TEMPORARYFOLDER_H
#define SMELT_TEST_UNIT_IMPORT_TEMPORARYFOLDER_H

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace smelt::test {

/// Made empty, removed with its contents.
class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "smelt-XXXXXX").string();
    folder = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(folder); }
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;

  std::string path() const { return folder; }
  std::string path(const std::string &name) const {
    return folder + "/" + name;
  }
  /// Writes a file of the folder and returns its path.
  std::string write(const std::string &name, std::string_view bytes) const {
    std::filesystem::path file(path(name));
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << bytes;
    return file.string();
  }

private:
  std::string folder;
};

} // namespace smelt::test

#endif // SMELT_TEST_UNIT_IMPORT_TEMPORARYFOLDER_H
