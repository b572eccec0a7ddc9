//===- ImportTest.h - Checkpoints for tests of the importer -----*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TEST_UNIT_IMPORT_IMPORTTEST_H
#define SMELT_TEST_UNIT_IMPORT_IMPORTTEST_H

#include "smelt/Import/Formats/Safetensors.h"
#include "smelt/Import/Models/Import.h"

#include "TemporaryFolder.h"

#include "mlir/IR/MLIRContext.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <functional>

namespace smelt::test {

/// Folder of a bundled checkpoint.
inline std::string bundled(const std::string &name) {
  return std::string(SMELT_TEST_INPUTS) + "/" + name;
}

inline nlohmann::json readJson(const std::string &path) {
  return nlohmann::json::parse(std::ifstream(path));
}

/// A bundled checkpoint whose files may be replaced; those that aren't are
/// links to the original.
class EditedCheckpoint {
public:
  explicit EditedCheckpoint(const std::string &name) : source(bundled(name)) {
    for (const auto &entry : std::filesystem::directory_iterator(source))
      std::filesystem::create_symlink(
          entry.path(), folder.path(entry.path().filename().string()));
  }

  std::string path() const { return folder.path(); }

  /// Changes a JSON file of the checkpoint, from its original state; a file
  /// that isn't there begins as an empty object.
  void edit(const std::string &file,
            const std::function<void(nlohmann::json &)> &change) {
    nlohmann::json value = nlohmann::json::object();
    if (std::filesystem::exists(source + "/" + file))
      value = readJson(source + "/" + file);
    change(value);
    replace(file, value.dump());
  }
  void replace(const std::string &file, const std::string &text) {
    // A folder that was linked becomes one of its own.
    std::filesystem::path parent =
        std::filesystem::path(folder.path(file)).parent_path();
    if (std::filesystem::is_symlink(parent))
      std::filesystem::remove(parent);
    std::filesystem::remove(folder.path(file));
    folder.write(file, text);
  }
  void remove(const std::string &file) {
    std::filesystem::remove(folder.path(file));
  }

  /// Rewrites model.safetensors with changed tensors; data is taken as it is.
  void
  editTensors(const std::function<void(std::vector<NamedTensor> &)> &change) {
    std::string error;
    auto file = SafetensorsFile::open(source + "/model.safetensors", error);
    ASSERT_TRUE(file) << error;
    std::vector<NamedTensor> tensors = file->tensors();
    change(tensors);
    std::filesystem::remove(folder.path("model.safetensors"));
    ASSERT_TRUE(
        writeSafetensors(folder.path("model.safetensors"), tensors, error))
        << error;
  }

private:
  std::string source;
  TemporaryFolder folder;
};

/// Imports a folder into the IR's text, or fails the test.
inline std::string importText(const std::string &directory,
                              const ImportOptions &options = {}) {
  mlir::MLIRContext context;
  std::string error, text;
  mlir::OwningOpRef<mlir::ModuleOp> module =
      importCheckpoint(context, directory, options, error);
  EXPECT_TRUE(module) << error;
  if (module) {
    llvm::raw_string_ostream stream(text);
    module->print(stream);
  }
  return text;
}

/// Expects a refusal whose message holds all of `parts`.
inline void expectRefused(const std::string &directory,
                          const std::vector<std::string> &parts,
                          const std::string &what) {
  mlir::MLIRContext context;
  std::string error;
  mlir::OwningOpRef<mlir::ModuleOp> module =
      importCheckpoint(context, directory, {}, error);
  EXPECT_FALSE(module) << what;
  for (const std::string &part : parts)
    EXPECT_NE(error.find(part), std::string::npos)
        << what << "\n  message: " << error << "\n  expected: " << part;
  EXPECT_EQ(error.find('\n'), std::string::npos) << error;
  EXPECT_LT(error.size(), 600u);
}

} // namespace smelt::test

#endif // SMELT_TEST_UNIT_IMPORT_IMPORTTEST_H
