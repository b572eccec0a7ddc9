//===- Formats.h - Records of Formats.def, and where their bytes lie -*- C++
//-*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A quantised matrix [N, K] is stored as ceil(N / 16) panels of 16 rows, each a
// sequence of blocks and a trailer; every part is a multiple of 64 bytes:
//
//   panel:  block | block | ... | trailer
//   block:  elements of `blockColumns` columns, in chunks of 64 bytes,
//           then scales [groups][16], then minima [groups][16], if any
//   chunk:  8 bits: byte 4 r + i is column i of row r (4 columns)
//           4 bits: byte 4 r + i is column i of row r in the low half,
//           column 4 + i in the high half (8 columns)
//   trailer: 16 f32, for each row the sum of its values as stored; then 16 f32,
//           the scales, if one scale serves the whole row
//
// A block spans as many groups as fill 64 bytes of scales. Rows and columns
// beyond the matrix stand for 0, but for a minimum, which is that of the
// group's own elements; rows of activations are 0 there.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_DIALECT_LLM_IR_FORMATS_H
#define SMELT_DIALECT_LLM_IR_FORMATS_H

#include "mlir/IR/Types.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>

namespace smelt::llm {

/// A FORMAT or QUANTIZED_FORMAT.
struct FormatRecord {
  ::llvm::StringLiteral name;
  int64_t bits;      // of an element
  int64_t precision; // bits of these that values use; floats: 0
  bool isInteger;    // quantised; what follows is for these
  int64_t group;     // elements of a row that share a scale; 0: all
  bool hasMinimum;
  /// Type of a scale and of a minimum; for floats, of an element.
  mlir::Type (*type)(mlir::MLIRContext *);
  int64_t scaleBytes;

  static constexpr int64_t panelRows = 16;
  static constexpr int64_t chunkBytes = 64;
  /// Columns that are summed as integers before a scale is applied. Rows of
  /// quantised activations are padded to a multiple.
  static constexpr int64_t unitColumns = 32;

  /// What stands for 0.
  int64_t zeroPoint() const {
    return hasMinimum ? 0 : int64_t(1) << (precision - 1);
  }
  int64_t chunkColumns() const { return 32 / bits; }
  int64_t groupsPerBlock() const {
    return group ? chunkBytes / (panelRows * scaleBytes) : 0;
  }
  int64_t blockColumns() const {
    return group ? group * groupsPerBlock() : unitColumns;
  }
  int64_t unitBytes() const { return panelRows * unitColumns * bits / 8; }
  /// Where a block's scales begin: behind its elements.
  int64_t scalesOffset() const { return panelRows * blockColumns() * bits / 8; }
  int64_t minimaOffset() const {
    return scalesOffset() + groupsPerBlock() * panelRows * scaleBytes;
  }
  int64_t blockBytes() const {
    return scalesOffset() +
           (hasMinimum ? 2 : 1) * groupsPerBlock() * panelRows * scaleBytes;
  }
  int64_t blockCount(int64_t columns) const {
    return (columns + blockColumns() - 1) / blockColumns();
  }
  /// Where a panel's trailer begins.
  int64_t trailerOffset(int64_t columns) const {
    return blockCount(columns) * blockBytes();
  }
  int64_t panelBytes(int64_t columns) const {
    return trailerOffset(columns) + (group ? 1 : 2) * panelRows * 4;
  }
  /// With a byte for each element, and the same scales.
  FormatRecord unpacked() const {
    FormatRecord record = *this;
    record.bits = 8;
    return record;
  }
};

/// How the rows that a linear reads are quantised.
struct ActivationRecord {
  ::llvm::StringLiteral name;
  int64_t group; // elements that share a scale; 0: all of the row
  bool hasZeroPoint;
};

/// What the KV cache stores rows as.
struct CacheRecord {
  ::llvm::StringLiteral name;
  mlir::Type (*type)(mlir::MLIRContext *); // of an element
  bool hasScale;                           // an f32 for each head and row
};

/// What --quantize names: a linear's weight and rows, and tables that only
/// embeddings read. An activation of "" leaves the rows as llm.compute says.
struct SchemeRecord {
  ::llvm::StringLiteral name, format, activation, table;
};

::llvm::ArrayRef<FormatRecord> formatRecords();
::llvm::ArrayRef<SchemeRecord> schemeRecords();
::llvm::ArrayRef<CacheRecord> cacheRecords();

/// The record called `name`, or null.
const FormatRecord *lookupFormat(::llvm::StringRef name);
const ActivationRecord *lookupActivationFormat(::llvm::StringRef name);
const SchemeRecord *lookupScheme(::llvm::StringRef name);
const CacheRecord *lookupCache(::llvm::StringRef name);

} // namespace smelt::llm

#endif // SMELT_DIALECT_LLM_IR_FORMATS_H
