//===- LLMDialect.cpp - Types and attributes of the llm dialect -*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "smelt/Dialect/LLM/IR/LLM.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/TypeSwitch.h"
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
                             Type type) {
  if (layers < 1 || heads < 1 || size < 1)
    return emitError() << "expects layers, heads and size of at least 1, got "
                       << layers << ", " << heads << ", " << size;
  if (!type.isF32() && !type.isBF16() && !type.isF16())
    return emitError() << "expects type f32, f16 or bf16, got " << type;
  return success();
}

LogicalResult FormatAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 StringRef name) {
  bool known = ::llvm::StringSwitch<bool>(name)
#define FORMAT(name, type, bits) .Case(#name, true)
#include "smelt/Dialect/LLM/IR/Formats.def"
                   .Default(false);
  if (!known)
    return emitError() << "unknown format '" << name << "'";
  return success();
}

Type FormatAttr::getElementType() const {
  MLIRContext *ctx = getContext();
  return ::llvm::StringSwitch<Type>(getName())
#define FORMAT(name, type, bits) .Case(#name, type::get(ctx))
#include "smelt/Dialect/LLM/IR/Formats.def"
      .Default(Type());
}

LogicalResult LayoutAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 StringRef kind, int64_t n, int64_t k) {
  if (kind != "rows" && kind != "panel")
    return emitError() << "expects layout rows or panel, got '" << kind << "'";
  if (kind == "panel" && (n < 1 || k < 1 || n > 1024 || k > 64))
    return emitError() << "expects a panel of 1..1024 by 1..64, got " << n
                       << " by " << k;
  return success();
}

SmallVector<int64_t>
LayoutAttr::getPhysicalShape(ArrayRef<int64_t> shape) const {
  if (!isPanel())
    return SmallVector<int64_t>(shape);
  return {static_cast<int64_t>(::llvm::divideCeil(shape[0], getN())),
          static_cast<int64_t>(::llvm::divideCeil(shape[1], getK())), getN(),
          getK()};
}
