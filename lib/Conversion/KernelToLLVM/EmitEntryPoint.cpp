//===- EmitEntryPoint.cpp - From a SmeltStep to @step's arguments -*- C++
//-*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What an argument's name stands for is one table: the field of its pointer and
// those of its dynamic dimensions, in order.
//
//     @step(ids..., rows..., ..., logits...,      the model's own arguments
//           weights..., arena...,                 memref<?xi8> each
//           M, thread, nthreads, step)
//
// A memref of rank r is passed as 3 + 2 r scalars: allocated pointer, aligned
// pointer, offset, sizes, strides.
//
//===----------------------------------------------------------------------===//
#include "smelt/Conversion/KernelToLLVM/Passes.h"

#include "StepFields.h"
#include "smelt/Dialect/LLM/IR/LLM.h"

#include "smelt/abi.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/MathExtras.h"

namespace smelt {
#define GEN_PASS_DEF_EMITENTRYPOINT
#include "smelt/Conversion/KernelToLLVM/Passes.h.inc"
} // namespace smelt

using namespace mlir;

static_assert(smelt::llm::blockPositions == SMELT_KV_BLOCK_TOKENS,
              "the runtime fills the block table");

namespace {

/// What the name of an input stands for.
struct InputRecord {
  StringLiteral name;
  size_t pointer;                      // offset of the field
  std::initializer_list<size_t> sizes; // fields of the dynamic dimensions
  /// The buffer begins where this input ends, `kv_blocks` blocks of it.
  StringLiteral after;
};

/// What the name of an output stands for: the field with its number of rows.
struct OutputRecord {
  StringLiteral name;
  size_t rows;
};

#define FIELD(name) offsetof(SmeltStep, name)
const InputRecord inputRecords[] = {
    {"ids", FIELD(ids), {FIELD(tokens)}, ""},
    {"positions", FIELD(positions), {FIELD(tokens)}, ""},
    {"types", FIELD(types), {FIELD(tokens)}, ""},
    {"slots", FIELD(slots), {FIELD(tokens)}, ""},
    {"seq_begin", FIELD(seq_begin), {FIELD(tokens)}, ""},
    {"seq_end", FIELD(seq_end), {FIELD(tokens)}, ""},
    {"rows", FIELD(rows), {FIELD(n_rows)}, ""},
    {"pool_begin", FIELD(pool_begin), {FIELD(sequences)}, ""},
    {"pool_end", FIELD(pool_end), {FIELD(sequences)}, ""},
    {"block_table",
     FIELD(block_table),
     {FIELD(slots_count), FIELD(blocks_per_slot)},
     ""},
    {"kv.k", FIELD(kv), {FIELD(kv_blocks)}, ""},
    {"kv.v", FIELD(kv), {FIELD(kv_blocks)}, "kv.k"},
    {"kv.k_scales", FIELD(kv), {FIELD(kv_blocks)}, "kv.v"},
    {"kv.v_scales", FIELD(kv), {FIELD(kv_blocks)}, "kv.k_scales"},
};

const OutputRecord outputRecords[] = {
    {"logits", FIELD(n_rows)},
    {"last_hidden_state", FIELD(n_rows)},
    {"embedding", FIELD(sequences)},
};
#undef FIELD

template <typename Record, size_t n>
const Record *lookup(const Record (&records)[n], StringRef name) {
  const Record *record = llvm::find_if(
      records, [&](const Record &record) { return record.name == name; });
  return record == std::end(records) ? nullptr : record;
}

/// An argument of @step as smelt-spmd recorded it.
struct Argument {
  StringRef input, output; // one of them is empty
  MemRefType type;
};

/// Builds the body of smelt_step.
class EntryPoint {
public:
  explicit EntryPoint(LLVM::LLVMFuncOp callee)
      : callee(callee), loc(callee.getLoc()), builder(callee.getContext()),
        pointer(LLVM::LLVMPointerType::get(callee.getContext())),
        word(builder.getI64Type()) {}

  LogicalResult emit();

private:
  LogicalResult readSignature();
  LogicalResult addInput(const Argument &argument);
  LogicalResult addOutput(const Argument &argument, unsigned i);
  LogicalResult addMemRef(StringRef name, MemRefType type, Value base,
                          ArrayRef<size_t> dynamicSizes);
  void addBytesBuffer(size_t field);
  FailureOr<Value> beginOf(const InputRecord &record);
  FailureOr<Value> sizeOf(StringRef input);

  Value load(size_t field, Type type) {
    return smelt::loadField(builder, loc, step, field, type);
  }
  Value constant(int64_t value) {
    return LLVM::ConstantOp::create(builder, loc, word,
                                    builder.getI64IntegerAttr(value));
  }

  LLVM::LLVMFuncOp callee;
  Location loc;
  OpBuilder builder;
  Type pointer, word;
  SmallVector<Argument> signature;
  Value step;
  SmallVector<Value> operands;
};

} // namespace

LogicalResult EntryPoint::readSignature() {
  auto entries = callee->getAttrOfType<ArrayAttr>("smelt.signature");
  if (!entries)
    return callee.emitOpError("expects smelt.signature (run smelt-spmd)");
  for (auto [i, entry] : llvm::enumerate(entries)) {
    auto dictionary = dyn_cast<DictionaryAttr>(entry);
    auto type = dictionary ? dictionary.getAs<TypeAttr>("type") : TypeAttr();
    auto memref = type ? dyn_cast<MemRefType>(type.getValue()) : MemRefType();
    if (!memref)
      return callee.emitOpError("expects a memref as argument ")
             << i << ", got " << entry;
    auto input = dictionary.getAs<StringAttr>("input");
    auto output = dictionary.getAs<StringAttr>("output");
    if (!input == !output)
      return callee.emitOpError("expects argument ")
             << i << " to name an input or an output (llm.input, llm.output)";
    signature.push_back({input ? input.getValue() : "",
                         output ? output.getValue() : "", memref});
  }
  return success();
}

/// Appends the scalars of a row-major memref.
LogicalResult EntryPoint::addMemRef(StringRef name, MemRefType type, Value base,
                                    ArrayRef<size_t> dynamicSizes) {
  if (!type.getLayout().isIdentity() ||
      static_cast<size_t>(type.getNumDynamicDims()) != dynamicSizes.size())
    return callee.emitOpError("expects '")
           << name << "' to be a memref of identity layout with "
           << dynamicSizes.size() << " dynamic sizes, got " << type;
  SmallVector<Value> sizes, strides;
  for (int64_t dim : type.getShape()) {
    if (!ShapedType::isDynamic(dim)) {
      sizes.push_back(constant(dim));
      continue;
    }
    sizes.push_back(load(dynamicSizes.front(), word));
    dynamicSizes = dynamicSizes.drop_front();
  }
  Value stride = constant(1);
  for (Value size : llvm::reverse(sizes)) {
    strides.push_back(stride);
    if (strides.size() < sizes.size())
      stride = LLVM::MulOp::create(builder, loc, stride, size);
  }
  operands.append({base, base, constant(0)});
  operands.append(sizes);
  operands.append(strides.rbegin(), strides.rend());
  return success();
}

/// Bytes of the blocks of `input`.
FailureOr<Value> EntryPoint::sizeOf(StringRef input) {
  auto argument = llvm::find_if(
      signature, [&](const Argument &a) { return a.input == input; });
  if (argument == signature.end())
    return callee.emitOpError("expects an input '") << input << "'";
  MemRefType type = argument->type;
  if (!type.getElementType().isIntOrFloat())
    return callee.emitOpError("expects '")
           << input << "' to hold numbers, got " << type;
  int64_t bytes = llvm::divideCeil(type.getElementTypeBitWidth(), 8);
  for (int64_t dim : type.getShape())
    if (!ShapedType::isDynamic(dim) && llvm::MulOverflow(bytes, dim, bytes))
      return callee.emitOpError("expects '")
             << input << "' to be smaller, got " << type;
  Value blocks = load(offsetof(SmeltStep, kv_blocks), word);
  return LLVM::MulOp::create(builder, loc, blocks, constant(bytes)).getResult();
}

/// Where the buffer of an input begins.
FailureOr<Value> EntryPoint::beginOf(const InputRecord &record) {
  if (record.after.empty())
    return load(record.pointer, pointer);
  FailureOr<Value> before = beginOf(*lookup(inputRecords, record.after));
  FailureOr<Value> size = sizeOf(record.after);
  if (failed(before) || failed(size))
    return failure();
  return smelt::addBytes(builder, loc, *before, *size);
}

LogicalResult EntryPoint::addInput(const Argument &argument) {
  const InputRecord *record = lookup(inputRecords, argument.input);
  if (!record) {
    InFlightDiagnostic error = callee.emitOpError("expects inputs among ");
    llvm::interleaveComma(inputRecords, error,
                          [&](const InputRecord &r) { error << r.name; });
    return error << "; got '" << argument.input << "'";
  }
  FailureOr<Value> base = beginOf(*record);
  if (failed(base))
    return failure();
  return addMemRef(record->name, argument.type, *base, record->sizes);
}

LogicalResult EntryPoint::addOutput(const Argument &argument, unsigned i) {
  const OutputRecord *record = lookup(outputRecords, argument.output);
  if (!record) {
    InFlightDiagnostic error = callee.emitOpError("expects outputs among ");
    llvm::interleaveComma(outputRecords, error,
                          [&](const OutputRecord &r) { error << r.name; });
    return error << "; got '" << argument.output << "'";
  }
  if (i >= SMELT_MAX_OUTPUTS)
    return callee.emitOpError("expects at most ")
           << SMELT_MAX_OUTPUTS << " outputs";
  Value base =
      load(offsetof(SmeltStep, outputs) + i * sizeof(float *), pointer);
  return addMemRef(record->name, argument.type, base, record->rows);
}

/// Appends a memref<?xi8>. Its size is known to the runtime alone and no view
/// asks for it.
void EntryPoint::addBytesBuffer(size_t field) {
  Value base = load(field, pointer);
  operands.append({base, base, constant(0),
                   constant(std::numeric_limits<int64_t>::max()), constant(1)});
}

LogicalResult EntryPoint::emit() {
  if (failed(readSignature()))
    return failure();
  builder.setInsertionPointAfter(callee);
  auto type = LLVM::LLVMFunctionType::get(
      LLVM::LLVMVoidType::get(callee.getContext()), {pointer, word, word});
  auto entry = LLVM::LLVMFuncOp::create(builder, loc, SMELT_ENTRY_POINT, type);
  Block *body = entry.addEntryBlock(builder);
  builder.setInsertionPointToStart(body);
  step = body->getArgument(0);

  unsigned outputs = 0;
  for (const Argument &argument : signature)
    if (failed(argument.output.empty() ? addInput(argument)
                                       : addOutput(argument, outputs++)))
      return failure();
  addBytesBuffer(offsetof(SmeltStep, weights));
  addBytesBuffer(offsetof(SmeltStep, arena));
  Value tokens = load(offsetof(SmeltStep, tokens), word);
  for (size_t field :
       {offsetof(SmeltStep, n_rows), offsetof(SmeltStep, sequences)})
    tokens = LLVM::SMaxOp::create(builder, loc, tokens, load(field, word));
  operands.append({tokens, body->getArgument(1), body->getArgument(2), step});

  if (TypeRange(ValueRange(operands)) !=
      TypeRange(callee.getFunctionType().getParams()))
    return callee.emitOpError("expects the arguments that smelt-spmd and the "
                              "conversion of functions make of "
                              "smelt.signature, got ")
           << callee.getFunctionType();
  LLVM::CallOp::create(builder, loc, callee, operands);
  LLVM::ReturnOp::create(builder, loc, ValueRange());
  return success();
}

namespace {

struct EmitEntryPoint : smelt::impl::EmitEntryPointBase<EmitEntryPoint> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto callee = module.lookupSymbol<LLVM::LLVMFuncOp>("step");
    if (!callee || callee.isExternal()) {
      module.emitError("expects a function @step with a body, in the LLVM "
                       "dialect");
      return signalPassFailure();
    }
    if (Operation *other = module.lookupSymbol(SMELT_ENTRY_POINT)) {
      other->emitError("expects no symbol @" SMELT_ENTRY_POINT
                       ", the name of the entry point");
      return signalPassFailure();
    }
    for (auto func : module.getOps<LLVM::LLVMFuncOp>())
      if (!func.isExternal())
        func.setLinkage(LLVM::Linkage::Internal);
    for (auto global : module.getOps<LLVM::GlobalOp>())
      if (global.getValueOrNull() || global.getInitializerBlock())
        global.setLinkage(LLVM::Linkage::Internal);
    if (failed(EntryPoint(callee).emit()))
      signalPassFailure();
  }
};

} // namespace
