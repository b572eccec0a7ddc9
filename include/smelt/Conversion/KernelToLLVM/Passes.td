//===- Passes.td - From the kernel dialect to the step's ABI -*- tablegen -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_CONVERSION_KERNELTOLLVM_PASSES_TD
#define SMELT_CONVERSION_KERNELTOLLVM_PASSES_TD

include "mlir/Pass/PassBase.td"

def ConvertKernelToLLVM : Pass<"convert-kernel-to-llvm"> {
  let summary = "Turn barriers and records into what the step's fields say";
  let description = [{
    The function and its context are fields of the `SmeltStep` that the barrier
    names. To the optimizer it is a call of something unknown: memory that the
    barrier orders must not be marked `noalias` in arguments. `kernel.record`
    appends to the records of its thread in the step's `profile`.

    ```mlir
    func.func @f(%thread: index, %step: !llvm.ptr) {
      kernel.barrier %thread of %step
      return
    }
    // =>
    %t = builtin.unrealized_conversion_cast %thread : index to i64
    %0 = llvm.getelementptr %step[184] : (!llvm.ptr) -> !llvm.ptr, i8
    %barrier = llvm.load %0 : !llvm.ptr -> !llvm.ptr
    %1 = llvm.getelementptr %step[192] : (!llvm.ptr) -> !llvm.ptr, i8
    %context = llvm.load %1 : !llvm.ptr -> !llvm.ptr
    llvm.call %barrier(%context, %t) : !llvm.ptr, (!llvm.ptr, i64) -> ()
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def ConvertKernelToAMX : Pass<"convert-kernel-to-amx", "::mlir::func::FuncOp"> {
  let summary = "Turn products of tiles into loops over tile registers";
  let description = [{
    `kernel.tile_dot` becomes a loop over k that carries the sums in a tile
    register, 64 bytes of each row a turn, and what is left of k; sums are stored
    at the end. LLVM chooses registers and configures them, each for one shape in
    a function, so tiles have 16 rows always: fewer rows pass through a buffer.
    Lines of `b` are asked for two turns ahead. As few turns stand one after
    another, without a loop.

    ```mlir
    func.func @f(%a: memref<16x192xi8>, %b: memref<48x64xi8>, %c: memref<16x16xi32>) {
      kernel.tile_dot ins(%a, %b : memref<16x192xi8>, memref<48x64xi8>) outs(%c : memref<16x16xi32>)
      return
    }
    // =>
    %zero = amx.tile_zero : !amx.tile<16x16xi32>
    %sums = scf.for %i = ... iter_args(%sum = %zero) -> (!amx.tile<16x16xi32>) {
      %x = amx.tile_load %a[..., %k] : memref<16x192xi8> into !amx.tile<16x64xi8>
      %y = amx.tile_load %b[%line, ...] : memref<48x64xi8> into !amx.tile<16x64xi8>
      memref.prefetch %b[%ahead, ...], read, locality<3>, data : memref<48x64xi8>
      ...
      %next = amx.tile_muli %x, %y zext, %sum : !amx.tile<16x64xi8>, !amx.tile<16x64xi8>, !amx.tile<16x16xi32>
      scf.yield %next : !amx.tile<16x16xi32>
    }
    amx.tile_store %c[...], %sums : memref<16x16xi32>, !amx.tile<16x16xi32>
    ```
  }];
  let dependentDialects = ["::mlir::amx::AMXDialect", "::mlir::arith::ArithDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

def EmitEntryPoint : Pass<"smelt-emit-entry-point", "::mlir::ModuleOp"> {
  let summary = "Define smelt_step, which calls @step with the fields of a SmeltStep";
  let description = [{
    Runs after the conversion of functions to the LLVM dialect, on a module that
    smelt-spmd prepared: `smelt.signature` of @step says what its first
    arguments are. Each memref is passed as pointer, pointer, offset, sizes and
    strides. The step's M, which offsets in the arena depend on, is the largest
    of tokens, rows and sequences. All other functions and globals become
    internal.

    ```mlir
    llvm.func @step(%ids: !llvm.ptr, %aligned: !llvm.ptr, %offset: i64, %size: i64, %stride: i64,
                    %w: !llvm.ptr, %w1: !llvm.ptr, %w2: i64, %w3: i64, %w4: i64,
                    %arena: !llvm.ptr, %a1: !llvm.ptr, %a2: i64, %a3: i64, %a4: i64,
                    %tokens: i64, %thread: i64, %nthreads: i64, %step: !llvm.ptr)
        attributes {smelt.signature = [{input = "ids", type = memref<?xi32>} ]} {
      llvm.return
    }
    // =>
    llvm.func internal @step(
    llvm.func @smelt_step(%s: !llvm.ptr, %t: i64, %n: i64) {
      %field = llvm.getelementptr %s[24] : (!llvm.ptr) -> !llvm.ptr, i8
      %i = llvm.load %field : !llvm.ptr -> !llvm.ptr
      llvm.call @step(%i, %i, ..., %t, %n, %s) : ...
      llvm.return
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

#endif // SMELT_CONVERSION_KERNELTOLLVM_PASSES_TD
