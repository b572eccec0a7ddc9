//===- AssignFormats.cpp - Choose how params are stored ---------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A format is a record of Formats.def, so the choice is a name. The logical
// type of a param stays what the recipe yields; the artefact writer rounds to
// the format at the very end.
//
//===----------------------------------------------------------------------===//
#include "smelt/Dialect/LLM/IR/LLM.h"
#include "smelt/Transforms/Quantize/Passes.h"

using namespace mlir;

namespace smelt {
#define GEN_PASS_DEF_ASSIGNFORMATS
#include "smelt/Transforms/Quantize/Passes.h.inc"
} // namespace smelt

/// The record of Formats.def whose elements are of `type`, or "".
static StringRef formatOf(Type type) {
  for (const smelt::llm::FormatRecord &record : smelt::llm::formatRecords())
    if (!record.isInteger && record.type(type.getContext()) == type)
      return record.name;
  return "";
}

namespace {
struct AssignFormats : smelt::impl::AssignFormatsBase<AssignFormats> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto compute = module->getAttrOfType<TypeAttr>("llm.compute");
    if (!compute ||
        !(compute.getValue().isF32() || compute.getValue().isBF16())) {
      module.emitError(
          "expects module attribute llm.compute to be f32 or bf16");
      return signalPassFailure();
    }
    for (auto param : module.getOps<smelt::llm::ParamOp>()) {
      if (param.getFormat())
        continue;
      RankedTensorType type = param.getParamType();
      bool isMatrix = type.getRank() == 2;
      StringRef format = formatOf(isMatrix && compute.getValue().isBF16()
                                      ? compute.getValue()
                                      : type.getElementType());
      if (format.empty()) {
        param.emitOpError("expects elements that a format stores, got ")
            << type;
        return signalPassFailure();
      }
      param.setFormatAttr(smelt::llm::FormatAttr::get(&getContext(), format));
    }
  }
};
} // namespace
