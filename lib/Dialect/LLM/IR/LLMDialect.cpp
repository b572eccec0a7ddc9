//===- LLMDialect.cpp - Types and attributes of the llm dialect -*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "smelt/Dialect/LLM/IR/LLM.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/GlobPattern.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace smelt::llm;

#include "smelt/Dialect/LLM/IR/LLMDialect.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "smelt/Dialect/LLM/IR/LLMTypes.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "smelt/Dialect/LLM/IR/LLMAttrs.cpp.inc"

void LLMDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "smelt/Dialect/LLM/IR/LLMTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "smelt/Dialect/LLM/IR/LLMAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "smelt/Dialect/LLM/IR/LLMOps.cpp.inc"
      >();
}

LogicalResult KVType::verify(function_ref<InFlightDiagnostic()> emitError,
                             int64_t layers, int64_t heads, int64_t size,
                             StringRef type) {
  if (layers < 1 || heads < 1 || size < 1)
    return emitError() << "expects layers, heads and size of at least 1, got "
                       << layers << ", " << heads << ", " << size;
  if (lookupCache(type))
    return success();
  InFlightDiagnostic error = emitError() << "expects type ";
  ::llvm::interleaveComma(
      cacheRecords(), error,
      [&](const CacheRecord &record) { error << record.name; });
  return error << ", got " << type;
}

const CacheRecord &KVType::getRecord() const { return *lookupCache(getType()); }

Type KVType::getElementType() const { return getRecord().type(getContext()); }

int64_t KVType::getPaddedSize() const {
  return static_cast<int64_t>(::llvm::alignTo(getSize(), 16));
}

int64_t KVType::getBlockBytes() const {
  int64_t bits = getElementType().getIntOrFloatBitWidth();
  int64_t row = (getSize() + getPaddedSize()) * bits / 8 +
                (getRecord().hasScale ? 2 * sizeof(float) : 0);
  return getLayers() * getHeads() * blockPositions * row;
}

LogicalResult FormatAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 StringRef name) {
  if (!lookupFormat(name))
    return emitError() << "unknown format '" << name << "'";
  return success();
}

const FormatRecord &FormatAttr::getRecord() const {
  return *lookupFormat(getName());
}

Type FormatAttr::getElementType() const {
  if (isQuantized())
    return IntegerType::get(getContext(), 8);
  return getRecord().type(getContext());
}

LogicalResult
ActivationAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                       StringRef name) {
  if (!lookupActivationFormat(name))
    return emitError() << "unknown format of activations '" << name << "'";
  return success();
}

const ActivationRecord &ActivationAttr::getRecord() const {
  return *lookupActivationFormat(getName());
}

LogicalResult QuantizeAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   StringRef pattern, StringRef scheme) {
  auto glob = ::llvm::GlobPattern::create(pattern);
  if (!glob) {
    consumeError(glob.takeError());
    return emitError() << "expects a glob, got '" << pattern << "'";
  }
  if (!lookupScheme(scheme) && !lookupFormat(scheme))
    return emitError() << "unknown scheme or format '" << scheme << "'";
  return success();
}

bool QuantizeAttr::matches(StringRef name) const {
  return ::llvm::cantFail(::llvm::GlobPattern::create(getPattern()))
      .match(name);
}

LogicalResult LayoutAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 StringRef kind, int64_t n, int64_t k) {
  if (kind != "rows" && kind != "panel" && kind != "blocks")
    return emitError() << "expects layout rows, panel or blocks, got '" << kind
                       << "'";
  if (kind == "panel" && (n < 1 || k < 1 || n > 1024 || k > 64))
    return emitError() << "expects a panel of 1..1024 by 1..64, got " << n
                       << " by " << k;
  if (kind == "blocks" && (n != FormatRecord::panelRows || k < 1))
    return emitError() << "expects blocks of " << FormatRecord::panelRows
                       << " rows, got " << n << " by " << k;
  return success();
}

SmallVector<int64_t> LayoutAttr::getPhysicalShape(ArrayRef<int64_t> shape,
                                                  FormatAttr format) const {
  if (isBlocks())
    return {static_cast<int64_t>(::llvm::divideCeil(shape[0], getN())),
            format.getRecord().panelBytes(shape[1])};
  if (!isPanel())
    return SmallVector<int64_t>(shape);
  return {static_cast<int64_t>(::llvm::divideCeil(shape[0], getN())),
          static_cast<int64_t>(::llvm::divideCeil(shape[1], getK())), getN(),
          getK()};
}
