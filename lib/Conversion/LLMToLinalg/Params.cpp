//===- Params.cpp - params as buffers and tensors -------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Patterns.h"

using namespace mlir;
using namespace smelt;

llm::ParamOp smelt::lookupParam(llm::GetParamOp get) {
  return SymbolTable::lookupNearestSymbolFrom<llm::ParamOp>(get,
                                                            get.getParamAttr());
}

Value smelt::paramBuffer(OpBuilder &b, llm::GetParamOp get) {
  RankedTensorType stored = lookupParam(get).getStoredType();
  return kernel::ParamOp::create(
      b, get.getLoc(),
      MemRefType::get(stored.getShape(), stored.getElementType()),
      get.getParamAttr(), get.getLayer());
}

Value smelt::vectorParam(OpBuilder &b, Value value) {
  auto get = value.getDefiningOp<llm::GetParamOp>();
  Value buffer = paramBuffer(b, get);
  return bufferization::ToTensorOp::create(b, get.getLoc(), get.getType(),
                                           buffer, /*restrict=*/true);
}
