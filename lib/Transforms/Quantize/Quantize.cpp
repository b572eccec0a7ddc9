//===- Quantize.cpp - Quantise params by the rules of the module -*- C++
//-*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Only names are chosen here: the format of a param, and what the rows of the
// linears that read it are rounded to. The artefact writer quantises.
//
//===----------------------------------------------------------------------===//
#include "smelt/Dialect/LLM/IR/LLM.h"
#include "smelt/Transforms/Quantize/Passes.h"

#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace smelt;

namespace smelt {
#define GEN_PASS_DEF_QUANTIZE
#include "smelt/Transforms/Quantize/Passes.h.inc"
} // namespace smelt

namespace {
/// Who reads a param.
struct Readers {
  SmallVector<llm::LinearOp> linears; // as their weight
  bool hasEmbedding = false, hasOther = false;
};

struct Quantize : smelt::impl::QuantizeBase<Quantize> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto rules = module->getAttrOfType<ArrayAttr>("llm.quantize");
    if (!rules)
      return;
    SymbolTable symbols(module);
    ::llvm::MapVector<Operation *, Readers> params;
    module.walk([&](llm::GetParamOp get) {
      Readers &readers = params[symbols.lookup(get.getParam())];
      for (OpOperand &use : get->getUses()) {
        auto linear = dyn_cast<llm::LinearOp>(use.getOwner());
        if (linear && linear.getWeight() == use.get())
          readers.linears.push_back(linear);
        else if (isa<llm::EmbeddingOp>(use.getOwner()))
          readers.hasEmbedding = true;
        else
          readers.hasOther = true;
      }
    });
    for (auto &[op, readers] : params) {
      auto param = cast<llm::ParamOp>(op);
      bool isMatrix = !readers.linears.empty() || readers.hasEmbedding;
      if (param.getFormat() || readers.hasOther || !isMatrix)
        continue;
      for (Attribute rule : ::llvm::reverse(rules)) {
        auto quantize = dyn_cast<llm::QuantizeAttr>(rule);
        if (!quantize) {
          module.emitError("expects llm.quantize to hold rules, got ") << rule;
          return signalPassFailure();
        }
        if (quantize.matches(param.getSymName())) {
          apply(quantize.getScheme(), param, readers);
          break;
        }
      }
    }
  }

  void apply(StringRef name, llm::ParamOp param, const Readers &readers) {
    const llm::SchemeRecord *scheme = llm::lookupScheme(name);
    if (scheme)
      name = readers.linears.empty() ? scheme->table : scheme->format;
    param.setFormatAttr(llm::FormatAttr::get(&getContext(), name));
    if (!scheme || scheme->activation.empty())
      return;
    for (llm::LinearOp linear : readers.linears)
      linear.setActivationAttr(
          llm::ActivationAttr::get(&getContext(), scheme->activation));
  }
};
} // namespace
