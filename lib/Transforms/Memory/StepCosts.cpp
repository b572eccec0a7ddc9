//===- StepCosts.cpp - What a scf.forall reads, writes and computes -*- C++
//-*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tiles are views with offsets that loops compute. A dimension whose offset is
// computed is taken to be walked from end to end; one with a constant offset
// and size is cut there:
//
//     subview %x[%tile, 256] [6, 128]    all rows of %x, columns 256 to 383
//
// Equal windows of a buffer count once. Ops that find rows by an index, or the
// blocks of a cache, count what they find, not the whole table.
//
//===----------------------------------------------------------------------===//
#include "StepCosts.h"

#include "Buffers.h"

#include "smelt/Dialect/Kernel/IR/Kernel.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace smelt;

DictionaryAttr Cost::toAttribute(MLIRContext *context) const {
  Builder builder(context);
  SmallVector<NamedAttribute> entries;
  for (auto [name, factor] : llvm::zip_equal(kCountNames, factors))
    if (factor != 0)
      entries.push_back(
          builder.getNamedAttr(name, builder.getI64IntegerAttr(factor)));
  return builder.getDictionaryAttr(entries);
}

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

namespace {

/// A part of a buffer: offset and size of each dimension, in elements.
struct Window {
  Value buffer;
  SmallVector<int64_t> offsets, sizes;
  /// Dimensions of the buffer that the view has, in order.
  SmallVector<unsigned> dims;

  bool operator==(const Window &other) const {
    return buffer == other.buffer && offsets == other.offsets &&
           sizes == other.sizes;
  }
};

} // namespace

/// All of `buffer`.
static Window wholeOf(Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  Window window{buffer,
                SmallVector<int64_t>(type.getRank(), 0),
                llvm::to_vector(type.getShape()),
                {}};
  window.dims = llvm::to_vector(llvm::seq<unsigned>(0, type.getRank()));
  return window;
}

/// What loops make of `view`, a view of one buffer through subviews alone.
static std::optional<Window> findWindow(Value view) {
  auto subview = view.getDefiningOp<memref::SubViewOp>();
  if (!subview) {
    llvm::SetVector<Value> buffers = findBuffers(view);
    if (buffers.size() != 1 || buffers[0] != view ||
        !isa<MemRefType>(view.getType()))
      return std::nullopt;
    return wholeOf(view);
  }
  std::optional<Window> window = findWindow(subview.getSource());
  if (!window)
    return std::nullopt;
  llvm::SmallBitVector dropped = subview.getDroppedDims();
  SmallVector<unsigned> kept;
  for (auto [i, dim] : llvm::enumerate(window->dims)) {
    int64_t offset = subview.getStaticOffset(i);
    int64_t size = subview.getStaticSize(i);
    if (!ShapedType::isDynamic(offset) && !ShapedType::isDynamic(size)) {
      window->offsets[dim] += offset;
      window->sizes[dim] = size;
    }
    if (!dropped.test(i))
      kept.push_back(dim);
  }
  window->dims = std::move(kept);
  return window;
}

//===----------------------------------------------------------------------===//
// Dynamic sizes
//===----------------------------------------------------------------------===//

/// What the dynamic sizes of a step's argument are.
static Count countOfArgument(BlockArgument argument) {
  auto func = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
  if (!func)
    return Count::Token;
  unsigned i = argument.getArgNumber();
  for (StringRef kind : {"llm.input", "llm.output"})
    if (auto name = func.getArgAttrOfType<StringAttr>(i, kind))
      return llvm::StringSwitch<Count>(name.getValue())
          .Cases({"rows", "logits", "last_hidden_state"}, Count::Row)
          .Cases({"pool_begin", "pool_end", "embedding"}, Count::Sequence)
          .Default(Count::Token);
  return Count::Token;
}

/// What the dynamic size of a buffer is: that of the first argument of the
/// step that it leads to.
static Count countOfBuffer(Value buffer) {
  llvm::SetVector<Value> seen;
  seen.insert(buffer);
  for (unsigned i = 0; i < seen.size(); ++i) {
    Value value = seen[i];
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      auto func = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
      if (!func || func.isPublic() || !isa<MemRefType>(argument.getType()))
        return countOfArgument(argument);
      auto uses = SymbolTable::getSymbolUses(func.getSymNameAttr(),
                                             func->getParentOfType<ModuleOp>());
      for (SymbolTable::SymbolUse use : *uses)
        if (auto call = dyn_cast<func::CallOp>(use.getUser()))
          seen.insert(call.getOperand(argument.getArgNumber()));
    } else if (auto dim = value.getDefiningOp<memref::DimOp>()) {
      seen.insert_range(findBuffers(dim.getSource()));
    } else {
      for (Value operand : value.getDefiningOp()->getOperands())
        seen.insert(operand);
    }
  }
  return Count::Token;
}

/// Bytes of the static dimensions of a shape.
static int64_t staticBytes(MemRefType type, ArrayRef<int64_t> sizes) {
  int64_t bits = type.getElementType().getIntOrFloatBitWidth();
  for (int64_t size : sizes)
    if (!ShapedType::isDynamic(size))
      bits *= size;
  return bits / 8;
}

//===----------------------------------------------------------------------===//
// Costs
//===----------------------------------------------------------------------===//

namespace {

class Counter {
public:
  explicit Counter(scf::ForallOp forall) : forall(forall) {}
  ForallCost run();

private:
  void visit(Operation *op);
  void access(Value memref, bool isWrite);
  void accessTable(kernel::GatherOp op);
  void accessPool(Value pool, Count count);
  void addProduct(kernel::MatmulOp op);
  /// Operations of attention for each pair: two products with the columns of
  /// the queries.
  void addAttention(Value queries);

  scf::ForallOp forall;
  ForallCost cost;
  SmallVector<std::pair<Window, bool>> windows; // and whether it is written
};

} // namespace

void Counter::access(Value memref, bool isWrite) {
  SmallVector<Window> found;
  if (std::optional<Window> window = findWindow(memref))
    found.push_back(std::move(*window));
  else
    for (Value buffer : findBuffers(memref))
      if (isa<MemRefType>(buffer.getType()))
        found.push_back(wholeOf(buffer));
  for (Window &window : found) {
    // What is allocated in the forall is the thread's own.
    if (forall->isAncestor(window.buffer.getParentBlock()->getParentOp()) ||
        llvm::is_contained(windows, std::pair(window, isWrite)))
      continue;
    auto type = cast<MemRefType>(window.buffer.getType());
    auto dynamic = llvm::count_if(window.sizes, ShapedType::isDynamic);
    if (dynamic <= 1)
      cost.bytes[dynamic ? countOfBuffer(window.buffer) : Count::Fixed] +=
          staticBytes(type, window.sizes);
    windows.emplace_back(std::move(window), isWrite);
  }
}

/// A row of the table for each index.
void Counter::accessTable(kernel::GatherOp op) {
  access(op.getIndices(), /*isWrite=*/false);
  access(op.getInit(), /*isWrite=*/true);
  auto type = cast<MemRefType>(op.getTable().getType());
  int64_t rows = 1;
  if (type.getRank() == 4)
    rows = type.getDimSize(0) * type.getDimSize(2);
  else if (op.getFormat() && op.getFormat()->isQuantized())
    rows = type.getDimSize(0) * llm::FormatRecord::panelRows;
  else if (!type.isDynamicDim(0))
    rows = type.getDimSize(0);
  Count count = Count::Token;
  if (std::optional<Window> window = findWindow(op.getInit()))
    count = countOfBuffer(window->buffer);
  cost.bytes[count] += staticBytes(type, type.getShape()) / rows;
}

/// What one position takes in the blocks of a layer, for each of `count`. The
/// pool's first dimension is the layer, the second the block.
void Counter::accessPool(Value pool, Count count) {
  auto type = cast<MemRefType>(pool.getType());
  cost.bytes[count] +=
      staticBytes(type, type.getShape().drop_front(2)) / llm::blockPositions;
}

void Counter::addProduct(kernel::MatmulOp op) {
  std::optional<Window> weight = findWindow(op.getW());
  std::optional<Window> rows = findWindow(op.getA());
  if (!weight || !rows)
    return;
  // Several tilings of one product count once; unpacked panels are of one that
  // few rows take as it is stored.
  if (op.getUnpacked() ||
      llvm::is_contained(windows, std::pair(*weight, false)))
    return;
  int64_t columns = weight->sizes[0] * op.getPanelRows();
  int64_t depth = cast<MemRefType>(op.getA().getType()).getDimSize(1);
  cost.operations[countOfBuffer(rows->buffer)] += 2 * columns * depth;
  auto compute =
      op->getParentOfType<ModuleOp>()->getAttrOfType<TypeAttr>("llm.compute");
  if (op.getActivation())
    cost.arithmetic = "int8";
  else if (compute && compute.getValue().isBF16() &&
           cast<MemRefType>(op.getW().getType()).getElementType().isBF16())
    cost.arithmetic = "bf16";
}

void Counter::addAttention(Value queries) {
  if (std::optional<Window> window = findWindow(queries))
    cost.operations[Count::Pair] += 4 * window->sizes.back();
}

/// Positions that a token attends to at most; 0: all, or `op` has none.
static int64_t windowOf(Operation *op) {
  std::optional<uint64_t> window;
  if (auto attention = dyn_cast<kernel::CachedAttentionOp>(op))
    window = attention.getWindow();
  if (auto attention = dyn_cast<kernel::AttendSpansOp>(op))
    window = attention.getWindow();
  return static_cast<int64_t>(window.value_or(0));
}

void Counter::visit(Operation *op) {
  if (auto gather = dyn_cast<kernel::GatherOp>(op))
    return accessTable(gather);
  if (auto product = dyn_cast<kernel::MatmulOp>(op))
    addProduct(product);
  // The queries come first.
  bool readsPools = isa<kernel::CachedAttentionOp, kernel::AttendSpansOp>(op);
  if (readsPools || isa<kernel::AttentionOp>(op))
    addAttention(op->getOperand(0));
  cost.window = std::max(cost.window, windowOf(op));
  auto interface = dyn_cast<MemoryEffectOpInterface>(op);
  if (!interface)
    return;
  SmallVector<MemoryEffects::EffectInstance> effects;
  interface.getEffects(effects);
  for (const MemoryEffects::EffectInstance &effect : effects) {
    bool isWrite = isa<MemoryEffects::Write>(effect.getEffect());
    Value value = effect.getValue();
    if ((!isWrite && !isa<MemoryEffects::Read>(effect.getEffect())) || !value ||
        !isa<MemRefType>(value.getType()))
      continue;
    // Layers, blocks, and what a block holds.
    bool isPool = (readsPools || isa<kernel::KVAppendOp>(op)) &&
                  cast<MemRefType>(value.getType()).getRank() > 2;
    if (isPool)
      accessPool(value, readsPools ? Count::Position : Count::Token);
    else
      access(value, isWrite);
  }
}

ForallCost Counter::run() {
  forall.getBody()->walk([&](Operation *op) { visit(op); });
  return cost;
}

ForallCost smelt::countCost(scf::ForallOp forall) {
  return Counter(forall).run();
}
