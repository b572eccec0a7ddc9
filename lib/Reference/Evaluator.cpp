//===- Evaluator.cpp - Runs a module op by op -------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Values live in one map: functions at this level aren't recursive, and a body
// that runs again overwrites what it computed before.
//
//===----------------------------------------------------------------------===//
#include "smelt/Reference/Evaluator.h"
#include "Ops.h"
#include "smelt/Target/Ingot/Recipe.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace smelt;
using namespace smelt::llm;

Datum Datum::matrix(int64_t rows, int64_t columns, std::vector<float> values) {
  Datum datum;
  datum.shape = {rows, columns};
  datum.floats = std::move(values);
  datum.floats.resize(rows * columns);
  return datum;
}

Datum Datum::vector(std::vector<int32_t> values) {
  Datum datum;
  datum.shape = {static_cast<int64_t>(values.size())};
  datum.ints = std::move(values);
  return datum;
}

Datum Datum::number(int64_t index) {
  Datum datum;
  datum.index = index;
  return datum;
}

ParamSource smelt::readCheckpoint(ModuleOp module) {
  std::string directory;
  if (auto attribute = module->getAttrOfType<StringAttr>("llm.checkpoint"))
    directory = attribute.str();
  return [directory](ParamOp param, int64_t instance,
                     std::vector<float> &values, std::string &error) {
    return loadInstance(param, instance, directory, values, error);
  };
}

static bool precedes(Value a, Value b) {
  return a.getAsOpaquePointer() < b.getAsOpaquePointer();
}

Evaluator::Evaluator(ModuleOp module, ParamSource params)
    : module(module), params(std::move(params)), symbols(module),
      values(precedes) {}

void Evaluator::set(Value value, Datum datum) {
  values[value] = std::make_shared<const Datum>(std::move(datum));
}

LogicalResult Evaluator::readParam(GetParamOp op) {
  auto param = symbols.lookup<ParamOp>(op.getParam());
  int64_t instance = op.getLayer() ? get(op.getLayer()).index : 0;
  if (instance < 0 || instance >= param.getInstanceCount())
    return op.emitError("reads instance ")
           << instance << " of " << param.getInstanceCount();
  Data &weight = weights[{param, instance}];
  if (!weight) {
    Datum datum;
    RankedTensorType type = param.getParamType();
    datum.shape.assign(type.getShape().begin(), type.getShape().end());
    std::string error;
    if (!params(param, instance, datum.floats, error))
      return param.emitError(error);
    if (static_cast<int64_t>(datum.floats.size()) != type.getNumElements())
      return param.emitError("expects ")
             << type.getNumElements() << " values, got " << datum.floats.size();
    weight = std::make_shared<const Datum>(std::move(datum));
  }
  values[op.getResult()] = weight;
  return success();
}

LogicalResult Evaluator::evaluate(Operation *op) {
  if (auto read = dyn_cast<GetParamOp>(op))
    return readParam(read);
  if (auto call = dyn_cast<func::CallOp>(op)) {
    std::vector<Data> arguments, results;
    for (Value operand : call.getOperands())
      arguments.push_back(values.at(operand));
    if (failed(this->call(symbols.lookup<func::FuncOp>(call.getCallee()),
                          arguments, results)))
      return failure();
    for (auto [value, result] : ::llvm::zip_equal(call.getResults(), results))
      values[value] = result;
    return success();
  }
  if (auto loop = dyn_cast<scf::ForOp>(op)) {
    std::vector<Data> state;
    for (Value value : loop.getInitArgs())
      state.push_back(values.at(value));
    int64_t upper = get(loop.getUpperBound()).index;
    for (int64_t i = get(loop.getLowerBound()).index; i < upper;
         i += get(loop.getStep()).index) {
      set(loop.getInductionVar(), Datum::number(i));
      for (auto [value, datum] :
           ::llvm::zip_equal(loop.getRegionIterArgs(), state))
        values[value] = datum;
      if (failed(evaluate(*loop.getBody())))
        return failure();
      for (auto [datum, value] : ::llvm::zip_equal(
               state, loop.getBody()->getTerminator()->getOperands()))
        datum = values.at(value);
    }
    for (auto [value, datum] : ::llvm::zip_equal(loop.getResults(), state))
      values[value] = datum;
    return success();
  }
  OpFunction function = lookupOpFunction(op->getName().getStringRef());
  if (!function)
    return op->emitError("has no meaning for the reference evaluator");
  return function(*this, op);
}

LogicalResult Evaluator::evaluate(Block &block) {
  for (Operation &op : block.without_terminator())
    if (failed(evaluate(&op)))
      return failure();
  return success();
}

LogicalResult Evaluator::call(func::FuncOp function, ArrayRef<Data> arguments,
                              std::vector<Data> &results) {
  Block &body = function.getBody().front();
  for (auto [value, datum] : ::llvm::zip_equal(body.getArguments(), arguments))
    values[value] = datum;
  if (failed(evaluate(body)))
    return failure();
  results.clear();
  for (Value value : body.getTerminator()->getOperands())
    results.push_back(values.at(value));
  return success();
}

LogicalResult
Evaluator::run(const std::map<std::string, std::vector<int32_t>> &inputs,
               KVState *kv, std::map<std::string, Datum> &outputs) {
  auto step = symbols.lookup<func::FuncOp>("step");
  if (!step)
    return module.emitError("expects a function 'step'");
  std::vector<Data> arguments, results;
  for (unsigned i = 0; i < step.getNumArguments(); ++i) {
    Datum datum;
    if (isa<KVType>(step.getArgument(i).getType())) {
      datum.kv = kv;
    } else {
      auto name = step.getArgAttrOfType<StringAttr>(i, "llm.input");
      auto input = name ? inputs.find(name.str()) : inputs.end();
      if (input == inputs.end())
        return step.emitError("expects an input for argument ") << i;
      datum = Datum::vector(input->second);
    }
    arguments.push_back(std::make_shared<const Datum>(std::move(datum)));
  }
  if (failed(call(step, arguments, results)))
    return failure();
  outputs.clear();
  for (unsigned i = 0; i < results.size(); ++i)
    if (auto name = step.getResultAttrOfType<StringAttr>(i, "llm.output"))
      outputs[name.str()] = *results[i];
  return success();
}
