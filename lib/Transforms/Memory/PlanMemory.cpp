//===- PlanMemory.cpp - Give every buffer its place in the arena -*- C++
//-*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The operations of a function are numbered in program order; a buffer lives
// from its first use to its last, through any view. A use in a loop that
// doesn't allocate the buffer counts for the whole loop, and so does a use in a
// scf.forall for a buffer that the threads share, since they don't proceed in
// step.
//
//     1  forall        a = ...           bytes
//     4  forall        b = f(a)            |  aaaaaaa
//     7  forall        c = g(b)            |  bbbbbbbbbbbb
//                                          |      ccccccc   (where a was)
//                                          +-----------------> time
//
// Largest first, each buffer gets the lowest place where no buffer that lives
// at the same time can touch it, whatever M is.
//
//===----------------------------------------------------------------------===//
#include "Buffers.h"

#include "smelt/Transforms/Memory/Passes.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"

namespace smelt {
#define GEN_PASS_DEF_PLANMEMORY
#include "smelt/Transforms/Memory/Passes.h.inc"
} // namespace smelt

using namespace mlir;
using namespace smelt;

/// The number of tokens for which sizes are compared to choose an order.
static constexpr int64_t kTypicalTokens = 512;

namespace {

/// A buffer, the time that it lives (numbers of operations, inclusive) and its
/// bytes.
struct Buffer {
  memref::AllocOp alloc;
  Linear size = {};
  int64_t first = std::numeric_limits<int64_t>::max();
  int64_t last = -1;
  Linear offset = {};

  bool isUsed() const { return last >= 0; }
  bool livesWith(const Buffer &other) const {
    return first <= other.last && other.first <= last;
  }
  ByteRange range() const { return {offset, offset + size}; }
};

/// The time that an operation takes: its own number to that of its last
/// nested operation.
struct Span {
  int64_t first, last;
};

class FunctionPlan {
public:
  explicit FunctionPlan(func::FuncOp func) : func(func) {}

  /// Finds buffers and when they live.
  LogicalResult analyze();

  /// Places the shared buffers from `base` on and the private ones from 0 on;
  /// returns where the frame and a thread's slice end.
  std::pair<Linear, Linear> place(Linear base);

private:
  void number(Operation *op, int64_t &time);
  LogicalResult checkLoop(scf::ForOp loop);
  void addUse(Buffer &buffer, Operation *user);
  static Linear placeAll(SmallVectorImpl<Buffer *> &buffers, Linear base);

  func::FuncOp func;
  SmallVector<Buffer> buffers;
  DenseMap<Operation *, unsigned> indices;
  DenseMap<Operation *, Span> spans;
};

} // namespace

void FunctionPlan::number(Operation *op, int64_t &time) {
  int64_t first = time++;
  for (Region &region : op->getRegions())
    for (Operation &nested : region.getOps())
      number(&nested, time);
  spans[op] = {first, time - 1};
}

/// A buffer allocated in a loop is one place of the arena; two iterations'
/// instances can't be alive together.
LogicalResult FunctionPlan::checkLoop(scf::ForOp loop) {
  for (Value argument : loop.getRegionIterArgs()) {
    if (!isa<BaseMemRefType>(argument.getType()))
      continue;
    for (Value root : findBuffers(argument)) {
      Operation *alloc = root.getDefiningOp();
      if (!alloc || !loop->isProperAncestor(alloc))
        continue;
      InFlightDiagnostic error = alloc->emitOpError(
          "outlives the iteration of the loop that allocates it; allocate it "
          "before the loop");
      error.attachNote(loop.getLoc()) << "the loop is here";
      return error;
    }
  }
  return success();
}

void FunctionPlan::addUse(Buffer &buffer, Operation *user) {
  Span span = spans[user];
  for (Operation *op = user; !op->isProperAncestor(buffer.alloc);
       op = op->getParentOp())
    if (isa<LoopLikeOpInterface>(op))
      span = spans[op];
  buffer.first = std::min(buffer.first, span.first);
  buffer.last = std::max(buffer.last, span.last);
}

LogicalResult FunctionPlan::analyze() {
  int64_t time = 0;
  number(func, time);
  WalkResult result = func.walk([&](Operation *op) {
    if (auto alloc = dyn_cast<memref::AllocOp>(op)) {
      FailureOr<Linear> size = getBufferSize(alloc);
      if (failed(size))
        return WalkResult::interrupt();
      indices[alloc] = buffers.size();
      buffers.push_back({alloc, *size});
    }
    if (auto loop = dyn_cast<scf::ForOp>(op); loop && failed(checkLoop(loop)))
      return WalkResult::interrupt();
    return WalkResult::advance();
  });
  if (result.wasInterrupted())
    return failure();

  SmallVector<Operation *> deallocations;
  DenseMap<Value, llvm::SetVector<Value>> roots;
  func.walk([&](Operation *op) {
    if (isa<memref::DeallocOp>(op)) {
      deallocations.push_back(op);
      return;
    }
    for (Value operand : op->getOperands()) {
      if (!isa<BaseMemRefType>(operand.getType()))
        continue;
      auto [it, isNew] = roots.try_emplace(operand);
      if (isNew)
        it->second = findBuffers(operand);
      for (Value root : it->second)
        if (Operation *alloc = root.getDefiningOp())
          if (auto index = indices.find(alloc); index != indices.end())
            addUse(buffers[index->second], op);
    }
  });
  for (Operation *op : deallocations)
    op->erase();
  return success();
}

/// Places buffers in one space that begins at `base`; returns its end.
Linear FunctionPlan::placeAll(SmallVectorImpl<Buffer *> &toPlace, Linear base) {
  // Equal sizes stay in program order, that of `buffers`.
  llvm::sort(toPlace, [](const Buffer *a, const Buffer *b) {
    int64_t sizeA = a->size.at(kTypicalTokens);
    int64_t sizeB = b->size.at(kTypicalTokens);
    return sizeA != sizeB ? sizeA > sizeB : a < b;
  });
  Linear end = base;
  SmallVector<Buffer *> placed;
  for (Buffer *buffer : toPlace) {
    // Candidates: the base, the ends of those in the way, and beyond all.
    SmallVector<Buffer *> others;
    SmallVector<Linear> candidates{base};
    Linear beyond = base;
    for (Buffer *other : placed) {
      if (!buffer->livesWith(*other))
        continue;
      others.push_back(other);
      candidates.push_back(other->range().end);
      beyond = join(beyond, other->range().end);
    }
    candidates.push_back(beyond);
    llvm::sort(candidates, [](const Linear &a, const Linear &b) {
      return std::pair(a.at(kTypicalTokens), a.constant) <
             std::pair(b.at(kTypicalTokens), b.constant);
    });
    buffer->offset = *llvm::find_if(candidates, [&](const Linear &candidate) {
      ByteRange range{candidate, candidate + buffer->size};
      return llvm::none_of(others, [&](const Buffer *other) {
        return range.mayOverlap(other->range());
      });
    });
    placed.push_back(buffer);
    end = join(end, buffer->range().end);
  }
  return end;
}

std::pair<Linear, Linear> FunctionPlan::place(Linear base) {
  SmallVector<Buffer *> shared, priv;
  for (Buffer &buffer : buffers) {
    if (!buffer.isUsed())
      buffer.alloc.erase();
    else
      (isPrivate(buffer.alloc) ? priv : shared).push_back(&buffer);
  }
  Linear end = placeAll(shared, base);
  Linear privateEnd = placeAll(priv, Linear());
  Builder builder(func.getContext());
  for (Buffer *buffer : llvm::concat<Buffer *>(shared, priv))
    buffer->alloc->setAttr(
        kOffsetAttr, builder.getDenseI64ArrayAttr(
                         {buffer->offset.perToken, buffer->offset.constant}));
  for (Buffer *buffer : priv)
    buffer->alloc->setAttr(kPrivateAttr, builder.getUnitAttr());
  return {end, privateEnd};
}

namespace {

struct PlanMemory : smelt::impl::PlanMemoryBase<PlanMemory> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<SmallVector<func::FuncOp>> order = sortCallersFirst(module);
    if (failed(order))
      return signalPassFailure();
    DenseMap<Operation *, Linear> bases;
    Linear shared, priv;
    for (func::FuncOp func : *order) {
      FunctionPlan plan(func);
      if (failed(plan.analyze()))
        return signalPassFailure();
      auto [end, privateEnd] = plan.place(bases[func]);
      shared = join(shared, end);
      priv = join(priv, privateEnd);
      func.walk([&, end = end](func::CallOp call) {
        FailureOr<func::FuncOp> callee = getCallee(call);
        if (succeeded(callee))
          bases[*callee] = join(bases[*callee], end);
      });
    }
    Builder builder(module.getContext());
    auto entry = [&](StringRef name, int64_t value) {
      return builder.getNamedAttr(name, builder.getI64IntegerAttr(value));
    };
    module->setAttr(
        kMemoryAttr,
        builder.getDictionaryAttr({entry("bytes", shared.constant),
                                   entry("per_token", shared.perToken),
                                   entry("per_thread", priv.constant),
                                   entry("per_token_thread", priv.perToken)}));
  }
};

} // namespace
