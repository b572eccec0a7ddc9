//===- KernelComputeOps.cpp - Tiling and effects of kernel ops --*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every compute op tiles in the same way: a loop over its iteration space cuts
// slices out of operands, and the tile is the same op on the slices. What
// differs is the TileMap, a table per op.
//
//===----------------------------------------------------------------------===//
#include "smelt/Dialect/Kernel/IR/Kernel.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace smelt;
using namespace smelt::kernel;

//===----------------------------------------------------------------------===//
// Tile maps
//===----------------------------------------------------------------------===//

int64_t kernel::columnsOf(Value rows) {
  return cast<ShapedType>(rows.getType()).getDimSize(1);
}

TileMap QuantizeOp::getTileMap() {
  TileMap map{1, {{0, 0, 0}, {1, 0, 0}, {2, 0, 0}, {3, 0, 0}}};
  if (int64_t group = getActivation().getRecord().group) {
    map.loops = 2;
    map.entries.append({{1, 1, 1, group},
                        {0, 1, 1, group, true},
                        {2, 1, 1},
                        {3, 1, 1, group / llm::FormatRecord::unitColumns}});
  }
  return map;
}

TileMap MatmulOp::getTileMap() {
  TileMap map{
      2, {{0, 0, 0}, {1, 0, 1}, {2, 0, 0}, {2, 1, 1, getPanelRows(), true}}};
  if (getScales())
    map.entries.append({{3, 0, 0}, {4, 0, 0}});
  return map;
}

TileMap GatherOp::getTileMap() { return {1, {{0, 0, 0}, {2, 0, 0}}}; }

TileMap RotateOp::getTileMap() {
  return {1, {{0, 0, 0}, {1, 0, 0}, {2, 0, 0}, {3, 0, 0}}};
}

TileMap KVAppendOp::getTileMap() {
  return {1, {{0, 0, 0}, {1, 0, 0}, {2, 0, 0}, {3, 0, 0}}};
}

TileMap CachedAttentionOp::getTileMap() {
  int64_t width = getGroup() * getKPool().getType().getDimSize(3);
  return {2,
          {{0, 0, 0},
           {0, 1, 1, width},
           {1, 0, 0},
           {2, 0, 0},
           {8, 0, 0},
           {8, 1, 1, width}}};
}

TileMap MergeSpansOp::getTileMap() {
  int64_t width = static_cast<int64_t>(getGroup()) * getSize();
  return {2, {{0, 0, 0}, {4, 1, 1, width}, {4, 0, 0}}};
}

TileMap AttentionOp::getTileMap() {
  int64_t size = getSize();
  return {2,
          {{0, 0, 0},
           {1, 1, 1, size},
           {2, 1, 1, size},
           {3, 0, 0},
           {4, 0, 0},
           {0, 1, 1, static_cast<int64_t>(getGroup()) * size},
           {5, 0, 0},
           {5, 1, 1, static_cast<int64_t>(getGroup()) * size}}};
}

TileMap PoolOp::getTileMap() { return {1, {{1, 0, 0}, {2, 0, 0}, {3, 0, 0}}}; }

//===----------------------------------------------------------------------===//
// Tiling
//===----------------------------------------------------------------------===//

/// Size of a dimension of a tensor or buffer.
static OpFoldResult dimSize(OpBuilder &b, Location loc, Value value,
                            unsigned dim) {
  if (isa<TensorType>(value.getType()))
    return tensor::getMixedSize(b, loc, value, dim);
  return memref::getMixedSize(b, loc, value, dim);
}

static SmallVector<Range> iterationDomain(OpBuilder &b, Operation *op,
                                          const TileMap &map) {
  Location loc = op->getLoc();
  SmallVector<Range> domain(map.loops);
  for (unsigned loop = 0; loop < map.loops; ++loop) {
    const TileMapEntry &entry = *llvm::find_if(
        map.entries, [&](const TileMapEntry &e) { return e.loop == loop; });
    AffineExpr size = b.getAffineSymbolExpr(0).floorDiv(entry.scale);
    domain[loop] = {
        b.getIndexAttr(0),
        affine::makeComposedFoldedAffineApply(
            b, loc, size,
            {dimSize(b, loc, op->getOperand(entry.operand), entry.dim)}),
        b.getIndexAttr(1)};
  }
  return domain;
}

/// Cuts the slice of `value` that `offsets` and `sizes` select.
static Value slice(OpBuilder &b, Location loc, Value value,
                   ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes,
                   SmallVectorImpl<Operation *> &slices) {
  SmallVector<OpFoldResult> strides(offsets.size(), b.getIndexAttr(1));
  Operation *op =
      isa<TensorType>(value.getType())
          ? tensor::ExtractSliceOp::create(b, loc, value, offsets, sizes,
                                           strides)
                .getOperation()
          : memref::SubViewOp::create(b, loc, value, offsets, sizes, strides)
                .getOperation();
  slices.push_back(op);
  return op->getResult(0);
}

static FailureOr<TilingResult> tile(OpBuilder &b, Operation *op,
                                    const TileMap &map,
                                    ArrayRef<OpFoldResult> offsets,
                                    ArrayRef<OpFoldResult> sizes) {
  Location loc = op->getLoc();
  SmallVector<Operation *> slices;
  SmallVector<Value> operands(op->getOperands());
  for (unsigned index = 0; index < operands.size(); ++index) {
    Value &operand = operands[index];
    auto type = dyn_cast<ShapedType>(operand.getType());
    SmallVector<OpFoldResult> start, extent;
    bool sliced = false;
    for (unsigned dim = 0; type && dim < type.getRank(); ++dim) {
      auto *entry = llvm::find_if(map.entries, [&](const TileMapEntry &e) {
        return e.operand == index && e.dim == dim;
      });
      if (entry == map.entries.end()) {
        start.push_back(b.getIndexAttr(0));
        extent.push_back(dimSize(b, loc, operand, dim));
        continue;
      }
      sliced = true;
      AffineExpr scaled = b.getAffineSymbolExpr(0) * entry->scale;
      start.push_back(affine::makeComposedFoldedAffineApply(
          b, loc, scaled, {offsets[entry->loop]}));
      OpFoldResult size = affine::makeComposedFoldedAffineApply(
          b, loc, scaled, {sizes[entry->loop]});
      if (entry->ragged && type.getDimSize(dim) % entry->scale) {
        AffineExpr s1 = b.getAffineSymbolExpr(1), s2 = b.getAffineSymbolExpr(2);
        auto least = AffineMap::get(0, 3, {b.getAffineSymbolExpr(0), s1 - s2},
                                    b.getContext());
        size = affine::makeComposedFoldedAffineMin(
            b, loc, least, {size, dimSize(b, loc, operand, dim), start.back()});
      }
      extent.push_back(size);
    }
    if (sliced)
      operand = slice(b, loc, operand, start, extent, slices);
  }
  SmallVector<Type> results;
  if (auto dps = dyn_cast<DestinationStyleOpInterface>(op))
    for (OpOperand &init : dps.getDpsInitsMutable())
      if (Type type = operands[init.getOperandNumber()].getType();
          isa<TensorType>(type))
        results.push_back(type);
  Operation *tiled = mlir::clone(b, op, results, operands);
  return TilingResult{{tiled}, SmallVector<Value>(tiled->getResults()), slices};
}

//===----------------------------------------------------------------------===//
// Effects
//===----------------------------------------------------------------------===//

static void
collectEffects(Operation *op, ArrayRef<unsigned> written,
               SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<MemRefType>(operand.get().getType()))
      continue;
    if (llvm::is_contained(written, operand.getOperandNumber()))
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
    else
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
  }
}

#define TILED_OP(OP, ...)                                                      \
  SmallVector<utils::IteratorType> OP::getLoopIteratorTypes() {                \
    return SmallVector<utils::IteratorType>(getTileMap().loops,                \
                                            utils::IteratorType::parallel);    \
  }                                                                            \
  SmallVector<Range> OP::getIterationDomain(OpBuilder &b) {                    \
    return iterationDomain(b, *this, getTileMap());                            \
  }                                                                            \
  void OP::getEffects(                                                         \
      SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {               \
    collectEffects(*this, {__VA_ARGS__}, effects);                             \
  }

#define TILED_ALIKE(OP)                                                        \
  FailureOr<TilingResult> OP::getTiledImplementation(                          \
      OpBuilder &b, ArrayRef<OpFoldResult> offsets,                            \
      ArrayRef<OpFoldResult> sizes) {                                          \
    return tile(b, *this, getTileMap(), offsets, sizes);                       \
  }

// The op, and the operands it writes.
TILED_OP(QuantizeOp, 1, 2, 3)
TILED_OP(MatmulOp, 2)
TILED_OP(GatherOp, 2)
TILED_OP(RotateOp, 3)
TILED_OP(KVAppendOp, 4, 5, 8, 9)
TILED_OP(CachedAttentionOp, 8)
TILED_OP(MergeSpansOp, 4)
TILED_OP(AttentionOp, 5)
TILED_OP(PoolOp, 3)

TILED_ALIKE(QuantizeOp)
TILED_ALIKE(MatmulOp)
TILED_ALIKE(GatherOp)
TILED_ALIKE(RotateOp)
TILED_ALIKE(KVAppendOp)
TILED_ALIKE(AttentionOp)
TILED_ALIKE(PoolOp)

/// Moves an operand that says where an op's part begins to where its tile's
/// does.
static void shift(OpBuilder &b, Operation *tiled, OpOperand &first,
                  OpFoldResult offset) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(tiled);
  AffineExpr sum = b.getAffineSymbolExpr(0) + b.getAffineSymbolExpr(1);
  first.set(getValueOrCreateConstantIndexOp(
      b, tiled->getLoc(),
      affine::makeComposedFoldedAffineApply(
          b, tiled->getLoc(), sum, {OpFoldResult(first.get()), offset})));
}

// The pools aren't sliced: the tile says which heads are its own.
FailureOr<TilingResult>
CachedAttentionOp::getTiledImplementation(OpBuilder &b,
                                          ArrayRef<OpFoldResult> offsets,
                                          ArrayRef<OpFoldResult> sizes) {
  FailureOr<TilingResult> result = tile(b, *this, getTileMap(), offsets, sizes);
  if (failed(result))
    return failure();
  auto tiled = cast<CachedAttentionOp>(result->tiledOps.front());
  shift(b, tiled, tiled.getFirstHeadMutable(), offsets[1]);
  return result;
}

// The tile says which rows of partials are its own.
FailureOr<TilingResult>
MergeSpansOp::getTiledImplementation(OpBuilder &b,
                                     ArrayRef<OpFoldResult> offsets,
                                     ArrayRef<OpFoldResult> sizes) {
  FailureOr<TilingResult> result = tile(b, *this, getTileMap(), offsets, sizes);
  if (failed(result))
    return failure();
  auto tiled = cast<MergeSpansOp>(result->tiledOps.front());
  shift(b, tiled, tiled.getFirstRowMutable(), offsets[0]);
  shift(b, tiled, tiled.getFirstHeadMutable(), offsets[1]);
  return result;
}

void AttendSpansOp::getEffects(
    SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  collectEffects(*this, {7}, effects);
}

int64_t AttendSpansOp::countSpans(int64_t positions) {
  // The last block's span; see the description.
  auto last = static_cast<uint64_t>((positions - 1) / llm::blockPositions);
  int64_t power = llvm::Log2_64(std::max<uint64_t>(last, 64));
  return 8 * (power - 6) + static_cast<int64_t>(last >> (power - 3)) + 1;
}

int64_t AttendSpansOp::getWidth(int64_t size) {
  return partialHead + static_cast<int64_t>(llvm::alignTo(size, 16));
}

//===----------------------------------------------------------------------===//
// Verifiers
//===----------------------------------------------------------------------===//

int64_t QuantizeOp::getScaleCount(llm::ActivationAttr activation,
                                  int64_t columns) {
  int64_t group = activation.getRecord().group;
  return group ? llvm::divideCeil(columns, group) : 2;
}

LogicalResult QuantizeOp::verify() {
  int64_t padded =
      llvm::alignTo(columnsOf(getX()), llm::FormatRecord::unitColumns);
  if (columnsOf(getQ()) != padded)
    return emitOpError("expects columns of q (")
           << columnsOf(getQ()) << ") to be those of x, padded to "
           << padded; // (C1)
  int64_t units = padded / llm::FormatRecord::unitColumns;
  int64_t scales = getScaleCount(getActivation(), padded);
  if (columnsOf(getSums()) != units || columnsOf(getScales()) != scales)
    return emitOpError("expects ") << units << " columns of sums and " << scales
                                   << " of scales"; // (C2)
  return success();
}

/// Of a product with a quantised weight.
static LogicalResult verifyQuantized(MatmulOp op) {
  if (op.getUnpacked() && op.getFormat().getRecord().bits == 8)
    return op.emitOpError("expects an unpacked weight to be of fewer bits than "
                          "8, got ")
           << op.getFormat(); // (C6)
  const llm::FormatRecord format = op.getStored();
  auto w = cast<ShapedType>(op.getW().getType());
  int64_t k = columnsOf(op.getA()), n = columnsOf(op.getInit());
  if (w.getRank() != 2 || w.getDimSize(1) != format.panelBytes(k))
    return op.emitOpError("expects panels of ")
           << format.panelBytes(k) << " bytes for " << k << " columns, got "
           << w; // (C1)
  if (!ShapedType::isDynamic(w.getDimSize(0)) && !ShapedType::isDynamic(n) &&
      static_cast<int64_t>(llvm::divideCeil(n, format.panelRows)) !=
          w.getDimSize(0))
    return op.emitOpError("expects columns of init (")
           << n << ") to end in the last of " << w.getDimSize(0)
           << " panels of " << format.panelRows; // (C2)
  if (op.getScales() && k > 65536)
    return op.emitOpError("expects at most 65536 columns of integers, got ")
           << k; // (C5)
  return success();
}

bool MatmulOp::hasPairs() {
  auto w = cast<ShapedType>(getW().getType());
  return getElementTypeOrSelf(getA()).isBF16() && w.getElementType().isBF16() &&
         w.getDimSize(3) == 2;
}

bool MatmulOp::fillsTiles() {
  if (!getActivation())
    return hasPairs();
  const llm::FormatRecord &format = getFormat().getRecord();
  return format.bits == 8 && !getActivation()->getRecord().group &&
         format.group % TileDotOp::rowBytes == 0;
}

LogicalResult MatmulOp::verify() {
  bool isInteger = getElementTypeOrSelf(getA().getType()).isInteger(8);
  if (isInteger != static_cast<bool>(getScales()) ||
      isInteger != static_cast<bool>(getSums()) ||
      isInteger != getActivation().has_value() ||
      (isInteger && !getFormat().isQuantized())) // (C4)
    return emitOpError("expects scales, sums and activation with rows of "
                       "integers, and a quantised weight with them");
  if (cast<ShapedType>(getW().getType()).getElementType() !=
      getFormat().getElementType())
    return emitOpError("expects elements of w in format ")
           << getFormat(); // (C3)
  if (getUnpacked() && !getActivation())
    return emitOpError(
        "expects rows of integers with an unpacked weight"); // (C6)
  if (getFormat().isQuantized())
    return verifyQuantized(*this);
  ArrayRef<int64_t> w = cast<ShapedType>(getW().getType()).getShape();
  if (w.size() != 4)
    return emitOpError("expects panels of rank 4");
  if (ShapedType::isDynamicShape(w.drop_front()))
    return emitOpError("expects static panels");
  if (static_cast<int64_t>(llvm::divideCeil(columnsOf(getA()), w[3])) != w[1])
    return emitOpError("expects columns of a (")
           << columnsOf(getA()) << ") to fill " << w[1] << " groups of "
           << w[3]; // (C1)
  if (int64_t n = columnsOf(getInit());
      !ShapedType::isDynamic(w[0]) && !ShapedType::isDynamic(n) &&
      static_cast<int64_t>(llvm::divideCeil(n, w[2])) != w[0])
    return emitOpError("expects columns of init (")
           << n << ") to end in the last of " << w[0] << " panels of "
           << w[2]; // (C2)
  return success();
}

int64_t UnpackOp::getBlockCount() {
  const llm::FormatRecord &record = getFormat().getRecord();
  int64_t blocks = getPacked().getType().getDimSize(1) - record.panelBytes(0);
  return blocks % record.blockBytes() ? -1 : blocks / record.blockBytes();
}

LogicalResult UnpackOp::verify() {
  MemRefType packed = getPacked().getType(), unpacked = getUnpacked().getType();
  if (!getFormat().isQuantized() || getFormat().getRecord().bits == 8 ||
      packed.isDynamicDim(1) || getBlockCount() < 0)
    return emitOpError("expects panels of a format of fewer bits than 8, got ")
           << packed << " of " << getFormat(); // (C1)
  const llm::FormatRecord wide = getFormat().getRecord().unpacked();
  int64_t bytes = wide.panelBytes(getBlockCount() * wide.blockColumns());
  if (unpacked.getDimSize(0) != packed.getDimSize(0) ||
      unpacked.getDimSize(1) != bytes)
    return emitOpError("expects as many panels of ")
           << bytes << " bytes as " << packed << " has, got "
           << unpacked; // (C2)
  return success();
}

LogicalResult GatherOp::verify() {
  auto table = cast<ShapedType>(getTable().getType());
  if (getFormat() && getFormat()->isQuantized()) {
    int64_t bytes = getFormat()->getRecord().panelBytes(columnsOf(getInit()));
    if (table.getRank() == 2 && table.getElementType().isInteger(8) &&
        table.getDimSize(1) == bytes)
      return success();
    return emitOpError("expects panels of ")
           << bytes << " bytes, got " << table; // (C1)
  }
  int64_t width = table.getRank() == 4
                      ? table.getDimSize(1) * table.getDimSize(3)
                  : table.getRank() == 2 ? table.getDimSize(1)
                                         : -1;
  if (width < columnsOf(getInit()))
    return emitOpError("expects a table of rank 2 or 4 with at least ")
           << columnsOf(getInit()) << " columns"; // (C1)
  return success();
}

LogicalResult RotateOp::verify() {
  if (columnsOf(getX()) != columnsOf(getInit()) ||
      columnsOf(getX()) % (2 * columnsOf(getCos())))
    return emitOpError("expects columns of x and init to be one multiple of ")
           << 2 * columnsOf(getCos()); // (C1)
  return success();
}

/// Whether the pools of an op go together.
template <typename Op> static LogicalResult verifyPools(Op op) {
  Type keys = op.getKPool().getType().getElementType();
  bool isScaled = keys.isInteger(8);
  if (keys == op.getVPool().getType().getElementType() &&
      op.getScales().size() == (isScaled ? 2 : 0))
    return success();
  return op.emitOpError("expects pools of the same elements, with two scales "
                        "if those are i8, else none");
}

LogicalResult KVAppendOp::verify() {
  return verifyPools(*this); // (C1)
}

/// Whether rows of queries go with the pools of an op.
template <typename Op> static LogicalResult verifyQueries(Op op) {
  int64_t group = op.getGroup(), size = op.getKPool().getType().getDimSize(3);
  if (group < 1 || size < 1)
    return op.emitOpError("expects a positive group and a static head size");
  if (!ShapedType::isDynamic(columnsOf(op.getQ())) &&
      columnsOf(op.getQ()) % (group * size))
    return op.emitOpError("expects columns of q (")
           << columnsOf(op.getQ()) << ") to be a multiple of " << group * size
           << ", group * head size";
  return success();
}

LogicalResult AttendSpansOp::verify() {
  if (failed(verifyQueries(*this)) || failed(verifyPools(*this))) // (C1), (C2)
    return failure();
  MemRefType partials = getPartials().getType();
  MemRefType pool = getKPool().getType();
  int64_t width = getWidth(pool.getDimSize(3));
  int64_t rows = maxRows * pool.getDimSize(2) * getGroup();
  if (!partials.hasStaticShape() || partials.getDimSize(1) != width ||
      partials.getDimSize(0) % rows) // (C3)
    return emitOpError("expects partials with a multiple of ")
           << rows << " rows and " << width << " columns, got " << partials;
  return success();
}

LogicalResult MergeSpansOp::verify() {
  int64_t width = static_cast<int64_t>(getGroup()) * getSize();
  if (getGroup() < 1 || getSize() < 1 || getHeads() < 1)
    return emitOpError("expects a positive group, size and number of heads");
  if (!ShapedType::isDynamic(columnsOf(getInit())) &&
      columnsOf(getInit()) % width)
    return emitOpError("expects columns of init (")
           << columnsOf(getInit()) << ") to be a multiple of " << width
           << ", group * size"; // (C1)
  return success();
}

LogicalResult CachedAttentionOp::verify() {
  if (failed(verifyQueries(*this))) // (C1)
    return failure();
  return verifyPools(*this); // (C2)
}

LogicalResult AttentionOp::verify() {
  int64_t group = getGroup(), size = getSize();
  int64_t q = columnsOf(getQ()), k = columnsOf(getK()), v = columnsOf(getV());
  if (group < 1 || size < 1)
    return emitOpError("expects a positive group and a positive size");
  if (!ShapedType::isDynamic(v) && v % size)
    return emitOpError("expects columns of v (")
           << v << ") to be a multiple of size (" << size << ")"; // (C1)
  if (!ShapedType::isDynamic(v) && !ShapedType::isDynamic(q) && q != v * group)
    return emitOpError("expects columns of q (")
           << q << ") to be " << group << " times those of v (" << v
           << ")"; // (C1)
  if (!ShapedType::isDynamic(v) && !ShapedType::isDynamic(k) && k != v)
    return emitOpError("expects columns of k (")
           << k << ") to equal those of v (" << v << ")"; // (C1)
  if (!llm::isComputeType(getCompute()))
    return emitOpError("expects compute f32 or bf16, got ")
           << getCompute(); // (C2)
  return success();
}
