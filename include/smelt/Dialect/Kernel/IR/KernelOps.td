//===- KernelOps.td - Ops of the kernel dialect -*- tablegen -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_DIALECT_KERNEL_IR_KERNELOPS_TD
#define SMELT_DIALECT_KERNEL_IR_KERNELOPS_TD

include "smelt/Dialect/Kernel/IR/KernelDialect.td"
include "smelt/Dialect/LLM/IR/LLMDialect.td"
include "mlir/Dialect/LLVMIR/LLVMOpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Kernel_Op<string mnemonic, list<Trait> traits = []>
    : Op<Kernel_Dialect, mnemonic, traits>;

//===----------------------------------------------------------------------===//
// The team
//===----------------------------------------------------------------------===//

def Kernel_NumThreadsOp : Kernel_Op<"num_threads", [Pure]> {
  let summary = "threads of the team that runs the step";
  let description = [{
    The bound of every `scf.forall` over threads. It is at least 1 and the
    same throughout a step.

    ```mlir
    %n = kernel.num_threads
    scf.forall (%t) in (%n) {
    }
    ```
  }];
  let results = (outs Index:$result);
  let assemblyFormat = "attr-dict";
}

def Kernel_BarrierOp : Kernel_Op<"barrier", [AttrSizedOperandSegments,
    MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "wait until all threads of the team are here";
  let description = [{
    What any thread wrote before the barrier, all threads read after it. No
    access to memory moves across it.

    Once a function has been made SPMD, the barrier names the step (a pointer
    to a `SmeltStep`) and the thread that waits.

    ```mlir
    kernel.barrier
    kernel.barrier %thread of %step
    ```

    Constraints:
    - (C1) `thread` and `step` are given together.
  }];
  let arguments = (ins Optional<Index>:$thread, Optional<LLVM_DefaultPointer>:$step);
  let assemblyFormat = "($thread^)? (`of` $step^)? attr-dict";
  let hasVerifier = 1;
  let builders = [OpBuilder<(ins), [{
    build($_builder, $_state, ::mlir::Value(), ::mlir::Value());
  }]>];
}

def Kernel_ClockOp : Kernel_Op<"clock", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "the processor's counter of time, now";
  let description = [{
    Ticks of a counter that runs at a constant rate, the same for all threads
    (x86: rdtsc, AArch64: CNTVCT_EL0). No access to memory moves across it.

    ```mlir
    %begin = kernel.clock
    ```
  }];
  let results = (outs I64:$result);
  let assemblyFormat = "attr-dict";
}

def Kernel_RecordOp : Kernel_Op<"record", [AttrSizedOperandSegments,
    MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "write down when an entry of the profile began and that it ended";
  let description = [{
    Appends a `SmeltRecord` of `entry`, `begin` and the time now to those of the
    thread. `entry` is a place in the module's `llm.ops`.

    Once a function has been made SPMD, the record names the thread and the
    step, as `kernel.barrier` does.

    ```mlir
    %begin = kernel.clock
    kernel.record 3 since %begin
    kernel.record 3 since %begin by %thread of %step
    ```

    Constraints:
    - (C1) `thread` and `step` are given together.
    - (C2) `entry` isn't negative.
  }];
  let arguments = (ins I64:$begin, Optional<Index>:$thread,
                       Optional<LLVM_DefaultPointer>:$step, I64Attr:$entry);
  let assemblyFormat = "$entry `since` $begin (`by` $thread^)? (`of` $step^)? attr-dict";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

def Kernel_ParamOp : Kernel_Op<"param", [Pure,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a view of a param's bytes in the weights section";
  let description = [{
    The buffer is read-only: nothing writes to it.

    ```mlir
    llm.param @layers.w : tensor<64x10xbf16> from
        [[#llm.source<"0.w", file = "f", offset = 0, type = tensor<64x10xbf16>>],
         [#llm.source<"1.w", file = "f", offset = 1280, type = tensor<64x10xbf16>>]]
        format <bf16> layout <panel, n = 32, k = 2> at 0 stride 1280
    func.func @f(%layer: index) {
      %w = kernel.param @layers.w[%layer] : memref<2x5x32x2xbf16>
      return
    }
    ```

    Constraints:
    - (C1) the symbol is an `llm.param` whose stored type has the shape and
      the element type of the result.
    - (C2) `layer` is given if and only if the param has several instances.
    - (C3) the result has identity layout.
  }];
  let arguments = (ins FlatSymbolRefAttr:$param, Optional<Index>:$layer);
  let results = (outs AnyStaticShapeMemRef:$result);
  let assemblyFormat = "$param (`[` $layer^ `]`)? attr-dict `:` type($result)";
}

class Kernel_VectorOp<string mnemonic, list<Trait> traits>
    : Kernel_Op<mnemonic, !listconcat(traits, [Pure])>;

def Kernel_DotBytesOp : Kernel_VectorOp<"dot_bytes",
    [AllTypesMatch<["acc", "result"]>, AllTypesMatch<["u", "s"]>]> {
  let summary = "sums of four products of bytes";
  let description = [{
    `result[i] = acc[i] + sum_{j < 4} u[4 i + j] * s[4 i + j]`, `u` unsigned and
    `s` signed, modulo 2^32: vpdpbusd, usdot. With `signed`, `u` is signed, too:
    sdot.

    ```mlir
    %r = kernel.dot_bytes %acc, %u, %s : vector<16xi32>, vector<64xi8>
    %q = kernel.dot_bytes signed %few, %x, %y : vector<4xi32>, vector<16xi8>
    ```

    Constraints:
    - (C1) `u` and `s` have four elements for each of `acc`.
  }];
  let arguments = (ins VectorOfRankAndType<[1], [I32]>:$acc, VectorOfRankAndType<[1], [I8]>:$u,
                       VectorOfRankAndType<[1], [I8]>:$s, UnitAttr:$isSigned);
  let results = (outs VectorOfRankAndType<[1], [I32]>:$result);
  let assemblyFormat = "(`signed` $isSigned^)? $acc `,` $u `,` $s attr-dict `:` type($acc) `,` type($u)";
  let hasVerifier = 1;
}

def Kernel_MultiplyAddOp : Kernel_VectorOp<"multiply_add",
    [AllTypesMatch<["x", "y"]>]> {
  let summary = "sums of two products of neighbours";
  let description = [{
    `result[i] = x[2 i] * y[2 i] + x[2 i + 1] * y[2 i + 1]`. Of bytes, `x` is
    unsigned, `y` signed and the result saturates (pmaddubsw); of i16, both are
    signed (pmaddwd).

    ```mlir
    %r = kernel.multiply_add %x, %y : vector<32xi8> -> vector<16xi16>
    ```

    Constraints:
    - (C1) the result has half the elements, of twice the width.
  }];
  let arguments = (ins VectorOfRankAndType<[1], [I8, I16]>:$x, VectorOfRankAndType<[1], [I8, I16]>:$y);
  let results = (outs VectorOfRankAndType<[1], [I16, I32]>:$result);
  let assemblyFormat = "$x `,` $y attr-dict `:` type($x) `->` type($result)";
  let hasVerifier = 1;
}

def Kernel_ApplySignOp : Kernel_VectorOp<"apply_sign",
    [AllTypesMatch<["x", "sign", "result"]>]> {
  let summary = "bytes times the signs of others";
  let description = [{
    `result[i]` is `x[i]` where `sign[i]` is positive, 0 where it is 0 and `-x[i]`
    modulo 2^8 where it is negative: psignb.

    ```mlir
    %r = kernel.apply_sign %x, %sign : vector<32xi8>
    ```
  }];
  let arguments = (ins VectorOfRankAndType<[1], [I8]>:$x, VectorOfRankAndType<[1], [I8]>:$sign);
  let results = (outs VectorOfRankAndType<[1], [I8]>:$result);
  let assemblyFormat = "$x `,` $sign attr-dict `:` type($result)";
}

def Kernel_TileDotOp : Kernel_Op<"tile_dot"> {
  let summary = "a product that fits the tile registers, but for its depth";
  let description = [{
    `c[r, 16 p + n] = sum_k a[r, k] * b_p[k / d, d n + k mod d]` for up to 32
    rows and P panels of 16 columns, at most 2: what AMX computes from memory to
    memory, 64 bytes of k at a time, with up to four tile registers of sums.
    Of bytes, `a` is signed and `b` unsigned, d is 4 and sums are exact modulo
    2^32 (tdpbsud); of bf16, d is 2 and sums are f32, those of 16 even k and of
    16 odd k apart before they are added (tdpbf16ps).

    ```mlir
    kernel.tile_dot ins(%a, %b : memref<16x128xi8>, memref<32x64xi8>) outs(%c : memref<16x16xi32>)
    ```

    Constraints:
    - (C1) `a` and all `b` have one type of element; i8 goes with i32, bf16 with f32.
    - (C2) R rows, from 1 to 16 or 32, and K columns, a multiple of 64 bytes:
      `a` is R x K, each `b` K / d x 16 d and `c` R x 16 P, all static.
    - (C3) elements of a row are neighbours.
  }];
  let arguments = (ins Arg<MemRefRankOf<[I8, BF16], [2]>, "rows", [MemRead]>:$a,
                       Arg<Variadic<MemRefRankOf<[I8, BF16], [2]>>, "panels", [MemRead]>:$b,
                       Arg<MemRefRankOf<[I32, F32], [2]>, "sums", [MemWrite]>:$c);
  let assemblyFormat = [{
    `ins` `(` $a `,` $b `:` type($a) `,` type($b) `)` `outs` `(` $c `:` type($c) `)` attr-dict
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Rows and columns that a tile register has at most.
    static constexpr int64_t maxRows = 16, columns = 16;
    /// Rows and panels, in tile registers, that sums have at most.
    static constexpr int64_t maxRowTiles = 2, maxPanels = 2;
    /// Bytes of a tile register's row.
    static constexpr int64_t rowBytes = 64;
    /// Elements of `a` that a product of two words takes.
    int64_t getDepth() { return getA().getType().getElementType().isBF16() ? 2 : 4; }
    /// Sums in tile registers of 16 rows.
    int64_t getRowTiles() { return llvm::divideCeil(getA().getType().getDimSize(0), maxRows); }
  }];
}

include "smelt/Dialect/Kernel/IR/KernelComputeOps.td"

#endif // SMELT_DIALECT_KERNEL_IR_KERNELOPS_TD
