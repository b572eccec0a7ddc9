//===- ConvertLLMToLinalg.cpp - llm to linalg and kernel --------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One pattern per op, each a formula of LLMOps.td spelled in linalg. Where the
// input of an op is dead after it, the result takes its place: the destination
// of the linalg op is the input, not a new tensor, so that the residual stream
// stays in one buffer from the embedding to the head.
//
//===----------------------------------------------------------------------===//
#include "smelt/Conversion/LLMToLinalg/Passes.h"

#include "smelt/Dialect/LLM/IR/LLM.h"
#include "smelt/Target/CPU/Targets.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace smelt {
#define GEN_PASS_DEF_CONVERTLLMTOLINALG
#include "smelt/Conversion/LLMToLinalg/Passes.h.inc"
} // namespace smelt

using namespace mlir;
using namespace smelt;

namespace {

/// Spells formulas on [M, D] tensors.
struct RowBuilder {
  OpBuilder &b;
  Location loc;

  Value constant(double value) {
    return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value));
  }

  /// An uninitialised tensor with as many rows as `like`.
  Value empty(Value like, ArrayRef<int64_t> columns, Type element) {
    SmallVector<OpFoldResult> sizes = {tensor::getMixedSize(b, loc, like, 0)};
    for (int64_t column : columns)
      sizes.push_back(b.getIndexAttr(column));
    return tensor::EmptyOp::create(b, loc, sizes, element);
  }
  /// One for what `result` becomes, which has as many rows as `like`.
  Value emptyFor(Value result, Value like) {
    auto type = cast<RankedTensorType>(result.getType());
    return empty(like, type.getShape().drop_front(), type.getElementType());
  }
  Value emptyLike(Value like) { return emptyFor(like, like); }

  /// Maps of (m, d): the element, the row's value, the column's value.
  AffineMap element() { return b.getMultiDimIdentityMap(2); }
  AffineMap perRow() {
    return AffineMap::get(2, 0, b.getAffineDimExpr(0), b.getContext());
  }
  AffineMap perColumn() {
    return AffineMap::get(2, 0, b.getAffineDimExpr(1), b.getContext());
  }
  AffineMap mapOf(Value operand, bool isRowVector) {
    if (cast<ShapedType>(operand.getType()).getRank() == 2)
      return element();
    return isRowVector ? perColumn() : perRow();
  }

  using Body = function_ref<Value(OpBuilder &, Location, ValueRange)>;

  /// `init[m, d] = body(ins..., init)`. Vectors of the inputs are one value
  /// per column, unless listed in `perRowInputs`.
  Value map(ValueRange ins, Value init, Body body,
            ArrayRef<Value> perRowInputs = {}) {
    SmallVector<AffineMap> maps;
    for (Value in : ins)
      maps.push_back(mapOf(in, !llvm::is_contained(perRowInputs, in)));
    maps.push_back(element());
    return generic(
        ins, init, maps,
        {utils::IteratorType::parallel, utils::IteratorType::parallel}, body);
  }

  /// [M] values computed from [M] values.
  Value mapRows(ValueRange ins, Body body) {
    SmallVector<AffineMap> maps(ins.size() + 1, b.getMultiDimIdentityMap(1));
    return generic(ins, emptyLike(ins[0]), maps,
                   {utils::IteratorType::parallel}, body);
  }

  /// [M] sums over d of `term(ins...) + accumulator`; the body gets the
  /// accumulator last.
  Value sumRows(ValueRange ins, Body body, ArrayRef<Value> perRowInputs = {}) {
    Value init =
        linalg::FillOp::create(b, loc, ValueRange{constant(0)},
                               ValueRange{empty(ins[0], {}, b.getF32Type())})
            .getResult(0);
    SmallVector<AffineMap> maps;
    for (Value in : ins)
      maps.push_back(mapOf(in, !llvm::is_contained(perRowInputs, in)));
    maps.push_back(perRow());
    return generic(
        ins, init, maps,
        {utils::IteratorType::parallel, utils::IteratorType::reduction}, body);
  }

  Value generic(ValueRange ins, Value init, ArrayRef<AffineMap> maps,
                ArrayRef<utils::IteratorType> iterators, Body body) {
    return linalg::GenericOp::create(
               b, loc, TypeRange{init.getType()}, ins, ValueRange{init}, maps,
               iterators,
               [&](OpBuilder &nested, Location nestedLoc, ValueRange args) {
                 linalg::YieldOp::create(nested, nestedLoc,
                                         body(nested, nestedLoc, args));
               })
        .getResult(0);
  }

  /// Rounds to the compute type and stores as `stored`, which holds it
  /// exactly; yields `x` for f32.
  Value round(Value x, Type compute, Type stored) {
    if (compute.isF32())
      return x;
    auto shape = cast<RankedTensorType>(x.getType()).getShape();
    return map(x, empty(x, shape.drop_front(), stored),
               [&](OpBuilder &nb, Location l, ValueRange v) -> Value {
                 Value low = arith::TruncFOp::create(nb, l, compute, v[0]);
                 if (stored == compute)
                   return low;
                 return arith::ExtFOp::create(nb, l, stored, low);
               });
  }
};

//===----------------------------------------------------------------------===//
// Elementwise formulas of the activations
//===----------------------------------------------------------------------===//

Value constantF32(OpBuilder &b, Location loc, double value) {
  return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value));
}

Value emitSilu(OpBuilder &b, Location loc, Value x) {
  Value exp = math::ExpOp::create(b, loc, arith::NegFOp::create(b, loc, x));
  Value one = constantF32(b, loc, 1);
  return arith::DivFOp::create(b, loc, x,
                               arith::AddFOp::create(b, loc, one, exp));
}

Value emitGelu(OpBuilder &b, Location loc, Value x) {
  Value scaled = arith::MulFOp::create(
      b, loc, x, constantF32(b, loc, 0.70710678118654752440));
  Value erf = math::ErfOp::create(b, loc, scaled);
  Value half = arith::MulFOp::create(b, loc, x, constantF32(b, loc, 0.5));
  return arith::MulFOp::create(
      b, loc, half, arith::AddFOp::create(b, loc, erf, constantF32(b, loc, 1)));
}

Value emitGeluTanh(OpBuilder &b, Location loc, Value x) {
  Value square = arith::MulFOp::create(b, loc, x, x);
  Value cube = arith::MulFOp::create(b, loc, square, x);
  Value inner =
      math::FmaOp::create(b, loc, cube, constantF32(b, loc, 0.044715), x);
  Value scaled = arith::MulFOp::create(
      b, loc, inner, constantF32(b, loc, 0.79788456080286535588));
  Value tanh = math::TanhOp::create(b, loc, scaled);
  Value half = arith::MulFOp::create(b, loc, x, constantF32(b, loc, 0.5));
  return arith::MulFOp::create(
      b, loc, half,
      arith::AddFOp::create(b, loc, tanh, constantF32(b, loc, 1)));
}

Value emitRelu(OpBuilder &b, Location loc, Value x) {
  return arith::MaximumFOp::create(b, loc, x, constantF32(b, loc, 0));
}

struct Activation {
  StringRef name;
  Value (*emit)(OpBuilder &, Location, Value);
};
const Activation kActivations[] = {{"silu", emitSilu},
                                   {"gelu", emitGelu},
                                   {"gelu_tanh", emitGeluTanh},
                                   {"relu", emitRelu}};

const Activation *lookupActivation(StringRef name) {
  return llvm::find_if(kActivations,
                       [&](const Activation &a) { return a.name == name; });
}

//===----------------------------------------------------------------------===//
// Params
//===----------------------------------------------------------------------===//

llm::ParamOp lookupParam(llm::GetParamOp get) {
  return SymbolTable::lookupNearestSymbolFrom<llm::ParamOp>(get,
                                                            get.getParamAttr());
}

/// The stored bytes of the param that `value` reads, as a buffer.
Value paramBuffer(OpBuilder &b, llm::GetParamOp get) {
  RankedTensorType stored = lookupParam(get).getStoredType();
  return kernel::ParamOp::create(
      b, get.getLoc(),
      MemRefType::get(stored.getShape(), stored.getElementType()),
      get.getParamAttr(), get.getLayer());
}

/// The value of a vector param as a tensor.
Value vectorParam(OpBuilder &b, Value value) {
  auto get = value.getDefiningOp<llm::GetParamOp>();
  Value buffer = paramBuffer(b, get);
  return bufferization::ToTensorOp::create(b, get.getLoc(), get.getType(),
                                           buffer, /*restrict=*/true);
}

//===----------------------------------------------------------------------===//
// Patterns
//===----------------------------------------------------------------------===//

struct LowerLinear : OpRewritePattern<llm::LinearOp> {
  using OpRewritePattern::OpRewritePattern;

  /// Columns [first, first + count) of the product, whose panels begin at
  /// `panel`.
  static Value product(RowBuilder &rows, llm::LinearOp op, Value x,
                       int64_t panel, int64_t count) {
    OpBuilder &b = rows.b;
    auto get = op.getWeight().getDefiningOp<llm::GetParamOp>();
    llm::ParamOp param = lookupParam(get);
    Value weight = paramBuffer(b, get);
    auto type = cast<MemRefType>(weight.getType());
    int64_t panels =
        llm::LayoutAttr(param.getLayoutAttr()).getPhysicalShape({count, 1})[0];
    if (panels != type.getDimSize(0)) {
      SmallVector<OpFoldResult> offsets(4, b.getIndexAttr(0)),
          strides(4, b.getIndexAttr(1)), sizes;
      for (int64_t size : type.getShape())
        sizes.push_back(b.getIndexAttr(size));
      offsets[0] = b.getIndexAttr(panel);
      sizes[0] = b.getIndexAttr(panels);
      weight = memref::SubViewOp::create(b, rows.loc, weight, offsets, sizes,
                                         strides);
    }
    Value init = rows.empty(x, {count}, b.getF32Type());
    return kernel::MatmulOp::create(b, rows.loc, init.getType(), x, weight,
                                    init, param.getFormatAttr())
        .getResult();
  }

  LogicalResult matchAndRewrite(llm::LinearOp op,
                                PatternRewriter &rewriter) const override {
    auto get = op.getWeight().getDefiningOp<llm::GetParamOp>();
    if (!get || !lookupParam(get).getFormat() ||
        !lookupParam(get).getLayout() ||
        !lookupParam(get).getLayout()->isPanel())
      return rewriter.notifyMatchFailure(
          op, "expects a weight that is a param with format and panel layout");
    RowBuilder rows{rewriter, op.getLoc()};
    Value x = rows.round(op.getX(), op.getCompute(), activationType(op));
    if (op->hasOneUse())
      if (auto glu = dyn_cast<llm::GluOp>(*op->user_begin()))
        return lowerGlu(rows, op, glu, x, rewriter);
    int64_t columns =
        cast<RankedTensorType>(op.getWeight().getType()).getDimSize(0);
    SmallVector<Value> ins = {product(rows, op, x, 0, columns)};
    if (op.getBias())
      ins.push_back(vectorParam(rewriter, op.getBias()));
    if (!op.getBias() && !op.getResidual()) {
      rewriter.replaceOp(op, ins[0]);
      return success();
    }
    // The sum takes the place of the residual stream where that ends here.
    bool inPlace = op.getResidual() && isLastUse(op, op.getResidual());
    if (op.getResidual() && !inPlace)
      ins.push_back(op.getResidual());
    Value init = inPlace ? op.getResidual()
                         : rows.empty(x, {columns}, rewriter.getF32Type());
    Value result =
        rows.map(ins, init, [&](OpBuilder &b, Location loc, ValueRange v) {
          Value sum = v[0];
          unsigned last = ins.size() + (inPlace ? 1 : 0);
          for (unsigned i = 1; i < last; ++i)
            sum = arith::AddFOp::create(b, loc, sum, v[i]);
          return sum;
        });
    rewriter.replaceOp(op, result);
    return success();
  }

  /// What the rows of a product are stored as: bf16 where the target multiplies
  /// pairs of bf16, else f32, so that they are extended once, not per panel.
  static Type activationType(llm::LinearOp op) {
    auto get = op.getWeight().getDefiningOp<llm::GetParamOp>();
    Type stored = lookupParam(get).getStoredType().getElementType();
    const TargetRecord *target = namesTarget(op) ? getTarget(op) : nullptr;
    if (target && target->hasBF16Dot && stored.isBF16() &&
        op.getCompute().isBF16())
      return stored;
    return Float32Type::get(op.getContext());
  }

  /// No user of `value` follows `op` in its block.
  static bool isLastUse(Operation *op, Value value) {
    return llvm::all_of(value.getUsers(), [&](Operation *user) {
      return user == op ||
             (user->getBlock() == op->getBlock() && user->isBeforeInBlock(op));
    });
  }

  /// Gate and up panels lie one after another; their tiles meet in one
  /// elementwise op.
  LogicalResult lowerGlu(RowBuilder &rows, llm::LinearOp op, llm::GluOp glu,
                         Value x, PatternRewriter &rewriter) const {
    int64_t columns = cast<RankedTensorType>(glu.getType()).getDimSize(1);
    auto get = op.getWeight().getDefiningOp<llm::GetParamOp>();
    int64_t panels = lookupParam(get).getStoredType().getDimSize(0);
    if (op.getResidual() || panels % 2)
      return rewriter.notifyMatchFailure(
          op, "expects gate and up padded to whole panels, without residual");
    SmallVector<Value> ins = {product(rows, op, x, 0, columns),
                              product(rows, op, x, panels / 2, columns)};
    if (op.getBias()) {
      Value bias = vectorParam(rewriter, op.getBias());
      int64_t half = cast<RankedTensorType>(bias.getType()).getDimSize(0) / 2;
      for (int64_t start : {int64_t(0), half})
        ins.push_back(tensor::ExtractSliceOp::create(
            rewriter, rows.loc, bias,
            ArrayRef<OpFoldResult>{rewriter.getIndexAttr(start)},
            ArrayRef<OpFoldResult>{rewriter.getIndexAttr(columns)},
            ArrayRef<OpFoldResult>{rewriter.getIndexAttr(1)}));
    }
    const Activation *activation = lookupActivation(glu.getActivation());
    rewriter.setInsertionPoint(glu);
    Value init = rows.empty(x, {columns}, rewriter.getF32Type());
    Value result =
        rows.map(ins, init, [&](OpBuilder &b, Location loc, ValueRange v) {
          Value gate = v[0], up = v[1];
          if (ins.size() == 4) {
            gate = arith::AddFOp::create(b, loc, gate, v[2]);
            up = arith::AddFOp::create(b, loc, up, v[3]);
          }
          return arith::MulFOp::create(b, loc, activation->emit(b, loc, gate),
                                       up);
        });
    rewriter.replaceOp(glu, result);
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerGlu : OpRewritePattern<llm::GluOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(llm::GluOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getX().getDefiningOp<llm::LinearOp>() && op.getX().hasOneUse())
      return rewriter.notifyMatchFailure(op, "lowered with its linear");
    RowBuilder rows{rewriter, op.getLoc()};
    int64_t columns = cast<RankedTensorType>(op.getType()).getDimSize(1);
    SmallVector<OpFoldResult> strides(2, rewriter.getIndexAttr(1));
    SmallVector<OpFoldResult> sizes = {
        tensor::getMixedSize(rewriter, op.getLoc(), op.getX(), 0),
        rewriter.getIndexAttr(columns)};
    SmallVector<Value> halves;
    for (int64_t start : {int64_t(0), columns})
      halves.push_back(tensor::ExtractSliceOp::create(
          rewriter, op.getLoc(), op.getX(),
          ArrayRef<OpFoldResult>{rewriter.getIndexAttr(0),
                                 rewriter.getIndexAttr(start)},
          sizes, strides));
    const Activation *activation = lookupActivation(op.getActivation());
    rewriter.replaceOp(
        op, rows.map(halves, rows.emptyFor(op, op.getX()),
                     [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
                       return arith::MulFOp::create(
                           b, loc, activation->emit(b, loc, v[0]), v[1]);
                     }));
    return success();
  }
};

struct LowerRMSNorm : OpRewritePattern<llm::RMSNormOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(llm::RMSNormOp op,
                                PatternRewriter &rewriter) const override {
    RowBuilder rows{rewriter, op.getLoc()};
    Value x = op.getX();
    double inverse = 1.0 / cast<RankedTensorType>(x.getType()).getDimSize(1);
    Value sum =
        rows.sumRows(x, [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
          return math::FmaOp::create(b, loc, v[0], v[0], v[1]);
        });
    Value factor = rows.mapRows(
        sum, [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
          Value mean =
              arith::MulFOp::create(b, loc, v[0], constantF32(b, loc, inverse));
          Value eps = arith::ConstantOp::create(b, loc, op.getEpsAttr());
          return math::RsqrtOp::create(
              b, loc, arith::AddFOp::create(b, loc, mean, eps));
        });
    SmallVector<Value> ins = {x, factor};
    if (op.getWeight())
      ins.push_back(vectorParam(rewriter, op.getWeight()));
    rewriter.replaceOp(op, rows.map(
                               ins, rows.emptyLike(x),
                               [&](OpBuilder &b, Location loc, ValueRange v) {
                                 Value y =
                                     arith::MulFOp::create(b, loc, v[0], v[1]);
                                 if (op.getWeight())
                                   y = arith::MulFOp::create(b, loc, y, v[2]);
                                 return y;
                               },
                               factor));
    return success();
  }
};

struct LowerLayerNorm : OpRewritePattern<llm::LayerNormOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(llm::LayerNormOp op,
                                PatternRewriter &rewriter) const override {
    RowBuilder rows{rewriter, op.getLoc()};
    Value x = op.getX();
    double inverse = 1.0 / cast<RankedTensorType>(x.getType()).getDimSize(1);
    bool inPlace = x.hasOneUse();
    Value sum =
        rows.sumRows(x, [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
          return arith::AddFOp::create(b, loc, v[0], v[1]);
        });
    Value mean = rows.mapRows(
        sum, [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
          return arith::MulFOp::create(b, loc, v[0],
                                       constantF32(b, loc, inverse));
        });
    Value squares = rows.sumRows(
        {x, mean},
        [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
          Value d = arith::SubFOp::create(b, loc, v[0], v[1]);
          return math::FmaOp::create(b, loc, d, d, v[2]);
        },
        mean);
    Value factor = rows.mapRows(
        squares, [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
          Value variance =
              arith::MulFOp::create(b, loc, v[0], constantF32(b, loc, inverse));
          Value eps = arith::ConstantOp::create(b, loc, op.getEpsAttr());
          return math::RsqrtOp::create(
              b, loc, arith::AddFOp::create(b, loc, variance, eps));
        });
    Value weight = vectorParam(rewriter, op.getWeight());
    Value bias = vectorParam(rewriter, op.getBias());
    SmallVector<Value> ins = {mean, factor, weight, bias};
    if (!inPlace)
      ins.push_back(x);
    Value init = inPlace ? x : rows.emptyLike(x);
    // In place, x is the destination's old value; both come last.
    rewriter.replaceOp(
        op, rows.map(ins, init,
                     [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
                       Value d = arith::SubFOp::create(b, loc, v[4], v[0]);
                       Value scaled = arith::MulFOp::create(b, loc, d, v[1]);
                       Value weighted =
                           arith::MulFOp::create(b, loc, scaled, v[2]);
                       return arith::AddFOp::create(b, loc, weighted, v[3]);
                     },
                     {mean, factor}));
    return success();
  }
};

struct LowerNormalize : OpRewritePattern<llm::NormalizeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(llm::NormalizeOp op,
                                PatternRewriter &rewriter) const override {
    RowBuilder rows{rewriter, op.getLoc()};
    Value x = op.getX();
    Value sum =
        rows.sumRows(x, [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
          return math::FmaOp::create(b, loc, v[0], v[0], v[1]);
        });
    Value length = rows.mapRows(
        sum, [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
          return arith::MaximumFOp::create(b, loc,
                                           math::SqrtOp::create(b, loc, v[0]),
                                           constantF32(b, loc, 1e-12));
        });
    rewriter.replaceOp(
        op, rows.map(
                {x, length}, rows.emptyLike(x),
                [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
                  return arith::DivFOp::create(b, loc, v[0], v[1]);
                },
                length));
    return success();
  }
};

/// silu, gelu, gelu_tanh, relu.
template <typename Op> struct LowerUnary : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    RowBuilder rows{rewriter, op.getLoc()};
    const Activation *activation =
        lookupActivation(op->getName().stripDialect());
    rewriter.replaceOp(op,
                       rows.map(op.getX(), rows.emptyLike(op.getX()),
                                [&](OpBuilder &b, Location loc, ValueRange v) {
                                  return activation->emit(b, loc, v[0]);
                                }));
    return success();
  }
};

/// add, mul.
template <typename Op, typename Arith>
struct LowerBinary : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    RowBuilder rows{rewriter, op.getLoc()};
    rewriter.replaceOp(
        op, rows.map({op.getLhs(), op.getRhs()}, rows.emptyLike(op.getLhs()),
                     [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
                       return Arith::create(b, loc, v[0], v[1]);
                     }));
    return success();
  }
};

struct LowerEmbedding : OpRewritePattern<llm::EmbeddingOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(llm::EmbeddingOp op,
                                PatternRewriter &rewriter) const override {
    auto get = op.getTable().getDefiningOp<llm::GetParamOp>();
    if (!get)
      return rewriter.notifyMatchFailure(op, "expects a param as table");
    RowBuilder rows{rewriter, op.getLoc()};
    Value table = paramBuffer(rewriter, get);
    Value init = rows.emptyFor(op, op.getIndices());
    rewriter.replaceOpWithNewOp<kernel::GatherOp>(op, init.getType(),
                                                  op.getIndices(), table, init);
    return success();
  }
};

struct LowerGatherRows : OpRewritePattern<llm::GatherRowsOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(llm::GatherRowsOp op,
                                PatternRewriter &rewriter) const override {
    RowBuilder rows{rewriter, op.getLoc()};
    Value init = rows.emptyFor(op, op.getRows());
    rewriter.replaceOpWithNewOp<kernel::GatherOp>(
        op, init.getType(), op.getRows(), op.getX(), init);
    return success();
  }
};

struct LowerRopeTable : OpRewritePattern<llm::RopeTableOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(llm::RopeTableOp op,
                                PatternRewriter &rewriter) const override {
    RowBuilder rows{rewriter, op.getLoc()};
    auto table = [&](auto emit) {
      Value init = rows.emptyFor(op.getCos(), op.getPositions());
      return rows.map(
          {op.getPositions(), op.getFrequencies()}, init,
          [&](OpBuilder &b, Location loc, ValueRange v) -> Value {
            Value position =
                arith::SIToFPOp::create(b, loc, b.getF32Type(), v[0]);
            Value angle = arith::MulFOp::create(b, loc, position, v[1]);
            return emit(b, loc, angle);
          },
          op.getPositions());
    };
    Value cos = table([](OpBuilder &b, Location loc, Value angle) -> Value {
      return math::CosOp::create(b, loc, angle);
    });
    Value sin = table([](OpBuilder &b, Location loc, Value angle) -> Value {
      return math::SinOp::create(b, loc, angle);
    });
    rewriter.replaceOp(op, {cos, sin});
    return success();
  }
};

// [doc:lowering]
struct LowerRotate : OpRewritePattern<llm::RotateOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(llm::RotateOp op,
                                PatternRewriter &rewriter) const override {
    RowBuilder rows{rewriter, op.getLoc()};
    Value init = rows.emptyLike(op.getX());
    rewriter.replaceOpWithNewOp<kernel::RotateOp>(
        op, init.getType(), op.getX(), op.getCos(), op.getSin(), init);
    return success();
  }
};
// [/doc:lowering]

/// The pools and the block table behind a handle, which the conversion of the
/// function's signature left as a cast.
std::optional<ValueRange> lookupPools(Value kv) {
  auto cast = kv.getDefiningOp<UnrealizedConversionCastOp>();
  if (!cast || cast.getInputs().size() != 3)
    return std::nullopt;
  return cast.getInputs();
}

struct LowerKVAppend : OpRewritePattern<llm::KVAppendOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(llm::KVAppendOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<ValueRange> pools = lookupPools(op.getKv());
    if (!pools)
      return rewriter.notifyMatchFailure(op, "expects a function's handle");
    if (!op->use_empty())
      return rewriter.notifyMatchFailure(
          op, "expects stored rows to be read through the cache");
    kernel::KVAppendOp::create(rewriter, op.getLoc(), op.getK(), op.getV(),
                               op.getSlots(), op.getPositions(), (*pools)[0],
                               (*pools)[1], op.getLayer(), (*pools)[2]);
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerCachedAttention : OpRewritePattern<llm::CachedAttentionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(llm::CachedAttentionOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<ValueRange> pools = lookupPools(op.getKv());
    if (!pools)
      return rewriter.notifyMatchFailure(op, "expects a function's handle");
    RowBuilder rows{rewriter, op.getLoc()};
    Value init = rows.emptyLike(op.getQ());
    int64_t group = op.getHeads() / op.getKv().getType().getHeads();
    Value zero = arith::ConstantIndexOp::create(rewriter, op.getLoc(), 0);
    rewriter.replaceOpWithNewOp<kernel::CachedAttentionOp>(
        op, init.getType(), op.getQ(), op.getSlots(), op.getPositions(),
        (*pools)[0], (*pools)[1], op.getLayer(), zero, (*pools)[2], init,
        rewriter.getI64IntegerAttr(group), op.getScaleAttr(),
        op.getWindowAttr());
    return success();
  }
};

struct LowerAttention : OpRewritePattern<llm::AttentionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(llm::AttentionOp op,
                                PatternRewriter &rewriter) const override {
    RowBuilder rows{rewriter, op.getLoc()};
    Location loc = op.getLoc();
    Value k = rows.round(op.getK(), op.getCompute(), rewriter.getF32Type());
    Value v = rows.round(op.getV(), op.getCompute(), rewriter.getF32Type());
    // Keys transposed, with room for the vectors that begin at the last row.
    int64_t width = cast<RankedTensorType>(k.getType()).getDimSize(1);
    OpFoldResult m = tensor::getMixedSize(rewriter, loc, k, 0);
    AffineExpr padded = rewriter.getAffineSymbolExpr(0) + 64;
    OpFoldResult columns =
        affine::makeComposedFoldedAffineApply(rewriter, loc, padded, {m});
    Value wide = tensor::EmptyOp::create(
        rewriter, loc,
        ArrayRef<OpFoldResult>{rewriter.getIndexAttr(width), columns},
        rewriter.getF32Type());
    Value transposed =
        kernel::TransposeOp::create(rewriter, loc, wide.getType(), k, wide)
            .getResult();
    Value init = rows.emptyLike(op.getQ());
    rewriter.replaceOpWithNewOp<kernel::AttentionOp>(
        op, init.getType(), op.getQ(), transposed, v, op.getBegin(),
        op.getEnd(), init,
        rewriter.getI64IntegerAttr(op.getHeads() / op.getKvHeads()),
        rewriter.getI64IntegerAttr(width / op.getKvHeads()), op.getScaleAttr());
    return success();
  }
};

struct LowerPool : OpRewritePattern<llm::PoolOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(llm::PoolOp op,
                                PatternRewriter &rewriter) const override {
    RowBuilder rows{rewriter, op.getLoc()};
    Value init = rows.emptyFor(op, op.getBegin());
    if (op.getMode() == "cls")
      rewriter.replaceOpWithNewOp<kernel::GatherOp>(
          op, init.getType(), op.getBegin(), op.getX(), init);
    else
      rewriter.replaceOpWithNewOp<kernel::PoolOp>(
          op, init.getType(), op.getX(), op.getBegin(), op.getEnd(), init);
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Signatures
//===----------------------------------------------------------------------===//

/// Types of the K pool, the V pool and the block table of a handle.
SmallVector<Type> poolTypes(llm::KVType kv) {
  int64_t any = ShapedType::kDynamic, block = 64;
  int64_t padded = llvm::alignTo(kv.getSize(), 16);
  return {
      MemRefType::get({kv.getLayers(), any, kv.getHeads(), kv.getSize(), block},
                      kv.getType()),
      MemRefType::get({kv.getLayers(), any, kv.getHeads(), block, padded},
                      kv.getType()),
      MemRefType::get({any, any}, IntegerType::get(kv.getContext(), 32))};
}

/// Replaces a handle among the arguments by its pools and table.
void convertHandle(func::FuncOp function) {
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    auto kv = dyn_cast<llm::KVType>(function.getArgument(i).getType());
    if (!kv)
      continue;
    bool isStep = function.getArgAttr(i, "llm.input") != nullptr;
    OpBuilder b(function.getContext());
    static constexpr StringRef names[] = {"kv.k", "kv.v", "block_table"};
    for (auto [j, type] : llvm::enumerate(poolTypes(kv))) {
      DictionaryAttr attrs;
      if (isStep)
        attrs = b.getDictionaryAttr(
            b.getNamedAttr("llm.input", b.getStringAttr(names[j])));
      (void)function.insertArgument(i + 1 + j, type, attrs, function.getLoc());
    }
    b.setInsertionPointToStart(&function.getBody().front());
    Value handle =
        UnrealizedConversionCastOp::create(
            b, function.getLoc(), kv, function.getArguments().slice(i + 1, 3))
            .getResult(0);
    function.getArgument(i).replaceAllUsesWith(handle);
    (void)function.eraseArgument(i);
    return;
  }
}

/// Passes pools and table where a handle was passed.
void convertCall(func::CallOp call) {
  SmallVector<Value> operands;
  for (Value operand : call.getOperands()) {
    std::optional<ValueRange> pools = lookupPools(operand);
    if (pools)
      llvm::append_range(operands, *pools);
    else
      operands.push_back(operand);
  }
  call.getOperandsMutable().assign(operands);
}

struct ConvertLLMToLinalg
    : smelt::impl::ConvertLLMToLinalgBase<ConvertLLMToLinalg> {
  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet set(context);
    set.add<LowerLinear, LowerGlu, LowerRMSNorm, LowerLayerNorm, LowerNormalize,
            LowerUnary<llm::SiluOp>, LowerUnary<llm::GeluOp>,
            LowerUnary<llm::GeluTanhOp>, LowerUnary<llm::ReluOp>,
            LowerBinary<llm::AddOp, arith::AddFOp>,
            LowerBinary<llm::MulOp, arith::MulFOp>, LowerEmbedding,
            LowerGatherRows, LowerRopeTable, LowerRotate, LowerKVAppend,
            LowerCachedAttention, LowerAttention, LowerPool>(context);
    patterns = std::move(set);
    return success();
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    for (auto function : module.getOps<func::FuncOp>())
      convertHandle(function);
    module.walk([](func::CallOp call) { convertCall(call); });
    if (failed(applyPatternsGreedily(module, patterns)))
      return signalPassFailure();
    for (auto function : module.getOps<func::FuncOp>()) {
      for (unsigned i = 0; i < function.getNumArguments(); ++i)
        if (!function.isPublic() &&
            isa<TensorType>(function.getArgument(i).getType()))
          function.setArgAttr(i, "bufferization.writable",
                              BoolAttr::get(&getContext(), true));
    }
    WalkResult left = module.walk([](Operation *op) {
      if (!isa<llm::LLMDialect>(op->getDialect()) || isa<llm::ParamOp>(op) ||
          (isa<llm::GetParamOp>(op) && op->use_empty()))
        return WalkResult::advance();
      op->emitOpError("expects its weights to be params with format and "
                      "layout, and results of kv_append to be unused");
      return WalkResult::interrupt();
    });
    if (left.wasInterrupted())
      signalPassFailure();
  }

  FrozenRewritePatternSet patterns;
};

} // namespace
