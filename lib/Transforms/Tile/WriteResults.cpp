//===- WriteResults.cpp - Results of a step into its arguments --*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// After elementwise fusion, whose patterns drop destinations that aren't read,
// and before tiling, which needs to know where a nest writes.
//
//===----------------------------------------------------------------------===//
#include "smelt/Transforms/Tile/Passes.h"

namespace smelt {
#define GEN_PASS_DEF_WRITERESULTS
#include "smelt/Transforms/Tile/Passes.h.inc"
} // namespace smelt

using namespace mlir;

namespace {

/// A copy of `value` into `destination`.
Value copy(OpBuilder &b, Value value, Value destination) {
  AffineMap identity = b.getMultiDimIdentityMap(2);
  SmallVector<utils::IteratorType> parallel(2, utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             b, value.getLoc(), TypeRange{value.getType()}, ValueRange{value},
             ValueRange{destination}, ArrayRef<AffineMap>{identity, identity},
             parallel,
             [](OpBuilder &nested, Location loc, ValueRange args) {
               linalg::YieldOp::create(nested, loc, args[0]);
             })
      .getResult(0);
}

struct WriteResults : smelt::impl::WriteResultsBase<WriteResults> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isPublic() && !function.isExternal())
      convert(function);
  }

  static void convert(func::FuncOp function) {
    auto returned =
        cast<func::ReturnOp>(function.getBody().back().getTerminator());
    OpBuilder b(returned);
    for (OpOperand &operand : returned->getOpOperands()) {
      unsigned i = operand.getOperandNumber();
      auto name = function.getResultAttrOfType<StringAttr>(i, "llm.output");
      if (!name)
        continue;
      DictionaryAttr attrs = b.getDictionaryAttr(
          {b.getNamedAttr("llm.output", name),
           b.getNamedAttr("bufferization.writable", b.getBoolAttr(true))});
      unsigned index = function.getNumArguments();
      (void)function.insertArgument(index, operand.get().getType(), attrs,
                                    function.getLoc());
      Value destination = function.getArgument(index);
      auto dps = operand.get().getDefiningOp<DestinationStyleOpInterface>();
      OpOperand *init =
          dps ? dps.getTiedOpOperand(cast<OpResult>(operand.get())) : nullptr;
      if (init && init->get().getDefiningOp<tensor::EmptyOp>()) {
        init->set(destination);
        continue;
      }
      operand.set(copy(b, operand.get(), destination));
    }
  }
};

} // namespace
