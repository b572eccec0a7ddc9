//===- RecipeFixture.h - A checkpoint and a param made of it ----*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the tests of recipes share: elements as bits, with LLVM's software
// floats as the judge of conversions; a checkpoint in a temporary folder; a
// recipe that is executed in pieces of random size.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TEST_UNIT_TARGET_RECIPEFIXTURE_H
#define SMELT_TEST_UNIT_TARGET_RECIPEFIXTURE_H

#include "smelt/Import/Formats/Safetensors.h"
#include "smelt/Target/Ingot/Recipe.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/Support/FileSystem.h"

#include <gtest/gtest.h>
#include <random>

namespace smelt {

inline const llvm::fltSemantics &semantics(llvm::StringRef type) {
  return type == "f32"   ? llvm::APFloat::IEEEsingle()
         : type == "f16" ? llvm::APFloat::IEEEhalf()
                         : llvm::APFloat::BFloat();
}

inline unsigned bitsOf(llvm::StringRef type) { return type == "f32" ? 32 : 16; }

inline llvm::APFloat floatOf(uint64_t bits, llvm::StringRef type) {
  return llvm::APFloat(semantics(type), llvm::APInt(bitsOf(type), bits));
}

/// LLVM's software floats, as an independent judge of conversions.
inline uint64_t convert(uint64_t bits, llvm::StringRef from,
                        llvm::StringRef to) {
  llvm::APFloat value = floatOf(bits, from);
  bool loses;
  value.convert(semantics(to), llvm::APFloat::rmNearestTiesToEven, &loses);
  return value.bitcastToAPInt().getZExtValue();
}

inline bool isNaN(uint64_t bits, llvm::StringRef type) {
  return floatOf(bits, type).isNaN();
}

struct Source {
  std::string type;
  std::vector<int64_t> shape;
  std::vector<uint64_t> bits;

  std::string tensorType() const {
    std::string text = "tensor<";
    for (int64_t size : shape)
      text += std::to_string(size) + "x";
    return text + type + ">";
  }
};

/// A checkpoint in a temporary folder and one param that is made from it.
class RecipeFixture : public ::testing::Test {
protected:
  RecipeFixture() {
    context.loadDialect<llm::LLMDialect>();
    llvm::SmallString<128> path;
    EXPECT_FALSE(llvm::sys::fs::createUniqueDirectory("recipe", path));
    folder = path.str().str();
  }
  ~RecipeFixture() override { llvm::sys::fs::remove_directories(folder); }

  Source makeSource(std::string type, std::vector<int64_t> shape) {
    // Infinities, NaNs (one signalling), denormals, ties, overflow of f16.
    static const uint32_t special[] = {0x7f800000, 0xff800000, 0x7fa00001,
                                       0xffc12345, 0x00000001, 0x80000000,
                                       0x00400000, 0x33000000, 0x477ff000};
    Source source{type, shape, {}};
    int64_t count = 1;
    for (int64_t size : shape)
      count *= size;
    for (int64_t i = 0; i < count; ++i) {
      uint64_t bits = random() & ((uint64_t(1) << bitsOf(type)) - 1);
      if (i % 7 == 0)
        bits = special[random() % 9] >> (type == "f32" ? 0 : 16);
      source.bits.push_back(bits);
    }
    return source;
  }

  /// Writes the checkpoint and parses a param of `type` over all sources.
  llm::ParamOp makeParam(const std::vector<Source> &sources, std::string type,
                         std::string tail) {
    std::vector<std::vector<uint8_t>> bytes(sources.size());
    std::vector<NamedTensor> tensors(sources.size());
    for (size_t i = 0; i < sources.size(); ++i) {
      for (uint64_t bits : sources[i].bits)
        for (unsigned b = 0; b < bitsOf(sources[i].type); b += 8)
          bytes[i].push_back(bits >> b);
      tensors[i].name = "t" + std::to_string(i);
      tensors[i].type =
          *parseElementType(llvm::StringRef(sources[i].type).upper());
      tensors[i].shape = sources[i].shape;
      tensors[i].bytes = bytes[i].size();
      tensors[i].data = bytes[i].data();
    }
    std::string path = folder + "/m.safetensors", error;
    EXPECT_TRUE(writeSafetensors(path, tensors, error)) << error;
    auto file = SafetensorsFile::open(path, error);
    EXPECT_TRUE(file) << error;
    std::string text = "llm.param @p : tensor<" + type + "> from [[";
    for (size_t i = 0; i < sources.size(); ++i)
      text += (i ? ", " : "") + ("#llm.source<\"" + tensors[i].name) +
              "\", file = \"m.safetensors\", offset = " +
              std::to_string(file->find(tensors[i].name)->offset) +
              ", type = " + sources[i].tensorType() + ">";
    text += "]] " + tail;
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    EXPECT_TRUE(module) << text;
    return *module->getOps<llm::ParamOp>().begin();
  }

  /// Executes the recipe in pieces of random size, `most` steps at most.
  std::vector<uint8_t> execute(llm::ParamOp param, int64_t most = 3000) {
    CheckpointFiles files(folder);
    Recipe recipe;
    std::string error;
    EXPECT_TRUE(Recipe::create(param, 0, files, recipe, error)) << error;
    EXPECT_EQ(recipe.storedBytes(), param.getStoredBytes());
    std::vector<uint8_t> bytes(recipe.storedBytes(), 0xaa);
    for (int64_t step = 0; step < recipe.stepCount();) {
      int64_t end =
          std::min<int64_t>(step + 1 + random() % most, recipe.stepCount());
      EXPECT_TRUE(recipe.pack(step, end,
                              bytes.data() + step * recipe.stepBytes(), error))
          << error;
      recipe.release(step, end);
      step = end;
    }
    return bytes;
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::string folder;
  std::mt19937_64 random{42};
};

} // namespace smelt

#endif // SMELT_TEST_UNIT_TARGET_RECIPEFIXTURE_H
