//===- SPMD.cpp - From a step to what one thread does -----------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every thread of the team runs the whole function. What stood outside of
// scf.forall all threads do alike; of a scf.forall over the team, thread t does
// iteration t. Buffers become views of the arena at their planned offsets, so
// that what remains knows pointers and index arithmetic only.
//
//===----------------------------------------------------------------------===//
#include "Buffers.h"

#include "smelt/Dialect/Kernel/IR/Kernel.h"
#include "smelt/Dialect/LLM/IR/LLM.h"
#include "smelt/Transforms/Memory/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"

namespace smelt {
#define GEN_PASS_DEF_SPMD
#include "smelt/Transforms/Memory/Passes.h.inc"
} // namespace smelt

using namespace mlir;
using namespace smelt;

namespace {

/// The sizes that the arena is made of.
struct ArenaSizes {
  Linear shared;    // of the shared buffers
  Linear perThread; // of a thread's slice
};

/// Rewrites one function.
class ThreadFunction {
public:
  ThreadFunction(func::FuncOp func, ArenaSizes sizes)
      : func(func), sizes(sizes), builder(func.getContext()) {}

  LogicalResult run();

private:
  void addArguments();
  LogicalResult checkForall(scf::ForallOp forall);
  void inlineForall(scf::ForallOp forall);
  LogicalResult replaceAlloc(memref::AllocOp alloc);
  LogicalResult replaceParam(kernel::ParamOp param);
  void addCallArguments(func::CallOp call);

  Value index(Location loc, int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }
  /// `function` at the step's number of tokens.
  Value evaluate(Location loc, Linear function);
  /// Where the thread's slice begins; computed once, at the function's entry.
  Value getSlice();

  func::FuncOp func;
  ArenaSizes sizes;
  OpBuilder builder;
  Value weights, arena, tokens, thread, numThreads, step, slice;
};

} // namespace

void ThreadFunction::addArguments() {
  MLIRContext *context = func.getContext();
  Type bytes = MemRefType::get({ShapedType::kDynamic}, builder.getI8Type());
  Type index = builder.getIndexType();
  Type pointer = LLVM::LLVMPointerType::get(context);
  auto add = [&](Type type) {
    unsigned i = func.getNumArguments();
    if (failed(func.insertArgument(i, type, {}, func.getLoc())))
      llvm_unreachable("a function with a body takes arguments");
    return func.getArgument(i);
  };
  weights = add(bytes);
  arena = add(bytes);
  tokens = add(index);
  thread = add(index);
  numThreads = add(index);
  step = add(pointer);
}

Value ThreadFunction::evaluate(Location loc, Linear function) {
  Value constant = index(loc, function.constant);
  if (function.perToken == 0)
    return constant;
  Value scaled = arith::MulIOp::create(builder, loc, tokens,
                                       index(loc, function.perToken));
  if (function.constant == 0)
    return scaled;
  return arith::AddIOp::create(builder, loc, scaled, constant);
}

Value ThreadFunction::getSlice() {
  if (slice)
    return slice;
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(&func.front());
  Location loc = func.getLoc();
  Value before = arith::MulIOp::create(builder, loc, thread,
                                       evaluate(loc, sizes.perThread));
  slice =
      arith::AddIOp::create(builder, loc, evaluate(loc, sizes.shared), before);
  return slice;
}

LogicalResult ThreadFunction::checkForall(scf::ForallOp forall) {
  if (forall->getParentOfType<scf::ForallOp>())
    return forall.emitOpError("expects to stand outside of other scf.forall");
  if (forall.getRank() != 1 || !forall.isNormalized() ||
      forall.getDynamicUpperBound().size() != 1 ||
      !forall.getDynamicUpperBound()[0].getDefiningOp<kernel::NumThreadsOp>())
    return forall.emitOpError(
        "expects the single upper bound kernel.num_threads, lower bound 0 and "
        "step 1");
  if (forall.getNumResults() != 0)
    return forall.emitOpError("expects no shared outputs after bufferization");
  return success();
}

void ThreadFunction::inlineForall(scf::ForallOp forall) {
  Block *body = forall.getBody();
  body->getTerminator()->erase();
  forall->getBlock()->getOperations().splice(forall->getIterator(),
                                             body->getOperations());
  forall.getInductionVars()[0].replaceAllUsesWith(thread);
  forall.erase();
}

LogicalResult ThreadFunction::replaceAlloc(memref::AllocOp alloc) {
  FailureOr<ByteRange> range = getPlannedRange(alloc);
  if (failed(range))
    return failure();
  builder.setInsertionPoint(alloc);
  Value offset = evaluate(alloc.getLoc(), range->begin);
  if (alloc->hasAttr(kPrivateAttr))
    offset = arith::AddIOp::create(builder, alloc.getLoc(), getSlice(), offset);
  auto view = memref::ViewOp::create(builder, alloc.getLoc(), alloc.getType(),
                                     arena, offset, alloc.getDynamicSizes());
  alloc.replaceAllUsesWith(view.getResult());
  alloc.erase();
  return success();
}

LogicalResult ThreadFunction::replaceParam(kernel::ParamOp op) {
  auto param =
      SymbolTable::lookupNearestSymbolFrom<llm::ParamOp>(op, op.getParamAttr());
  if (!param || !param.getOffset() || (op.getLayer() && !param.getStride())) {
    InFlightDiagnostic error =
        op.emitOpError("expects a param with a place in the weights section");
    if (param)
      error.attachNote(param.getLoc()) << "the param is here";
    return error;
  }
  builder.setInsertionPoint(op);
  Value offset = index(op.getLoc(), *param.getOffset());
  if (op.getLayer()) {
    Value before =
        arith::MulIOp::create(builder, op.getLoc(), op.getLayer(),
                              index(op.getLoc(), *param.getStride()));
    offset = arith::AddIOp::create(builder, op.getLoc(), before, offset);
  }
  auto view = memref::ViewOp::create(builder, op.getLoc(), op.getType(),
                                     weights, offset, ValueRange());
  op.replaceAllUsesWith(view.getResult());
  op.erase();
  return success();
}

void ThreadFunction::addCallArguments(func::CallOp call) {
  call.getOperandsMutable().append(
      {weights, arena, tokens, thread, numThreads, step});
}

LogicalResult ThreadFunction::run() {
  SmallVector<scf::ForallOp> foralls;
  SmallVector<Operation *> others;
  WalkResult result = func.walk([&](Operation *op) {
    if (auto forall = dyn_cast<scf::ForallOp>(op)) {
      if (failed(checkForall(forall)))
        return WalkResult::interrupt();
      foralls.push_back(forall);
    } else if (isa<memref::AllocOp, memref::AllocaOp, kernel::ParamOp,
                   kernel::NumThreadsOp, kernel::BarrierOp, kernel::RecordOp,
                   func::CallOp>(op)) {
      others.push_back(op);
    }
    return WalkResult::advance();
  });
  if (result.wasInterrupted())
    return failure();

  addArguments();
  llvm::for_each(foralls, [&](scf::ForallOp op) { inlineForall(op); });
  for (Operation *op : others) {
    LogicalResult replaced =
        llvm::TypeSwitch<Operation *, LogicalResult>(op)
            .Case([&](memref::AllocOp op) { return replaceAlloc(op); })
            .Case([&](kernel::ParamOp op) { return replaceParam(op); })
            .Case([&](func::CallOp op) {
              addCallArguments(op);
              return success();
            })
            .Case([&](memref::AllocaOp op) {
              // A loop's body isn't a scope of the stack; the entry is.
              if (op.getType().hasStaticShape())
                op->moveBefore(&func.front(), func.front().begin());
              return success();
            })
            .Case([&](kernel::NumThreadsOp op) {
              op.replaceAllUsesWith(numThreads);
              op.erase();
              return success();
            })
            .Case([&](kernel::BarrierOp op) {
              builder.setInsertionPoint(op);
              kernel::BarrierOp::create(builder, op.getLoc(), thread, step);
              op.erase();
              return success();
            })
            .Case([&](kernel::RecordOp op) {
              op.getThreadMutable().assign(thread);
              op.getStepMutable().assign(step);
              return success();
            });
    if (failed(replaced))
      return failure();
  }
  return success();
}

/// Keeps the names and types of a function's own arguments, which the
/// conversion to LLVM expands and forgets.
static void keepSignature(func::FuncOp func) {
  Builder builder(func.getContext());
  SmallVector<Attribute> signature;
  for (BlockArgument argument : func.getArguments()) {
    SmallVector<NamedAttribute> entry{
        builder.getNamedAttr("type", TypeAttr::get(argument.getType()))};
    for (StringRef kind : {"input", "output"})
      if (Attribute name =
              func.getArgAttr(argument.getArgNumber(), ("llm." + kind).str()))
        entry.push_back(builder.getNamedAttr(kind, name));
    signature.push_back(builder.getDictionaryAttr(entry));
  }
  func->setAttr(kSignatureAttr, builder.getArrayAttr(signature));
}

namespace {

struct SPMD : smelt::impl::SPMDBase<SPMD> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto memory = module->getAttrOfType<DictionaryAttr>(kMemoryAttr);
    auto get = [&](StringRef name) {
      auto value = memory ? memory.getAs<IntegerAttr>(name) : IntegerAttr();
      return value ? value.getInt() : 0;
    };
    ArenaSizes sizes{{get("per_token"), get("bytes")},
                     {get("per_token_thread"), get("per_thread")}};
    for (auto func : module.getOps<func::FuncOp>()) {
      if (func.isExternal())
        continue;
      if (func.isPublic())
        keepSignature(func);
      if (failed(ThreadFunction(func, sizes).run()))
        return signalPassFailure();
    }
  }
};

} // namespace
