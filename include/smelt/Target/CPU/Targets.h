//===- Targets.h - Facts of CPU targets as records --------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What passes and emission want to know about a processor. A module names its
// record in the attribute `llm.target`; nothing else decides about vector
// widths, tiles or instructions. This library depends on no pass, so that every
// phase may ask it.
//
// The records stand best first. A processor is served by the first one of its
// architecture whose features it has; the last of each always matches.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TARGET_CPU_TARGETS_H
#define SMELT_TARGET_CPU_TARGETS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <string>

namespace mlir {
class Operation;
class Type;
} // namespace mlir

namespace smelt {

// [doc:target-record]
/// Everything that differs between CPU targets.
struct TargetRecord {
  llvm::StringLiteral name;   // the value of llm.target, and the ingot's isa
  llvm::StringLiteral triple; // of LLVM
  llvm::StringLiteral cpu;    // LLVM's -mcpu
  llvm::StringLiteral llvmFeatures;    // LLVM's -mattr, on top of the cpu
  llvm::StringLiteral runtimeFeatures; // what the code executes, by name,
                                       // separated by commas
  int64_t vectorBits;                  // bits of a vector register
  int64_t vectorCount;                 // vector registers
  int64_t rowTile;        // rows (tokens) of a matrix product's register tile
  int64_t panelTile;      // times 16 columns of a register tile, if more than a
                          // panel has
  int64_t panelTileBytes; // of their weights, at most: half of a second-level
                          // cache
  int64_t unpackRows;     // from how many rows on weights of fewer bits than 8
                          // are unpacked once for all tiles
  int64_t prefetchRows;   // from how many rows on a tile prefetches weights;
                          // 0: never
  int64_t prefetchBytes;  // how far ahead
  bool hasFMA;            // fused multiply-add instructions
  bool hasF16C;           // conversions between f16 and f32
  bool hasBF16Dot;        // f32 += bf16 * bf16 + bf16 * bf16
  bool hasByteDot;        // i32 += four products of bytes (vpdpbusd, usdot)
  bool hasSignedDot;      // likewise, of signed bytes alone (sdot)
  bool hasWordMultiplyAdd; // i32 = two products of i16 (pmaddwd)
  int64_t pageBytes;       // the largest page that kernels for it use
  // [/doc:target-record]

  /// What the triple begins with: x86_64 or aarch64.
  llvm::StringRef architecture() const { return triple.split('-').first; }
  /// Elements of 32 bits in a vector register.
  int64_t lanes() const { return vectorBits / 32; }
  /// Whether instructions round f32 to integral f32.
  bool hasRounding() const {
    return runtimeFeatures.contains("sse4.1") ||
           runtimeFeatures.contains("neon");
  }
  /// Whether i16 = two products of bytes is an instruction (pmaddubsw).
  bool hasByteMultiplyAdd() const { return runtimeFeatures.contains("ssse3"); }
  /// Whether bytes times the signs of others are an instruction (psignb), which
  /// vectors of 512 bits don't have.
  bool hasByteSign() const { return hasByteMultiplyAdd() && vectorBits <= 256; }
  /// Whether products of tiles of 16 rows and 16 columns are instructions
  /// (AMX).
  bool hasTiles() const { return runtimeFeatures.contains("amx-int8"); }
  /// Whether attention in vector registers multiplies pairs of bf16. Processors
  /// with tile registers take twice as long for those as for two f32.
  bool multipliesPairs() const { return hasBF16Dot && !hasTiles(); }
  /// Rows of the tile registers of a product at most; from how many on they
  /// multiply rows: 16 in a register take as long as one.
  static constexpr int64_t tileRows = 32, leastTileRows = 8;
  /// Rows of a product's register tile; `fillsTiles`: if tile registers can sum
  /// it.
  int64_t productRows(bool fillsTiles) const {
    return hasTiles() && fillsTiles ? tileRows : rowTile;
  }
  /// n of the layout panel for weights of floats: two vectors, at least 16.
  int64_t panelRows() const { return lanes() > 8 ? 2 * lanes() : 16; }
  /// k of the layout panel for weights stored as `element`: 2 for bf16, whose
  /// dot products take pairs, otherwise 1. The same for all targets.
  int64_t panelDepth(mlir::Type element) const;
  /// The names in runtimeFeatures.
  llvm::SmallVector<llvm::StringRef> runtimeFeatureList() const;
};

/// All records, best first.
llvm::ArrayRef<TargetRecord> targetRecords();
/// Their names, separated by commas.
std::string targetNames();

/// The record called `name`, or null.
const TargetRecord *lookupTarget(llvm::StringRef name);

/// Makes LLVM's backends for all architectures of the table known.
void initializeBackends();

/// The record that `mcpu` asks for: `host`, the name of a record, or the name
/// of any processor LLVM knows. Null with a message in `error` for others.
const TargetRecord *selectTarget(llvm::StringRef mcpu, std::string &error);

/// The records that a list of such names asks for, each once, best first; the
/// name of an architecture stands for all of its records. Empty, with a message
/// in `error`, where one is unknown.
llvm::SmallVector<const TargetRecord *>
selectTargets(llvm::ArrayRef<std::string> names, std::string &error);

/// The architecture that this program runs on, as records name it.
llvm::StringRef hostArchitectureName();

/// Whether the module that `op` stands in has the attribute `llm.target`.
bool namesTarget(mlir::Operation *op);

/// The record of the module that `op` stands in (attribute `llm.target`); null
/// after an error diagnostic at `op` if there is none.
const TargetRecord *getTarget(mlir::Operation *op);

} // namespace smelt

#endif // SMELT_TARGET_CPU_TARGETS_H
