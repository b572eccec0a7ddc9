//===- ParamTable.cpp - Params of a module and their readers ----*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
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
  if (!reader)
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
  if (param.getFormatAttr() || param.getLayoutAttr())
    return nullptr;
  ArrayAttr rest = getStepsAfterStack(param);
  if (!rest || !llvm::all_of(rest, llvm::IsaPred<CastAttr>))
    return nullptr;
  RankedTensorType source = param.getInstance(0).front().getType();
  // Sources may differ in rows only.
  auto row = RankedTensorType::get(source.getShape().drop_front(),
                                   source.getElementType());
  Builder builder(param.getContext());
  return builder.getArrayAttr(
      {TypeAttr::get(row), rest,
       builder.getI64IntegerAttr(param.getInstanceCount())});
}

ParamOp ParamTable::stack(ArrayRef<ParamOp> parts) {
  ParamOp first = parts.front();
  SmallVector<SmallVector<Attribute>> instances(first.getInstanceCount());
  SmallVector<StringRef> names;
  int64_t rows = 0;
  for (ParamOp part : parts) {
    for (auto [sources, more] : llvm::zip_equal(instances, part.getSources()))
      llvm::append_range(sources, cast<ArrayAttr>(more));
    names.push_back(part.getSymName());
    rows += part.getParamType().getDimSize(0);
  }
  OpBuilder builder(first);
  SmallVector<Attribute> recipe = {
      ConcatAttr::get(first.getContext(), instances[0].size(), /*align=*/1)};
  llvm::append_range(recipe, getStepsAfterStack(first));
  SmallVector<int64_t> shape(first.getParamType().getShape());
  shape[0] = rows;
  auto param = ParamOp::create(
      builder, first.getLoc(), joinNames(names),
      RankedTensorType::get(shape, first.getParamType().getElementType()),
      builder.getArrayAttr(
          llvm::map_to_vector(instances,
                              [&](ArrayRef<Attribute> sources) -> Attribute {
                                return builder.getArrayAttr(sources);
                              })),
      builder.getArrayAttr(recipe), /*format=*/nullptr, /*layout=*/nullptr,
      /*offset=*/nullptr, /*stride=*/nullptr);
  symbols.insert(param, Block::iterator(first));
  return param;
}

Value ParamTable::read(OpBuilder &builder, Location loc, ParamOp param,
                       Value like) {
  ++readers[param.getSymNameAttr()];
  return GetParamOp::create(builder, loc, param.getParamType(),
                            FlatSymbolRefAttr::get(param.getSymNameAttr()),
                            getLayer(like));
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

Value smelt::getLayer(Value value) {
  return value.getDefiningOp<GetParamOp>().getLayer();
}

std::string smelt::joinNames(ArrayRef<StringRef> names) {
  StringRef head = names[0];
  for (StringRef name : names)
    while (!name.starts_with(head))
      head = head.drop_back();
  head = head.take_front(head.rfind('.') + 1);
  StringRef tail = names[0].drop_front(head.size());
  for (StringRef name : names)
    while (!name.drop_front(head.size()).ends_with(tail))
      tail = tail.drop_front();
  tail = tail.drop_front(std::min(tail.find_first_of("._"), tail.size()));

  bool letters = true;
  SmallVector<StringRef> words;
  for (StringRef name : names) {
    words.push_back(name.drop_front(head.size()).drop_back(tail.size()));
    letters &= words.back().size() == 1;
  }
  return (head + llvm::join(words, letters ? "" : "_") + tail).str();
}
