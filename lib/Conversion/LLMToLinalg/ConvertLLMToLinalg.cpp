//===- ConvertLLMToLinalg.cpp - llm to linalg and kernel --------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One pattern per op, each a formula of LLMOps.td spelled in linalg; the files
// beside this one hold them by kind. Where the input of an op is dead after it,
// the result takes its place: the destination of the linalg op is the input,
// not a new tensor, so that the residual stream stays in one buffer from the
// embedding to the head.
//
//===----------------------------------------------------------------------===//
#include "Patterns.h"

namespace smelt {
#define GEN_PASS_DEF_CONVERTLLMTOLINALG
#include "smelt/Conversion/LLMToLinalg/Passes.h.inc"
} // namespace smelt

using namespace mlir;
using namespace smelt;

namespace {

struct Part {
  StringRef name;
  Type type;
};

/// Names and types of what a handle consists of: the K pool, the V pool, the
/// block table and the scales of both pools, if any.
SmallVector<Part> partsOf(llm::KVType kv) {
  int64_t any = ShapedType::kDynamic, block = 64;
  int64_t layers = kv.getLayers(), heads = kv.getHeads();
  Type element = kv.getElementType();
  SmallVector<Part> parts = {
      {"kv.k",
       MemRefType::get({layers, any, heads, kv.getSize(), block}, element)},
      {"kv.v", MemRefType::get({layers, any, heads, block, kv.getPaddedSize()},
                               element)},
      {"block_table",
       MemRefType::get({any, any}, IntegerType::get(kv.getContext(), 32))}};
  if (kv.getRecord().hasScale)
    for (StringRef name : {"kv.k_scales", "kv.v_scales"})
      parts.push_back(
          {name, MemRefType::get({layers, any, heads, block},
                                 Float32Type::get(kv.getContext()))});
  return parts;
}

/// Replaces a handle among the arguments by its parts.
void convertHandle(func::FuncOp function) {
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    auto kv = dyn_cast<llm::KVType>(function.getArgument(i).getType());
    if (!kv)
      continue;
    bool isStep = function.getArgAttr(i, "llm.input") != nullptr;
    OpBuilder b(function.getContext());
    SmallVector<Part> parts = partsOf(kv);
    for (auto [j, part] : llvm::enumerate(parts)) {
      DictionaryAttr attrs;
      if (isStep)
        attrs = b.getDictionaryAttr(
            b.getNamedAttr("llm.input", b.getStringAttr(part.name)));
      (void)function.insertArgument(i + 1 + j, part.type, attrs,
                                    function.getLoc());
    }
    b.setInsertionPointToStart(&function.getBody().front());
    Value handle = UnrealizedConversionCastOp::create(
                       b, function.getLoc(), kv,
                       function.getArguments().slice(i + 1, parts.size()))
                       .getResult(0);
    function.getArgument(i).replaceAllUsesWith(handle);
    (void)function.eraseArgument(i);
    return;
  }
}

/// Passes pools and table where a handle was passed.
void convertCall(func::CallOp call) {
  SmallVector<Value> operands;
  for (Value operand : call.getOperands()) {
    std::optional<ValueRange> pools = lookupPools(operand);
    if (pools)
      llvm::append_range(operands, *pools);
    else
      operands.push_back(operand);
  }
  call.getOperandsMutable().assign(operands);
}

struct ConvertLLMToLinalg
    : smelt::impl::ConvertLLMToLinalgBase<ConvertLLMToLinalg> {
  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet set(context);
    populateElementwisePatterns(set);
    populateLinearPatterns(set);
    populateNormPatterns(set);
    populateRowPatterns(set);
    populateAttentionPatterns(set);
    patterns = std::move(set);
    return success();
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    for (auto function : module.getOps<func::FuncOp>())
      convertHandle(function);
    module.walk([](func::CallOp call) { convertCall(call); });
    if (failed(applyPatternsGreedily(module, patterns)))
      return signalPassFailure();
    for (auto function : module.getOps<func::FuncOp>()) {
      for (unsigned i = 0; i < function.getNumArguments(); ++i)
        if (!function.isPublic() &&
            isa<TensorType>(function.getArgument(i).getType()))
          function.setArgAttr(i, "bufferization.writable",
                              BoolAttr::get(&getContext(), true));
    }
    WalkResult left = module.walk([](Operation *op) {
      if (!isa<llm::LLMDialect>(op->getDialect()) || isa<llm::ParamOp>(op) ||
          (isa<llm::GetParamOp>(op) && op->use_empty()))
        return WalkResult::advance();
      op->emitOpError("expects its weights to be params with format and "
                      "layout, and results of kv_append to be unused");
      return WalkResult::interrupt();
    });
    if (left.wasInterrupted())
      signalPassFailure();
  }

  FrozenRewritePatternSet patterns;
};

} // namespace
