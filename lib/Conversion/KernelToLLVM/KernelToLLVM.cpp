//===- KernelToLLVM.cpp - The barrier as an indirect call -------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Generated code has no undefined symbol, so the barrier is a pointer that the
// runtime puts into the step. The call is opaque to LLVM: loads and stores of
// memory that another thread can see stay on their side of it.
//
//===----------------------------------------------------------------------===//
#include "smelt/Conversion/KernelToLLVM/Passes.h"

#include "StepFields.h"
#include "smelt/Dialect/Kernel/IR/Kernel.h"

#include "smelt/abi.h"

#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Transforms/DialectConversion.h"

namespace smelt {
#define GEN_PASS_DEF_CONVERTKERNELTOLLVM
#include "smelt/Conversion/KernelToLLVM/Passes.h.inc"
} // namespace smelt

using namespace mlir;

namespace {

struct BarrierLowering : ConvertOpToLLVMPattern<smelt::kernel::BarrierOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(smelt::kernel::BarrierOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (!adaptor.getStep())
      return rewriter.notifyMatchFailure(op, "expects a step (run smelt-spmd)");
    Location loc = op.getLoc();
    Type pointer = adaptor.getStep().getType();
    Value barrier = smelt::loadField(rewriter, loc, adaptor.getStep(),
                                     offsetof(SmeltStep, barrier), pointer);
    Value context =
        smelt::loadField(rewriter, loc, adaptor.getStep(),
                         offsetof(SmeltStep, barrier_context), pointer);
    auto type =
        LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(getContext()),
                                    {pointer, adaptor.getThread().getType()});
    rewriter.replaceOpWithNewOp<LLVM::CallOp>(
        op, type, ValueRange{barrier, context, adaptor.getThread()});
    return success();
  }
};

struct ConvertKernelToLLVM
    : smelt::impl::ConvertKernelToLLVMBase<ConvertKernelToLLVM> {
  void runOnOperation() override {
    LLVMTypeConverter converter(&getContext());
    RewritePatternSet patterns(&getContext());
    smelt::populateKernelToLLVMPatterns(converter, patterns);
    LLVMConversionTarget target(getContext());
    target.addIllegalOp<smelt::kernel::BarrierOp>();
    if (failed(applyPartialConversion(getOperation(), target,
                                      std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace

void smelt::populateKernelToLLVMPatterns(const LLVMTypeConverter &converter,
                                         RewritePatternSet &patterns) {
  patterns.add<BarrierLowering>(converter);
}
