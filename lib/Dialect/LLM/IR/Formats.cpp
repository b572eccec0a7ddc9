//===- Formats.cpp - Lookup of the records of Formats.def -------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "smelt/Dialect/LLM/IR/Formats.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace smelt::llm;

namespace {
struct Int8Type {
  static Type get(MLIRContext *context) { return IntegerType::get(context, 8); }
};
} // namespace

template <typename T> static Type typeOf(MLIRContext *context) {
  return T::get(context);
}

template <typename T> static constexpr int64_t bytesOf() {
  return std::is_same_v<T, Float32Type> ? 4 : 2;
}

static constexpr FormatRecord formats[] = {
#define FORMAT(name, type)                                                     \
  {#name,        8 * bytesOf<type>(), 0, false, 1, false,                      \
   typeOf<type>, bytesOf<type>()},
#define QUANTIZED_FORMAT(name, bits, precision, group, hasMinimum, scale)      \
  {#name, bits,       precision,     true,                                     \
   group, hasMinimum, typeOf<scale>, bytesOf<scale>()},
#include "smelt/Dialect/LLM/IR/Formats.def"
};

static constexpr ActivationRecord activations[] = {
#define ACTIVATION(name, group, hasZeroPoint) {#name, group, hasZeroPoint},
#include "smelt/Dialect/LLM/IR/Formats.def"
};

static constexpr CacheRecord caches[] = {
#define CACHE(name, type, hasScale) {#name, typeOf<type>, hasScale},
#include "smelt/Dialect/LLM/IR/Formats.def"
};

static constexpr SchemeRecord schemes[] = {
#define SCHEME(name, format, activation, table)                                \
  {#name, format, activation, table},
#include "smelt/Dialect/LLM/IR/Formats.def"
};

template <typename Record, size_t size>
static const Record *lookup(const Record (&records)[size],
                            ::llvm::StringRef name) {
  const Record *record =
      ::llvm::find_if(records, [&](const Record &r) { return r.name == name; });
  return record == std::end(records) ? nullptr : record;
}

::llvm::ArrayRef<FormatRecord> smelt::llm::formatRecords() { return formats; }

::llvm::ArrayRef<SchemeRecord> smelt::llm::schemeRecords() { return schemes; }

::llvm::ArrayRef<CacheRecord> smelt::llm::cacheRecords() { return caches; }

const FormatRecord *smelt::llm::lookupFormat(::llvm::StringRef name) {
  return lookup(formats, name);
}

const ActivationRecord *
smelt::llm::lookupActivationFormat(::llvm::StringRef name) {
  return lookup(activations, name);
}

const CacheRecord *smelt::llm::lookupCache(::llvm::StringRef name) {
  return lookup(caches, name);
}

const SchemeRecord *smelt::llm::lookupScheme(::llvm::StringRef name) {
  return lookup(schemes, name);
}
