//===- StepBuilder.cpp - Emits params and the step --------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "StepBuilder.h"

using namespace mlir;
using namespace smelt;

//===----------------------------------------------------------------------===//
// Activations
//===----------------------------------------------------------------------===//

namespace {
struct ActivationRecord {
  StringRef name;
  Value (*emit)(StepBuilder &, Value);
};
} // namespace

template <typename Op> static Value emitUnary(StepBuilder &step, Value x) {
  return step.emit<Op>(x.getType(), x);
}

static const ActivationRecord kActivations[] = {
    {"silu", emitUnary<llm::SiluOp>},
    {"swish", emitUnary<llm::SiluOp>},
    {"gelu", emitUnary<llm::GeluOp>},
    {"gelu_new", emitUnary<llm::GeluTanhOp>},
    {"gelu_pytorch_tanh", emitUnary<llm::GeluTanhOp>},
    {"relu", emitUnary<llm::ReluOp>},
};

bool smelt::checkHeadSize(const Config &config, int64_t size,
                          std::string &error) {
  return size <= kMaxHeadSize ||
         config.fail(error, "num_attention_heads",
                     "heads of at most " + std::to_string(kMaxHeadSize) +
                         " elements",
                     std::to_string(size));
}

bool smelt::isActivation(StringRef name) {
  return llvm::any_of(kActivations, [&](const ActivationRecord &record) {
    return record.name == name;
  });
}

std::string smelt::activationNames() {
  std::string names;
  for (const ActivationRecord &record : kActivations)
    names += (names.empty() ? "" : ", ") + record.name.str();
  return names;
}

Value StepBuilder::activation(Value x, StringRef name) {
  for (const ActivationRecord &record : kActivations)
    if (record.name == name)
      return record.emit(*this, x);
  llvm_unreachable("the family checks the name with isActivation()");
}

//===----------------------------------------------------------------------===//
// Params
//===----------------------------------------------------------------------===//

StepBuilder::StepBuilder(ModuleOp module, const Config &config, Type compute,
                         StringRef cache, const std::optional<Pooling> &pooling)
    : config(config), builder(module.getContext()),
      loc(builder.getUnknownLoc()), compute(compute), cache(cache),
      pooling(pooling), module(module) {
  builder.setInsertionPointToEnd(module.getBody());
}

static Type elementType(Builder &builder, ElementType type) {
  switch (type) {
  case ElementType::F32:
    return builder.getF32Type();
  case ElementType::F16:
    return builder.getF16Type();
  case ElementType::BF16:
    return builder.getBF16Type();
  default:
    llvm_unreachable("findTensors() refuses other types");
  }
}

void StepBuilder::addParam(const FoundTensor &found) {
  const NamedTensor &tensor = *found.entry.tensor;
  auto stored =
      RankedTensorType::get(tensor.shape, elementType(builder, tensor.type));
  auto source = llm::SourceAttr::get(
      builder.getContext(), tensor.name, StringRef(found.entry.file),
      static_cast<int64_t>(tensor.offset), stored);
  // Matrices keep the type they are stored in; vectors are f32.
  RankedTensorType type = stored;
  ArrayAttr recipe;
  if (stored.getRank() == 1 && !stored.getElementType().isF32()) {
    type = stored.clone(builder.getF32Type());
    recipe = builder.getArrayAttr(
        {llm::CastAttr::get(builder.getContext(), builder.getF32Type())});
  }
  Location at = NameLoc::get(builder.getStringAttr(tensor.name));
  llm::ParamOp::create(
      builder, at, builder.getStringAttr(found.param), TypeAttr::get(type),
      builder.getArrayAttr({builder.getArrayAttr({source})}), recipe,
      llm::FormatAttr(), llm::LayoutAttr(), IntegerAttr(), IntegerAttr());
  params[found.param] = type;
}

Value StepBuilder::param(StringRef name) {
  return emit<llm::GetParamOp>(
      params.lookup(name), FlatSymbolRefAttr::get(builder.getContext(), name),
      Value());
}

//===----------------------------------------------------------------------===//
// The step
//===----------------------------------------------------------------------===//

void StepBuilder::begin() {
  builder.setInsertionPointToEnd(module.getBody());
  function = func::FuncOp::create(builder, loc, "step",
                                  builder.getFunctionType({}, {}));
  builder.setInsertionPointToStart(function.addEntryBlock());
}

Value StepBuilder::input(StringRef name, Type type) {
  if (!type)
    type = RankedTensorType::get({ShapedType::kDynamic}, builder.getI32Type());
  argumentAttrs.push_back(builder.getDictionaryAttr(
      builder.getNamedAttr("llm.input", builder.getStringAttr(name))));
  return function.getBody().front().addArgument(type, loc);
}

void StepBuilder::output(StringRef name, Value value) {
  resultAttrs.push_back(builder.getDictionaryAttr(
      builder.getNamedAttr("llm.output", builder.getStringAttr(name))));
  results.push_back(value);
}

void StepBuilder::outputPooled(Value x) {
  Value begin = input("pool_begin"), end = input("pool_end");
  Value embedding =
      emit<llm::PoolOp>(x, begin, end, builder.getStringAttr(pooling->mode));
  if (pooling->normalize)
    embedding = emit<llm::NormalizeOp>(embedding.getType(), embedding);
  output("embedding", embedding);
}

void StepBuilder::finish() {
  func::ReturnOp::create(builder, loc, results);
  function.setFunctionType(
      builder.getFunctionType(function.getBody().front().getArgumentTypes(),
                              ValueRange(results).getTypes()));
  function.setAllArgAttrs(argumentAttrs);
  function.setAllResultAttrs(resultAttrs);
}

Value StepBuilder::linear(Value x, StringRef name) {
  std::string biasName = (name + "_bias").str();
  Value weight = param(name);
  Value bias = hasParam(biasName) ? param(biasName) : Value();
  return emit<llm::LinearOp>(x, weight, bias, Value(), TypeAttr::get(compute),
                             llm::ActivationAttr());
}

Value StepBuilder::rmsNorm(Value x, StringRef name, double eps) {
  return emit<llm::RMSNormOp>(x, param(name), builder.getF32FloatAttr(eps));
}

Value StepBuilder::layerNorm(Value x, StringRef name, double eps) {
  Value weight = param(name), bias = param((name + "_bias").str());
  return emit<llm::LayerNormOp>(x, weight, bias, builder.getF32FloatAttr(eps));
}
