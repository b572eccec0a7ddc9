//===- VectorizeRows.cpp - linalg on memrefs to loops of vectors *- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A row is the last dimension of an op's iteration space. It is cut into
// chunks of `lanes` elements; what is left is one chunk with a mask:
//
//   |<- lanes ->|<- lanes ->|<- rest ->|
//   |   chunk   |   chunk   | masked chunk: lanes beyond the row neither read
//                                           nor write memory
//
// An operand either moves with the row by one element a step (a vector per
// chunk) or stands still (a scalar, loaded before the row's loop, together with
// all arithmetic that depends on such scalars alone). Anything else makes the
// whole op scalar loops: RowPlan decides, RowEmitter writes.
//
//===----------------------------------------------------------------------===//
#include "smelt/Transforms/Vector/LaneTree.h"
#include "smelt/Transforms/Vector/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/MathExtras.h"

namespace smelt {
#define GEN_PASS_DEF_VECTORIZEROWS
#include "smelt/Transforms/Vector/Passes.h.inc"
} // namespace smelt

using namespace mlir;
using vector::CombiningKind;

namespace {

/// How an operand moves along the row.
enum class Access { Uniform, Contiguous };

/// What has to be known about an op to write it with vectors.
struct RowPlan {
  /// For every operand of the op.
  SmallVector<Access> accesses;
  /// For every output, if the row is reduced; else empty.
  SmallVector<CombiningKind> combiners;

  bool isReduction() const { return !combiners.empty(); }

  /// The plan for `op`, or nothing if it has to become scalar loops.
  static std::optional<RowPlan> get(linalg::GenericOp op);
};

} // namespace

/// True if vectors of `type` lie in memory like arrays of it.
static bool isByteSized(Type type) {
  return type.isIndex() ||
         (type.isIntOrFloat() && type.getIntOrFloatBitWidth() % 8 == 0);
}

static std::optional<Access> getAccess(linalg::GenericOp op,
                                       OpOperand &operand) {
  AffineMap map = op.getMatchingIndexingMap(&operand);
  unsigned row = op.getNumLoops() - 1;
  if (!map.isFunctionOfDim(row))
    return Access::Uniform;
  auto type = dyn_cast<MemRefType>(operand.get().getType());
  if (!type || !isByteSized(type.getElementType()))
    return std::nullopt;
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(type.getStridesAndOffset(strides, offset)) || strides.back() != 1)
    return std::nullopt;
  for (AffineExpr outer : map.getResults().drop_back())
    if (outer.isFunctionOfDim(row))
      return std::nullopt;
  // The last index is the row's own plus something that stands still.
  AffineExpr rest = simplifyAffineExpr(
      map.getResults().back() - getAffineDimExpr(row, op.getContext()),
      map.getNumDims(), map.getNumSymbols());
  if (rest.isFunctionOfDim(row))
    return std::nullopt;
  return Access::Contiguous;
}

/// True if `op`, from the body of a linalg op, may be executed on vectors,
/// ahead of its loop and for lanes that are off.
static bool isLanewise(Operation &op) {
  auto isElement = [](Type type) { return type.isIntOrIndexOrFloat(); };
  if (!llvm::all_of(op.getOperandTypes(), isElement) ||
      !llvm::all_of(op.getResultTypes(), isElement))
    return false;
  if (isa<linalg::IndexOp>(op) || matchPattern(&op, m_Constant()))
    return true;
  return OpTrait::hasElementwiseMappableTraits(&op) && isPure(&op);
}

/// The kind of a reduction's step, if `step` combines `accumulator` with
/// something else.
static std::optional<CombiningKind> getCombiner(Operation *step,
                                                Value accumulator) {
  using Result = std::optional<CombiningKind>;
  return TypeSwitch<Operation *, Result>(step)
      .Case([](arith::AddFOp) { return CombiningKind::ADD; })
      .Case([](arith::AddIOp) { return CombiningKind::ADD; })
      .Case([](arith::MulFOp) { return CombiningKind::MUL; })
      .Case([](arith::MulIOp) { return CombiningKind::MUL; })
      .Case([](arith::MaximumFOp) { return CombiningKind::MAXIMUMF; })
      .Case([](arith::MinimumFOp) { return CombiningKind::MINIMUMF; })
      .Case([](arith::MaxNumFOp) { return CombiningKind::MAXNUMF; })
      .Case([](arith::MinNumFOp) { return CombiningKind::MINNUMF; })
      .Case([](arith::MaxSIOp) { return CombiningKind::MAXSI; })
      .Case([](arith::MinSIOp) { return CombiningKind::MINSI; })
      .Case([](arith::MaxUIOp) { return CombiningKind::MAXUI; })
      .Case([](arith::MinUIOp) { return CombiningKind::MINUI; })
      .Case([](arith::AndIOp) { return CombiningKind::AND; })
      .Case([](arith::OrIOp) { return CombiningKind::OR; })
      .Case([](arith::XOrIOp) { return CombiningKind::XOR; })
      .Case([&](math::FmaOp fma) -> Result {
        if (fma.getC() != accumulator)
          return std::nullopt;
        return CombiningKind::ADD;
      })
      .Default([](Operation *) { return std::nullopt; });
}

/// The combiner of a row's reduction into `output`: the body uses the
/// accumulator once, to combine it with a value, and yields that.
static std::optional<CombiningKind> getCombiner(linalg::GenericOp op,
                                                OpOperand &output) {
  BlockArgument accumulator = op.getMatchingBlockArgument(&output);
  Value result = op.getMatchingYieldValue(&output)->get();
  Operation *step = result.getDefiningOp();
  if (!step || step->getBlock() != op.getBody() || !accumulator.hasOneUse() ||
      !result.hasOneUse() || *accumulator.user_begin() != step)
    return std::nullopt;
  return getCombiner(step, accumulator);
}

std::optional<RowPlan> RowPlan::get(linalg::GenericOp op) {
  if (op.getNumLoops() == 0)
    return std::nullopt;
  RowPlan plan;
  for (OpOperand &operand : op->getOpOperands()) {
    std::optional<Access> access = getAccess(op, operand);
    if (!access)
      return std::nullopt;
    plan.accesses.push_back(*access);
  }
  if (!llvm::all_of(op.getBody()->without_terminator(), isLanewise))
    return std::nullopt;
  bool reduced = linalg::isReductionIterator(op.getIteratorTypesArray().back());
  for (OpOperand &output : op.getDpsInitsMutable()) {
    bool uniform = plan.accesses[output.getOperandNumber()] == Access::Uniform;
    if (uniform != reduced)
      return std::nullopt;
    if (!reduced)
      continue;
    std::optional<CombiningKind> combiner = getCombiner(op, output);
    if (!combiner)
      return std::nullopt;
    plan.combiners.push_back(*combiner);
  }
  return plan;
}

namespace {

/// Part of a row: `lanes` elements from `begin`, those that `mask` has on, or
/// all of them if it is null.
struct Chunk {
  Value begin;
  Value mask;
};

/// Writes one op as loops of vectors.
class RowEmitter {
public:
  RowEmitter(OpBuilder &builder, linalg::GenericOp op, const RowPlan &plan,
             int64_t lanes)
      : builder(builder), loc(op.getLoc()), op(op), plan(plan), lanes(lanes) {}

  void emit();

private:
  void emitRow(OpFoldResult size);
  /// Loads what stands still along the row and computes what follows from it.
  void emitUniform();
  /// Emits `chunk`; `accumulators` and the result are the vectors of a
  /// reduction, one for each output, else empty.
  SmallVector<Value> emitChunk(Chunk chunk, ValueRange accumulators);
  /// Emits the chunks of a row whose length is known, or is not.
  SmallVector<Value> emitStaticRow(int64_t size,
                                   SmallVector<Value> accumulators);
  SmallVector<Value> emitDynamicRow(Value size, ValueRange accumulators);
  /// Emits the whole chunks in [0, end).
  SmallVector<Value> emitChunkLoop(Value end, ValueRange accumulators);
  void combineLanes(ValueRange accumulators);

  VectorType getVectorType(Type element) const {
    return VectorType::get({lanes}, element);
  }
  Value getIndex(int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }
  Value getSplat(TypedAttr value);
  Value getIdentity(OpOperand &output, CombiningKind kind);
  /// The vector for `value` of the body: itself, or a scalar in all lanes.
  Value getVector(Value value, const IRMapping &mapping);
  /// Where `operand` is accessed when the row's index is `row`.
  SmallVector<Value> getIndices(OpOperand &operand, Value row);
  Value loadScalar(OpOperand &operand);
  Value loadVector(OpOperand &operand, Chunk chunk);
  void storeVector(OpOperand &operand, Chunk chunk, Value value);
  Access getAccess(OpOperand &operand) const {
    return plan.accesses[operand.getOperandNumber()];
  }

  OpBuilder &builder;
  Location loc;
  linalg::GenericOp op;
  const RowPlan &plan;
  int64_t lanes;
  /// The loops around the row, outermost first.
  SmallVector<Value> outer;
  /// The body's values that stand still along the row, as scalars.
  IRMapping uniform;
};

} // namespace

void RowEmitter::emit() {
  SmallVector<OpFoldResult> sizes;
  for (Range range :
       cast<linalg::LinalgOp>(op.getOperation()).createLoopRanges(builder, loc))
    sizes.push_back(range.size);
  Value zero = getIndex(0), one = getIndex(1);
  for (OpFoldResult size : ArrayRef(sizes).drop_back()) {
    Value end = getValueOrCreateConstantIndexOp(builder, loc, size);
    auto loop = scf::ForOp::create(builder, loc, zero, end, one);
    outer.push_back(loop.getInductionVar());
    builder.setInsertionPointToStart(loop.getBody());
  }
  emitUniform();
  emitRow(sizes.back());
}

void RowEmitter::emitUniform() {
  for (OpOperand &operand : op->getOpOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(&operand);
    if (getAccess(operand) == Access::Uniform && !argument.use_empty() &&
        !op.isDpsInit(&operand))
      uniform.map(argument, loadScalar(operand));
  }
  Block *body = op.getBody();
  for (Operation &inner : body->without_terminator()) {
    if (auto index = dyn_cast<linalg::IndexOp>(inner)) {
      if (index.getDim() < outer.size())
        uniform.map(index.getResult(), outer[index.getDim()]);
      continue;
    }
    auto standsStill = [&](Value value) {
      return value.getParentBlock() != body || uniform.contains(value);
    };
    if (llvm::all_of(inner.getOperands(), standsStill))
      builder.clone(inner, uniform);
  }
}

void RowEmitter::emitRow(OpFoldResult size) {
  SmallVector<Value> accumulators;
  for (auto [output, kind] : llvm::zip(op.getDpsInitsMutable(), plan.combiners))
    accumulators.push_back(getIdentity(output, kind));
  if (std::optional<int64_t> known = getConstantIntValue(size))
    accumulators = emitStaticRow(*known, accumulators);
  else
    accumulators = emitDynamicRow(cast<Value>(size), accumulators);
  if (plan.isReduction())
    combineLanes(accumulators);
}

SmallVector<Value> RowEmitter::emitStaticRow(int64_t size,
                                             SmallVector<Value> accumulators) {
  int64_t whole = size / lanes * lanes;
  if (whole > lanes)
    accumulators = emitChunkLoop(getIndex(whole), accumulators);
  else if (whole == lanes)
    accumulators = emitChunk({getIndex(0), Value()}, accumulators);
  if (whole == size)
    return accumulators;
  Value mask = vector::ConstantMaskOp::create(
      builder, loc, getVectorType(builder.getI1Type()),
      ArrayRef<int64_t>{size - whole});
  return emitChunk({getIndex(whole), mask}, accumulators);
}

SmallVector<Value> RowEmitter::emitDynamicRow(Value size,
                                              ValueRange accumulators) {
  Value rest = arith::RemUIOp::create(builder, loc, size, getIndex(lanes));
  Value whole = arith::SubIOp::create(builder, loc, size, rest);
  SmallVector<Value> sums = emitChunkLoop(whole, accumulators);
  Value isRest = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne,
                                       rest, getIndex(0));
  auto branch = scf::IfOp::create(builder, loc, accumulators.getTypes(), isRest,
                                  /*withElseRegion=*/plan.isReduction());
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  Value mask = vector::CreateMaskOp::create(
      builder, loc, getVectorType(builder.getI1Type()), rest);
  SmallVector<Value> tail = emitChunk({whole, mask}, sums);
  if (!plan.isReduction())
    return {};
  scf::YieldOp::create(builder, loc, tail);
  builder.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(builder, loc, sums);
  return branch.getResults();
}

SmallVector<Value> RowEmitter::emitChunkLoop(Value end,
                                             ValueRange accumulators) {
  auto loop = scf::ForOp::create(builder, loc, getIndex(0), end,
                                 getIndex(lanes), accumulators);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> next =
      emitChunk({loop.getInductionVar(), Value()}, loop.getRegionIterArgs());
  if (plan.isReduction())
    scf::YieldOp::create(builder, loc, next);
  return loop.getResults();
}

SmallVector<Value> RowEmitter::emitChunk(Chunk chunk, ValueRange accumulators) {
  IRMapping mapping = uniform;
  for (OpOperand &operand : op->getOpOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(&operand);
    if (getAccess(operand) == Access::Contiguous && !argument.use_empty())
      mapping.map(argument, loadVector(operand, chunk));
  }
  for (auto [output, accumulator] :
       llvm::zip(op.getDpsInitsMutable(), accumulators))
    mapping.map(op.getMatchingBlockArgument(&output), accumulator);

  for (Operation &inner : op.getBody()->without_terminator()) {
    if (llvm::all_of(inner.getResults(),
                     [&](Value value) { return mapping.contains(value); }))
      continue;
    if (auto index = dyn_cast<linalg::IndexOp>(inner)) {
      VectorType type = getVectorType(builder.getIndexType());
      Value step = vector::StepOp::create(builder, loc, type);
      Value begin =
          vector::BroadcastOp::create(builder, loc, type, chunk.begin);
      mapping.map(index.getResult(),
                  arith::AddIOp::create(builder, loc, step, begin).getResult());
      continue;
    }
    SmallVector<Value> operands;
    for (Value operand : inner.getOperands())
      operands.push_back(getVector(operand, mapping));
    SmallVector<Type> types;
    for (Type type : inner.getResultTypes())
      types.push_back(getVectorType(type));
    Operation *wide = clone(builder, &inner, types, operands);
    mapping.map(inner.getResults(), wide->getResults());
  }

  SmallVector<Value> next;
  for (OpOperand &output : op.getDpsInitsMutable()) {
    Value result = getVector(op.getMatchingYieldValue(&output)->get(), mapping);
    if (!plan.isReduction()) {
      storeVector(output, chunk, result);
      continue;
    }
    if (chunk.mask)
      result = arith::SelectOp::create(builder, loc, chunk.mask, result,
                                       accumulators[next.size()]);
    next.push_back(result);
  }
  return next;
}

void RowEmitter::combineLanes(ValueRange accumulators) {
  for (auto [output, accumulator, kind] :
       llvm::zip(op.getDpsInitsMutable(), accumulators, plan.combiners)) {
    Value row = smelt::emitLaneTree(builder, loc, accumulator, kind);
    Value result =
        vector::makeArithReduction(builder, loc, kind, loadScalar(output), row);
    memref::StoreOp::create(builder, loc, result, output.get(),
                            getIndices(output, getIndex(0)));
  }
}

Value RowEmitter::getSplat(TypedAttr value) {
  return arith::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(getVectorType(value.getType()),
                             cast<Attribute>(value)));
}

Value RowEmitter::getIdentity(OpOperand &output, CombiningKind kind) {
  Type element = getElementTypeOrSelf(output.get().getType());
  return getSplat(smelt::getCombinerIdentity(kind, element));
}

Value RowEmitter::getVector(Value value, const IRMapping &mapping) {
  Value mapped = mapping.lookupOrDefault(value);
  if (isa<VectorType>(mapped.getType()))
    return mapped;
  TypedAttr constant;
  if (matchPattern(mapped, m_Constant(&constant)))
    return getSplat(constant);
  return vector::BroadcastOp::create(builder, loc,
                                     getVectorType(mapped.getType()), mapped);
}

SmallVector<Value> RowEmitter::getIndices(OpOperand &operand, Value row) {
  AffineMap map = op.getMatchingIndexingMap(&operand);
  SmallVector<Value> loops = outer;
  loops.push_back(row);
  SmallVector<Value> indices;
  for (AffineExpr expr : map.getResults()) {
    if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
      indices.push_back(loops[dim.getPosition()]);
      continue;
    }
    indices.push_back(getValueOrCreateConstantIndexOp(
        builder, loc,
        affine::makeComposedFoldedAffineApply(
            builder, loc, AffineMap::get(map.getNumDims(), 0, expr),
            getAsOpFoldResult(loops))));
  }
  return indices;
}

Value RowEmitter::loadScalar(OpOperand &operand) {
  if (!isa<MemRefType>(operand.get().getType()))
    return operand.get();
  // The access doesn't depend on the row's index: any will do.
  return memref::LoadOp::create(builder, loc, operand.get(),
                                getIndices(operand, getIndex(0)));
}

Value RowEmitter::loadVector(OpOperand &operand, Chunk chunk) {
  VectorType type =
      getVectorType(getElementTypeOrSelf(operand.get().getType()));
  SmallVector<Value> indices = getIndices(operand, chunk.begin);
  if (!chunk.mask)
    return vector::LoadOp::create(builder, loc, type, operand.get(), indices);
  Value zero =
      arith::ConstantOp::create(builder, loc, type, builder.getZeroAttr(type));
  return vector::MaskedLoadOp::create(builder, loc, type, operand.get(),
                                      indices, chunk.mask, zero);
}

void RowEmitter::storeVector(OpOperand &operand, Chunk chunk, Value value) {
  SmallVector<Value> indices = getIndices(operand, chunk.begin);
  if (chunk.mask)
    vector::MaskedStoreOp::create(builder, loc, operand.get(), indices,
                                  chunk.mask, value);
  else
    vector::StoreOp::create(builder, loc, value, operand.get(), indices);
}

namespace {

struct VectorizeRows : smelt::impl::VectorizeRowsBase<VectorizeRows> {
  using VectorizeRowsBase::VectorizeRowsBase;

  LogicalResult initialize(MLIRContext *context) override {
    if (lanes > 0 && llvm::isPowerOf2_64(lanes))
      return success();
    return emitError(UnknownLoc::get(context))
           << "smelt-vectorize-rows expects a power of two of lanes, found "
           << lanes;
  }

  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> ops;
    getOperation()->walk([&](linalg::LinalgOp op) {
      if (op.hasPureBufferSemantics())
        ops.push_back(op);
    });
    for (linalg::LinalgOp op : ops)
      if (failed(rewriteOp(op)))
        return signalPassFailure();
  }

private:
  /// Tiling leaves affine.apply on the indices in a body: arithmetic has lanes.
  static void expandIndices(IRRewriter &rewriter, linalg::GenericOp op) {
    OpBuilder::InsertionGuard guard(rewriter);
    for (auto apply : llvm::make_early_inc_range(
             op.getBody()->getOps<affine::AffineApplyOp>())) {
      rewriter.setInsertionPoint(apply);
      std::optional<SmallVector<Value, 8>> values =
          affine::expandAffineMap(rewriter, apply.getLoc(),
                                  apply.getAffineMap(), apply.getMapOperands());
      if (values)
        rewriter.replaceOp(apply, values->front());
    }
  }

  LogicalResult rewriteOp(linalg::LinalgOp op) {
    IRRewriter rewriter(op);
    auto generic = dyn_cast<linalg::GenericOp>(op.getOperation());
    if (!generic) {
      FailureOr<linalg::GenericOp> result =
          linalg::generalizeNamedOp(rewriter, op);
      if (failed(result))
        return op.emitOpError("has no generic form, and loops need one");
      generic = *result;
      rewriter.setInsertionPoint(generic);
    }
    expandIndices(rewriter, generic);
    if (std::optional<RowPlan> plan = RowPlan::get(generic)) {
      RowEmitter(rewriter, generic, *plan, lanes).emit();
    } else {
      ++numScalar;
      auto loops = cast<linalg::LinalgOp>(generic.getOperation());
      if (failed(linalg::linalgOpToLoops(rewriter, loops)))
        return generic.emitOpError("can't become loops");
    }
    rewriter.eraseOp(generic);
    return success();
  }
};

} // namespace
