//===- ConvertKernelToVector.cpp - kernel to vector -*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Emitter.h"

#include "mlir/Dialect/X86Vector/X86VectorDialect.h"

namespace smelt {
#define GEN_PASS_DEF_CONVERTKERNELTOVECTOR
#include "smelt/Conversion/KernelToVector/Passes.h.inc"
} // namespace smelt

using namespace mlir;
using namespace smelt;

namespace {

struct ConvertKernelToVector
    : smelt::impl::ConvertKernelToVectorBase<ConvertKernelToVector> {
  void runOnOperation() override {
    const TargetRecord *target = getTarget(getOperation());
    if (!target)
      return signalPassFailure();
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isa<kernel::MatmulOp, kernel::QuantizeOp, kernel::CachedAttentionOp,
              kernel::AttentionOp, kernel::AttendSpansOp, kernel::MergeSpansOp,
              kernel::GatherOp, kernel::RotateOp, kernel::KVAppendOp,
              kernel::PoolOp, kernel::UnpackOp>(op))
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      if (llvm::any_of(op->getOperandTypes(), llvm::IsaPred<TensorType>)) {
        op->emitOpError("expects buffers: stage bufferize comes first");
        return signalPassFailure();
      }
      OpBuilder b(op);
      Emitter e{b, op->getLoc(), *target};
      LogicalResult result =
          llvm::TypeSwitch<Operation *, LogicalResult>(op)
              .Case([&](kernel::MatmulOp o) { return emitMatmul(e, o); })
              .Case([&](kernel::QuantizeOp o) {
                return emitQuantize(e, o), success();
              })
              .Case([&](kernel::CachedAttentionOp o) {
                return emitCachedAttention(e, o), success();
              })
              .Case([&](kernel::AttendSpansOp o) {
                return emitAttendSpans(e, o), success();
              })
              .Case([&](kernel::MergeSpansOp o) {
                return emitMergeSpans(e, o), success();
              })
              .Case([&](kernel::AttentionOp o) {
                return emitAttention(e, o), success();
              })
              .Case([&](kernel::GatherOp o) {
                return emitGather(e, o), success();
              })
              .Case([&](kernel::RotateOp o) {
                return emitRotate(e, o), success();
              })
              .Case([&](kernel::KVAppendOp o) {
                return emitKVAppend(e, o), success();
              })
              .Case([&](kernel::UnpackOp o) {
                return emitUnpack(e, o), success();
              })
              .Case(
                  [&](kernel::PoolOp o) { return emitPool(e, o), success(); });
      if (failed(result))
        return signalPassFailure();
      op->erase();
    }
  }
};

} // namespace
