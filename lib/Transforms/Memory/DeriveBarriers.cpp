//===- DeriveBarriers.cpp - Where the threads of a step meet ----*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A walk in program order carries what may have been accessed since the last
// barrier, on any path (`Pending`). An operation that conflicts with it gets a
// barrier before itself, and nothing is pending any more.
//
//                                 pending before     conflict
//     forall  writes x            {}
//     forall  reads x, writes y   {w x}              x: barrier
//     forall  writes z            {r x, w y}
//     forall  writes x            {r x, w y, w z}    x: barrier
//
// A loop's body is walked until nothing changes, each time with what was
// pending at its end before. Threads take the same way through the control flow
// outside of scf.forall, so they all meet at the same barriers.
//
// A function is summarized by the same walk: what it accesses before its first
// barrier, what is pending at its end, and whether a path has no barrier at
// all. Accesses of its arguments become accesses of the buffers passed.
// Arguments that one call may give overlapping buffers are one buffer inside.
//
//===----------------------------------------------------------------------===//
#include "Buffers.h"

#include "smelt/Dialect/Kernel/IR/Kernel.h"
#include "smelt/Transforms/Memory/Passes.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace smelt {
#define GEN_PASS_DEF_DERIVEBARRIERS
#include "smelt/Transforms/Memory/Passes.h.inc"
} // namespace smelt

using namespace mlir;
using namespace smelt;

namespace {

/// Memory that threads share: bytes of the arena, an argument of the function,
/// or anything at all.
struct Place {
  enum Kind { Arena, Argument, Anything } kind;
  ByteRange range = {};    // of Arena
  unsigned argument = 0;   // of Argument: its number
  unsigned aliasClass = 0; // of Argument: the first that it may alias

  bool mayOverlap(const Place &other) const {
    if (kind == Anything || other.kind == Anything)
      return true;
    // An argument lies in a caller's frame or outside of the arena.
    if (kind != other.kind)
      return false;
    return kind == Arena ? range.mayOverlap(other.range)
                         : aliasClass == other.aliasClass;
  }
  bool operator==(const Place &other) const {
    return kind == other.kind && argument == other.argument &&
           range.begin == other.range.begin && range.end == other.range.end;
  }
};

struct Access {
  Place place;
  bool isWrite;

  bool conflictsWith(const Access &other) const {
    return (isWrite || other.isWrite) && place.mayOverlap(other.place);
  }
  bool operator==(const Access &other) const {
    return place == other.place && isWrite == other.isWrite;
  }
};

/// A set of accesses; there are few.
class Accesses {
public:
  /// Returns whether the access is new.
  bool insert(const Access &access) {
    if (llvm::is_contained(accesses, access))
      return false;
    accesses.push_back(access);
    return true;
  }
  bool insert(const Accesses &other) {
    bool isChanged = false;
    for (const Access &access : other)
      isChanged |= insert(access);
    return isChanged;
  }
  bool conflictsWith(const Accesses &other) const {
    return llvm::any_of(accesses, [&](const Access &a) {
      return llvm::any_of(other,
                          [&](const Access &b) { return a.conflictsWith(b); });
    });
  }
  const Access *begin() const { return accesses.begin(); }
  const Access *end() const { return accesses.end(); }

private:
  SmallVector<Access> accesses;
};

/// What may have happened since the last barrier.
struct Pending {
  Accesses accesses;
  /// Whether there may have been no barrier since the function's entry.
  bool reachesEntry = false;

  bool join(const Pending &other) {
    bool isChanged = accesses.insert(other.accesses) ||
                     (other.reachesEntry && !reachesEntry);
    reachesEntry |= other.reachesEntry;
    return isChanged;
  }
};

struct Summary {
  Accesses head; // before the first barrier
  Pending tail;  // at the end
};

/// For each argument of a function, the first argument that it may alias.
using AliasClasses = SmallVector<unsigned>;

/// Derives the barriers of one function.
class FunctionBarriers {
public:
  FunctionBarriers(func::FuncOp func, ArrayRef<unsigned> classes,
                   const DenseMap<Operation *, Summary> &summaries)
      : func(func), classes(classes), summaries(summaries) {}

  /// Inserts barriers and returns what callers need to know.
  FailureOr<Summary> run();

private:
  LogicalResult collect(Operation *op, Accesses &accesses);
  LogicalResult collectForall(scf::ForallOp forall, Accesses &accesses);
  LogicalResult collectOutside(Operation *op, Accesses &accesses);
  FailureOr<Accesses> mapToCaller(func::CallOp call, const Accesses &inside);

  LogicalResult visit(Block &block, Pending &pending);
  LogicalResult visit(Operation *op, Pending &pending);
  LogicalResult visitLoop(scf::ForOp loop, Pending &pending);
  LogicalResult visitBranches(Operation *op, Pending &pending);
  LogicalResult visitCall(func::CallOp call, Pending &pending);

  /// Meets `accesses` at `op`: with a barrier before it if there must be one.
  void meet(Operation *op, const Accesses &accesses, Pending &pending);

  func::FuncOp func;
  ArrayRef<unsigned> classes;
  const DenseMap<Operation *, Summary> &summaries;
  Accesses head;
  llvm::SetVector<Operation *> barriers; // operations with a barrier before
  DenseMap<Operation *, Accesses> known; // what operations access
};

} // namespace

//===----------------------------------------------------------------------===//
// Accesses of one operation
//===----------------------------------------------------------------------===//

/// Appends the places that `memref`, a view in `func` that `op` uses, may lie
/// in; none for what no other thread writes: private, stack and constant
/// buffers.
static LogicalResult findPlaces(func::FuncOp func, ArrayRef<unsigned> classes,
                                Operation *op, Value memref, bool isWrite,
                                SmallVectorImpl<Place> &places) {
  for (Value buffer : findBuffers(memref)) {
    if (auto argument = dyn_cast<BlockArgument>(buffer)) {
      unsigned i = argument.getArgNumber();
      if (argument.getOwner() == &func.front())
        places.push_back({Place::Argument, {}, i, classes[i]});
      else
        places.push_back({Place::Anything});
      continue;
    }
    Operation *source = buffer.getDefiningOp();
    if (isa<kernel::ParamOp, memref::GetGlobalOp>(source)) {
      if (!isWrite)
        continue;
      InFlightDiagnostic error = op->emitOpError("writes a read-only buffer");
      error.attachNote(source->getLoc()) << "the buffer is here";
      return error;
    }
    if (isa<memref::AllocaOp>(source))
      continue;
    auto alloc = dyn_cast<memref::AllocOp>(source);
    if (!alloc) {
      places.push_back({Place::Anything});
      continue;
    }
    if (isPrivate(alloc))
      continue;
    FailureOr<ByteRange> range = getPlannedRange(alloc);
    if (failed(range))
      return failure();
    places.push_back({Place::Arena, *range});
  }
  return success();
}

/// Adds the effects of `op` itself, without those of operations nested in it.
LogicalResult FunctionBarriers::collect(Operation *op, Accesses &accesses) {
  auto interface = dyn_cast<MemoryEffectOpInterface>(op);
  if (!interface) {
    if (op->hasTrait<OpTrait::HasRecursiveMemoryEffects>() ||
        isa<memref::PrefetchOp>(op))
      return success();
    return op->emitOpError("has unknown effects on memory; barriers can't be "
                           "derived around it");
  }
  SmallVector<MemoryEffects::EffectInstance> effects;
  interface.getEffects(effects);
  for (const MemoryEffects::EffectInstance &effect : effects) {
    bool isWrite = isa<MemoryEffects::Write>(effect.getEffect());
    if (!isWrite && !isa<MemoryEffects::Read>(effect.getEffect()))
      continue;
    SmallVector<Place> places;
    Value value = effect.getValue();
    if (!value)
      places.push_back({Place::Anything});
    else if (isa<BaseMemRefType>(value.getType()) &&
             failed(findPlaces(func, classes, op, value, isWrite, places)))
      return failure();
    for (const Place &place : places)
      accesses.insert({place, isWrite});
  }
  return success();
}

LogicalResult FunctionBarriers::collectForall(scf::ForallOp forall,
                                              Accesses &accesses) {
  WalkResult result = forall.getBody()->walk([&](Operation *op) {
    if (isa<scf::InParallelOp>(op))
      return WalkResult::advance();
    if (isa<kernel::BarrierOp, scf::ForallOp, CallOpInterface>(op)) {
      op->emitOpError("expects to stand outside of scf.forall");
      return WalkResult::interrupt();
    }
    return failed(collect(op, accesses)) ? WalkResult::interrupt()
                                         : WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

LogicalResult FunctionBarriers::collectOutside(Operation *op,
                                               Accesses &accesses) {
  if (failed(collect(op, accesses)))
    return failure();
  for (const Access &access : accesses)
    if (access.isWrite)
      return op->emitOpError("writes memory outside of scf.forall, where every "
                             "thread would; move it into one");
  return success();
}

/// The accesses of a called function in terms of the caller's buffers.
FailureOr<Accesses> FunctionBarriers::mapToCaller(func::CallOp call,
                                                  const Accesses &inside) {
  Accesses accesses;
  for (const Access &access : inside) {
    if (access.place.kind != Place::Argument) {
      accesses.insert(access);
      continue;
    }
    SmallVector<Place> places;
    if (failed(findPlaces(func, classes, call,
                          call.getOperand(access.place.argument),
                          access.isWrite, places)))
      return failure();
    for (const Place &place : places)
      accesses.insert({place, access.isWrite});
  }
  return accesses;
}

//===----------------------------------------------------------------------===//
// The walk
//===----------------------------------------------------------------------===//

void FunctionBarriers::meet(Operation *op, const Accesses &accesses,
                            Pending &pending) {
  if (!barriers.contains(op) && pending.accesses.conflictsWith(accesses))
    barriers.insert(op);
  if (barriers.contains(op))
    pending = Pending();
  if (pending.reachesEntry)
    head.insert(accesses);
}

LogicalResult FunctionBarriers::visit(Block &block, Pending &pending) {
  for (Operation &op : block)
    if (failed(visit(&op, pending)))
      return failure();
  return success();
}

LogicalResult FunctionBarriers::visit(Operation *op, Pending &pending) {
  if (isa<kernel::BarrierOp>(op)) {
    pending = Pending();
    return success();
  }
  if (auto call = dyn_cast<func::CallOp>(op))
    return visitCall(call, pending);
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return visitLoop(loop, pending);
  if (isa<scf::IfOp, scf::IndexSwitchOp>(op))
    return visitBranches(op, pending);
  if (op->getNumRegions() != 0 && !isa<scf::ForallOp>(op) &&
      !isa<MemoryEffectOpInterface>(op))
    return op->emitOpError("expects only scf.forall, scf.for, scf.if and "
                           "scf.index_switch to have regions here");
  auto [it, isNew] = known.try_emplace(op);
  if (isNew) {
    auto forall = dyn_cast<scf::ForallOp>(op);
    if (failed(forall ? collectForall(forall, it->second)
                      : collectOutside(op, it->second)))
      return failure();
  }
  meet(op, it->second, pending);
  pending.accesses.insert(it->second);
  return success();
}

LogicalResult FunctionBarriers::visitCall(func::CallOp call, Pending &pending) {
  FailureOr<func::FuncOp> callee = getCallee(call);
  if (failed(callee))
    return failure();
  const Summary &summary = summaries.at(*callee);
  FailureOr<Accesses> first = mapToCaller(call, summary.head);
  FailureOr<Accesses> last = mapToCaller(call, summary.tail.accesses);
  if (failed(first) || failed(last))
    return failure();
  meet(call, *first, pending);
  if (!summary.tail.reachesEntry)
    pending = Pending();
  pending.accesses.insert(*last);
  return success();
}

LogicalResult FunctionBarriers::visitLoop(scf::ForOp loop, Pending &pending) {
  std::optional<int64_t> lower = getConstantIntValue(loop.getLowerBound());
  std::optional<int64_t> upper = getConstantIntValue(loop.getUpperBound());
  bool runs = lower && upper && *lower < *upper;
  // First as if there were no iteration before, so that barriers go where one
  // iteration needs them; then with what the previous one left. Barriers only
  // become more, so this ends.
  Pending entry = pending, end;
  while (true) {
    size_t before = barriers.size();
    end = entry;
    if (failed(visit(*loop.getBody(), end)))
      return failure();
    if (!entry.join(end) && barriers.size() == before)
      break;
  }
  if (!runs)
    end.join(pending);
  pending = end;
  return success();
}

LogicalResult FunctionBarriers::visitBranches(Operation *op, Pending &pending) {
  Pending merged;
  for (Region &region : op->getRegions()) {
    Pending branch = pending; // an empty region is a way around the others
    if (!region.empty() && failed(visit(region.front(), branch)))
      return failure();
    merged.join(branch);
  }
  pending = merged;
  return success();
}

FailureOr<Summary> FunctionBarriers::run() {
  if (!func.getBody().hasOneBlock())
    return func.emitOpError("expects one block; branches are scf.if");
  Pending pending;
  pending.reachesEntry = true;
  if (failed(visit(func.front(), pending)))
    return failure();
  for (Operation *op : barriers) {
    OpBuilder builder(op);
    kernel::BarrierOp::create(builder, op->getLoc());
  }
  return Summary{head, pending};
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// Joins the classes of arguments that `call` may give overlapping buffers.
static LogicalResult joinAliases(func::FuncOp caller,
                                 ArrayRef<unsigned> callerClasses,
                                 func::CallOp call, AliasClasses &classes) {
  SmallVector<SmallVector<Place>> places(call.getNumOperands());
  for (auto [i, operand] : llvm::enumerate(call.getOperands())) {
    if (isa<BaseMemRefType>(operand.getType()) &&
        failed(findPlaces(caller, callerClasses, call, operand,
                          /*isWrite=*/false, places[i])))
      return failure();
    for (unsigned j = 0; j < i; ++j) {
      bool mayAlias = llvm::any_of(places[i], [&](const Place &a) {
        return llvm::any_of(places[j],
                            [&](const Place &b) { return a.mayOverlap(b); });
      });
      if (mayAlias && classes[i] != classes[j]) {
        unsigned first = std::min(classes[i], classes[j]);
        unsigned second = std::max(classes[i], classes[j]);
        llvm::replace(classes, second, first);
      }
    }
  }
  return success();
}

/// Records how many barriers a step meets, where that is known.
static void recordBarriers(ModuleOp module) {
  int64_t barriers = 0;
  WalkResult result = module.walk([&](kernel::BarrierOp op) {
    std::optional<int64_t> runs = countRuns(op);
    barriers += runs.value_or(0);
    return runs ? WalkResult::advance() : WalkResult::interrupt();
  });
  if (!result.wasInterrupted())
    module->setAttr(kBarriersAttr,
                    Builder(module.getContext()).getI64IntegerAttr(barriers));
}

namespace {

struct DeriveBarriers : smelt::impl::DeriveBarriersBase<DeriveBarriers> {
  void runOnOperation() override {
    FailureOr<SmallVector<func::FuncOp>> order =
        sortCallersFirst(getOperation());
    if (failed(order))
      return signalPassFailure();

    DenseMap<Operation *, AliasClasses> classes;
    for (func::FuncOp func : *order)
      classes[func] =
          llvm::to_vector(llvm::seq<unsigned>(0, func.getNumArguments()));
    for (func::FuncOp func : *order) {
      WalkResult result = func.walk([&](func::CallOp call) {
        FailureOr<func::FuncOp> callee = getCallee(call);
        return failed(callee) || failed(joinAliases(func, classes[func], call,
                                                    classes[*callee]))
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      });
      if (result.wasInterrupted())
        return signalPassFailure();
    }

    DenseMap<Operation *, Summary> summaries;
    for (func::FuncOp func : llvm::reverse(*order)) {
      FailureOr<Summary> summary =
          FunctionBarriers(func, classes[func], summaries).run();
      if (failed(summary))
        return signalPassFailure();
      summaries.try_emplace(func, std::move(*summary));
    }
    if (getOperation().lookupSymbol<func::FuncOp>("step"))
      recordBarriers(getOperation());
  }
};

} // namespace
