//===- InitAll.cpp - Every dialect and pass of the compiler -----*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "smelt/InitAll.h"

#include "smelt/Conversion/CheckToSCF/Passes.h"
#include "smelt/Conversion/KernelToLLVM/Passes.h"
#include "smelt/Conversion/KernelToVector/Passes.h"
#include "smelt/Conversion/LLMToLinalg/Passes.h"
#include "smelt/Dialect/Check/IR/Check.h"
#include "smelt/Dialect/Kernel/IR/Kernel.h"
#include "smelt/Dialect/LLM/IR/LLM.h"
#include "smelt/Pipeline/Pipeline.h"
#include "smelt/Transforms/Graph/Passes.h"
#include "smelt/Transforms/Layout/Passes.h"
#include "smelt/Transforms/Memory/Passes.h"
#include "smelt/Transforms/Quantize/Passes.h"
#include "smelt/Transforms/Tile/Passes.h"
#include "smelt/Transforms/Vector/Passes.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"

void smelt::registerAll(mlir::DialectRegistry &registry) {
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  mlir::registerAllPasses();
  registry.insert<check::CheckDialect>();
  registry.insert<kernel::KernelDialect>();
  registry.insert<llm::LLMDialect>();

  registerCheckToSCFPasses();
  registerKernelToLLVMPasses();
  registerKernelToVectorPasses();
  registerGraphPasses();
  registerMemoryPasses();
  registerMemoryPipeline();
  registerVectorPasses();
  registerPipelinePasses();
  registerQuantizePasses();
  registerLayoutPasses();
  registerStagePipelines();
  kernel::registerBufferizableOpInterfaceModels(registry);
  registerLLMToLinalgPasses();
  registerTilePasses();
}
