//===- Ops.cpp - One function for each op -----------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each function is the formula of the op's description. `double` is where a
// formula is computed, `float` where a value is stored.
//
//===----------------------------------------------------------------------===//
#include "Ops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/StringMap.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace smelt;
using namespace smelt::llm;

float smelt::roundTo(Type type, float value) {
  if (type.isF32())
    return value;
  APFloat rounded(value);
  bool lossy = false;
  rounded.convert(cast<FloatType>(type).getFloatSemantics(),
                  APFloat::rmNearestTiesToEven, &lossy);
  return rounded.convertToFloat();
}

/// Fails unless `index` is below `count`.
static LogicalResult checkIndex(Operation *op, int64_t index, int64_t count) {
  if (index >= 0 && index < count)
    return success();
  return op->emitError("expects an index below ") << count << ", got " << index;
}

//===----------------------------------------------------------------------===//
// Rows in, rows out
//===----------------------------------------------------------------------===//

/// result[r] = x[indices[r]]
static LogicalResult takeRows(Evaluator &e, Operation *op, const Datum &x,
                              const Datum &indices) {
  Datum y = Datum::matrix(indices.rows(), x.columns());
  for (int64_t r = 0; r < y.rows(); ++r) {
    if (failed(checkIndex(op, indices.ints[r], x.rows())))
      return failure();
    std::copy_n(x.row(indices.ints[r]), x.columns(), y.row(r));
  }
  e.set(op->getResult(0), std::move(y));
  return success();
}

static LogicalResult embedding(Evaluator &e, EmbeddingOp op) {
  return takeRows(e, op, e.get(op.getTable()), e.get(op.getIndices()));
}

static LogicalResult gatherRows(Evaluator &e, GatherRowsOp op) {
  return takeRows(e, op, e.get(op.getX()), e.get(op.getRows()));
}

/// Elements of a row from `x` on, which share a scale, rounded as
/// `activation` says (#llm.activation).
static void quantize(const ActivationRecord &activation, float *x,
                     int64_t count) {
  float least = 0, most = 0;
  for (int64_t i = 0; i < count; ++i) {
    least = std::min(least, x[i]);
    most = std::max(most, x[i]);
  }
  float steps = activation.hasZeroPoint ? 254 : 127;
  float range = activation.hasZeroPoint ? most - least : std::max(-least, most);
  bool isSmall = range < 0x1p-100f;
  float inverse = isSmall ? 0 : steps / range;
  float scale = isSmall ? 0 : range / steps;
  float zero =
      activation.hasZeroPoint ? -127 - std::nearbyint(least * inverse) : 0;
  for (int64_t i = 0; i < count; ++i) {
    float q = std::min(std::nearbyint(x[i] * inverse) + zero, 127.0f);
    x[i] = (q - zero) * scale;
  }
}

/// A row of the cache as stored: `heads` of `size` elements each.
static void roundRow(KVType type, float *row) {
  static constexpr ActivationRecord symmetric = {"", 0, false};
  int64_t size = type.getSize();
  for (int64_t h = 0; h < type.getHeads(); ++h)
    if (type.getRecord().hasScale)
      quantize(symmetric, row + h * size, size);
    else
      for (int64_t d = 0; d < size; ++d)
        row[h * size + d] = roundTo(type.getElementType(), row[h * size + d]);
}

/// What a linear multiplies: its rows rounded to `activation` or `compute`.
static Datum roundRows(LinearOp op, const Datum &x) {
  Datum rounded = x;
  if (!op.getActivation()) {
    for (float &value : rounded.floats)
      value = roundTo(op.getCompute(), value);
    return rounded;
  }
  const ActivationRecord &activation = op.getActivation()->getRecord();
  int64_t group = activation.group ? activation.group : x.columns();
  for (int64_t m = 0; m < x.rows(); ++m)
    for (int64_t k = 0; k < x.columns(); k += group)
      quantize(activation, rounded.row(m) + k,
               std::min(group, x.columns() - k));
  return rounded;
}

/// Whether a weight is stored as integers: then it isn't rounded to compute.
static bool isQuantized(Value weight) {
  auto get = weight.getDefiningOp<GetParamOp>();
  auto param = get ? SymbolTable::lookupNearestSymbolFrom<ParamOp>(
                         get, get.getParamAttr())
                   : ParamOp();
  return param && param.getFormat() && param.getFormat()->isQuantized();
}

static LogicalResult linear(Evaluator &e, LinearOp op) {
  const Datum &x = e.get(op.getX());
  Datum rounded = roundRows(op, x), weight = e.get(op.getWeight());
  const Datum &w = weight;
  if (!isQuantized(op.getWeight()))
    for (float &value : weight.floats)
      value = roundTo(op.getCompute(), value);
  Datum y = Datum::matrix(x.rows(), w.rows());
  for (int64_t m = 0; m < y.rows(); ++m)
    for (int64_t n = 0; n < y.columns(); ++n) {
      double sum = 0;
      for (int64_t k = 0; k < x.columns(); ++k)
        sum += static_cast<double>(rounded.row(m)[k]) * weight.row(n)[k];
      float result = static_cast<float>(sum);
      if (op.getBias())
        result += e.get(op.getBias()).floats[n];
      if (op.getResidual())
        result += e.get(op.getResidual()).row(m)[n];
      y.row(m)[n] = result;
    }
  e.set(op.getResult(), std::move(y));
  return success();
}

static LogicalResult rmsNorm(Evaluator &e, RMSNormOp op) {
  const Datum &x = e.get(op.getX());
  Datum y = Datum::matrix(x.rows(), x.columns());
  double eps = op.getEps().convertToFloat();
  for (int64_t m = 0; m < x.rows(); ++m) {
    double squares = 0;
    for (int64_t d = 0; d < x.columns(); ++d)
      squares += static_cast<double>(x.row(m)[d]) * x.row(m)[d];
    double root = std::sqrt(squares / static_cast<double>(x.columns()) + eps);
    for (int64_t d = 0; d < x.columns(); ++d) {
      double weight = op.getWeight() ? e.get(op.getWeight()).floats[d] : 1.0f;
      y.row(m)[d] = static_cast<float>(x.row(m)[d] / root * weight);
    }
  }
  e.set(op.getResult(), std::move(y));
  return success();
}

static LogicalResult layerNorm(Evaluator &e, LayerNormOp op) {
  const Datum &x = e.get(op.getX());
  const Datum &weight = e.get(op.getWeight()), &bias = e.get(op.getBias());
  Datum y = Datum::matrix(x.rows(), x.columns());
  double eps = op.getEps().convertToFloat();
  auto count = static_cast<double>(x.columns());
  for (int64_t m = 0; m < x.rows(); ++m) {
    double sum = 0, squares = 0;
    for (int64_t d = 0; d < x.columns(); ++d)
      sum += x.row(m)[d];
    double mean = sum / count;
    for (int64_t d = 0; d < x.columns(); ++d)
      squares += (x.row(m)[d] - mean) * (x.row(m)[d] - mean);
    double root = std::sqrt(squares / count + eps);
    for (int64_t d = 0; d < x.columns(); ++d)
      y.row(m)[d] = static_cast<float>(
          (x.row(m)[d] - mean) / root * weight.floats[d] + bias.floats[d]);
  }
  e.set(op.getResult(), std::move(y));
  return success();
}

static double silu(double x) { return x / (1 + std::exp(-x)); }
static double gelu(double x) { return x / 2 * (1 + std::erf(x / M_SQRT2)); }
static double geluTanh(double x) {
  return x / 2 *
         (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}
static double relu(double x) { return x > 0 ? x : 0; }

template <double (*Function)(double), typename Op>
static LogicalResult unary(Evaluator &e, Op op) {
  Datum y = e.get(op.getX());
  for (float &value : y.floats)
    value = static_cast<float>(Function(value));
  e.set(op.getResult(), std::move(y));
  return success();
}

static LogicalResult add(Evaluator &e, AddOp op) {
  Datum y = e.get(op.getLhs());
  const Datum &rhs = e.get(op.getRhs());
  for (size_t i = 0; i < y.floats.size(); ++i)
    y.floats[i] += rhs.floats[i];
  e.set(op.getResult(), std::move(y));
  return success();
}

static LogicalResult mul(Evaluator &e, MulOp op) {
  Datum y = e.get(op.getLhs());
  const Datum &rhs = e.get(op.getRhs());
  for (size_t i = 0; i < y.floats.size(); ++i)
    y.floats[i] *= rhs.floats[i];
  e.set(op.getResult(), std::move(y));
  return success();
}

/// The activation is stored before the product, as without the merge.
// [doc:reference]
static LogicalResult glu(Evaluator &e, GluOp op) {
  const Datum &x = e.get(op.getX());
  StringRef name = op.getActivation();
  double (*activation)(double) = name == "silu"        ? silu
                                 : name == "gelu"      ? gelu
                                 : name == "gelu_tanh" ? geluTanh
                                                       : relu;
  int64_t width = x.columns() / 2;
  Datum y = Datum::matrix(x.rows(), width);
  for (int64_t m = 0; m < x.rows(); ++m)
    for (int64_t d = 0; d < width; ++d)
      y.row(m)[d] =
          static_cast<float>(activation(x.row(m)[d])) * x.row(m)[width + d];
  e.set(op.getResult(), std::move(y));
  return success();
}
// [/doc:reference]

static LogicalResult normalize(Evaluator &e, NormalizeOp op) {
  Datum y = e.get(op.getX());
  for (int64_t m = 0; m < y.rows(); ++m) {
    double squares = 0;
    for (int64_t d = 0; d < y.columns(); ++d)
      squares += static_cast<double>(y.row(m)[d]) * y.row(m)[d];
    double length = std::max(std::sqrt(squares), 1e-12);
    for (int64_t d = 0; d < y.columns(); ++d)
      y.row(m)[d] = static_cast<float>(y.row(m)[d] / length);
  }
  e.set(op.getResult(), std::move(y));
  return success();
}

static LogicalResult pool(Evaluator &e, PoolOp op) {
  const Datum &x = e.get(op.getX());
  const Datum &begin = e.get(op.getBegin()), &end = e.get(op.getEnd());
  Datum y = Datum::matrix(begin.rows(), x.columns());
  for (int64_t s = 0; s < y.rows(); ++s) {
    int64_t first = begin.ints[s];
    int64_t last = op.getMode() == "cls" ? first + 1 : end.ints[s];
    if (failed(checkIndex(op, first, last)) ||
        failed(checkIndex(op, last - 1, x.rows())))
      return failure();
    for (int64_t d = 0; d < x.columns(); ++d) {
      double sum = 0;
      for (int64_t m = first; m < last; ++m)
        sum += x.row(m)[d];
      y.row(s)[d] = static_cast<float>(sum / static_cast<double>(last - first));
    }
  }
  e.set(op.getResult(), std::move(y));
  return success();
}

//===----------------------------------------------------------------------===//
// Positions
//===----------------------------------------------------------------------===//

/// Cosine and sine of an angle that was rounded to f32.
static std::pair<float, float> getRotation(int32_t position, float frequency) {
  float angle = static_cast<float>(position) * frequency;
  return {static_cast<float>(std::cos(static_cast<double>(angle))),
          static_cast<float>(std::sin(static_cast<double>(angle)))};
}

/// Rotates elements i and i + half of each head of row `x`.
static void rotatePairs(float *x, int64_t heads, int64_t half, int64_t i,
                        float cos, float sin) {
  for (int64_t h = 0; h < heads; ++h) {
    double a = x[h * 2 * half + i], b = x[h * 2 * half + half + i];
    x[h * 2 * half + i] = static_cast<float>(a * cos - b * sin);
    x[h * 2 * half + half + i] = static_cast<float>(b * cos + a * sin);
  }
}

static LogicalResult rope(Evaluator &e, RopeOp op) {
  Datum y = e.get(op.getX());
  const Datum &positions = e.get(op.getPositions());
  SmallVector<float> frequencies = op.getFrequencies();
  int64_t half = frequencies.size();
  for (int64_t m = 0; m < y.rows(); ++m)
    for (int64_t i = 0; i < half; ++i) {
      auto [cos, sin] = getRotation(positions.ints[m], frequencies[i]);
      rotatePairs(y.row(m), op.getHeads(), half, i, cos, sin);
    }
  e.set(op.getResult(), std::move(y));
  return success();
}

static LogicalResult ropeTable(Evaluator &e, RopeTableOp op) {
  const Datum &positions = e.get(op.getPositions());
  const Datum &frequencies = e.get(op.getFrequencies());
  int64_t half = frequencies.shape[0];
  Datum cos = Datum::matrix(positions.rows(), half), sin = cos;
  for (int64_t m = 0; m < positions.rows(); ++m)
    for (int64_t i = 0; i < half; ++i)
      std::tie(cos.row(m)[i], sin.row(m)[i]) =
          getRotation(positions.ints[m], frequencies.floats[i]);
  e.set(op.getCos(), std::move(cos));
  e.set(op.getSin(), std::move(sin));
  return success();
}

static LogicalResult rotate(Evaluator &e, RotateOp op) {
  Datum y = e.get(op.getX());
  const Datum &cos = e.get(op.getCos()), &sin = e.get(op.getSin());
  for (int64_t m = 0; m < y.rows(); ++m)
    for (int64_t i = 0; i < cos.columns(); ++i)
      rotatePairs(y.row(m), op.getHeads(), cos.columns(), i, cos.row(m)[i],
                  sin.row(m)[i]);
  e.set(op.getResult(), std::move(y));
  return success();
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

/// softmax(scale * q . k) . v of one head over rows [begin, end) of k and v,
/// which begin at `offset` in rows of `stride` elements. q and y: [size].
static void attend(const float *q, const std::vector<float> &k,
                   const std::vector<float> &v, int64_t begin, int64_t end,
                   int64_t stride, int64_t offset, int64_t size, double scale,
                   float *y) {
  std::vector<double> scores;
  double highest = -std::numeric_limits<double>::infinity(), sum = 0;
  for (int64_t p = begin; p < end; ++p) {
    double dot = 0;
    for (int64_t d = 0; d < size; ++d)
      dot += static_cast<double>(q[d]) * k[p * stride + offset + d];
    scores.push_back(dot * scale);
    highest = std::max(highest, scores.back());
  }
  for (double &score : scores)
    sum += score = std::exp(score - highest);
  for (int64_t d = 0; d < size; ++d) {
    double mixed = 0;
    for (int64_t p = begin; p < end; ++p)
      mixed += scores[p - begin] * v[p * stride + offset + d];
    y[d] = static_cast<float>(mixed / sum);
  }
}

static LogicalResult kvAppend(Evaluator &e, KVAppendOp op) {
  Datum k = e.get(op.getK()), v = e.get(op.getV());
  const Datum &slots = e.get(op.getSlots());
  const Datum &positions = e.get(op.getPositions());
  KVState *kv = e.get(op.getKv()).kv;
  KVType type = op.getKv().getType();
  int64_t layer = e.get(op.getLayer()).index;
  if (!kv)
    return op.emitError("expects a KV cache");
  if (failed(checkIndex(op, layer, type.getLayers())))
    return failure();
  auto width = static_cast<size_t>(k.columns());
  for (int64_t m = 0; m < k.rows(); ++m) {
    roundRow(type, k.row(m));
    roundRow(type, v.row(m));
    KVRows &rows = kv->rows[{layer, slots.ints[m]}];
    size_t position = positions.ints[m];
    for (auto [stored, row] :
         {std::pair(&rows.k, k.row(m)), {&rows.v, v.row(m)}}) {
      if (stored->size() < (position + 1) * width)
        stored->resize((position + 1) * width,
                       std::numeric_limits<float>::quiet_NaN());
      std::copy_n(row, width, stored->begin() + position * width);
    }
  }
  e.set(op.getStoredK(), std::move(k));
  e.set(op.getStoredV(), std::move(v));
  return success();
}

static LogicalResult cachedAttention(Evaluator &e, CachedAttentionOp op) {
  const Datum &q = e.get(op.getQ()), &slots = e.get(op.getSlots());
  const Datum &positions = e.get(op.getPositions());
  KVState *kv = e.get(op.getKv()).kv;
  if (!kv)
    return op.emitError("expects a KV cache");
  KVType type = op.getKv().getType();
  int64_t heads = op.getHeads(), size = type.getSize();
  int64_t group = heads / type.getHeads(), stride = type.getHeads() * size;
  Datum y = Datum::matrix(q.rows(), q.columns());
  for (int64_t m = 0; m < q.rows(); ++m) {
    const KVRows &rows = kv->rows[{e.get(op.getLayer()).index, slots.ints[m]}];
    int64_t end = positions.ints[m] + 1, begin = 0;
    if (op.getWindow())
      begin = std::max<int64_t>(0, end - *op.getWindow());
    if (failed(checkIndex(op, end - 1,
                          static_cast<int64_t>(rows.k.size()) / stride)))
      return failure();
    for (int64_t h = 0; h < heads; ++h)
      attend(q.row(m) + h * size, rows.k, rows.v, begin, end, stride,
             h / group * size, size, op.getScale().convertToFloat(),
             y.row(m) + h * size);
  }
  e.set(op.getResult(), std::move(y));
  return success();
}

static LogicalResult attention(Evaluator &e, AttentionOp op) {
  const Datum &q = e.get(op.getQ()), &k = e.get(op.getK()),
              &v = e.get(op.getV());
  const Datum &begin = e.get(op.getBegin()), &end = e.get(op.getEnd());
  int64_t heads = op.getHeads(), group = heads / op.getKvHeads();
  int64_t size = q.columns() / heads;
  Datum y = Datum::matrix(q.rows(), q.columns());
  for (int64_t m = 0; m < q.rows(); ++m) {
    if (failed(checkIndex(op, begin.ints[m], end.ints[m])) ||
        failed(checkIndex(op, end.ints[m] - 1, k.rows())))
      return failure();
    for (int64_t h = 0; h < heads; ++h)
      attend(q.row(m) + h * size, k.floats, v.floats, begin.ints[m],
             end.ints[m], k.columns(), h / group * size, size,
             op.getScale().convertToFloat(), y.row(m) + h * size);
  }
  e.set(op.getResult(), std::move(y));
  return success();
}

//===----------------------------------------------------------------------===//
// Ops of other dialects
//===----------------------------------------------------------------------===//

static LogicalResult constant(Evaluator &e, arith::ConstantOp op) {
  if (auto number = dyn_cast<IntegerAttr>(op.getValue())) {
    e.set(op.getResult(), Datum::number(number.getInt()));
    return success();
  }
  auto dense = dyn_cast<DenseFPElementsAttr>(op.getValue());
  if (!dense || !dense.getElementType().isF32())
    return op.emitError("expects an integer or a dense f32 constant");
  Datum datum;
  datum.shape.assign(dense.getType().getShape().begin(),
                     dense.getType().getShape().end());
  for (APFloat value : dense.getValues<APFloat>())
    datum.floats.push_back(value.convertToFloat());
  e.set(op.getResult(), std::move(datum));
  return success();
}

static LogicalResult addIndices(Evaluator &e, arith::AddIOp op) {
  e.set(op.getResult(),
        Datum::number(e.get(op.getLhs()).index + e.get(op.getRhs()).index));
  return success();
}

static LogicalResult dim(Evaluator &e, tensor::DimOp op) {
  int64_t number = e.get(op.getIndex()).index;
  const Datum &source = e.get(op.getSource());
  if (failed(checkIndex(op, number, source.shape.size())))
    return failure();
  e.set(op.getResult(), Datum::number(source.shape[number]));
  return success();
}

/// Slices of columns alone, which is what passes of this level emit.
static LogicalResult extractSlice(Evaluator &e, tensor::ExtractSliceOp op) {
  const Datum &x = e.get(op.getSource());
  auto valueOf = [&](OpFoldResult fold) {
    std::optional<int64_t> number = getConstantIntValue(fold);
    return number ? *number : e.get(cast<Value>(fold)).index;
  };
  if (x.shape.size() != 2 || !op.hasUnitStride() ||
      valueOf(op.getMixedOffsets()[0]) != 0 ||
      valueOf(op.getMixedSizes()[0]) != x.rows())
    return op.emitError("expects all rows of a matrix");
  int64_t begin = valueOf(op.getMixedOffsets()[1]);
  Datum y = Datum::matrix(x.rows(), valueOf(op.getMixedSizes()[1]));
  if (failed(checkIndex(op, begin + y.columns() - 1, x.columns())))
    return failure();
  for (int64_t m = 0; m < y.rows(); ++m)
    std::copy_n(x.row(m) + begin, y.columns(), y.row(m));
  e.set(op.getResult(), std::move(y));
  return success();
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

template <typename Op, LogicalResult (*Function)(Evaluator &, Op)>
static std::pair<StringRef, OpFunction> entry() {
  return {Op::getOperationName(), [](Evaluator &e, Operation *op) {
            return Function(e, cast<Op>(op));
          }};
}

OpFunction smelt::lookupOpFunction(StringRef name) {
  static const ::llvm::StringMap<OpFunction> table = {
      entry<EmbeddingOp, embedding>(),
      entry<GatherRowsOp, gatherRows>(),
      entry<LinearOp, linear>(),
      entry<RMSNormOp, rmsNorm>(),
      entry<LayerNormOp, layerNorm>(),
      entry<AddOp, add>(),
      entry<MulOp, mul>(),
      entry<SiluOp, unary<silu, SiluOp>>(),
      entry<GeluOp, unary<gelu, GeluOp>>(),
      entry<GeluTanhOp, unary<geluTanh, GeluTanhOp>>(),
      entry<ReluOp, unary<relu, ReluOp>>(),
      entry<GluOp, glu>(),
      entry<RopeOp, rope>(),
      entry<RopeTableOp, ropeTable>(),
      entry<RotateOp, rotate>(),
      entry<KVAppendOp, kvAppend>(),
      entry<CachedAttentionOp, cachedAttention>(),
      entry<AttentionOp, attention>(),
      entry<PoolOp, pool>(),
      entry<NormalizeOp, normalize>(),
      entry<arith::ConstantOp, constant>(),
      entry<arith::AddIOp, addIndices>(),
      entry<tensor::DimOp, dim>(),
      entry<tensor::ExtractSliceOp, extractSlice>(),
  };
  return table.lookup(name);
}
