//===- InitAll.h - Every dialect and pass of the compiler -------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_INITALL_H
#define SMELT_INITALL_H

namespace mlir {
class DialectRegistry;
}

namespace smelt {
/// Registers Smelt's and upstream's dialects, extensions, interfaces, passes
/// and pipelines.
void registerAll(mlir::DialectRegistry &registry);
} // namespace smelt

#endif // SMELT_INITALL_H
