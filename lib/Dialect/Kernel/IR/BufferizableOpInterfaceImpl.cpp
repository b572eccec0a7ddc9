//===- BufferizableOpInterfaceImpl.cpp - Kernel ops on buffers --*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A kernel op on buffers is the same op with buffers for tensors and without
// its result: the destination is overwritten in place.
//
//===----------------------------------------------------------------------===//
#include "smelt/Dialect/Kernel/IR/Kernel.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"

using namespace mlir;
using namespace mlir::bufferization;
using namespace smelt::kernel;

namespace {

template <typename Op>
struct KernelModel
    : public BufferizableOpInterface::ExternalModel<KernelModel<Op>, Op> {
  static bool isInit(Operation *op, OpOperand &operand) {
    auto dps = dyn_cast<DestinationStyleOpInterface>(op);
    return dps && dps.isDpsInit(&operand);
  }

  /// Destinations are overwritten without being read, but for one that is the
  /// result already where there is nothing to merge.
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand,
                              const AnalysisState &) const {
    return !isInit(op, operand) || isa<MergeSpansOp>(op);
  }

  bool bufferizesToMemoryWrite(Operation *op, OpOperand &operand,
                               const AnalysisState &) const {
    return isInit(op, operand);
  }

  AliasingValueList getAliasingValues(Operation *op, OpOperand &operand,
                                      const AnalysisState &) const {
    if (!isInit(op, operand) || op->getNumResults() == 0)
      return {};
    OpResult result =
        cast<DestinationStyleOpInterface>(op).getTiedOpResult(&operand);
    return {{result, BufferRelation::Equivalent}};
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    SmallVector<Value> operands, destinations;
    for (OpOperand &operand : op->getOpOperands()) {
      Value value = operand.get();
      if (isa<TensorType>(value.getType())) {
        FailureOr<Value> buffer = getBuffer(rewriter, value, options, state);
        if (failed(buffer))
          return failure();
        value = *buffer;
      }
      if (isInit(op, operand))
        destinations.push_back(value);
      operands.push_back(value);
    }
    rewriter.setInsertionPoint(op);
    mlir::clone(rewriter, op, TypeRange{}, operands);
    if (op->getNumResults())
      replaceOpWithBufferizedValues(rewriter, op, destinations);
    else
      rewriter.eraseOp(op);
    return success();
  }
};

template <typename... Ops> void attach(MLIRContext *context) {
  (Ops::template attachInterface<KernelModel<Ops>>(*context), ...);
}

} // namespace

void smelt::kernel::registerBufferizableOpInterfaceModels(
    DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, KernelDialect *) {
    attach<QuantizeOp, MatmulOp, GatherOp, RotateOp, KVAppendOp,
           CachedAttentionOp, AttendSpansOp, MergeSpansOp, AttentionOp, PoolOp>(
        context);
  });
}
