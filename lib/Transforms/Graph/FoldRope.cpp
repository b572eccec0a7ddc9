//===- FoldRope.cpp - Rope as a table of angles and rotations ---*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "smelt/Dialect/LLM/IR/LLM.h"
#include "smelt/Transforms/Graph/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

namespace smelt {
#define GEN_PASS_DEF_FOLDROPE
#include "smelt/Transforms/Graph/Passes.h.inc"
} // namespace smelt

using namespace mlir;
using namespace smelt;
using namespace smelt::llm;

namespace {
struct FoldRope : smelt::impl::FoldRopeBase<FoldRope> {
  void runOnOperation() override {
    getOperation()->walk([](RopeOp op) {
      Location loc = op.getLoc();
      // As early as positions allow, so that the table dominates all layers.
      OpBuilder builder(op);
      builder.setInsertionPointAfterValue(op.getPositions());
      SmallVector<float> values = op.getFrequencies();
      auto type = RankedTensorType::get({static_cast<int64_t>(values.size())},
                                        builder.getF32Type());
      Value frequencies = arith::ConstantOp::create(
          builder, loc, DenseElementsAttr::get(type, ArrayRef(values)));
      auto table =
          RopeTableOp::create(builder, loc, op.getPositions(), frequencies);
      builder.setInsertionPoint(op);
      op.replaceAllUsesWith(RotateOp::create(builder, loc, op.getX(),
                                             table.getCos(), table.getSin(),
                                             op.getHeads())
                                .getResult());
      op.erase();
    });
  }
};
} // namespace
