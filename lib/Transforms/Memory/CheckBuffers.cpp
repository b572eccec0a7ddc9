//===- CheckBuffers.cpp - Reject unplanned allocations and copies -*- C++
//-*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Bufferization allocates and copies where it can't prove that it needn't. Each
// such place costs memory or time that no plan accounts for, so it is an error
// here instead of a surprise in a profile.
//
//===----------------------------------------------------------------------===//
#include "smelt/Transforms/Memory/Passes.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Interfaces/DataLayoutInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

namespace smelt {
#define GEN_PASS_DEF_CHECKBUFFERS
#include "smelt/Transforms/Memory/Passes.h.inc"
} // namespace smelt

using namespace mlir;

/// Bytes of a stack buffer that are allowed inside of scf.forall.
static constexpr int64_t kLargestAlloca = 16 * 1024;

/// Reports `op`; the note says what to do.
static LogicalResult reject(Operation *op, const Twine &what,
                            const Twine &remedy) {
  InFlightDiagnostic error = op->emitOpError(what);
  error.attachNote(op->getLoc()) << remedy;
  return error;
}

static LogicalResult checkAlloca(memref::AllocaOp op) {
  if (!op->getParentOfType<scf::ForallOp>())
    return reject(op, "is a stack buffer outside of scf.forall",
                  "use memref.alloc, which smelt-plan-memory places");
  MemRefType type = op.getType();
  if (!type.hasStaticShape())
    return reject(op, "is a stack buffer of dynamic size",
                  "give it a static shape, or use memref.alloc");
  int64_t bytes = DataLayout::closest(op)
                      .getTypeSize(type.getElementType())
                      .getFixedValue();
  for (int64_t dim : type.getShape())
    if (llvm::MulOverflow(bytes, dim, bytes))
      bytes = std::numeric_limits<int64_t>::max();
  if (bytes > kLargestAlloca)
    return reject(op,
                  "is a stack buffer of " + Twine(bytes) +
                      " bytes, expected at most " + Twine(kLargestAlloca),
                  "use memref.alloc, which smelt-plan-memory places in the "
                  "thread's slice of the arena");
  return success();
}

static LogicalResult checkOp(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([](memref::AllocOp op) -> LogicalResult {
        if (op->hasAttr(smelt::kOffsetAttr))
          return success();
        return reject(op, "has no place in the memory plan",
                      "run smelt-plan-memory after the last pass that "
                      "allocates");
      })
      .Case([](memref::AllocaOp op) { return checkAlloca(op); })
      .Case([](memref::GetGlobalOp op) -> LogicalResult {
        auto global = SymbolTable::lookupNearestSymbolFrom<memref::GlobalOp>(
            op, op.getNameAttr());
        if (global && global.getConstant() && !global.isExternal())
          return success();
        return reject(op, "expects a constant global with a value",
                      "steps keep no state between them; pass the buffer as "
                      "an argument");
      })
      .Case<memref::CopyOp, linalg::CopyOp>([](Operation *op) {
        return reject(op, "copies a buffer",
                      "write the result in place: give the producer the "
                      "destination as its output operand");
      })
      .Case([](memref::DeallocOp op) {
        return reject(op, "frees a buffer of the arena",
                      "run smelt-plan-memory, which removes deallocations");
      })
      .Default([](Operation *op) -> LogicalResult {
        if (isa_and_nonnull<bufferization::BufferizationDialect>(
                op->getDialect()))
          return reject(op, "is left over from bufferization",
                        "bufferize its producer and its consumers");
        auto effects = dyn_cast<MemoryEffectOpInterface>(op);
        if (effects && effects.hasEffect<MemoryEffects::Allocate>())
          return reject(op, "allocates outside of the memory plan",
                        "use memref.alloc, which smelt-plan-memory places");
        return success();
      });
}

namespace {

struct CheckBuffers : smelt::impl::CheckBuffersBase<CheckBuffers> {
  void runOnOperation() override {
    // Report every place, not only the first.
    bool isClean = true;
    getOperation()->walk([&](Operation *op) {
      if (failed(checkOp(op)))
        isClean = false;
    });
    if (!isClean)
      signalPassFailure();
  }
};

} // namespace
