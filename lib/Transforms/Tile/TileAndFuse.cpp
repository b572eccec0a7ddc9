//===- TileAndFuse.cpp - Tiles over threads ---------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block is walked from its end. An op that is still read (or has effects)
// when it is reached is the root of a nest:
//
//     scf.forall (%t) in (%threads) shared_outs(%o = %init)
//       part of the iteration space that thread t owns
//         scf.for tiles of the part, %o carried along
//           slices of the operands; producers in place of their slices
//           the root on the slices
//           insert the result into %o
//
// All slices have absolute positions, so that bufferisation finds each write
// in place. Which dimension threads share and which loops walk the part are
// the nest's kind: panels, rows or heads.
//
//===----------------------------------------------------------------------===//
#include "smelt/Target/CPU/Targets.h"
#include "smelt/Transforms/Tile/Passes.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/TilingInterface.h"

namespace smelt {
#define GEN_PASS_DEF_TILEANDFUSE
#include "smelt/Transforms/Tile/Passes.h.inc"
} // namespace smelt

using namespace mlir;
using namespace smelt;
using kernel::columnsOf;
using llm::FormatRecord;

namespace {

/// So many rows that a thread computes all columns of them: what it makes then
/// lies in its own cache when it is read. benchmarks/Notes.md has the
/// measurements.
constexpr int64_t kRowsOfThread = 128;

/// A half-open range of an iteration dimension.
struct Part {
  Value begin, end;
};

/// A tile of what a member computes.
struct FusedTile {
  Value source;
  SmallVector<OpFoldResult> offsets, sizes;
  Value value;

  /// Whether `slice` is the tile, computed already.
  bool is(tensor::ExtractSliceOp slice) const {
    Operation *op = value.getDefiningOp();
    return slice.getSource() == source && slice.getMixedOffsets() == offsets &&
           slice.getMixedSizes() == sizes &&
           op->getBlock() == slice->getBlock() && op->isBeforeInBlock(slice);
  }
};

/// Some panels, from one on.
struct Panels {
  Value first;
  int64_t count = 1;
};

/// What tiles of panels have at most; no rows: what the target says.
struct TileSizes {
  int64_t rows, panels; // of 16 columns
  int64_t bytes;        // of the panels, which stay in a cache from one tile of
                        // rows to the next
  const TargetRecord *target;

  int64_t rowsOf(kernel::MatmulOp product) const {
    return rows ? rows : target->productRows(product.fillsTiles());
  }
};

/// Builds the nest of one root.
class Nest {
public:
  Nest(IRRewriter &rewriter, Operation *root, TileSizes most)
      : b(rewriter), loc(root->getLoc()), root(root), most(most) {}

  LogicalResult build();

private:
  using Carried = SmallVector<Value>;

  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }
  Value apply(AffineExpr expr, ArrayRef<OpFoldResult> operands) {
    return getValueOrCreateConstantIndexOp(
        b, loc, affine::makeComposedFoldedAffineApply(b, loc, expr, operands));
  }
  /// The part of [0, size) that `thread` of `threads` owns.
  Part part(Value thread, Value threads, Value size);
  /// A grid of threads: parts of rows below one another, each shared by
  /// `across` threads.
  struct Grid {
    Value column, across, line, down;
  };
  Grid makeGrid(Value thread, Value threads, Value across);
  /// As many threads as share all rows, or one if there are so many rows that
  /// each has its own.
  Value shareRows(Value threads, Value rows);
  /// `size` of a tile that begins at `begin`: less at the end of the range.
  OpFoldResult tileSize(Value begin, Value end, int64_t size);

  LogicalResult buildPanels();
  LogicalResult buildRows();
  LogicalResult buildHeads();
  LogicalResult buildSpans();
  /// Whether the rows of a step are split over positions instead of heads: few
  /// rows, and heads that the threads can't share evenly.
  Value isSplit(Value rows, int64_t heads);

  /// The forall: `body` computes the thread's part into the carried tensors;
  /// `offsets` and `sizes` say where that part lies in the results, which it
  /// has whole in dimensions that they don't name.
  struct Region {
    SmallVector<OpFoldResult> offsets, sizes;
    Carried results;
    /// Columns that offsets and sizes count; results that have fewer have one
    /// for several of these. 0: results have the same.
    int64_t columns = 0;
  };
  LogicalResult
  forall(function_ref<FailureOr<Region>(Value thread, Value threads,
                                        ValueRange carried)>
             body);
  FailureOr<Carried>
  loop(Part range, int64_t step, ValueRange carried,
       function_ref<FailureOr<Carried>(Value, ValueRange)> body);
  /// The root's tile, its fused producers, and the insertions.
  FailureOr<Carried> tile(ArrayRef<OpFoldResult> offsets,
                          ArrayRef<OpFoldResult> sizes, ValueRange carried,
                          Panels panels = {});
  LogicalResult fuseProducers(Operation *tiled, ValueRange carried,
                              Panels panels);
  LogicalResult fuseProduct(tensor::ExtractSliceOp slice,
                            kernel::MatmulOp product, Panels panels,
                            SmallVectorImpl<Operation *> &worklist);

  SmallVector<Value> inits() {
    SmallVector<Value> values;
    if (auto dps = dyn_cast<DestinationStyleOpInterface>(root))
      for (OpOperand &init : dps.getDpsInitsMutable())
        values.push_back(init.get());
    return values;
  }
  /// All of a producer's readers are part of this nest.
  bool isPrivate(Operation *producer) {
    return llvm::all_of(producer->getUsers(), [&](Operation *user) {
      return members.contains(user);
    });
  }
  void collectMembers();
  /// A product that `op` is or reads, or null.
  static kernel::MatmulOp findProduct(Operation *op) {
    if (auto product = dyn_cast<kernel::MatmulOp>(op))
      return product;
    for (Value operand : op->getOperands())
      if (auto product = operand.getDefiningOp<kernel::MatmulOp>())
        return product;
    return {};
  }
  /// The op that makes the rows which `quantize` alone reads from tiles of
  /// products, if groups that share a scale are made of whole panels; else
  /// null.
  static Operation *findActivation(kernel::QuantizeOp quantize);
  /// `op` is a matrix product, reads one element by element, or rounds what
  /// does.
  static bool isPanels(Operation *op) {
    if (auto quantize = dyn_cast<kernel::QuantizeOp>(op))
      return findActivation(quantize) != nullptr;
    return isa<linalg::LinalgOp, kernel::MatmulOp>(op) && findProduct(op);
  }

  IRRewriter &b;
  Location loc;
  Operation *root;
  TileSizes most;
  /// The root and the producers that are fused into it.
  llvm::SetVector<Operation *> members;
};

Part Nest::part(Value thread, Value threads, Value size) {
  AffineExpr t = b.getAffineSymbolExpr(0);
  Value next = apply(t + 1, {thread});
  auto bound = [&](Value x) -> Value {
    Value product = arith::MulIOp::create(b, loc, x, size);
    return arith::DivUIOp::create(b, loc, product, threads);
  };
  return {bound(thread), bound(next)};
}

OpFoldResult Nest::tileSize(Value begin, Value end, int64_t size) {
  if (size == 1)
    return b.getIndexAttr(1);
  std::optional<int64_t> extent = getConstantIntValue(end);
  if (extent && *extent % size == 0)
    return b.getIndexAttr(size);
  AffineExpr s0 = b.getAffineSymbolExpr(0), s1 = b.getAffineSymbolExpr(1);
  auto map = AffineMap::get(0, 2, {b.getAffineConstantExpr(size), s1 - s0},
                            b.getContext());
  return affine::makeComposedFoldedAffineMin(b, loc, map, {begin, end});
}

void Nest::collectMembers() {
  members.insert(root);
  auto quantize = dyn_cast<kernel::QuantizeOp>(root);
  Operation *activation = quantize ? findActivation(quantize) : nullptr;
  // What the destination holds before the nest is read there, not recomputed.
  SmallVector<Value> old = inits();
  for (unsigned i = 0; i < members.size(); ++i)
    for (Value operand : members[i]->getOperands()) {
      Operation *producer = operand.getDefiningOp();
      if (!producer || producer->getBlock() != root->getBlock() ||
          llvm::is_contained(old, operand))
        continue;
      // A fill is cheaper to repeat than to read. What a product reads is
      // computed once, not once for each panel; what reads one is computed
      // where its tiles are.
      bool fusable =
          isa<linalg::FillOp>(producer) ||
          (isPrivate(producer) &&
           (isPanels(root)
                ? isa<kernel::MatmulOp>(producer) || producer == activation
                : isa<linalg::LinalgOp>(producer) && !isPanels(producer) &&
                      isa<linalg::LinalgOp, kernel::QuantizeOp>(root)));
      if (fusable)
        members.insert(producer);
    }
}

Operation *Nest::findActivation(kernel::QuantizeOp quantize) {
  int64_t group = quantize.getActivation().getRecord().group;
  auto rows = quantize.getX().getDefiningOp<linalg::LinalgOp>();
  kernel::MatmulOp product = rows ? findProduct(rows) : nullptr;
  if (!group || !product || !product->hasOneUse() || !rows->hasOneUse() ||
      rows->getBlock() != quantize->getBlock() ||
      columnsOf(quantize.getX()) % group || group % product.getPanelRows())
    return nullptr;
  return rows;
}

LogicalResult
Nest::forall(function_ref<FailureOr<Region>(Value, Value, ValueRange)> body) {
  Value threads = kernel::NumThreadsOp::create(b, loc);
  SmallVector<OpFoldResult> bounds = {threads};
  auto op = scf::ForallOp::create(b, loc, bounds, inits(), std::nullopt);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(op.getTerminator());
  FailureOr<Region> region =
      body(op.getInductionVar(0), threads, op.getRegionIterArgs());
  if (failed(region))
    return failure();
  for (auto [result, destination] :
       llvm::zip_equal(region->results, op.getRegionIterArgs())) {
    b.setInsertionPoint(op.getTerminator());
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(b, loc, destination);
    SmallVector<OpFoldResult> offsets(sizes.size(), b.getIndexAttr(0));
    SmallVector<OpFoldResult> strides(sizes.size(), b.getIndexAttr(1));
    llvm::copy(region->offsets, offsets.begin());
    llvm::copy(region->sizes, sizes.begin());
    if (region->columns) {
      AffineExpr own = b.getAffineSymbolExpr(0).floorDiv(
          region->columns / columnsOf(destination));
      for (OpFoldResult &value : {std::ref(offsets[1]), std::ref(sizes[1])})
        value = affine::makeComposedFoldedAffineApply(b, loc, own, {value});
    }
    Value mine =
        tensor::ExtractSliceOp::create(b, loc, result, offsets, sizes, strides);
    b.setInsertionPointToEnd(op.getTerminator().getBody());
    tensor::ParallelInsertSliceOp::create(b, loc, mine, destination, offsets,
                                          sizes, strides);
  }
  if (root->getNumResults())
    b.replaceOp(root, op.getResults());
  else
    b.eraseOp(root);
  return success();
}

FailureOr<Nest::Carried>
Nest::loop(Part range, int64_t step, ValueRange carried,
           function_ref<FailureOr<Carried>(Value, ValueRange)> body) {
  auto op =
      scf::ForOp::create(b, loc, range.begin, range.end, index(step), carried);
  OpBuilder::InsertionGuard guard(b);
  if (carried.empty()) {
    b.setInsertionPoint(op.getBody()->getTerminator());
    if (failed(body(op.getInductionVar(), {})))
      return failure();
    return Carried();
  }
  b.setInsertionPointToEnd(op.getBody());
  FailureOr<Carried> results =
      body(op.getInductionVar(), op.getRegionIterArgs());
  if (failed(results))
    return failure();
  scf::YieldOp::create(b, loc, *results);
  return Carried(op.getResults());
}

FailureOr<Nest::Carried> Nest::tile(ArrayRef<OpFoldResult> offsets,
                                    ArrayRef<OpFoldResult> sizes,
                                    ValueRange carried, Panels panels) {
  // The root with the carried tensors as destinations is what is tiled.
  Operation *stand = b.clone(*root);
  SmallVector<Value> old = inits();
  if (auto dps = dyn_cast<DestinationStyleOpInterface>(stand))
    for (auto [init, value] :
         llvm::zip_equal(dps.getDpsInitsMutable(), carried))
      init.set(value);
  FailureOr<TilingResult> tiled =
      cast<TilingInterface>(stand).getTiledImplementation(b, offsets, sizes);
  if (failed(tiled))
    return root->emitOpError("can't be tiled");
  Operation *op = tiled->tiledOps.front();
  Carried results;
  if (auto dps = dyn_cast<DestinationStyleOpInterface>(op))
    for (auto [init, result, destination] :
         llvm::zip_equal(dps.getDpsInitsMutable(), op->getResults(), carried)) {
      auto slice = init.get().getDefiningOp<tensor::ExtractSliceOp>();
      if (!slice)
        return root->emitOpError("expects sliced destinations");
      results.push_back(tensor::InsertSliceOp::create(
          b, loc, result, destination, slice.getMixedOffsets(),
          slice.getMixedSizes(), slice.getMixedStrides()));
    }
  b.eraseOp(stand);
  if (failed(fuseProducers(op, carried, panels)))
    return failure();
  return results;
}

LogicalResult Nest::fuseProduct(tensor::ExtractSliceOp slice,
                                kernel::MatmulOp product, Panels panels,
                                SmallVectorImpl<Operation *> &worklist) {
  OpFoldResult row = slice.getMixedOffsets()[0],
               rows = slice.getMixedSizes()[0];
  FailureOr<TilingResult> tiled =
      product.getTiledImplementation(b, {row, OpFoldResult(panels.first)},
                                     {rows, b.getIndexAttr(panels.count)});
  if (failed(tiled))
    return failure();
  // The tile is whole panels wide; of the last one, less may be read.
  auto op = cast<kernel::MatmulOp>(tiled->tiledOps.front());
  b.setInsertionPoint(op);
  int64_t width = panels.count * product.getPanelRows();
  SmallVector<OpFoldResult> zeros(2, b.getIndexAttr(0)),
      ones(2, b.getIndexAttr(1));
  Value room = tensor::EmptyOp::create(
      b, loc, ArrayRef<OpFoldResult>{rows, b.getIndexAttr(width)},
      b.getF32Type());
  auto whole = kernel::MatmulOp::create(
      b, product.getLoc(), room.getType(), op.getA(), op.getW(), room,
      op.getScales(), op.getSums(), op.getFormatAttr(), op.getActivationAttr());
  Value part =
      tensor::ExtractSliceOp::create(b, loc, slice.getType(), whole.getResult(),
                                     zeros, slice.getMixedSizes(), ones);
  b.eraseOp(op);
  b.replaceOp(slice, part);
  worklist.push_back(whole);
  return success();
}

/// Replaces slices of what members compute by the members' tiles, slices of
/// new tensors by smaller new tensors, and slices of the destinations' old
/// values by slices of the carried tensors (tiles are disjoint, so the old
/// value of a tile is still there). A tile that several ops read is computed
/// once; one that an op writes over is its own.
LogicalResult Nest::fuseProducers(Operation *tiled, ValueRange carried,
                                  Panels panels) {
  SmallVector<Operation *> worklist = {tiled};
  SmallVector<Value> old = inits();
  SmallVector<FusedTile> fused;
  while (!worklist.empty()) {
    Operation *op = worklist.pop_back_val();
    for (OpOperand &operand : op->getOpOperands()) {
      auto slice = operand.get().getDefiningOp<tensor::ExtractSliceOp>();
      if (!slice)
        continue;
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPoint(slice);
      Value source = slice.getSource();
      if (auto *found = llvm::find(old, source);
          found != old.end() && !source.getDefiningOp<tensor::EmptyOp>()) {
        slice.getSourceMutable().assign(carried[found - old.begin()]);
        continue;
      }
      if (auto empty = source.getDefiningOp<tensor::EmptyOp>()) {
        b.replaceOpWithNewOp<tensor::EmptyOp>(slice, slice.getMixedSizes(),
                                              empty.getType().getElementType());
        continue;
      }
      if (auto product = source.getDefiningOp<kernel::MatmulOp>();
          product && members.contains(product)) {
        if (!panels.first)
          return root->emitOpError("expects to be tiled by panels");
        if (failed(fuseProduct(slice, product, panels, worklist)))
          return failure();
        continue;
      }
      Operation *producer = source.getDefiningOp();
      if (!producer || !members.contains(producer))
        continue;
      auto dps = dyn_cast<DestinationStyleOpInterface>(op);
      bool isRead = !dps || !dps.isDpsInit(&operand);
      auto *same = llvm::find_if(
          fused, [&](const FusedTile &tile) { return tile.is(slice); });
      if (isRead && same != fused.end()) {
        b.replaceOp(slice, same->value);
        continue;
      }
      FusedTile tile{
          source, slice.getMixedOffsets(), slice.getMixedSizes(), {}};
      FailureOr<TilingResult> value =
          cast<TilingInterface>(producer).generateResultTileValue(
              b, cast<OpResult>(source).getResultNumber(),
              slice.getMixedOffsets(), slice.getMixedSizes());
      if (failed(value))
        return producer->emitOpError("can't be fused");
      tile.value = value->tiledValues.front();
      b.replaceOp(slice, tile.value);
      llvm::append_range(worklist, value->tiledOps);
      if (isRead)
        fused.push_back(tile);
    }
  }
  return success();
}

/// Panels of a tile of a product: a power of two.
static int64_t countPanels(kernel::MatmulOp product, const TileSizes &most) {
  auto w = cast<ShapedType>(product.getW().getType());
  int64_t bytes = w.getElementTypeBitWidth() / 8;
  for (int64_t size : w.getShape().drop_front())
    bytes *= size;
  int64_t wide = most.panels * FormatRecord::panelRows / product.getPanelRows();
  int64_t fitting = std::min(wide, most.bytes / bytes);
  return llvm::bit_floor<uint64_t>(std::max<int64_t>(fitting, 1));
}

Nest::Grid Nest::makeGrid(Value thread, Value threads, Value across) {
  return {arith::RemUIOp::create(b, loc, thread, across), across,
          arith::DivUIOp::create(b, loc, thread, across),
          arith::DivUIOp::create(b, loc, threads, across)};
}

Value Nest::shareRows(Value threads, Value rows) {
  Value least = arith::MulIOp::create(b, loc, threads, index(kRowsOfThread));
  Value isMany =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::uge, rows, least);
  return arith::SelectOp::create(b, loc, isMany, index(1), threads);
}

LogicalResult Nest::buildPanels() {
  auto quantize = dyn_cast<kernel::QuantizeOp>(root);
  kernel::MatmulOp product =
      findProduct(quantize ? findActivation(quantize) : root);
  int64_t columns = columnsOf(root->getResult(0));
  int64_t width = product.getPanelRows();
  // Panels that go together, and columns of a step of the root's loop.
  int64_t group = quantize ? quantize.getActivation().getRecord().group : 0;
  int64_t least = quantize ? group / width : 1;
  int64_t step = quantize ? group : product == root ? width : 1;
  int64_t wide = std::max(countPanels(product, most), least);
  int64_t high = most.rowsOf(product);
  Value rows = getValueOrCreateConstantIndexOp(
      b, loc, tensor::getMixedSize(b, loc, inits()[0], 0));
  Value parts = index(llvm::divideCeil(columns, width * least));
  AffineExpr s0 = b.getAffineSymbolExpr(0), s1 = b.getAffineSymbolExpr(1);
  // `count` panels at a time.
  auto walk = [&](Part range, Part ownRows, int64_t count, ValueRange carried) {
    return loop(range, count, carried, [&](Value panel, ValueRange outer) {
      Value column = apply((s0 * width).floorDiv(step), {panel});
      // Only the last panel, which is alone, may end within the columns.
      OpFoldResult breadth = b.getIndexAttr(count * width / step);
      if (step == 1 && count == 1)
        breadth = tileSize(column, index(columns), width);
      return loop(ownRows, high, outer, [&](Value row, ValueRange inner) {
        OpFoldResult height = tileSize(row, ownRows.end, high);
        return tile({row, column}, {height, breadth}, inner, {panel, count});
      });
    });
  };
  return forall([&](Value thread, Value threads,
                    ValueRange carried) -> FailureOr<Region> {
    Grid grid = makeGrid(thread, threads, shareRows(threads, rows));
    Part ownRows = part(grid.line, grid.down, rows);
    Part own = part(grid.column, grid.across, parts);
    if (least > 1)
      own = {apply(s0 * least, {own.begin}), apply(s0 * least, {own.end})};
    FailureOr<Carried> results = Carried(carried);
    Part rest = own;
    if (wide > least) {
      Value whole =
          arith::MinUIOp::create(b, loc, own.end, index(columns / width));
      rest.begin =
          apply(s0 + (s1 - s0).floorDiv(wide) * wide, {own.begin, whole});
      results = walk({own.begin, rest.begin}, ownRows, wide, *results);
    }
    if (succeeded(results))
      results = walk(rest, ownRows, least, *results);
    if (failed(results))
      return failure();
    Value begin = apply(s0 * width, {own.begin});
    OpFoldResult count;
    if (columns % width == 0) {
      count = apply((s1 - s0) * width, {own.begin, own.end});
    } else {
      auto map = AffineMap::get(
          0, 2, {(s1 - s0) * width, -s0 * width + columns}, b.getContext());
      count = affine::makeComposedFoldedAffineMin(b, loc, map,
                                                  {own.begin, own.end});
    }
    Value height = apply(s1 - s0, {ownRows.begin, ownRows.end});
    return Region{{OpFoldResult(ownRows.begin), begin},
                  {OpFoldResult(height), count},
                  *results,
                  quantize ? columns : 0};
  });
}

LogicalResult Nest::buildRows() {
  auto tilable = cast<TilingInterface>(root);
  SmallVector<Range> domain = tilable.getIterationDomain(b);
  Value extent = getValueOrCreateConstantIndexOp(b, loc, domain[0].size);
  bool rowByRow = members.size() > 1;
  AffineExpr s0 = b.getAffineSymbolExpr(0), s1 = b.getAffineSymbolExpr(1);
  return forall([&](Value thread, Value threads,
                    ValueRange carried) -> FailureOr<Region> {
    Part own = part(thread, threads, extent);
    SmallVector<OpFoldResult> offsets, sizes;
    for (const Range &range : domain) {
      offsets.push_back(range.offset);
      sizes.push_back(range.size);
    }
    Value count = apply(s1 - s0, {own.begin, own.end});
    FailureOr<Carried> results = failure();
    if (rowByRow) {
      sizes[0] = b.getIndexAttr(1);
      results = loop(own, 1, carried, [&](Value row, ValueRange inner) {
        offsets[0] = row;
        return tile(offsets, sizes, inner);
      });
    } else {
      offsets[0] = own.begin;
      sizes[0] = count;
      results = tile(offsets, sizes, carried);
    }
    if (failed(results))
      return failure();
    return Region{{own.begin}, {count}, *results};
  });
}

LogicalResult Nest::buildHeads() {
  SmallVector<Range> domain = cast<TilingInterface>(root).getIterationDomain(b);
  Value rows = getValueOrCreateConstantIndexOp(b, loc, domain[0].size);
  Value heads = getValueOrCreateConstantIndexOp(b, loc, domain[1].size);
  // Of a step's two ways, the one that isn't taken has no rows.
  auto attention = dyn_cast<kernel::CachedAttentionOp>(root);
  auto merge = dyn_cast<kernel::MergeSpansOp>(root);
  if (merge)
    rows = arith::SelectOp::create(b, loc, isSplit(rows, merge.getHeads()),
                                   rows, index(0));
  else if (attention && attention.getSpanned())
    rows = arith::SelectOp::create(
        b, loc, isSplit(rows, attention.getKPool().getType().getDimSize(2)),
        index(0), rows);
  return forall([&](Value thread, Value threads,
                    ValueRange carried) -> FailureOr<Region> {
    // As many columns as there are heads, at most. Of causal rows, later ones
    // see more: all threads share them.
    Value most =
        isa<kernel::AttentionOp>(root) ? shareRows(threads, rows) : threads;
    Grid grid =
        makeGrid(thread, threads, arith::MinUIOp::create(b, loc, most, heads));
    Part ownHeads = part(grid.column, grid.across, heads);
    Part ownRows = part(grid.line, grid.down, rows);
    // Threads beyond the grid own nothing.
    ownRows.begin = arith::MinUIOp::create(b, loc, ownRows.begin, rows);
    ownRows.end = arith::MinUIOp::create(b, loc, ownRows.end, rows);
    AffineExpr s0 = b.getAffineSymbolExpr(0), s1 = b.getAffineSymbolExpr(1);
    Value rowCount = apply(s1 - s0, {ownRows.begin, ownRows.end});
    Value headCount = apply(s1 - s0, {ownHeads.begin, ownHeads.end});
    FailureOr<Carried> results =
        tile({ownRows.begin, ownHeads.begin}, {rowCount, headCount}, carried);
    if (failed(results))
      return failure();
    auto insertion = results->front().getDefiningOp<tensor::InsertSliceOp>();
    return Region{insertion.getMixedOffsets(), insertion.getMixedSizes(),
                  *results};
  });
}

Value Nest::isSplit(Value rows, int64_t heads) {
  Value threads = kernel::NumThreadsOp::create(b, loc);
  Value rest = arith::RemUIOp::create(b, loc, index(heads), threads);
  Value isUneven =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, rest, index(0));
  Value isFew = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ule, rows,
                                      index(kernel::AttendSpansOp::maxRows));
  return arith::AndIOp::create(b, loc, isUneven, isFew);
}

/// The thread's spans of all rows, if the step is split.
LogicalResult Nest::buildSpans() {
  auto spans = cast<kernel::AttendSpansOp>(root);
  OpFoldResult size = tensor::getMixedSize(b, loc, spans.getQ(), 0);
  Value rows = getValueOrCreateConstantIndexOp(b, loc, size);
  int64_t heads = spans.getKPool().getType().getDimSize(2);
  Value count =
      arith::SelectOp::create(b, loc, isSplit(rows, heads), rows, index(0));
  return forall([&](Value thread, Value threads, ValueRange) {
    auto own = cast<kernel::AttendSpansOp>(b.clone(*root));
    auto cut = [&](OpOperand &operand) {
      SmallVector<OpFoldResult> sizes =
          tensor::getMixedSizes(b, loc, operand.get());
      SmallVector<OpFoldResult> offsets(sizes.size(), b.getIndexAttr(0));
      SmallVector<OpFoldResult> strides(sizes.size(), b.getIndexAttr(1));
      sizes[0] = count;
      b.setInsertionPoint(own);
      operand.set(tensor::ExtractSliceOp::create(b, loc, operand.get(), offsets,
                                                 sizes, strides));
    };
    for (OpOperand *operand : {&own.getQMutable(), &own.getSlotsMutable(),
                               &own.getPositionsMutable()})
      cut(*operand);
    own.getThreadMutable().assign(thread);
    own.getThreadsMutable().assign(threads);
    return FailureOr<Region>(Region());
  });
}

LogicalResult Nest::build() {
  collectMembers();
  b.setInsertionPoint(root);
  if (isa<kernel::AttendSpansOp>(root))
    return buildSpans();
  if (isPanels(root))
    return buildPanels();
  if (isa<kernel::CachedAttentionOp, kernel::AttentionOp, kernel::MergeSpansOp>(
          root))
    return buildHeads();
  return buildRows();
}

struct TileAndFuse : smelt::impl::TileAndFuseBase<TileAndFuse> {
  using TileAndFuseBase::TileAndFuseBase;

  void runOnOperation() override {
    TileSizes sizes = {rowTile, panelTile, panelTileBytes, nullptr};
    if (rowTile == 0 || panelTile == 0) {
      sizes.target = getTarget(getOperation());
      if (!sizes.target)
        return signalPassFailure();
    }
    if (panelTile == 0) {
      sizes.panels = sizes.target->panelTile;
      sizes.bytes = sizes.target->panelTileBytes;
    }
    IRRewriter rewriter(&getContext());
    for (Block &block : getOperation().getBody()) {
      Operation *next = nullptr;
      for (Operation *op = block.getTerminator(); op; op = next) {
        next = op->getPrevNode();
        if (isOpTriviallyDead(op)) {
          rewriter.eraseOp(op);
          continue;
        }
        if (!isa<linalg::LinalgOp>(op) &&
            !isa<kernel::KernelDialect>(op->getDialect()))
          continue;
        if (!isa<TilingInterface, kernel::AttendSpansOp>(op))
          continue;
        if (failed(Nest(rewriter, op, sizes).build()))
          return signalPassFailure();
        // What the nest made stands before the old place of the root.
      }
    }
  }
};

} // namespace
