//===- Patterns.h - what the patterns of llm ops share ----------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_CONVERSION_LLMTOLINALG_PATTERNS_H
#define SMELT_CONVERSION_LLMTOLINALG_PATTERNS_H

#include "smelt/Conversion/LLMToLinalg/Passes.h"

#include "smelt/Dialect/LLM/IR/LLM.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace smelt {

/// A constant in the body of a formula.
inline mlir::Value constantF32(mlir::OpBuilder &b, mlir::Location loc,
                               double value) {
  return mlir::arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value));
}

/// Spells formulas on [M, D] tensors.
struct RowBuilder {
  mlir::OpBuilder &b;
  mlir::Location loc;

  /// An uninitialised tensor with as many rows as `like`.
  mlir::Value empty(mlir::Value like, mlir::ArrayRef<int64_t> columns,
                    mlir::Type element) {
    mlir::SmallVector<mlir::OpFoldResult> sizes = {
        mlir::tensor::getMixedSize(b, loc, like, 0)};
    for (int64_t column : columns)
      sizes.push_back(b.getIndexAttr(column));
    return mlir::tensor::EmptyOp::create(b, loc, sizes, element);
  }
  /// One for what `result` becomes, which has as many rows as `like`.
  mlir::Value emptyFor(mlir::Value result, mlir::Value like) {
    auto type = llvm::cast<mlir::RankedTensorType>(result.getType());
    return empty(like, type.getShape().drop_front(), type.getElementType());
  }
  mlir::Value emptyLike(mlir::Value like) { return emptyFor(like, like); }

  /// Maps of (m, d): the element, the row's value, the column's value.
  mlir::AffineMap element() { return b.getMultiDimIdentityMap(2); }
  mlir::AffineMap perRow() {
    return mlir::AffineMap::get(2, 0, b.getAffineDimExpr(0), b.getContext());
  }
  mlir::AffineMap perColumn() {
    return mlir::AffineMap::get(2, 0, b.getAffineDimExpr(1), b.getContext());
  }
  mlir::AffineMap mapOf(mlir::Value operand, bool isRowVector) {
    if (llvm::cast<mlir::ShapedType>(operand.getType()).getRank() == 2)
      return element();
    return isRowVector ? perColumn() : perRow();
  }

  using Body = llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location,
                                              mlir::ValueRange)>;

  /// `init[m, d] = body(ins..., init)`. Vectors of the inputs are one value
  /// per column, unless listed in `perRowInputs`.
  mlir::Value map(mlir::ValueRange ins, mlir::Value init, Body body,
                  mlir::ArrayRef<mlir::Value> perRowInputs = {}) {
    mlir::SmallVector<mlir::AffineMap> maps;
    for (mlir::Value in : ins)
      maps.push_back(mapOf(in, !llvm::is_contained(perRowInputs, in)));
    maps.push_back(element());
    return generic(ins, init, maps,
                   {mlir::utils::IteratorType::parallel,
                    mlir::utils::IteratorType::parallel},
                   body);
  }

  /// [M] values computed from [M] values.
  mlir::Value mapRows(mlir::ValueRange ins, Body body) {
    mlir::SmallVector<mlir::AffineMap> maps(ins.size() + 1,
                                            b.getMultiDimIdentityMap(1));
    return generic(ins, emptyLike(ins[0]), maps,
                   {mlir::utils::IteratorType::parallel}, body);
  }

  /// [M] sums over d of `term(ins...) + accumulator`; the body gets the
  /// accumulator last.
  mlir::Value sumRows(mlir::ValueRange ins, Body body,
                      mlir::ArrayRef<mlir::Value> perRowInputs = {}) {
    mlir::Value init = mlir::linalg::FillOp::create(
                           b, loc, mlir::ValueRange{constantF32(b, loc, 0)},
                           mlir::ValueRange{empty(ins[0], {}, b.getF32Type())})
                           .getResult(0);
    mlir::SmallVector<mlir::AffineMap> maps;
    for (mlir::Value in : ins)
      maps.push_back(mapOf(in, !llvm::is_contained(perRowInputs, in)));
    maps.push_back(perRow());
    return generic(ins, init, maps,
                   {mlir::utils::IteratorType::parallel,
                    mlir::utils::IteratorType::reduction},
                   body);
  }

  mlir::Value generic(mlir::ValueRange ins, mlir::Value init,
                      mlir::ArrayRef<mlir::AffineMap> maps,
                      mlir::ArrayRef<mlir::utils::IteratorType> iterators,
                      Body body) {
    return mlir::linalg::GenericOp::create(
               b, loc, mlir::TypeRange{init.getType()}, ins,
               mlir::ValueRange{init}, maps, iterators,
               [&](mlir::OpBuilder &nested, mlir::Location nestedLoc,
                   mlir::ValueRange args) {
                 mlir::linalg::YieldOp::create(nested, nestedLoc,
                                               body(nested, nestedLoc, args));
               })
        .getResult(0);
  }

  /// Rounds to the compute type and stores as `stored`, which holds it
  /// exactly; yields `x` for f32.
  mlir::Value round(mlir::Value x, mlir::Type compute, mlir::Type stored) {
    if (compute.isF32())
      return x;
    auto shape = llvm::cast<mlir::RankedTensorType>(x.getType()).getShape();
    return map(x, empty(x, shape.drop_front(), stored),
               [&](mlir::OpBuilder &nb, mlir::Location l,
                   mlir::ValueRange v) -> mlir::Value {
                 mlir::Value low =
                     mlir::arith::TruncFOp::create(nb, l, compute, v[0]);
                 if (stored == compute)
                   return low;
                 return mlir::arith::ExtFOp::create(nb, l, stored, low);
               });
  }
};

/// The formula of an activation, on a scalar of f32.
struct Activation {
  llvm::StringRef name;
  mlir::Value (*emit)(mlir::OpBuilder &, mlir::Location, mlir::Value);
};

/// The activation that an op or attribute names.
const Activation *lookupActivation(llvm::StringRef name);

llm::ParamOp lookupParam(llm::GetParamOp get);
/// The stored bytes of the param that `value` reads, as a buffer.
mlir::Value paramBuffer(mlir::OpBuilder &b, llm::GetParamOp get);
/// The value of a vector param as a tensor.
mlir::Value vectorParam(mlir::OpBuilder &b, mlir::Value value);

/// The pools, the block table and the scales, if any, behind a handle, which
/// the conversion of the function's signature left as a cast.
std::optional<mlir::ValueRange> lookupPools(mlir::Value kv);

void populateElementwisePatterns(mlir::RewritePatternSet &patterns);
void populateLinearPatterns(mlir::RewritePatternSet &patterns);
void populateNormPatterns(mlir::RewritePatternSet &patterns);
void populateRowPatterns(mlir::RewritePatternSet &patterns);
void populateAttentionPatterns(mlir::RewritePatternSet &patterns);

} // namespace smelt

#endif // SMELT_CONVERSION_LLMTOLINALG_PATTERNS_H
