//===- ParamTable.cpp - Params of a module and their readers ----*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ParamTable.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace smelt;
using namespace smelt::llm;

ParamTable::ParamTable(ModuleOp module) : symbols(module) {
  module.walk([&](GetParamOp op) { ++readers[op.getParamAttr().getAttr()]; });
}

ParamOp ParamTable::lookup(Value value) {
  auto reader = value.getDefiningOp<GetParamOp>();
  if (!reader || reader.getLayer())
    return nullptr;
  return symbols.lookup<ParamOp>(reader.getParam());
}

ParamOp ParamTable::lookupExclusive(Value value) {
  ParamOp param = lookup(value);
  if (!param || !value.hasOneUse() || readers[param.getSymNameAttr()] != 1)
    return nullptr;
  return param;
}

/// What a recipe does after it stacked all of its sources, or null if it
/// doesn't begin from all of them, unpadded.
static ArrayAttr getStepsAfterStack(ParamOp param) {
  ArrayAttr recipe = param.getRecipeAttr();
  size_t sources = param.getInstance(0).size();
  Builder builder(param.getContext());
  if (!recipe || recipe.empty())
    return sources == 1 ? builder.getArrayAttr({}) : nullptr;
  ArrayRef<Attribute> steps = recipe.getValue();
  if (auto concat = dyn_cast<ConcatAttr>(steps.front())) {
    if (concat.getParts() != static_cast<int64_t>(sources) ||
        concat.getAlign() != 1)
      return nullptr;
    return builder.getArrayAttr(steps.drop_front());
  }
  return sources == 1 ? recipe : nullptr;
}

Attribute ParamTable::getStackKey(ParamOp param) {
  if (param.getInstanceCount() != 1 || param.getFormatAttr() ||
      param.getLayoutAttr())
    return nullptr;
  ArrayAttr rest = getStepsAfterStack(param);
  if (!rest || !llvm::all_of(rest, llvm::IsaPred<CastAttr>))
    return nullptr;
  RankedTensorType source = param.getInstance(0).front().getType();
  // Sources may differ in rows only.
  auto row = RankedTensorType::get(source.getShape().drop_front(),
                                   source.getElementType());
  return ArrayAttr::get(param.getContext(), {TypeAttr::get(row), rest});
}

ParamOp ParamTable::stack(ArrayRef<ParamOp> parts) {
  ParamOp first = parts.front();
  SmallVector<Attribute> sources;
  SmallVector<StringRef> names;
  int64_t rows = 0;
  for (ParamOp part : parts) {
    llvm::append_range(sources, cast<ArrayAttr>(part.getSources()[0]));
    names.push_back(part.getSymName());
    rows += part.getParamType().getDimSize(0);
  }
  OpBuilder builder(first);
  SmallVector<Attribute> recipe = {
      ConcatAttr::get(first.getContext(), sources.size(), /*align=*/1)};
  llvm::append_range(recipe, getStepsAfterStack(first));
  SmallVector<int64_t> shape(first.getParamType().getShape());
  shape[0] = rows;
  auto param = ParamOp::create(
      builder, first.getLoc(), joinNames(names),
      RankedTensorType::get(shape, first.getParamType().getElementType()),
      builder.getArrayAttr({builder.getArrayAttr(sources)}),
      builder.getArrayAttr(recipe), /*format=*/nullptr, /*layout=*/nullptr,
      /*offset=*/nullptr, /*stride=*/nullptr);
  symbols.insert(param, Block::iterator(first));
  return param;
}

Value ParamTable::read(OpBuilder &builder, Location loc, ParamOp param) {
  ++readers[param.getSymNameAttr()];
  return GetParamOp::create(builder, loc, param.getParamType(),
                            FlatSymbolRefAttr::get(param.getSymNameAttr()),
                            /*layer=*/Value());
}

void ParamTable::eraseIfUnused(Value value) {
  auto reader = value.getDefiningOp<GetParamOp>();
  if (!reader || !value.use_empty())
    return;
  StringAttr name = reader.getParamAttr().getAttr();
  reader.erase();
  if (--readers[name] == 0)
    symbols.erase(symbols.lookup(name));
}

std::string smelt::joinNames(ArrayRef<StringRef> names) {
  SmallVector<SmallVector<StringRef>> words;
  for (StringRef name : names) {
    words.emplace_back();
    name.split(words.back(), '.');
  }
  size_t shortest = words[0].size();
  for (ArrayRef<StringRef> name : words)
    shortest = std::min(shortest, name.size());
  // The last word that could be in both is left for the middle.
  auto agree = [&](auto wordOf) {
    return llvm::all_of(words, [&](ArrayRef<StringRef> name) {
      return wordOf(name) == wordOf(words[0]);
    });
  };
  size_t head = 0, tail = 0;
  while (head + 1 < shortest &&
         agree([&](ArrayRef<StringRef> name) { return name[head]; }))
    ++head;
  while (head + tail + 1 < shortest && agree([&](ArrayRef<StringRef> name) {
           return name[name.size() - 1 - tail];
         }))
    ++tail;

  SmallVector<std::string> middle;
  bool letters = true;
  for (ArrayRef<StringRef> name : words) {
    middle.push_back(llvm::join(name.drop_front(head).drop_back(tail), "."));
    letters &= middle.back().size() == 1;
  }
  SmallVector<std::string> joined;
  for (StringRef word : ArrayRef(words[0]).take_front(head))
    joined.push_back(word.str());
  joined.push_back(llvm::join(middle, letters ? "" : "_"));
  for (StringRef word : ArrayRef(words[0]).take_back(tail))
    joined.push_back(word.str());
  return llvm::join(joined, ".");
}
