//===- Recipe.h - From checkpoint bytes to stored weights -------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A recipe is executed piece by piece, straight from the mapped checkpoint, so
// that neither a param nor the model has to fit in memory. The unit is a
// *step*: the n * k elements of a panel that stand together,
//
//     panel 0: step 0, step 1, ... | panel 1: step 0, ...      (n rows, k
//     columns
//                                                               in each step)
//
// and layout rows is the panel of one row and one column. A panel of a
// quantised format (Formats.h) is one step. The bytes of steps [a, b) are made
// from the elements they hold and from nothing else.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TARGET_INGOT_RECIPE_H
#define SMELT_TARGET_INGOT_RECIPE_H

#include "smelt/Dialect/LLM/IR/LLM.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace smelt {
class SafetensorsFile;

/// The files of a checkpoint, each mapped once, when it is first asked for.
class CheckpointFiles {
public:
  explicit CheckpointFiles(std::string directory);
  ~CheckpointFiles();

  /// The first byte of `source`. Null, and a message in `error`, if the file
  /// doesn't hold a tensor of that name, type and place.
  const uint8_t *find(llm::SourceAttr source, std::string &error);

private:
  std::string directory;
  std::mutex mutex;
  std::map<std::string, std::unique_ptr<SafetensorsFile>> files;
};

/// An element type that recipes compute with.
enum class Element : uint8_t { F32, F16, BF16 };

/// How to make one instance of a param. Of its rows and columns: a vector has
/// one column, and the trailing dimensions of larger ranks are one.
class Recipe {
public:
  /// False, and a message in `error`, if a source is missing or of a type that
  /// recipes don't convert. Copies the vectors of scale_columns; all else stays
  /// in `files`, which must outlive the recipe.
  static bool create(llm::ParamOp param, int64_t instance,
                     CheckpointFiles &files, Recipe &recipe,
                     std::string &error);

  int64_t stepCount() const { return panels * stepsPerPanel; }
  int64_t stepBytes() const { return bytesPerStep; }
  int64_t storedBytes() const { return stepCount() * stepBytes(); }

  /// Writes steps [begin, end) to `out`, in format and layout. False, and a
  /// message in `error`, if the format is quantised and can't hold a value.
  bool pack(int64_t begin, int64_t end, uint8_t *out, std::string &error) const;

  /// The logical values as stored, row-major, in f32: those that integers stand
  /// for, where the format is quantised. Fails as `pack` does.
  bool values(std::vector<float> &result, std::string &error) const;

  /// Lets the pages of the sources behind steps [begin, end) go, where no
  /// other step reads them soon.
  void release(int64_t begin, int64_t end) const;

private:
  struct Part {
    const uint8_t *data;
    int64_t begin, rows; // of the stacked matrix; padding follows
  };
  /// Multiplies row or column i by factors[i], or rounds, if there are none.
  struct Action {
    std::vector<float> factors;
    bool byRow;
    Element type;
  };

  const uint8_t *sourceRow(int64_t row) const;
  template <typename T>
  void gather(T *tile, int64_t stride, int64_t row, int64_t column,
              int64_t rowCount, int64_t columnCount) const;
  void compute(uint32_t *tile, int64_t stride, int64_t row, int64_t column,
               int64_t rowCount, int64_t columnCount) const;
  template <typename T>
  void fill(T *tile, int64_t stride, int64_t row, int64_t column,
            int64_t columnCount) const;
  template <typename T> void packAs(int64_t begin, int64_t end, T *out) const;
  /// Stores panels of `record`.
  void quantizeTo(const llm::FormatRecord &record, mlir::MLIRContext *context);
  bool packQuantized(int64_t begin, int64_t end, uint8_t *out,
                     std::string &error) const;
  bool dequantized(float *result, std::string &error) const;

  std::string name; // of the param
  int64_t instance = 0;

  std::vector<Part> parts;
  std::vector<Action> actions;
  Element sourceType = Element::F32, storedType = Element::F32;
  bool isTransposed = false;
  bool isCopy = true;            // the stored bits are those of the sources
  int64_t sourceColumns = 0;     // of a part
  int64_t rows = 0, columns = 0; // of the result
  int64_t n = 1, k = 1;          // of a step
  int64_t panels = 0, stepsPerPanel = 0;
  int64_t elementBytes = 4;
  int64_t bytesPerStep = 0;
  const llm::FormatRecord *quantized = nullptr; // null: floats of storedType
  Element scaleType = Element::F32;
};

/// The logical values of an instance of `param` as they are stored, extended to
/// f32, row-major: for the reference evaluator. False, and a message in
/// `error`, if `checkpointDir` doesn't hold the sources, or the format can't
/// hold a value.
bool loadInstance(llm::ParamOp param, int64_t instance,
                  llvm::StringRef checkpointDir, std::vector<float> &values,
                  std::string &error);

} // namespace smelt

#endif // SMELT_TARGET_INGOT_RECIPE_H
