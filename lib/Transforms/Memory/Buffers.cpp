//===- Buffers.cpp - Where buffers come from and how large they are -*- C++
//-*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Buffers.h"

#include "smelt/Transforms/Memory/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/DataLayoutInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

/// No size or offset of a plan comes near this many bytes.
static constexpr int64_t kLargest = int64_t(1) << 46;

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

FailureOr<func::FuncOp> smelt::getCallee(func::CallOp call) {
  auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
      call, call.getCalleeAttr());
  if (!callee || callee.isExternal()) {
    call.emitOpError("expects a function with a body, got ")
        << call.getCalleeAttr();
    return failure();
  }
  return callee;
}

namespace {
enum class Visit { Open, Done };
} // namespace

/// Appends `func` after all that it calls.
static LogicalResult visitCallees(func::FuncOp func,
                                  DenseMap<Operation *, Visit> &visits,
                                  SmallVectorImpl<func::FuncOp> &order) {
  visits[func] = Visit::Open;
  WalkResult result = func.walk([&](func::CallOp call) {
    if (call->getParentOfType<scf::ForallOp>()) {
      call.emitOpError("expects to stand outside of scf.forall; all threads "
                       "make a call together");
      return WalkResult::interrupt();
    }
    FailureOr<func::FuncOp> callee = smelt::getCallee(call);
    if (failed(callee))
      return WalkResult::interrupt();
    auto visit = visits.find(*callee);
    if (visit == visits.end())
      return failed(visitCallees(*callee, visits, order))
                 ? WalkResult::interrupt()
                 : WalkResult::advance();
    if (visit->second == Visit::Done)
      return WalkResult::advance();
    call.emitOpError("expects no recursion; a step's memory is planned for "
                     "one instance of each function");
    return WalkResult::interrupt();
  });
  if (result.wasInterrupted())
    return failure();
  visits[func] = Visit::Done;
  order.push_back(func);
  return success();
}

FailureOr<SmallVector<func::FuncOp>> smelt::sortCallersFirst(ModuleOp module) {
  DenseMap<Operation *, Visit> visits;
  SmallVector<func::FuncOp> order;
  for (auto func : module.getOps<func::FuncOp>())
    if (!func.isExternal() && !visits.count(func) &&
        failed(visitCallees(func, visits, order)))
      return failure();
  std::reverse(order.begin(), order.end());
  return order;
}

std::optional<int64_t> smelt::countRuns(Operation *op) {
  int64_t runs = 1;
  Operation *parent = op->getParentOp();
  for (; parent && !isa<func::FuncOp>(parent); parent = parent->getParentOp()) {
    auto loop = dyn_cast<scf::ForOp>(parent);
    if (!loop)
      continue;
    std::optional<APInt> trips = loop.getStaticTripCount();
    if (!trips || llvm::MulOverflow(runs, trips->getSExtValue(), runs))
      return std::nullopt;
  }
  auto func = dyn_cast_or_null<func::FuncOp>(parent);
  if (!func || func.isPublic())
    return runs;
  int64_t calls = 0;
  auto module = func->getParentOfType<ModuleOp>();
  auto uses = SymbolTable::getSymbolUses(func.getSymNameAttr(), module);
  for (SymbolTable::SymbolUse use : *uses) {
    std::optional<int64_t> count = countRuns(use.getUser());
    if (!count || llvm::AddOverflow(calls, *count, calls))
      return std::nullopt;
  }
  if (llvm::MulOverflow(runs, calls, runs))
    return std::nullopt;
  return runs;
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

/// Appends the values that `value` may be a view of, in one step; appends
/// nothing if it is a buffer of its own.
static void findSources(Value value, SmallVectorImpl<Value> &sources) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
    if (!loop || argument.getArgNumber() == 0)
      return;
    unsigned i = argument.getArgNumber() - 1;
    sources.push_back(loop.getInitArgs()[i]);
    sources.push_back(loop.getYieldedValues()[i]);
    return;
  }
  auto result = cast<OpResult>(value);
  unsigned i = result.getResultNumber();
  Operation *op = result.getOwner();
  if (auto loop = dyn_cast<scf::ForOp>(op)) {
    sources.push_back(loop.getInitArgs()[i]);
    sources.push_back(loop.getYieldedValues()[i]);
    return;
  }
  if (isa<scf::IfOp, scf::IndexSwitchOp, scf::ExecuteRegionOp>(op)) {
    for (Region &region : op->getRegions())
      for (Block &block : region)
        if (auto yield = dyn_cast<scf::YieldOp>(block.getTerminator()))
          sources.push_back(yield.getOperand(i));
    return;
  }
  // A call returns anything; the caller sees a value of unknown origin.
  if (isa<CallOpInterface>(op))
    return;
  // Views, casts and selections; whatever else makes a memref of memrefs may
  // return any of them.
  for (Value operand : op->getOperands())
    if (isa<BaseMemRefType>(operand.getType()))
      sources.push_back(operand);
}

llvm::SetVector<Value> smelt::findBuffers(Value memref) {
  llvm::SetVector<Value> buffers;
  DenseSet<Value> seen;
  SmallVector<Value> worklist{memref}, sources;
  while (!worklist.empty()) {
    Value value = worklist.pop_back_val();
    if (!seen.insert(value).second)
      continue;
    sources.clear();
    findSources(value, sources);
    if (sources.empty())
      buffers.insert(value);
    worklist.append(sources.rbegin(), sources.rend());
  }
  return buffers;
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

using smelt::Linear;

static FailureOr<Linear> checked(Linear bound) {
  if (std::abs(bound.perToken) > kLargest ||
      std::abs(bound.constant) > kLargest)
    return failure();
  return bound;
}

static FailureOr<Linear> scaled(FailureOr<Linear> bound, int64_t factor) {
  Linear result;
  if (failed(bound) || factor < 0 ||
      llvm::MulOverflow(bound->perToken, factor, result.perToken) ||
      llvm::MulOverflow(bound->constant, factor, result.constant))
    return failure();
  return checked(result);
}

static FailureOr<Linear> added(FailureOr<Linear> a, FailureOr<Linear> b) {
  if (failed(a) || failed(b))
    return failure();
  return checked(*a + *b);
}

/// A bound of floor(a / divisor) or, with `isCeil`, of ceil(a / divisor).
static FailureOr<Linear> divided(FailureOr<Linear> a, int64_t divisor,
                                 bool isCeil) {
  if (failed(a) || divisor < 1 || a->perToken < 0)
    return failure();
  // The slope may round up; the constant then rounds on its own.
  int64_t constant = isCeil ? a->constant + divisor - 1 : a->constant;
  bool isExact = a->perToken % divisor == 0;
  return Linear{llvm::divideCeilSigned(a->perToken, divisor),
                isExact ? llvm::divideFloorSigned(constant, divisor)
                        : llvm::divideCeilSigned(constant, divisor)};
}

/// The smallest of bounds that all hold: a constant if there is one.
static FailureOr<Linear> smallest(ArrayRef<FailureOr<Linear>> bounds) {
  FailureOr<Linear> best = failure();
  for (FailureOr<Linear> bound : bounds) {
    if (failed(bound))
      continue;
    if (failed(best) || bound->perToken < best->perToken ||
        (bound->perToken == best->perToken && bound->constant < best->constant))
      best = bound;
  }
  return best;
}

/// A bound of an affine expression over operands (dimensions, then symbols).
static FailureOr<Linear> boundExpr(AffineExpr expr, unsigned dims,
                                   ValueRange operands) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return Linear{0, constant.getValue()};
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return smelt::boundLinearly(operands[dim.getPosition()]);
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return smelt::boundLinearly(operands[dims + symbol.getPosition()]);
  auto binary = cast<AffineBinaryOpExpr>(expr);
  auto constant = dyn_cast<AffineConstantExpr>(binary.getRHS());
  if (expr.getKind() == AffineExprKind::Mul && constant) {
    // Taking away a size leaves at most what there was.
    if (constant.getValue() < 0 &&
        isa<AffineDimExpr, AffineSymbolExpr>(binary.getLHS()))
      return Linear{0, 0};
    // Rounding up to a multiple adds at most the multiple less one.
    auto rounded = dyn_cast<AffineBinaryOpExpr>(binary.getLHS());
    if (rounded && rounded.getKind() == AffineExprKind::CeilDiv &&
        rounded.getRHS() == constant)
      return added(boundExpr(rounded.getLHS(), dims, operands),
                   Linear{0, constant.getValue() - 1});
  }
  FailureOr<Linear> lhs = boundExpr(binary.getLHS(), dims, operands);
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return added(lhs, boundExpr(binary.getRHS(), dims, operands));
  case AffineExprKind::Mul:
    return constant ? scaled(lhs, constant.getValue())
                    : FailureOr<Linear>(failure());
  case AffineExprKind::FloorDiv:
  case AffineExprKind::CeilDiv:
    return constant ? divided(lhs, constant.getValue(),
                              expr.getKind() == AffineExprKind::CeilDiv)
                    : FailureOr<Linear>(failure());
  case AffineExprKind::Mod:
    return constant && constant.getValue() > 0
               ? FailureOr<Linear>(Linear{0, constant.getValue() - 1})
               : FailureOr<Linear>(failure());
  default:
    return failure();
  }
}

/// A bound of dimension `dim` of a memref.
static FailureOr<Linear> boundDim(Value memref, int64_t dim) {
  auto type = dyn_cast<MemRefType>(memref.getType());
  if (!type || dim < 0 || dim >= type.getRank())
    return failure();
  if (!type.isDynamicDim(dim))
    return Linear{0, type.getDimSize(dim)};
  if (auto argument = dyn_cast<BlockArgument>(memref)) {
    Operation *parent = argument.getOwner()->getParentOp();
    if (auto func = dyn_cast<func::FuncOp>(parent)) {
      // The block table and the cache are sized by the context.
      auto name = func.getArgAttrOfType<StringAttr>(argument.getArgNumber(),
                                                    "llm.input");
      bool isTokens = !name || (name != "block_table" &&
                                !name.getValue().starts_with("kv."));
      return dim == 0 && isTokens ? FailureOr<Linear>(Linear{1, 0})
                                  : FailureOr<Linear>(failure());
    }
    if (auto loop = dyn_cast<scf::ForOp>(parent);
        loop && argument.getArgNumber() > 0)
      return boundDim(loop.getInitArgs()[argument.getArgNumber() - 1], dim);
    return failure();
  }
  auto dynamicSize = [&](ValueRange sizes) {
    return smelt::boundLinearly(sizes[type.getDynamicDimIndex(dim)]);
  };
  return llvm::TypeSwitch<Operation *, FailureOr<Linear>>(
             memref.getDefiningOp())
      .Case<memref::AllocOp, memref::AllocaOp>(
          [&](auto op) { return dynamicSize(op.getDynamicSizes()); })
      .Case([&](memref::ViewOp op) { return dynamicSize(op.getSizes()); })
      .Case([&](memref::ReinterpretCastOp op) {
        return dynamicSize(op.getSizes());
      })
      .Case([&](memref::CastOp op) {
        return isa<MemRefType>(op.getSource().getType())
                   ? boundDim(op.getSource(), dim)
                   : FailureOr<Linear>(failure());
      })
      .Case([&](memref::SubViewOp op) -> FailureOr<Linear> {
        int64_t kept = dim;
        llvm::SmallBitVector dropped = op.getDroppedDims();
        SmallVector<OpFoldResult> sizes = op.getMixedSizes();
        for (int64_t i = 0, e = sizes.size(); i < e; ++i) {
          if (dropped.test(i) || kept-- > 0)
            continue;
          if (auto size = dyn_cast<Value>(sizes[i]))
            return smelt::boundLinearly(size);
          return Linear{0,
                        cast<IntegerAttr>(cast<Attribute>(sizes[i])).getInt()};
        }
        return failure();
      })
      .Default([](Operation *) { return failure(); });
}

FailureOr<Linear> smelt::boundLinearly(Value index) {
  Operation *op = index.getDefiningOp();
  if (!op)
    return failure();
  return llvm::TypeSwitch<Operation *, FailureOr<Linear>>(op)
      .Case([](arith::ConstantOp op) -> FailureOr<Linear> {
        if (auto value = dyn_cast<IntegerAttr>(op.getValue()))
          return checked({0, value.getInt()});
        return failure();
      })
      .Case([](memref::DimOp op) -> FailureOr<Linear> {
        if (std::optional<int64_t> dim = op.getConstantIndex())
          return boundDim(op.getSource(), *dim);
        return failure();
      })
      .Case([](arith::AddIOp op) {
        return added(boundLinearly(op.getLhs()), boundLinearly(op.getRhs()));
      })
      .Case([](arith::SubIOp op) -> FailureOr<Linear> {
        // What is taken away is at least 0, so only a constant lowers the
        // bound.
        FailureOr<Linear> lhs = boundLinearly(op.getLhs());
        FailureOr<Linear> rhs = boundLinearly(op.getRhs());
        if (succeeded(lhs) && succeeded(rhs) && rhs->perToken == 0 &&
            op.getRhs().getDefiningOp<arith::ConstantOp>())
          return checked({lhs->perToken, lhs->constant - rhs->constant});
        return lhs;
      })
      .Case([](arith::MulIOp op) -> FailureOr<Linear> {
        for (auto [a, b] : {std::pair(op.getLhs(), op.getRhs()),
                            std::pair(op.getRhs(), op.getLhs())}) {
          FailureOr<Linear> factor = boundLinearly(b);
          if (succeeded(factor) && factor->perToken == 0)
            return scaled(boundLinearly(a), factor->constant);
        }
        return failure();
      })
      .Case<arith::MinSIOp, arith::MinUIOp>([](auto op) {
        return smallest(
            {boundLinearly(op.getLhs()), boundLinearly(op.getRhs())});
      })
      .Case<arith::MaxSIOp, arith::MaxUIOp>([](auto op) -> FailureOr<Linear> {
        FailureOr<Linear> a = boundLinearly(op.getLhs());
        FailureOr<Linear> b = boundLinearly(op.getRhs());
        if (failed(a) || failed(b))
          return failure();
        return join(*a, *b);
      })
      .Case<arith::IndexCastOp, arith::IndexCastUIOp>(
          [](auto op) { return boundLinearly(op.getIn()); })
      .Case([](affine::AffineApplyOp op) {
        AffineMap map = op.getAffineMap();
        return boundExpr(map.getResult(0), map.getNumDims(), op.getOperands());
      })
      .Case([](affine::AffineMinOp op) {
        SmallVector<FailureOr<Linear>> bounds;
        for (AffineExpr expr : op.getMap().getResults())
          bounds.push_back(
              boundExpr(expr, op.getMap().getNumDims(), op.getOperands()));
        return smallest(bounds);
      })
      .Default([](Operation *) { return failure(); });
}

static int64_t roundUp(int64_t bytes) {
  return bytes <= 0 ? 0
                    : static_cast<int64_t>(
                          llvm::alignTo(bytes, smelt::kBufferAlignment));
}

FailureOr<Linear> smelt::getBufferSize(memref::AllocOp alloc) {
  MemRefType type = alloc.getType();
  if (!type.getLayout().isIdentity() || type.getMemorySpace()) {
    alloc.emitOpError("expects identity layout in the default memory space, "
                      "got ")
        << type;
    return failure();
  }
  if (alloc.getAlignment().value_or(1) > kBufferAlignment) {
    alloc.emitOpError("expects an alignment of at most ")
        << kBufferAlignment << " bytes, got " << *alloc.getAlignment();
    return failure();
  }
  if (type.getNumDynamicDims() > 1) {
    alloc.emitOpError("expects at most one dynamic dimension, got ") << type;
    return failure();
  }
  int64_t elementBytes = DataLayout::closest(alloc)
                             .getTypeSize(type.getElementType())
                             .getFixedValue();
  FailureOr<Linear> size = Linear{0, elementBytes};
  for (int64_t dim : type.getShape())
    if (!ShapedType::isDynamic(dim))
      size = scaled(size, dim);
  if (succeeded(size) && !alloc.getDynamicSizes().empty())
    size = scaled(boundLinearly(alloc.getDynamicSizes()[0]), size->constant);
  if (failed(size) || size->perToken < 0) {
    alloc.emitOpError("expects a size that is linear in the number of tokens: "
                      "dimension 0 of an argument, plus or times constants, or "
                      "a minimum with a constant");
    return failure();
  }
  return Linear{roundUp(size->perToken), roundUp(size->constant)};
}

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

bool smelt::isPrivate(Operation *alloc) {
  return alloc->getParentOfType<scf::ForallOp>() != nullptr;
}

FailureOr<smelt::ByteRange> smelt::getPlannedRange(memref::AllocOp alloc) {
  auto offset = alloc->getAttrOfType<DenseI64ArrayAttr>(kOffsetAttr);
  if (!offset || offset.size() != 2) {
    alloc.emitOpError("expects a place in the arena (run smelt-plan-memory)");
    return failure();
  }
  FailureOr<Linear> size = getBufferSize(alloc);
  if (failed(size))
    return failure();
  Linear begin{offset[0], offset[1]};
  return ByteRange{begin, begin + *size};
}
