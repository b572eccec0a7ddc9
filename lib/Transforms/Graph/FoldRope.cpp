//===- FoldRope.cpp - Rope as a table of angles and rotations ---*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Models were trained with frequencies computed in f32, so every step here is
// one rounded f32 operation in the order of the reference implementation. The
// power alone is taken in f64 and rounded, which makes it independent of the
// machine that compiles.
//
//===----------------------------------------------------------------------===//
#include "smelt/Dialect/LLM/IR/LLM.h"
#include "smelt/Transforms/Graph/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

#include <cmath>

namespace smelt {
#define GEN_PASS_DEF_FOLDROPE
#include "smelt/Transforms/Graph/Passes.h.inc"
} // namespace smelt

using namespace mlir;
using namespace smelt;
using namespace smelt::llm;

/// A field of a rope_scaling dictionary; the verifier saw that it is there.
static float getField(DictionaryAttr scaling, StringRef name) {
  return static_cast<float>(scaling.getAs<FloatAttr>(name).getValueAsDouble());
}

/// Llama 3: long wavelengths are stretched by `factor`, short ones kept, those
/// between interpolated.
static float scaleLlama3(float frequency, DictionaryAttr scaling) {
  constexpr float twoPi = 6.28318530717958647692f;
  float factor = getField(scaling, "factor");
  float low = getField(scaling, "low_freq_factor");
  float high = getField(scaling, "high_freq_factor");
  float length = getField(scaling, "original_max_position_embeddings");
  float wavelength = twoPi / frequency;
  if (wavelength > length / low)
    return frequency / factor;
  if (wavelength < length / high)
    return frequency;
  float smooth = length / wavelength;
  smooth = smooth - low;
  smooth = smooth / (high - low);
  float stretched = (1.0f - smooth) * frequency;
  stretched = stretched / factor;
  float kept = smooth * frequency;
  return stretched + kept;
}

/// Frequencies of the d/2 pairs of a head.
static SmallVector<float> getFrequencies(RopeOp op) {
  int64_t size = op.getType().getDimSize(1) / op.getHeads();
  auto base =
      static_cast<double>(static_cast<float>(op.getBase().convertToDouble()));
  DictionaryAttr scaling = op.getScalingAttr();
  StringRef kind =
      scaling ? scaling.getAs<StringAttr>("type").getValue() : StringRef();
  SmallVector<float> frequencies;
  for (int64_t i = 0; i < size / 2; ++i) {
    float exponent = static_cast<float>(2 * i) / static_cast<float>(size);
    auto power = static_cast<float>(std::pow(base, exponent));
    float frequency = 1.0f / power;
    if (kind == "linear")
      frequency = frequency / getField(scaling, "factor");
    else if (kind == "llama3")
      frequency = scaleLlama3(frequency, scaling);
    frequencies.push_back(frequency);
  }
  return frequencies;
}

namespace {
struct FoldRope : smelt::impl::FoldRopeBase<FoldRope> {
  void runOnOperation() override {
    getOperation()->walk([](RopeOp op) {
      Location loc = op.getLoc();
      // As early as positions allow, so that the table dominates all layers.
      OpBuilder builder(op);
      builder.setInsertionPointAfterValue(op.getPositions());
      SmallVector<float> values = getFrequencies(op);
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
