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
// Records of a profile go to a buffer that the runtime puts into the step too:
//
//     step.profile -> | next | next | ...      one for each thread, a cache
//     line
//                        v
//     thread 0's records | entry begin end | entry begin end | ...
//
//===----------------------------------------------------------------------===//
#include "smelt/Conversion/KernelToLLVM/Passes.h"

#include "StepFields.h"
#include "smelt/Dialect/Kernel/IR/Kernel.h"
#include "smelt/Target/CPU/Targets.h"

#include "smelt/abi.h"

#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Transforms/DialectConversion.h"

namespace smelt {
#define GEN_PASS_DEF_CONVERTKERNELTOLLVM
#include "smelt/Conversion/KernelToLLVM/Passes.h.inc"
} // namespace smelt

using namespace mlir;

/// Fails for an op that has no step.
static LogicalResult expectStep(Operation *op, Value step,
                                ConversionPatternRewriter &rewriter) {
  if (step)
    return success();
  return rewriter.notifyMatchFailure(op, "expects a step (run smelt-spmd)");
}

namespace {

struct BarrierLowering : ConvertOpToLLVMPattern<smelt::kernel::BarrierOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(smelt::kernel::BarrierOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Value step = adaptor.getStep();
    if (failed(expectStep(op, step, rewriter)))
      return failure();
    auto load = [&](size_t field) {
      return smelt::loadField(rewriter, op.getLoc(), step, field,
                              step.getType());
    };
    Value barrier = load(offsetof(SmeltStep, barrier));
    Value context = load(offsetof(SmeltStep, barrier_context));
    auto type = LLVM::LLVMFunctionType::get(
        LLVM::LLVMVoidType::get(getContext()),
        {step.getType(), adaptor.getThread().getType()});
    rewriter.replaceOpWithNewOp<LLVM::CallOp>(
        op, type, ValueRange{barrier, context, adaptor.getThread()});
    return success();
  }
};

/// The counter of time, now.
Value readClock(OpBuilder &builder, Location loc) {
  return LLVM::CallIntrinsicOp::create(
             builder, loc, builder.getI64Type(),
             builder.getStringAttr("llvm.readcyclecounter"), ValueRange())
      .getResult(0);
}

struct ClockLowering : ConvertOpToLLVMPattern<smelt::kernel::ClockOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(smelt::kernel::ClockOp op, OpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOp(op, readClock(rewriter, op.getLoc()));
    return success();
  }
};

/// *profile[thread].next++ = {entry, begin, now}
struct RecordLowering : ConvertOpToLLVMPattern<smelt::kernel::RecordOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(smelt::kernel::RecordOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (failed(expectStep(op, adaptor.getStep(), rewriter)))
      return failure();
    Location loc = op.getLoc();
    Type word = rewriter.getI64Type(), pointer = adaptor.getStep().getType();
    auto constant = [&](int64_t value) {
      return LLVM::ConstantOp::create(rewriter, loc, word,
                                      rewriter.getI64IntegerAttr(value));
    };
    Value now = readClock(rewriter, loc);
    Value profile = smelt::loadField(rewriter, loc, adaptor.getStep(),
                                     offsetof(SmeltStep, profile), pointer);
    Value offset =
        LLVM::MulOp::create(rewriter, loc, adaptor.getThread(),
                            constant(sizeof(SmeltProfile)).getResult());
    Value own = smelt::addBytes(rewriter, loc, profile, offset);
    Value record = smelt::loadField(rewriter, loc, own,
                                    offsetof(SmeltProfile, next), pointer);
    auto store = [&](Value value, Value base, size_t field) {
      LLVM::StoreOp::create(
          rewriter, loc, value,
          smelt::addBytes(rewriter, loc, base, static_cast<int32_t>(field)));
    };
    store(constant(op.getEntry()), record, offsetof(SmeltRecord, entry));
    store(adaptor.getBegin(), record, offsetof(SmeltRecord, begin));
    store(now, record, offsetof(SmeltRecord, end));
    store(smelt::addBytes(rewriter, loc, record,
                          static_cast<int32_t>(sizeof(SmeltRecord))),
          own, offsetof(SmeltProfile, next));
    rewriter.eraseOp(op);
    return success();
  }
};

/// An op on vectors of a width, and the intrinsic that it becomes.
struct Intrinsic {
  StringLiteral architecture, op;
  bool isSigned;
  unsigned resultBits, vectorBits;
  StringLiteral name;
};
// clang-format off
constexpr Intrinsic intrinsics[] = {
    {"x86_64", "kernel.dot_bytes", false, 32, 128, "llvm.x86.avx512.vpdpbusd.128"},
    {"x86_64", "kernel.dot_bytes", false, 32, 256, "llvm.x86.avx512.vpdpbusd.256"},
    {"x86_64", "kernel.dot_bytes", false, 32, 512, "llvm.x86.avx512.vpdpbusd.512"},
    {"x86_64", "kernel.apply_sign", false, 8, 128, "llvm.x86.ssse3.psign.b.128"},
    {"x86_64", "kernel.apply_sign", false, 8, 256, "llvm.x86.avx2.psign.b"},
    {"x86_64", "kernel.multiply_add", false, 16, 128, "llvm.x86.ssse3.pmadd.ub.sw.128"},
    {"x86_64", "kernel.multiply_add", false, 16, 256, "llvm.x86.avx2.pmadd.ub.sw"},
    {"x86_64", "kernel.multiply_add", false, 16, 512, "llvm.x86.avx512.pmaddubs.w.512"},
    {"x86_64", "kernel.multiply_add", false, 32, 128, "llvm.x86.sse2.pmadd.wd"},
    {"x86_64", "kernel.multiply_add", false, 32, 256, "llvm.x86.avx2.pmadd.wd"},
    {"x86_64", "kernel.multiply_add", false, 32, 512, "llvm.x86.avx512.pmaddw.d.512"},
    {"aarch64", "kernel.dot_bytes", false, 32, 128, "llvm.aarch64.neon.usdot.v4i32.v16i8"},
    {"aarch64", "kernel.dot_bytes", true, 32, 128, "llvm.aarch64.neon.sdot.v4i32.v16i8"},
};
// clang-format on

bool isSigned(smelt::kernel::DotBytesOp op) { return op.getIsSigned(); }
bool isSigned(Operation *) { return false; }

/// The architecture of the module's target; without one, x86_64.
StringRef architectureOf(Operation *op) {
  const smelt::TargetRecord *target =
      smelt::namesTarget(op) ? smelt::getTarget(op) : nullptr;
  return target ? target->architecture() : "x86_64";
}

template <typename Op> struct IntrinsicLowering : ConvertOpToLLVMPattern<Op> {
  using ConvertOpToLLVMPattern<Op>::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(Op op, typename Op::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = cast<VectorType>(op.getResult().getType());
    unsigned width = type.getElementTypeBitWidth();
    StringRef architecture = architectureOf(op);
    const Intrinsic *found = llvm::find_if(intrinsics, [&](const auto &i) {
      return i.architecture == architecture &&
             i.op == op->getName().getStringRef() &&
             i.isSigned == isSigned(op) && i.resultBits == width &&
             i.vectorBits == width * type.getNumElements();
    });
    if (found == std::end(intrinsics))
      return op.emitOpError("expects vectors that ")
             << architecture << " has an instruction for, got " << type
             << " (run smelt-expand-dots)";
    rewriter.replaceOpWithNewOp<LLVM::CallIntrinsicOp>(
        op, type, rewriter.getStringAttr(found->name), adaptor.getOperands());
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
    target.addIllegalOp<smelt::kernel::BarrierOp, smelt::kernel::ClockOp,
                        smelt::kernel::RecordOp, smelt::kernel::DotBytesOp,
                        smelt::kernel::ApplySignOp,
                        smelt::kernel::MultiplyAddOp>();
    if (failed(applyPartialConversion(getOperation(), target,
                                      std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace

void smelt::populateKernelToLLVMPatterns(const LLVMTypeConverter &converter,
                                         RewritePatternSet &patterns) {
  patterns.add<BarrierLowering, ClockLowering, RecordLowering,
               IntrinsicLowering<smelt::kernel::DotBytesOp>,
               IntrinsicLowering<smelt::kernel::ApplySignOp>,
               IntrinsicLowering<smelt::kernel::MultiplyAddOp>>(converter);
}
