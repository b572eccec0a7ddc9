//===- Linear.cpp - products with weights, and what fuses with them -------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Patterns.h"

#include "smelt/Target/CPU/Targets.h"

using namespace mlir;
using namespace smelt;

namespace {

struct LowerLinear : OpRewritePattern<llm::LinearOp> {
  using OpRewritePattern::OpRewritePattern;

  /// What a product reads of a linear's rows: floats, or integers with their
  /// scales and sums.
  struct Input {
    Value x, scales, sums;
  };
  static Input input(RowBuilder &rows, llm::LinearOp op) {
    OpBuilder &b = rows.b;
    if (!op.getActivation())
      return {
          rows.round(op.getX(), op.getCompute(), activationType(op)), {}, {}};
    int64_t columns = cast<RankedTensorType>(op.getX().getType()).getDimSize(1);
    int64_t padded = llvm::alignTo(columns, llm::FormatRecord::unitColumns);
    int64_t units = padded / llm::FormatRecord::unitColumns;
    int64_t scales =
        kernel::QuantizeOp::getScaleCount(*op.getActivation(), padded);
    SmallVector<Value> inits = {rows.empty(op.getX(), {padded}, b.getI8Type()),
                                rows.empty(op.getX(), {scales}, b.getF32Type()),
                                rows.empty(op.getX(), {units}, b.getI32Type())};
    auto quantize = kernel::QuantizeOp::create(
        b, rows.loc, ValueRange(inits).getTypes(), op.getX(), inits[0],
        inits[1], inits[2], *op.getActivation());
    return {quantize.getResult(0), quantize.getResult(1),
            quantize.getResult(2)};
  }

  /// Columns [first, first + count) of the product, whose panels begin at
  /// `panel`.
  static Value product(RowBuilder &rows, llm::LinearOp op, const Input &in,
                       int64_t panel, int64_t count) {
    OpBuilder &b = rows.b;
    auto get = op.getWeight().getDefiningOp<llm::GetParamOp>();
    llm::ParamOp param = lookupParam(get);
    Value weight = paramBuffer(b, get);
    auto type = cast<MemRefType>(weight.getType());
    int64_t panels = param.getLayoutAttr().getPhysicalShape(
        {count, 1}, param.getFormatAttr())[0];
    if (panels != type.getDimSize(0)) {
      SmallVector<OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0)),
          strides(type.getRank(), b.getIndexAttr(1)), sizes;
      for (int64_t size : type.getShape())
        sizes.push_back(b.getIndexAttr(size));
      offsets[0] = b.getIndexAttr(panel);
      sizes[0] = b.getIndexAttr(panels);
      weight = memref::SubViewOp::create(b, rows.loc, weight, offsets, sizes,
                                         strides);
    }
    Value init = rows.empty(in.x, {count}, b.getF32Type());
    return kernel::MatmulOp::create(
               b, rows.loc, init.getType(), in.x, weight, init, in.scales,
               in.sums, param.getFormatAttr(), op.getActivationAttr())
        .getResult();
  }

  LogicalResult matchAndRewrite(llm::LinearOp op,
                                PatternRewriter &rewriter) const override {
    auto get = op.getWeight().getDefiningOp<llm::GetParamOp>();
    if (!get || !lookupParam(get).getFormat() ||
        !lookupParam(get).getLayout() ||
        lookupParam(get).getLayout()->getKind() == "rows")
      return rewriter.notifyMatchFailure(
          op, "expects a weight that is a param with format, in panels");
    if (op.getActivation() && !lookupParam(get).getFormat()->isQuantized())
      return rewriter.notifyMatchFailure(
          op, "expects a quantised weight with quantised rows");
    RowBuilder rows{rewriter, op.getLoc()};
    Input x = input(rows, op);
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
                         : rows.empty(x.x, {columns}, rewriter.getF32Type());
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
                         const Input &x, PatternRewriter &rewriter) const {
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
    Value init = rows.empty(x.x, {columns}, rewriter.getF32Type());
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

} // namespace

void smelt::populateLinearPatterns(RewritePatternSet &patterns) {
  patterns.add<LowerLinear, LowerGlu>(patterns.getContext());
}
