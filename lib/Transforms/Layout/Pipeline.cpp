//===- Pipeline.cpp - Stage layout ------------------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "smelt/Transforms/Layout/Passes.h"

#include "mlir/Pass/PassManager.h"

void smelt::buildLayoutPipeline(mlir::OpPassManager &pm) {
  pm.addPass(createAlignGlu());
  pm.addPass(createAssignLayouts());
  pm.addPass(createAssignOffsets());
  pm.addPass(createRecordInterface());
}
