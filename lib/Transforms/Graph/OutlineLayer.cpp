//===- OutlineLayer.cpp - One function per distinct block -------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Code size and compile time must not grow with depth. Layers are found from
// the names of params, not from a pattern, so any family works:
//
//     ids -> embedding -> [ ops that read layers.0.* ] -> [ layers.1.* ] ->
//     norm
//                              |        ^
//                              v        |
//                         between such ops: layer 0 too
//
// An op belongs to layer i if i is the highest layer whose params it depends
// on and it leads to params of this or a later layer, or to memory. What
// follows the last param of the last layer (the sum of a residual) leads
// nowhere: it belongs to the layer if fewer values leave the layer then.
//
// Layers with equal ops, param types and inputs form a kind, a kind becomes a
// function, consecutive layers of one kind a loop. Values from outside are
// arguments; constants equal in all layers are copied into the function; those
// that count the layers are its first argument.
//
//===----------------------------------------------------------------------===//
#include "smelt/Dialect/LLM/IR/LLM.h"
#include "smelt/Transforms/Graph/Passes.h"

#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SetVector.h"

namespace smelt {
#define GEN_PASS_DEF_OUTLINELAYER
#include "smelt/Transforms/Graph/Passes.h.inc"
} // namespace smelt

using namespace mlir;
using namespace smelt;
using namespace smelt::llm;

namespace {
constexpr int64_t kNone = -1;

/// layers.<index>.<rest>
struct LayerName {
  int64_t index = kNone;
  StringRef rest;
};

/// The ops of one layer, in the order of the program.
struct Layer {
  SmallVector<Operation *> ops;
  llvm::SmallPtrSet<Operation *, 32> members;

  bool defines(Value value) const {
    return value.getDefiningOp() && members.contains(value.getDefiningOp());
  }
};

/// An operand that comes from outside, or a result that is read there, by the
/// number of the op in its layer.
struct Place {
  unsigned op, number;
};

/// What a function's argument is in each layer of its kind.
struct Input {
  SmallVector<Place> uses;
  SmallVector<Value> values;
};

/// Layers that share a function; numbers count all layers.
struct Kind {
  SmallVector<unsigned> layers;
  SmallVector<Input> inputs;
  SmallVector<Place> outputs;
  /// Operands that are the layer's number within the kind.
  SmallVector<Place> counters;
  func::FuncOp function;
  bool takesNumber = false;
};

class Outliner {
public:
  Outliner(ModuleOp module, func::FuncOp step)
      : module(module), step(step), symbols(module) {}
  void run();

private:
  void findLayers();
  void adoptTail();
  bool matchOps(Operation *a, const Layer &inA, Operation *b, const Layer &inB,
                DenseMap<Value, Value> &map);
  bool matchLayers(const Layer &a, const Layer &b);
  bool sameParam(GetParamOp a, GetParamOp b);
  void sortIntoKinds();
  void findInputs(Kind &kind);
  bool findOutputs(Kind &kind);
  void createFunction(Kind &kind);
  void mergeParam(const Kind &kind, unsigned position, GetParamOp inside);
  bool emitLoop(Kind &kind, unsigned begin, unsigned end);
  void emitCall(Kind &kind, unsigned number);

  Operation *op(const Kind &kind, unsigned number, unsigned position) {
    return layers[kind.layers[number]].ops[position];
  }
  Value input(const Kind &kind, unsigned number, Place place) {
    return op(kind, number, place.op)->getOperand(place.number);
  }
  Value output(const Kind &kind, unsigned number, Place place) {
    return op(kind, number, place.op)->getResult(place.number);
  }

  ModuleOp module;
  func::FuncOp step;
  SymbolTable symbols;
  SmallVector<Layer, 0> layers;
  SmallVector<Kind, 0> kinds;
};

struct OutlineLayer : smelt::impl::OutlineLayerBase<OutlineLayer> {
  void runOnOperation() override {
    for (auto function : llvm::to_vector(getOperation().getOps<func::FuncOp>()))
      if (function.isPublic() && function.getBody().hasOneBlock())
        Outliner(getOperation(), function).run();
  }
};
} // namespace

static LayerName parseName(StringRef name) {
  LayerName result;
  if (!name.consume_front("layers.") || name.consumeInteger(10, result.index) ||
      !name.consume_front("."))
    return LayerName();
  result.rest = name;
  return result;
}

/// The layer of the param that `op` is or reads, or none.
static int64_t getOwnLayer(Operation *op) {
  auto layerOf = [](Operation *op) {
    auto read = dyn_cast_or_null<GetParamOp>(op);
    return read && !read.getLayer() ? parseName(read.getParam()).index : kNone;
  };
  int64_t own = layerOf(op);
  for (Value operand : op->getOperands())
    own = std::max(own, layerOf(operand.getDefiningOp()));
  return own;
}

static bool isConstant(Value value) {
  return matchPattern(value, m_Constant());
}

static Attribute getConstant(Value value) {
  Attribute result;
  return matchPattern(value, m_Constant(&result)) ? result : nullptr;
}

/// The number in an index constant, or none.
static std::optional<int64_t> getIndex(Value value) {
  APInt number;
  if (value.getType().isIndex() && matchPattern(value, m_ConstantInt(&number)))
    return number.getSExtValue();
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Which op belongs to which layer
//===----------------------------------------------------------------------===//

void Outliner::findLayers() {
  Block &body = step.getBody().front();
  DenseMap<Operation *, int64_t> after; // highest layer that the op depends on
  llvm::SmallPtrSet<Operation *, 32> leads; // to params of layers or to memory
  for (Operation &op : body.without_terminator()) {
    int64_t layer = getOwnLayer(&op);
    for (Value operand : op.getOperands())
      if (Operation *def = operand.getDefiningOp())
        layer = std::max(layer, after.lookup_or(def, kNone));
    after[&op] = layer;
  }
  for (Operation &op : llvm::reverse(body.without_terminator()))
    if (getOwnLayer(&op) != kNone || !isMemoryEffectFree(&op) ||
        llvm::any_of(op.getUsers(),
                     [&](Operation *user) { return leads.contains(user); }))
      leads.insert(&op);

  std::map<int64_t, Layer> found;
  for (Operation &op : body.without_terminator())
    if (after[&op] != kNone && leads.contains(&op)) {
      Layer &layer = found[after[&op]];
      layer.ops.push_back(&op);
      layer.members.insert(&op);
    }
  for (auto &[index, layer] : found)
    layers.push_back(std::move(layer));
}

/// Whether two params have all in common but their bytes.
bool Outliner::sameParam(GetParamOp a, GetParamOp b) {
  if (a.getLayer() || b.getLayer())
    return a.getParam() == b.getParam();
  LayerName nameA = parseName(a.getParam()), nameB = parseName(b.getParam());
  if (nameA.index == kNone || nameB.index == kNone)
    return a.getParam() == b.getParam();
  auto first = symbols.lookup<ParamOp>(a.getParam());
  auto second = symbols.lookup<ParamOp>(b.getParam());
  auto types = [](ParamOp param) {
    return llvm::map_to_vector(param.getInstance(0), [](SourceAttr source) {
      return source.getType();
    });
  };
  return nameA.rest == nameB.rest && first.getType() == second.getType() &&
         first.getRecipeAttr() == second.getRecipeAttr() &&
         first.getFormatAttr() == second.getFormatAttr() &&
         first.getLayoutAttr() == second.getLayoutAttr() &&
         types(first) == types(second);
}

/// Whether `a` does in its layer what `b` does in its own, given that values
/// correspond as in `map`, which then learns the values of this pair.
bool Outliner::matchOps(Operation *a, const Layer &inA, Operation *b,
                        const Layer &inB, DenseMap<Value, Value> &map) {
  if (a->getName() != b->getName() || a->getNumRegions() ||
      a->getResultTypes() != b->getResultTypes() ||
      a->getOperandTypes() != b->getOperandTypes())
    return false;
  if (auto read = dyn_cast<GetParamOp>(a)) {
    if (!sameParam(read, cast<GetParamOp>(b)))
      return false;
  } else if (a->getAttrDictionary() != b->getAttrDictionary()) {
    return false;
  }
  SmallVector<std::pair<Value, Value>> learned;
  for (auto [x, y] : llvm::zip_equal(a->getOperands(), b->getOperands())) {
    if (isConstant(x) || isConstant(y)) {
      if (!isConstant(x) || !isConstant(y))
        return false;
    } else if (Value known = map.lookup(x)) {
      if (known != y)
        return false;
    } else if (inA.defines(x) || inB.defines(y)) {
      return false;
    } else {
      learned.emplace_back(x, y);
    }
  }
  for (auto [x, y] : llvm::zip_equal(a->getResults(), b->getResults()))
    learned.emplace_back(x, y);
  for (auto [x, y] : learned)
    if (auto [entry, isNew] = map.try_emplace(x, y); entry->second != y)
      return false;
  return true;
}

bool Outliner::matchLayers(const Layer &a, const Layer &b) {
  if (a.ops.size() != b.ops.size())
    return false;
  DenseMap<Value, Value> map;
  for (auto [x, y] : llvm::zip_equal(a.ops, b.ops))
    if (!matchOps(x, a, y, b, map))
      return false;
  return true;
}

/// Gives the last layer the ops behind its last param that leave fewer values
/// to be handed out: the sum of a residual, not a norm.
void Outliner::adoptTail() {
  Layer &last = layers.back();
  auto isReadOutside = [&](Value value, Operation *but) {
    return llvm::any_of(value.getUsers(), [&](Operation *user) {
      return user != but && !last.members.contains(user);
    });
  };
  llvm::SmallPtrSet<Value, 16> inputs;
  for (Operation *op : last.ops)
    inputs.insert(op->operand_begin(), op->operand_end());
  auto adoptOne = [&] {
    for (Operation *op : last.ops)
      for (Operation *user : op->getUsers()) {
        if (last.members.contains(user) ||
            user->hasTrait<OpTrait::IsTerminator>() ||
            !isMemoryEffectFree(user) ||
            !llvm::all_of(user->getOperands(), [&](Value value) {
              return last.defines(value) || inputs.contains(value);
            }))
          continue;
        llvm::SmallSetVector<Value, 4> read(user->operand_begin(),
                                            user->operand_end());
        unsigned saved = llvm::count_if(
            read, [&](Value value) { return !isReadOutside(value, user); });
        if (saved <= user->getNumResults())
          continue;
        last.ops.push_back(user);
        last.members.insert(user);
        return true;
      }
    return false;
  };
  while (adoptOne()) {
  }
}

void Outliner::sortIntoKinds() {
  for (unsigned i = 0; i < layers.size(); ++i) {
    auto kind = llvm::find_if(kinds, [&](const Kind &kind) {
      return matchLayers(layers[kind.layers.front()], layers[i]);
    });
    if (kind == kinds.end())
      kind = &kinds.emplace_back();
    kind->layers.push_back(i);
  }
}

//===----------------------------------------------------------------------===//
// A kind's function
//===----------------------------------------------------------------------===//

/// Sorts the operands from outside into arguments and counters; constants that
/// are equal in all layers are neither.
void Outliner::findInputs(Kind &kind) {
  const Layer &first = layers[kind.layers.front()];
  for (auto [position, op] : llvm::enumerate(first.ops))
    for (OpOperand &operand : op->getOpOperands()) {
      if (first.defines(operand.get()))
        continue;
      Place place{static_cast<unsigned>(position), operand.getOperandNumber()};
      SmallVector<Value> values;
      SmallVector<Attribute> constants;
      bool counts = true;
      for (unsigned n = 0; n < kind.layers.size(); ++n) {
        values.push_back(input(kind, n, place));
        constants.push_back(getConstant(values.back()));
        counts &= getIndex(values.back()) == static_cast<int64_t>(n);
      }
      if (constants.front() && llvm::all_equal(constants))
        continue;
      if (counts) {
        kind.counters.push_back(place);
        continue;
      }
      auto known = llvm::find_if(kind.inputs, [&](const Input &input) {
        return llvm::all_of(
            llvm::zip_equal(input.values, values), [](auto pair) {
              auto [a, b] = pair;
              return a == b || (isConstant(a) && isConstant(b) &&
                                getConstant(a) == getConstant(b));
            });
      });
      if (known == kind.inputs.end())
        known = &kind.inputs.emplace_back(Input{{}, values});
      known->uses.push_back(place);
    }
}

/// Finds the results that are read outside their layer; fails where that is a
/// param, which should be read there.
bool Outliner::findOutputs(Kind &kind) {
  const Layer &first = layers[kind.layers.front()];
  for (auto [position, op] : llvm::enumerate(first.ops))
    for (OpResult result : op->getResults()) {
      Place place{static_cast<unsigned>(position), result.getResultNumber()};
      bool isRead = false;
      for (auto [n, index] : llvm::enumerate(kind.layers))
        for (Operation *user : output(kind, n, place).getUsers())
          isRead |= !layers[index].members.contains(user);
      if (isRead && isa<GetParamOp>(op))
        return false;
      if (isRead)
        kind.outputs.push_back(place);
    }
  return true;
}

void Outliner::createFunction(Kind &kind) {
  const Layer &first = layers[kind.layers.front()];
  kind.takesNumber = kind.layers.size() > 1;
  OpBuilder builder(module.getContext());
  SmallVector<Type> inputs, outputs;
  if (kind.takesNumber)
    inputs.push_back(builder.getIndexType());
  for (const Input &input : kind.inputs)
    inputs.push_back(input.values.front().getType());
  for (Place place : kind.outputs)
    outputs.push_back(output(kind, 0, place).getType());
  kind.function = func::FuncOp::create(
      step.getLoc(), "layers", builder.getFunctionType(inputs, outputs));
  kind.function.setPrivate();
  symbols.insert(kind.function);

  Block *body = kind.function.addEntryBlock();
  builder.setInsertionPointToStart(body);
  // Operands that `map` can't decide: one constant may mean different things.
  std::map<std::pair<unsigned, unsigned>, Value> arguments;
  for (auto [input, argument] : llvm::zip_equal(
           kind.inputs,
           body->getArguments().drop_front(kind.takesNumber ? 1 : 0)))
    for (Place place : input.uses)
      arguments[{place.op, place.number}] = argument;
  for (Place place : kind.counters)
    arguments[{place.op, place.number}] = body->getArgument(0);

  IRMapping map;
  for (auto [position, op] : llvm::enumerate(first.ops)) {
    SmallVector<Value> operands;
    for (OpOperand &operand : op->getOpOperands()) {
      Value argument = arguments[{position, operand.getOperandNumber()}];
      if (argument)
        operands.push_back(argument);
      else if (Value inside = map.lookupOrNull(operand.get()))
        operands.push_back(inside);
      else
        operands.push_back(
            builder.clone(*operand.get().getDefiningOp())->getResult(0));
    }
    Operation *inside = builder.clone(*op, map);
    inside->setOperands(operands);
    if (auto read = dyn_cast<GetParamOp>(inside); read && kind.takesNumber)
      mergeParam(kind, position, read);
  }
  SmallVector<Value> results;
  for (Place place : kind.outputs)
    results.push_back(map.lookup(output(kind, 0, place)));
  func::ReturnOp::create(builder, step.getLoc(), results);
}

/// Lets `inside` read one param with an instance for each layer.
void Outliner::mergeParam(const Kind &kind, unsigned position,
                          GetParamOp inside) {
  auto param = symbols.lookup<ParamOp>(inside.getParam());
  LayerName name = parseName(inside.getParam());
  if (name.index == kNone || inside.getLayer())
    return;
  std::string merged =
      (func::FuncOp(kind.function).getName() + "." + name.rest).str();
  auto shared = symbols.lookup<ParamOp>(merged);
  if (!shared) {
    SmallVector<Attribute> instances;
    for (unsigned n = 0; n < kind.layers.size(); ++n) {
      auto read = cast<GetParamOp>(op(kind, n, position));
      instances.push_back(
          symbols.lookup<ParamOp>(read.getParam()).getSources()[0]);
    }
    shared = cast<ParamOp>(param->clone());
    shared.setSymName(merged);
    shared.setSourcesAttr(ArrayAttr::get(module.getContext(), instances));
    symbols.insert(shared, Block::iterator(param));
  }
  inside.setParam(merged);
  inside.getLayerMutable().assign(
      inside->getParentOfType<func::FuncOp>().getArgument(0));
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

void Outliner::emitCall(Kind &kind, unsigned number) {
  const Layer &layer = layers[kind.layers[number]];
  OpBuilder builder(layer.ops.back());
  Location loc = layer.ops.back()->getLoc();
  SmallVector<Value> operands;
  if (kind.takesNumber)
    operands.push_back(arith::ConstantIndexOp::create(builder, loc, number));
  for (const Input &input : kind.inputs)
    operands.push_back(this->input(kind, number, input.uses.front()));
  auto call = func::CallOp::create(builder, loc, kind.function, operands);
  for (auto [place, result] : llvm::zip_equal(kind.outputs, call.getResults()))
    output(kind, number, place).replaceAllUsesWith(result);
}

/// Calls layers [begin, end) of a kind in a loop, if each hands all that it
/// computes to the next alone, at the same arguments.
bool Outliner::emitLoop(Kind &kind, unsigned begin, unsigned end) {
  constexpr unsigned kInvariant = -1;
  // Which result of the layer before each argument is.
  SmallVector<unsigned> carried;
  for (const Input &input : kind.inputs) {
    auto valueOf = [&](unsigned n) {
      return this->input(kind, n, input.uses.front());
    };
    bool invariant = true, consecutive = getIndex(valueOf(begin)).has_value();
    std::optional<unsigned> result;
    for (auto [k, place] : llvm::enumerate(kind.outputs))
      if (output(kind, begin, place) == valueOf(begin + 1))
        result = k;
    for (unsigned n = begin + 1; n < end; ++n) {
      invariant &= valueOf(n) == valueOf(begin);
      consecutive =
          consecutive && getIndex(valueOf(n)) ==
                             *getIndex(valueOf(begin)) + int64_t(n - begin);
      if (result && output(kind, n - 1, kind.outputs[*result]) != valueOf(n))
        result.reset();
    }
    if (!result && !invariant && !consecutive)
      return false;
    carried.push_back(result.value_or(kInvariant));
  }
  for (auto [k, place] : llvm::enumerate(kind.outputs)) {
    for (unsigned n = begin; n + 1 < end; ++n)
      for (Operation *user : output(kind, n, place).getUsers())
        if (!layers[kind.layers[n]].members.contains(user) &&
            (!layers[kind.layers[n + 1]].members.contains(user) ||
             !llvm::is_contained(carried, k)))
          return false;
    if (!llvm::is_contained(carried, k))
      return false;
  }

  Operation *last = layers[kind.layers[end - 1]].ops.back();
  OpBuilder builder(last);
  Location loc = last->getLoc();
  auto constant = [&](int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  SmallVector<Value> initial;
  for (auto [input, source] : llvm::zip_equal(kind.inputs, carried))
    if (source != kInvariant)
      initial.push_back(this->input(kind, begin, input.uses.front()));
  Value lower = constant(begin), upper = constant(end), one = constant(1);
  auto loop = scf::ForOp::create(
      builder, loc, lower, upper, one, initial,
      [&](OpBuilder &builder, Location loc, Value number, ValueRange state) {
        SmallVector<Value> operands = {number};
        auto next = state.begin();
        for (auto [input, source] : llvm::zip_equal(kind.inputs, carried)) {
          Value value = this->input(kind, begin, input.uses.front());
          std::optional<int64_t> index = getIndex(value);
          if (source != kInvariant) {
            value = *next++;
          } else if (index && value != this->input(kind, begin + 1,
                                                   input.uses.front())) {
            Value offset = arith::ConstantIndexOp::create(
                builder, loc, *index - static_cast<int64_t>(begin));
            value = arith::AddIOp::create(builder, loc, number, offset);
          }
          operands.push_back(value);
        }
        auto call = func::CallOp::create(builder, loc, kind.function, operands);
        SmallVector<Value> yielded;
        for (unsigned source : carried)
          if (source != kInvariant)
            yielded.push_back(call.getResult(source));
        scf::YieldOp::create(builder, loc, yielded);
      });
  auto result = loop.getResults().begin();
  for (unsigned source : carried)
    if (source != kInvariant)
      output(kind, end - 1, kind.outputs[source]).replaceAllUsesWith(*result++);
  return true;
}

void Outliner::run() {
  findLayers();
  if (layers.empty())
    return;
  adoptTail();
  sortIntoKinds();
  for (Kind &kind : kinds) {
    findInputs(kind);
    if (!findOutputs(kind))
      return;
  }
  for (Kind &kind : kinds)
    createFunction(kind);

  // Runs of layers of one kind, in the order of the program.
  SmallVector<std::pair<Kind *, unsigned>> order(layers.size());
  for (Kind &kind : kinds)
    for (auto [number, layer] : llvm::enumerate(kind.layers))
      order[layer] = {&kind, number};
  for (unsigned i = 0; i < order.size();) {
    auto [kind, begin] = order[i];
    unsigned run = 1;
    while (i + run < order.size() && order[i + run].first == kind)
      ++run;
    if (run < 2 || !emitLoop(*kind, begin, begin + run))
      for (unsigned n = 0; n < run; ++n)
        emitCall(*kind, begin + n);
    i += run;
  }

  for (Layer &layer : llvm::reverse(layers))
    for (Operation *op : llvm::reverse(layer.ops))
      op->erase();
  Block &body = step.getBody().front();
  sortTopologically(&body, body.without_terminator());
}
