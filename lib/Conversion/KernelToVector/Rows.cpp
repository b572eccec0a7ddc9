//===- Rows.cpp - Ops that move or rotate rows -*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Emitter.h"

using namespace mlir;
using namespace smelt;

void smelt::emitGather(Emitter &e, kernel::GatherOp op) {
  if (op.getFormat() && op.getFormat()->isQuantized())
    return emitQuantizedGather(e, op);
  auto table = cast<MemRefType>(op.getTable().getType());
  int64_t columns = columnsOf(op.getInit());
  e.loop(e.index(0), e.dim(op.getInit(), 0), [&](Value row) {
    Value index = e.loadIndex(op.getIndices(), {row});
    if (table.getRank() == 2) {
      e.vectors(columns, [&](Value d, Value mask) {
        e.storeVector(e.loadVector(op.getTable(), {index, d}, mask),
                      op.getInit(), {row, d}, mask);
      });
      return;
    }
    // Packed [P, K / kk, n, kk]: the elements of a row lie apart.
    Value n = e.index(table.getDimSize(2)), kk = e.index(table.getDimSize(3));
    Value panel = e.div(index, n), lane = e.rem(index, n);
    e.loop(e.index(0), e.index(columns), [&](Value d) {
      Value value =
          e.load(op.getTable(), {panel, e.div(d, kk), lane, e.rem(d, kk)});
      e.store(e.extend(value), op.getInit(), {row, d});
    });
  });
}

void smelt::emitRotate(Emitter &e, kernel::RotateOp op) {
  int64_t half = columnsOf(op.getCos());
  int64_t heads = columnsOf(op.getX()) / (2 * half);
  e.loop(e.index(0), e.dim(op.getX(), 0), [&](Value row) {
    e.loop(e.index(0), e.index(heads), [&](Value head) {
      Value base = e.mul(head, e.index(2 * half));
      e.vectors(half, [&](Value i, Value mask) {
        Value low = e.add(base, i), high = e.add(low, e.index(half));
        Value x = e.loadVector(op.getX(), {row, low}, mask);
        Value y = e.loadVector(op.getX(), {row, high}, mask);
        Value c = e.loadVector(op.getCos(), {row, i}, mask);
        Value s = e.loadVector(op.getSin(), {row, i}, mask);
        auto mulf = [&](Value u, Value v) -> Value {
          return arith::MulFOp::create(e.b, e.loc, u, v);
        };
        Value first = arith::SubFOp::create(e.b, e.loc, mulf(x, c), mulf(y, s));
        Value second =
            arith::AddFOp::create(e.b, e.loc, mulf(y, c), mulf(x, s));
        e.storeVector(first, op.getInit(), {row, low}, mask);
        e.storeVector(second, op.getInit(), {row, high}, mask);
      });
    });
  });
}

void smelt::emitPool(Emitter &e, kernel::PoolOp op) {
  e.loop(e.index(0), e.dim(op.getInit(), 0), [&](Value s) {
    Value begin = e.loadIndex(op.getBegin(), {s});
    Value end = e.loadIndex(op.getEnd(), {s});
    Value count =
        arith::MaxSIOp::create(e.b, e.loc, e.sub(end, begin), e.index(1));
    Value i32 = arith::IndexCastOp::create(e.b, e.loc, e.b.getI32Type(), count);
    Value rows =
        e.splat(arith::SIToFPOp::create(e.b, e.loc, e.b.getF32Type(), i32));
    e.vectors(columnsOf(op.getInit()), [&](Value d, Value mask) {
      Emitter::Values sum =
          e.loop(begin, end, 1, ValueRange{e.zeros()},
                 [&](Value row, ValueRange carried) -> Emitter::Values {
                   return {arith::AddFOp::create(
                       e.b, e.loc, carried[0],
                       e.loadVector(op.getX(), {row, d}, mask))};
                 });
      e.storeVector(arith::DivFOp::create(e.b, e.loc, sum[0], rows),
                    op.getInit(), {s, d}, mask);
    });
  });
}
