//===- AssignOffsets.cpp - Places in the weights section --------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//     params of one instance | layer 0: qkv o gate_up down | layer 1: qkv o ...
//                              <---------- stride -------->
//
// A step reads the section once from front to back: one sequential stream.
// Sizes come from checkpoint files, so sums and products are checked.
//
//===----------------------------------------------------------------------===//
#include "smelt/Dialect/LLM/IR/LLM.h"
#include "smelt/Transforms/Layout/Passes.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace smelt;

namespace smelt {
#define GEN_PASS_DEF_ASSIGNOFFSETS
#include "smelt/Transforms/Layout/Passes.h.inc"
} // namespace smelt

/// What the code expects of the address of a param, in bytes.
static constexpr int64_t alignment = 64;
/// No weights section is larger than this, in bytes.
static constexpr int64_t maxBytes = int64_t(1) << 48;

/// Bytes that one instance takes, a multiple of the alignment; failure beyond
/// `maxBytes`.
static FailureOr<int64_t> alignedBytes(llm::ParamOp param) {
  RankedTensorType type = param.getStoredType();
  int64_t bytes = ::llvm::divideCeil(type.getElementTypeBitWidth(), 8);
  for (int64_t size : type.getShape())
    if (ShapedType::isDynamic(size) ||
        ::llvm::MulOverflow(bytes, size, bytes) || bytes > maxBytes)
      return param.emitOpError("expects at most ")
             << maxBytes << " bytes, got " << type;
  return ::llvm::alignTo(bytes, alignment);
}

namespace {
/// Params whose instances alternate: one block of the model.
struct Block {
  SmallVector<llm::ParamOp> params;
  int64_t instances = 1;
};

struct AssignOffsets : smelt::impl::AssignOffsetsBase<AssignOffsets> {
  void runOnOperation() override {
    Block single;
    ::llvm::MapVector<std::pair<StringRef, int64_t>, Block> blocks;
    for (auto param : getOperation().getOps<llm::ParamOp>()) {
      int64_t instances = param.getInstanceCount();
      if (instances == 1) {
        single.params.push_back(param);
        continue;
      }
      StringRef prefix = param.getSymName().split('.').first;
      Block &block = blocks[{prefix, instances}];
      block.instances = instances;
      block.params.push_back(param);
    }
    int64_t offset = 0;
    if (failed(placeSingle(single, offset)))
      return signalPassFailure();
    for (auto &[key, block] : blocks)
      if (failed(placeBlock(block, offset)))
        return signalPassFailure();
  }

  void place(llm::ParamOp param, int64_t offset, int64_t stride) {
    Builder builder(&getContext());
    param.setOffsetAttr(builder.getI64IntegerAttr(offset));
    param.setStrideAttr(builder.getI64IntegerAttr(stride));
  }

  LogicalResult placeSingle(Block &block, int64_t &offset) {
    for (llm::ParamOp param : block.params) {
      FailureOr<int64_t> bytes = alignedBytes(param);
      if (failed(bytes))
        return failure();
      place(param, offset, *bytes);
      offset += *bytes;
      if (offset > maxBytes)
        return param.emitOpError("expects weights of at most ")
               << maxBytes << " bytes in all";
    }
    return success();
  }

  LogicalResult placeBlock(Block &block, int64_t &offset) {
    int64_t stride = 0;
    for (llm::ParamOp param : block.params) {
      FailureOr<int64_t> bytes = alignedBytes(param);
      if (failed(bytes))
        return failure();
      stride += *bytes;
      int64_t all;
      if (::llvm::MulOverflow(stride, block.instances, all) ||
          all > maxBytes - offset)
        return param.emitOpError("expects weights of at most ")
               << maxBytes << " bytes in all";
    }
    int64_t begin = offset;
    for (llm::ParamOp param : block.params) {
      place(param, begin, stride);
      begin += *alignedBytes(param);
    }
    offset += stride * block.instances;
    return success();
  }
};
} // namespace
