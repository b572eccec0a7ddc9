//===- UnpackPanels.cpp - Many rows read bytes instead of nibbles -*- C++
//-*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every tile of rows takes the halves of the same bytes apart. Where there are
// many tiles, once for all of them costs less:
//
//     for panels                     for panels
//       for rows, in tiles             if few rows
//         matmul a[rows], w              for rows, in tiles
//                                          matmul a[rows], w
//                                      else
//                                        u = unpack w
//                                        for rows, in tiles
//                                          matmul a[rows], u
//
// Few rows wait for memory, where a byte for each element would be twice as
// many.
//
//===----------------------------------------------------------------------===//
#include "smelt/Dialect/Kernel/IR/Kernel.h"
#include "smelt/Target/CPU/Targets.h"
#include "smelt/Transforms/Memory/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"

namespace smelt {
#define GEN_PASS_DEF_UNPACKPANELS
#include "smelt/Transforms/Memory/Passes.h.inc"
} // namespace smelt

using namespace mlir;
using namespace smelt;

static bool isNarrow(kernel::MatmulOp product) {
  return product.getActivation() &&
         cast<ShapedType>(product.getW().getType()).hasStaticShape() &&
         !product.getUnpacked() && product.getFormat().getRecord().bits < 8;
}

/// Moves what computes `value` before `loop`, unless it depends on the turn.
static bool hoist(Value value, scf::ForOp loop) {
  if (loop.isDefinedOutsideOfLoop(value))
    return true;
  Operation *op = value.getDefiningOp();
  if (!op || !isPure(op) ||
      !llvm::all_of(op->getOperands(),
                    [&](Value operand) { return hoist(operand, loop); }))
    return false;
  loop.moveOutOfLoop(op);
  return true;
}

/// Products of a loop over tiles of rows that all read the same panels.
static SmallVector<kernel::MatmulOp> findProducts(scf::ForOp loop) {
  SmallVector<kernel::MatmulOp> products;
  for (auto product : loop.getOps<kernel::MatmulOp>())
    if (isNarrow(product) && hoist(product.getW(), loop))
      products.push_back(product);
  return products;
}

/// The panels of `product` with a byte for each element.
static Value unpack(OpBuilder &b, kernel::MatmulOp product) {
  Location loc = product.getLoc();
  int64_t columns = cast<ShapedType>(product.getA().getType()).getDimSize(1);
  int64_t panels = cast<ShapedType>(product.getW().getType()).getDimSize(0);
  llm::FormatRecord wide = product.getFormat().getRecord().unpacked();
  Value room = memref::AllocOp::create(
      b, loc,
      MemRefType::get({panels, wide.panelBytes(columns)}, b.getI8Type()),
      b.getI64IntegerAttr(llm::FormatRecord::chunkBytes));
  kernel::UnpackOp::create(b, loc, product.getW(), room,
                           product.getFormatAttr());
  return room;
}

/// Makes `loop` one of few rows, and a copy of it one of at least `rows`.
static void split(scf::ForOp loop, int64_t rows) {
  SmallVector<kernel::MatmulOp> products = findProducts(loop);
  if (products.empty())
    return;
  OpBuilder b(loop);
  Location loc = loop.getLoc();
  Value count =
      arith::SubIOp::create(b, loc, loop.getUpperBound(), loop.getLowerBound());
  Value isFew =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, count,
                            arith::ConstantIndexOp::create(b, loc, rows));
  auto either = scf::IfOp::create(b, loc, isFew, /*withElseRegion=*/true);
  b.setInsertionPoint(either.elseYield());
  SmallVector<Value> unpacked;
  for (kernel::MatmulOp product : products)
    unpacked.push_back(unpack(b, product));
  IRMapping map;
  b.clone(*loop, map);
  for (auto [product, w] : llvm::zip_equal(products, unpacked)) {
    auto copy = cast<kernel::MatmulOp>(map.lookup(product.getOperation()));
    copy.getWMutable().assign(w);
    copy.setUnpacked(true);
  }
  loop->moveBefore(either.thenYield());
}

namespace {

struct UnpackPanels : smelt::impl::UnpackPanelsBase<UnpackPanels> {
  using UnpackPanelsBase::UnpackPanelsBase;

  void runOnOperation() override {
    int64_t least = rows;
    if (least == 0) {
      const TargetRecord *target = getTarget(getOperation());
      if (!target)
        return signalPassFailure();
      least = target->unpackRows;
    }
    SmallVector<scf::ForOp> loops;
    getOperation().walk([&](scf::ForOp loop) {
      if (llvm::any_of(loop.getOps<kernel::MatmulOp>(), isNarrow))
        loops.push_back(loop);
    });
    for (scf::ForOp loop : loops)
      split(loop, least);
  }
};

} // namespace
