//===- Pipeline.cpp - Stage quantize ----------------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "smelt/Transforms/Quantize/Passes.h"

#include "mlir/Pass/PassManager.h"

void smelt::buildQuantizePipeline(mlir::OpPassManager &pm) {
  pm.addPass(createQuantize());
  pm.addPass(createAssignFormats());
}
