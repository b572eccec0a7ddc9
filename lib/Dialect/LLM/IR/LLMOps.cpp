//===- LLMOps.cpp - Verifiers and shape inference of llm ops -*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The numbers (C1), (C2), ... are those of the op's description in LLMOps.td.
//
//===----------------------------------------------------------------------===//

#include "smelt/Dialect/LLM/IR/LLM.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpImplementation.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace smelt::llm;

#define GET_OP_CLASSES
#include "smelt/Dialect/LLM/IR/LLMOps.cpp.inc"

/// Columns of a matrix value.
static int64_t columns(Value value) {
  return cast<RankedTensorType>(value.getType()).getDimSize(1);
}

static int64_t size(Value vector) {
  return cast<RankedTensorType>(vector.getType()).getDimSize(0);
}

/// An f32 [rows, columns] tensor.
static Type rowsType(MLIRContext *context, int64_t rows, int64_t columns) {
  return RankedTensorType::get({rows, columns}, Float32Type::get(context));
}

static bool isScale(APFloat value) {
  return value.isFinite() && !value.isNegative() && !value.isZero();
}

//===----------------------------------------------------------------------===//
// ParamOp, GetParamOp
//===----------------------------------------------------------------------===//

SmallVector<SourceAttr> ParamOp::getInstance(int64_t i) {
  return llvm::map_to_vector(
      cast<ArrayAttr>(getSources()[i]),
      [](Attribute source) { return cast<SourceAttr>(source); });
}

RankedTensorType ParamOp::getStoredType() {
  RankedTensorType type = getParamType();
  Type element = type.getElementType();
  if (FormatAttr format = getFormatAttr())
    element = format.getElementType();
  if (LayoutAttr layout = getLayoutAttr())
    return RankedTensorType::get(
        layout.getPhysicalShape(type.getShape(), getFormatAttr()), element);
  return RankedTensorType::get(type.getShape(), element);
}

int64_t ParamOp::getStoredBytes() {
  RankedTensorType type = getStoredType();
  return type.getNumElements() * type.getElementTypeBitWidth() / 8;
}

/// Follows a recipe over the shapes and element types of one instance.
static LogicalResult inferRecipe(ParamOp op, ArrayRef<SourceAttr> sources,
                                 SmallVectorImpl<int64_t> &shape,
                                 Type &element) {
  shape.assign(sources[0].getType().getShape().begin(),
               sources[0].getType().getShape().end());
  element = sources[0].getType().getElementType();
  if (!op.getRecipe())
    return success();
  bool isFirst = true;
  for (Attribute step : op.getRecipeAttr().getValue()) {
    auto result =
        llvm::TypeSwitch<Attribute, LogicalResult>(step)
            .Case([&](ConcatAttr concat) -> LogicalResult {
              int64_t parts = concat.getParts(), align = concat.getAlign();
              if (!isFirst || align < 1 || parts < 1 ||
                  parts > static_cast<int64_t>(sources.size()))
                return op.emitOpError("expects concat to be the first step, of "
                                      "1 to ")
                       << sources.size() << " parts, with a positive align";
              shape[0] = 0;
              for (SourceAttr source : sources.take_front(parts)) {
                if (source.getType().getShape().drop_front() !=
                        ArrayRef<int64_t>(shape).drop_front() ||
                    source.getType().getRank() == 0)
                  return op.emitOpError("expects parts of concat to differ in "
                                        "rows only, got '")
                         << source.getName() << "' of " << source.getType();
                shape[0] +=
                    llvm::divideCeil(source.getType().getDimSize(0), align) *
                    align;
              }
              return success();
            })
            .Case([&](ScaleColumnsAttr scale) -> LogicalResult {
              if (scale.getBy() < 0 ||
                  scale.getBy() >= static_cast<int64_t>(sources.size()) ||
                  shape.size() != 2 ||
                  sources[scale.getBy()].getType().getShape() !=
                      ArrayRef<int64_t>(shape).drop_front())
                return op.emitOpError("expects scale_columns to name a source "
                                      "with one element for each column");
              element = Float32Type::get(op.getContext());
              return success();
            })
            .Case([&](TransposeAttr) -> LogicalResult {
              if (shape.size() != 2)
                return op.emitOpError("expects transpose of a matrix");
              std::swap(shape[0], shape[1]);
              return success();
            })
            .Case([&](CastAttr cast) -> LogicalResult {
              if (!isa<FloatType>(cast.getType()))
                return op.emitOpError("expects cast to a float type, got ")
                       << cast.getType();
              element = cast.getType();
              return success();
            })
            .Default([&](Attribute other) -> LogicalResult {
              return op.emitOpError("expects recipe steps, got ") << other;
            });
    if (failed(result))
      return result;
    isFirst = false;
  }
  return success();
}

LogicalResult ParamOp::verify() {
  if (getSources().empty())
    return emitOpError("expects at least one instance"); // (C4)
  for (Attribute instance : getSources()) {
    auto sources = dyn_cast<ArrayAttr>(instance);
    if (!sources || sources.empty() ||
        !llvm::all_of(sources, llvm::IsaPred<SourceAttr>))
      return emitOpError("expects each instance to be an array of sources, "
                         "got ")
             << instance; // (C4)
  }
  SmallVector<SourceAttr> first = getInstance(0);
  for (int64_t i = 1; i < getInstanceCount(); ++i) {
    SmallVector<SourceAttr> other = getInstance(i);
    bool same = other.size() == first.size();
    for (size_t j = 0; same && j < first.size(); ++j)
      same = other[j].getType() == first[j].getType();
    if (!same)
      return emitOpError("expects instance ")
             << i << " to have sources of the same types as instance 0"; // (C1)
  }
  SmallVector<int64_t> shape;
  Type element;
  if (failed(inferRecipe(*this, first, shape, element)))
    return failure();
  auto inferred = RankedTensorType::get(shape, element);
  if (inferred != getParamType())
    return emitOpError("expects the recipe to yield ")
           << getParamType() << ", got " << inferred; // (C2)
  if (getFormat() && getLayout() &&
      getFormat()->isQuantized() != getLayout()->isBlocks())
    return emitOpError("expects layout blocks for quantised formats, and for "
                       "them only"); // (C5)
  if (getFormat() && getFormat()->isQuantized() && shape.size() != 2)
    return emitOpError("expects a matrix to quantise, got ")
           << getParamType(); // (C5)
  if (getLayout() && getLayout()->isPanel() && shape.size() != 2)
    return emitOpError("expects a matrix for layout panel, got ")
           << getParamType(); // (C3)
  return success();
}

LogicalResult GetParamOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto param = symbols.lookupNearestSymbolFrom<ParamOp>(*this, getParamAttr());
  if (!param)
    return emitOpError("expects llm.param '") << getParam() << "'"; // (C1)
  if (param.getParamType() != getType()) {
    InFlightDiagnostic diagnostic = emitOpError("expects result type ")
                                    << param.getParamType() << ", got "
                                    << getType(); // (C1)
    diagnostic.attachNote(param.getLoc()) << "the param is declared here";
    return diagnostic;
  }
  if (static_cast<bool>(getLayer()) != (param.getInstanceCount() > 1))
    return emitOpError("expects a layer if and only if the param has several "
                       "instances, found ")
           << param.getInstanceCount(); // (C2)
  return success();
}

//===----------------------------------------------------------------------===//
// Rows in, rows out
//===----------------------------------------------------------------------===//

#define INFER(OP)                                                              \
  LogicalResult OP::inferReturnTypes(                                          \
      MLIRContext *context, std::optional<Location> location,                  \
      ValueRange operands, DictionaryAttr attributes,                          \
      OpaqueProperties properties, RegionRange regions,                        \
      SmallVectorImpl<Type> &results)

/// Rows of a value: its first dimension.
static int64_t rows(Value value) {
  return cast<RankedTensorType>(value.getType()).getDimSize(0);
}

INFER(EmbeddingOp) {
  results.assign({rowsType(context, rows(operands[0]), columns(operands[1]))});
  return success();
}

INFER(GatherRowsOp) {
  results.assign({rowsType(context, rows(operands[1]), columns(operands[0]))});
  return success();
}

INFER(LinearOp) {
  results.assign({rowsType(context, rows(operands[0]), rows(operands[1]))});
  return success();
}

LogicalResult LinearOp::verify() {
  if (columns(getX()) != columns(getWeight()))
    return emitOpError("expects columns of x (")
           << columns(getX()) << ") to equal columns of weight ("
           << columns(getWeight()) << ")"; // (C1)
  if (getBias() && size(getBias()) != rows(getWeight()))
    return emitOpError("expects size of bias (")
           << size(getBias()) << ") to equal rows of weight ("
           << rows(getWeight()) << ")"; // (C2)
  if (getResidual() && getResidual().getType() != getType())
    return emitOpError("expects residual of type ")
           << getType() << ", got " << getResidual().getType(); // (C3)
  if (!isComputeType(getCompute()))
    return emitOpError("expects compute f32 or bf16, got ") << getCompute();
  return success();
}

/// Shared by the norms: weights fit the columns of x, eps is usable.
static LogicalResult verifyNorm(Operation *op, Value x, Value vector,
                                APFloat eps) {
  if (vector && size(vector) != columns(x))
    return op->emitOpError("expects size of weight (")
           << size(vector) << ") to equal columns of x (" << columns(x)
           << ")"; // (C1)
  if (!eps.isFinite() || eps.isNegative())
    return op->emitOpError("expects a finite eps of at least 0"); // (C2)
  return success();
}

INFER(RMSNormOp) {
  results.assign({operands[0].getType()});
  return success();
}
LogicalResult RMSNormOp::verify() {
  return verifyNorm(*this, getX(), getWeight(), getEps());
}

INFER(LayerNormOp) {
  results.assign({operands[0].getType()});
  return success();
}
LogicalResult LayerNormOp::verify() {
  return verifyNorm(*this, getX(), getWeight(), getEps());
}

OpFoldResult ReluOp::fold(FoldAdaptor) {
  // relu(relu(x)) = relu(x), bit for bit.
  return getX().getDefiningOp<ReluOp>() ? getX() : Value();
}

// [doc:verifier]
INFER(GluOp) {
  results.assign(
      {rowsType(context, rows(operands[0]), columns(operands[0]) / 2)});
  return success();
}
LogicalResult GluOp::verify() {
  if (columns(getX()) % 2)
    return emitOpError("expects an even number of columns, got ")
           << columns(getX()); // (C1)
  if (!llvm::is_contained({"silu", "gelu", "gelu_tanh", "relu"},
                          getActivation()))
    return emitOpError("expects activation silu, gelu, gelu_tanh or relu, "
                       "got '")
           << getActivation() << "'"; // (C2)
  return success();
}
// [/doc:verifier]

//===----------------------------------------------------------------------===//
// Positions
//===----------------------------------------------------------------------===//

INFER(RopeOp) {
  results.assign({operands[0].getType()});
  return success();
}

LogicalResult RopeOp::verify() {
  int64_t heads = getHeads();
  if (heads < 1 || columns(getX()) % heads || columns(getX()) / heads % 2)
    return emitOpError("expects heads (")
           << heads << ") to divide the columns of x (" << columns(getX())
           << ") into an even head size"; // (C1)
  if (!getBase().isFinite() || getBase().isNegative() || getBase().isZero())
    return emitOpError("expects a positive base"); // (C2)
  if (std::optional<DictionaryAttr> scaling = getScaling()) {
    auto type = scaling->getAs<StringAttr>("type");
    ArrayRef<StringRef> fields;
    static constexpr StringRef linear[] = {"factor"};
    static constexpr StringRef llama3[] = {"factor", "low_freq_factor",
                                           "high_freq_factor",
                                           "original_max_position_embeddings"};
    if (type && type.getValue() == "linear")
      fields = linear;
    else if (type && type.getValue() == "llama3")
      fields = llama3;
    else
      return emitOpError("expects scaling of type linear or llama3"); // (C2)
    for (StringRef field : fields)
      if (auto value = scaling->getAs<FloatAttr>(field);
          !value || !value.getValue().isFinite() ||
          value.getValueAsDouble() <= 0)
        return emitOpError("expects scaling to have a positive float '")
               << field << "'"; // (C2)
  }
  return success();
}

/// A field of a rope_scaling dictionary; the verifier saw that it is there.
static float getField(DictionaryAttr scaling, StringRef name) {
  return static_cast<float>(scaling.getAs<FloatAttr>(name).getValueAsDouble());
}

/// Llama 3: long wavelengths are stretched by `factor`, short ones kept, those
/// between interpolated.
static float scaleLlama3(float frequency, DictionaryAttr scaling) {
  constexpr float twoPi = 6.28318530717958647692f;
  float factor = getField(scaling, "factor");
  float low = getField(scaling, "low_freq_factor");
  float high = getField(scaling, "high_freq_factor");
  float length = getField(scaling, "original_max_position_embeddings");
  float wavelength = twoPi / frequency;
  if (wavelength > length / low)
    return frequency / factor;
  if (wavelength < length / high)
    return frequency;
  float smooth = length / wavelength;
  smooth = smooth - low;
  smooth = smooth / (high - low);
  float stretched = (1.0f - smooth) * frequency;
  stretched = stretched / factor;
  float kept = smooth * frequency;
  return stretched + kept;
}

// Models were trained with frequencies computed in f32, so every step is one
// rounded f32 operation in the order of the reference implementation. The power
// alone is taken in f64 and rounded, which makes it independent of the machine
// that compiles.
SmallVector<float> RopeOp::getFrequencies() {
  int64_t size = getType().getDimSize(1) / getHeads();
  auto base =
      static_cast<double>(static_cast<float>(getBase().convertToDouble()));
  DictionaryAttr scaling = getScalingAttr();
  StringRef kind =
      scaling ? scaling.getAs<StringAttr>("type").getValue() : StringRef();
  SmallVector<float> frequencies;
  for (int64_t i = 0; i < size / 2; ++i) {
    float exponent = static_cast<float>(2 * i) / static_cast<float>(size);
    auto power = static_cast<float>(std::pow(base, exponent));
    float frequency = 1.0f / power;
    if (kind == "linear")
      frequency = frequency / getField(scaling, "factor");
    else if (kind == "llama3")
      frequency = scaleLlama3(frequency, scaling);
    frequencies.push_back(frequency);
  }
  return frequencies;
}

INFER(RopeTableOp) {
  Type type = rowsType(context, rows(operands[0]), size(operands[1]));
  results.assign({type, type});
  return success();
}

INFER(RotateOp) {
  results.assign({operands[0].getType()});
  return success();
}

LogicalResult RotateOp::verify() {
  int64_t heads = getHeads();
  if (heads < 1 || columns(getX()) != heads * 2 * columns(getCos()))
    return emitOpError("expects columns of x (")
           << columns(getX()) << ") to be heads (" << heads
           << ") * 2 * columns of cos (" << columns(getCos()) << ")"; // (C1)
  return success();
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

INFER(KVAppendOp) {
  KVAppendOp::Adaptor adaptor(operands, attributes, properties, regions);
  results.assign({adaptor.getK().getType(), adaptor.getV().getType()});
  return success();
}

LogicalResult KVAppendOp::verify() {
  KVType kv = getKv().getType();
  if (columns(getK()) != kv.getHeads() * kv.getSize())
    return emitOpError("expects columns of k (")
           << columns(getK()) << ") to be heads * size of the cache ("
           << kv.getHeads() << " * " << kv.getSize() << ")"; // (C1)
  return success();
}

INFER(CachedAttentionOp) {
  results.assign({operands[0].getType()});
  return success();
}

LogicalResult CachedAttentionOp::verify() {
  KVType kv = getKv().getType();
  int64_t heads = getHeads();
  if (heads < 1 || columns(getQ()) != heads * kv.getSize())
    return emitOpError("expects columns of q (")
           << columns(getQ()) << ") to be heads * size of the cache (" << heads
           << " * " << kv.getSize() << ")"; // (C1)
  if (heads % kv.getHeads())
    return emitOpError("expects kv heads (")
           << kv.getHeads() << ") to divide query heads (" << heads
           << ")"; // (C2)
  if (!isScale(getScale()) || (getWindow() && *getWindow() < 1))
    return emitOpError(
        "expects a positive, finite scale and a positive window"); // (C3)
  return success();
}

INFER(AttentionOp) {
  results.assign({operands[0].getType()});
  return success();
}

LogicalResult AttentionOp::verify() {
  int64_t heads = getHeads(), kvHeads = getKvHeads();
  if (heads < 1 || kvHeads < 1 || columns(getQ()) % heads ||
      columns(getK()) % kvHeads ||
      columns(getQ()) / heads != columns(getK()) / kvHeads)
    return emitOpError("expects columns of q (")
           << columns(getQ()) << ") and k (" << columns(getK())
           << ") to be heads (" << heads << ") and kv heads (" << kvHeads
           << ") times one head size"; // (C1)
  if (heads % kvHeads)
    return emitOpError("expects kv heads (")
           << kvHeads << ") to divide query heads (" << heads << ")"; // (C2)
  if (!isScale(getScale()))
    return emitOpError("expects a positive, finite scale"); // (C3)
  if (!isComputeType(getCompute()))
    return emitOpError("expects compute f32 or bf16, got ")
           << getCompute(); // (C4)
  return success();
}

//===----------------------------------------------------------------------===//
// Sequences
//===----------------------------------------------------------------------===//

INFER(PoolOp) {
  results.assign({rowsType(context, rows(operands[1]), columns(operands[0]))});
  return success();
}

LogicalResult PoolOp::verify() {
  if (getMode() != "mean" && getMode() != "cls")
    return emitOpError("expects mode mean or cls, got '")
           << getMode() << "'"; // (C1)
  return success();
}

//===----------------------------------------------------------------------===//
// Queries
//===----------------------------------------------------------------------===//

bool smelt::llm::isGathered(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (isa<GatherRowsOp>(op))
      return true;
    if (!isa<LLMDialect>(op->getDialect()) || op->getNumOperands() == 0)
      return false;
    value = op->getOperand(0);
  }
  return false;
}
