//===- Unpack.cpp - Panels with a byte for each element ---------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A chunk of 8 columns in 4 bits becomes two of 4 columns in 8 (Formats.h): the
// lower halves of its bytes, then the upper ones. Scales, minima and trailers
// are copied.
//
//===----------------------------------------------------------------------===//
#include "Emitter.h"

using namespace mlir;
using namespace smelt;
using llm::FormatRecord;

Value smelt::halfOf(Emitter &e, Value bytes, int64_t half) {
  auto all = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(
        e.b, e.loc,
        DenseElementsAttr::get(cast<VectorType>(bytes.getType()),
                               e.b.getI8IntegerAttr(value)));
  };
  if (half)
    return arith::ShRUIOp::create(e.b, e.loc, bytes, all(4));
  return arith::AndIOp::create(e.b, e.loc, bytes, all(15));
}

namespace {

/// A place in a panel and the same one with a byte for each element.
struct Place {
  Value packed, unpacked;
};

struct Unpacker {
  Emitter &e;
  kernel::UnpackOp op;
  Value panel;

  static constexpr int64_t line = FormatRecord::chunkBytes;

  VectorType vectorOfBytes() {
    return VectorType::get({4 * e.lanes()}, e.b.getI8Type());
  }
  Value load(Value offset) {
    return vector::LoadOp::create(e.b, e.loc, vectorOfBytes(), op.getPacked(),
                                  ValueRange{panel, offset});
  }
  void store(Value bytes, Value offset) {
    vector::StoreOp::create(e.b, e.loc, bytes, op.getUnpacked(),
                            ValueRange{panel, offset});
  }
  /// `body(i)` for each vector's first byte in a line.
  void eachVector(llvm::function_ref<void(int64_t i)> body) {
    for (int64_t i = 0; i < line; i += 4 * e.lanes())
      body(i);
  }

  /// Elements, one line after another.
  void unpackLines(const Place &at, int64_t count) {
    e.loop(e.index(0), e.index(count), [&](Value i) {
      Value from = e.add(at.packed, e.mul(i, e.index(line)));
      Value to = e.add(at.unpacked, e.mul(i, e.index(2 * line)));
      if (e.target.prefetchRows)
        e.prefetch(op.getPacked(),
                   {panel, e.add(from, e.index(e.target.prefetchBytes))});
      eachVector([&](int64_t v) {
        Value bytes = load(e.add(from, e.index(v)));
        for (int64_t half = 0; half < 2; ++half)
          store(halfOf(e, bytes, half), e.add(to, e.index(half * line + v)));
      });
    });
  }
  void copyLines(const Place &at, int64_t count) {
    e.loop(e.index(0), e.index(count), [&](Value i) {
      Value offset = e.mul(i, e.index(line));
      eachVector([&](int64_t v) {
        store(load(e.add(e.add(at.packed, offset), e.index(v))),
              e.add(e.add(at.unpacked, offset), e.index(v)));
      });
    });
  }

  void run() {
    const FormatRecord &packed = op.getFormat().getRecord();
    const FormatRecord unpacked = packed.unpacked();
    auto place = [&](Value block, int64_t inPacked, int64_t inUnpacked) {
      return Place{
          e.add(e.mul(block, e.index(packed.blockBytes())), e.index(inPacked)),
          e.add(e.mul(block, e.index(unpacked.blockBytes())),
                e.index(inUnpacked))};
    };
    Value blocks = e.index(op.getBlockCount());
    e.loop(e.index(0), blocks, [&](Value block) {
      unpackLines(place(block, 0, 0), packed.scalesOffset() / line);
      copyLines(place(block, packed.scalesOffset(), unpacked.scalesOffset()),
                (packed.blockBytes() - packed.scalesOffset()) / line);
    });
    copyLines(place(blocks, 0, 0), packed.panelBytes(0) / line);
  }
};

} // namespace

void smelt::emitUnpack(Emitter &e, kernel::UnpackOp op) {
  e.loop(e.index(0), e.dim(op.getPacked(), 0),
         [&](Value panel) { Unpacker{e, op, panel}.run(); });
}
