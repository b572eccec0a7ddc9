//===- Profile.cpp - A step that writes down when it did what ---*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a thread does is a sequence of forall bodies and barriers, the same for
// all threads. Each gets an entry in a table and two looks at the clock around
// it. A step leaves, for each thread, one record for each run of an entry:
//
//     thread 0   | embed || wait | norm1   || wait | qkv |
//     thread 1   | embed ||     wait | norm1 || wait | qkv |
//
//===----------------------------------------------------------------------===//
#include "Buffers.h"
#include "StepCosts.h"

#include "smelt/Dialect/Kernel/IR/Kernel.h"
#include "smelt/Transforms/Memory/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace smelt {
#define GEN_PASS_DEF_PROFILE
#include "smelt/Transforms/Memory/Passes.h.inc"
} // namespace smelt

using namespace mlir;
using namespace smelt;

namespace {

/// A line of the table.
struct Entry {
  Operation *op; // scf.forall or kernel.barrier
  std::string name;
  StringRef kind;
  int64_t runs;
  SmallVector<StringRef> fused; // names of further ops in a forall
};

struct Profile : smelt::impl::ProfileBase<Profile> {
  void runOnOperation() override;

private:
  LogicalResult collect(ModuleOp module);
  void nameForalls();
  void nameBarriers();
  void instrument(const Entry &entry, int64_t number);
  Attribute toAttribute(const Entry &entry);

  SmallVector<Entry> entries;
};

} // namespace

/// The names that smelt-name-ops gave to what has become `loc`.
static void findNames(Location loc, llvm::SetVector<StringRef> &names) {
  loc->walk([&](Location part) {
    if (auto name = dyn_cast<NameLoc>(part))
      names.insert(name.getName().getValue());
    return WalkResult::advance();
  });
}

/// Whether `op` is a kernel op that computes.
static bool isKernel(Operation *op) {
  return isa<kernel::KernelDialect>(op->getDialect()) &&
         !isa<kernel::ParamOp, kernel::NumThreadsOp>(op);
}

/// What a forall is there for: a matrix product, else the last kernel op, else
/// the first that isn't a fill, which may be shared.
static Operation *findRoot(scf::ForallOp forall) {
  Operation *product = nullptr, *kernelOp = nullptr, *generic = nullptr;
  forall.getBody()->walk([&](Operation *op) {
    if (isa<kernel::MatmulOp>(op) && !product)
      product = op;
    if (isKernel(op))
      kernelOp = op;
    if (isa<linalg::GenericOp>(op) && !generic)
      generic = op;
  });
  return product    ? product
         : kernelOp ? kernelOp
         : generic  ? generic
                    : forall.getOperation();
}

/// The forall that threads enter next from `op` on, or null.
static scf::ForallOp findNextForall(Operation *op) {
  for (; op; op = op->getNextNode()) {
    if (auto forall = dyn_cast<scf::ForallOp>(op))
      return forall;
    if (auto call = dyn_cast<func::CallOp>(op)) {
      FailureOr<func::FuncOp> callee = getCallee(call);
      if (succeeded(callee))
        if (auto forall = findNextForall(&callee->front().front()))
          return forall;
    }
    for (Region &region : op->getRegions())
      for (Block &block : region)
        if (!block.empty())
          if (auto forall = findNextForall(&block.front()))
            return forall;
  }
  return {};
}

LogicalResult Profile::collect(ModuleOp module) {
  FailureOr<SmallVector<func::FuncOp>> order = sortCallersFirst(module);
  if (failed(order))
    return failure();
  for (func::FuncOp func : *order) {
    WalkResult result = func.walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (!isa<scf::ForallOp, kernel::BarrierOp>(op))
        return WalkResult::advance();
      std::optional<int64_t> runs = countRuns(op);
      if (!runs) {
        op->emitOpError("expects loops of constant bounds around it, so that "
                        "a profile has room for its records");
        return WalkResult::interrupt();
      }
      StringRef kind = "barrier";
      if (auto forall = dyn_cast<scf::ForallOp>(op)) {
        Operation *root = findRoot(forall);
        kind = isKernel(root) ? root->getName().stripDialect() : "elementwise";
      }
      entries.push_back({op, "", kind, *runs, {}});
      return WalkResult::skip();
    });
    if (result.wasInterrupted())
      return failure();
  }
  return success();
}

/// A forall is called as its root, or by its function and kind. The last of
/// several of one name is what the others prepare, such as the quantised rows
/// of a product: these get their kind after the name. What stands on a line of
/// its own isn't named as fused.
void Profile::nameForalls() {
  llvm::StringMap<Operation *> last;
  for (Entry &entry : entries)
    if (auto forall = dyn_cast<scf::ForallOp>(entry.op)) {
      llvm::SetVector<StringRef> names;
      findNames(findRoot(forall)->getLoc(), names);
      forall.getBody()->walk([&](Operation *op) {
        if (isa<linalg::GenericOp>(op) || isKernel(op))
          findNames(op->getLoc(), names);
      });
      auto func = forall->getParentOfType<func::FuncOp>();
      entry.name = names.empty() ? (func.getSymName() + "." + entry.kind).str()
                                 : names.front().str();
      if (!names.empty())
        entry.fused = llvm::to_vector(llvm::drop_begin(names));
      last[entry.name] = forall;
    }
  llvm::StringSet<> taken;
  for (Entry &entry : entries) {
    if (isa<kernel::BarrierOp>(entry.op) || last[entry.name] == entry.op)
      continue;
    std::string kind = "." + entry.kind.str();
    if (!StringRef(entry.name).ends_with(kind))
      entry.name += kind;
    std::string base = entry.name;
    for (int64_t i = 2;
         last.contains(entry.name) || !taken.insert(entry.name).second; ++i)
      entry.name = base + "." + std::to_string(i);
  }
  for (Entry &entry : entries)
    llvm::erase_if(entry.fused,
                   [&](StringRef name) { return last.contains(name); });
}

/// A barrier is called by what comes after it.
void Profile::nameBarriers() {
  DenseMap<Operation *, StringRef> names;
  for (const Entry &entry : entries)
    names[entry.op] = entry.name;
  for (Entry &entry : entries)
    if (isa<kernel::BarrierOp>(entry.op)) {
      scf::ForallOp next = findNextForall(entry.op);
      entry.name = next ? names[next].str() : "end";
    }
}

void Profile::instrument(const Entry &entry, int64_t number) {
  OpBuilder builder(entry.op);
  Location loc = entry.op->getLoc();
  Value begin = kernel::ClockOp::create(builder, loc, builder.getI64Type());
  builder.setInsertionPointAfter(entry.op);
  kernel::RecordOp::create(builder, loc, begin, Value(), Value(),
                           builder.getI64IntegerAttr(number));
}

Attribute Profile::toAttribute(const Entry &entry) {
  Builder builder(&getContext());
  SmallVector<NamedAttribute> fields;
  auto add = [&](StringRef name, Attribute value) {
    fields.push_back(builder.getNamedAttr(name, value));
  };
  add("name", builder.getStringAttr(entry.name));
  add("kind", builder.getStringAttr(entry.kind));
  add("runs", builder.getI64IntegerAttr(entry.runs));
  if (auto forall = dyn_cast<scf::ForallOp>(entry.op)) {
    ForallCost cost = countCost(forall);
    add("bytes", cost.bytes.toAttribute(&getContext()));
    add("operations", cost.operations.toAttribute(&getContext()));
    add("arithmetic", builder.getStringAttr(cost.arithmetic));
    if (cost.window)
      add("window", builder.getI64IntegerAttr(cost.window));
    if (!entry.fused.empty())
      add("fused", builder.getStrArrayAttr(entry.fused));
  }
  return builder.getDictionaryAttr(fields);
}

void Profile::runOnOperation() {
  ModuleOp module = getOperation();
  if (!module->hasAttr(kProfileAttr))
    return markAllAnalysesPreserved();
  entries.clear();
  if (failed(collect(module)))
    return signalPassFailure();
  nameForalls();
  nameBarriers();
  SmallVector<Attribute> table;
  for (const Entry &entry : entries)
    table.push_back(toAttribute(entry));
  for (auto [number, entry] : llvm::enumerate(entries))
    instrument(entry, static_cast<int64_t>(number));
  module->setAttr(kOpsAttr, ArrayAttr::get(&getContext(), table));
}
