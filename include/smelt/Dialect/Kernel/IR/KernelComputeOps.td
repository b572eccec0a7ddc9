//===- KernelComputeOps.td - Tiles of arithmetic -*- tablegen -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_DIALECT_KERNEL_IR_KERNELCOMPUTEOPS_TD
#define SMELT_DIALECT_KERNEL_IR_KERNELCOMPUTEOPS_TD

include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/TilingInterface.td"

/// Activations: tensors until stage bufferize, then buffers.
def Kernel_Rows : AnyTypeOf<[2DTensorOf<[F32, BF16]>, MemRefRankOf<[F32, BF16], [2]>],
    "[M, D] tensor or buffer">;
def Kernel_Ints : AnyTypeOf<[1DTensorOf<[I32]>, MemRefRankOf<[I32], [1]>],
    "[M] tensor or buffer of i32">;

/// An op whose iteration space is tiled by slicing operands: getTileMap says
/// which dimension of which operand follows which loop.
class Kernel_TiledOp<string mnemonic, list<Trait> traits = []>
    : Kernel_Op<mnemonic, !listconcat(traits, [
        DeclareOpInterfaceMethods<TilingInterface,
          ["getLoopIteratorTypes", "getIterationDomain", "getTiledImplementation"]>,
        DeclareOpInterfaceMethods<MemoryEffectsOpInterface>])> {
  code tileMapDeclaration = [{
    /// How loops select parts of operands.
    TileMap getTileMap();
  }];
  let extraClassDeclaration = tileMapDeclaration;
}

/// A tiled op that overwrites its destination.
class Kernel_ComputeOp<string mnemonic, list<Trait> traits = []>
    : Kernel_TiledOp<mnemonic, !listconcat(traits, [DestinationStyleOpInterface])> {
  let results = (outs Optional<2DTensorOf<[F32, BF16]>>:$result);
  let extraClassDeclaration = tileMapDeclaration # [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }
  }];
}

def Kernel_QuantizedRows : AnyTypeOf<[2DTensorOf<[I8]>, MemRefRankOf<[I8], [2]>],
    "[M, K] tensor or buffer of i8">;
def Kernel_RowSums : AnyTypeOf<[2DTensorOf<[I32]>, MemRefRankOf<[I32], [2]>],
    "[M, U] tensor or buffer of i32">;

def Kernel_QuantizeOp : Kernel_TiledOp<"quantize", [DestinationStyleOpInterface]> {
  let summary = "rows as integers of 8 bits";
  let description = [{
    Rounds the rows of `x` as `activation` says (`#llm.activation`). `q` has as
    many columns as `x`, up to a multiple of 32, zeros at the end; `sums[m, u]` is
    the sum of row m's integers 32 u to 32 u + 31. `scales` has, if 32 elements
    share a scale, that of each 32; if all do, it has the row's scale and
    -(scale * zero).

    ```mlir
    %q, %s, %t = kernel.quantize ins(%x : tensor<?x48xf32>)
        outs(%q0, %s0, %t0 : tensor<?x64xi8>, tensor<?x2xf32>, tensor<?x2xi32>)
        {activation = #llm.activation<int8_g32>} -> tensor<?x64xi8>, tensor<?x2xf32>, tensor<?x2xi32>
    ```

    Loops: (rows), and (groups) if 32 elements share a scale.

    Constraints:
    - (C1) `q` has the columns of `x`, padded to a multiple of 32.
    - (C2) `sums` has a column for each 32 of those; `scales` as many, or 2 if a
      row shares its scale.
  }];
  let arguments = (ins Kernel_Rows:$x, Kernel_QuantizedRows:$q, Kernel_Rows:$scales,
                       Kernel_RowSums:$sums, LLM_ActivationAttr:$activation);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    `ins` `(` $x `:` type($x) `)`
    `outs` `(` $q `,` $scales `,` $sums `:` type($q) `,` type($scales) `,` type($sums) `)`
    attr-dict (`->` type($results)^)?
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = tileMapDeclaration # [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return ::mlir::MutableOperandRange(*this, 1, 3);
    }
    /// Shape of a row of `scales`, for rows of `columns` elements.
    static int64_t getScaleCount(::smelt::llm::ActivationAttr activation, int64_t columns);
  }];
}

def Kernel_MatmulOp : Kernel_ComputeOp<"matmul", [AttrSizedOperandSegments]> {
  let summary = "product of rows with panels of a packed weight";
  let description = [{
    `init[m, p * n + j] = sum_k a[m, k] * w[p, k / kk, j, k % kk]`, summed in
    order of k in f32, for weights packed as [P, ceil(K/kk), n, kk] (the
    layout panel of the llm dialect). Elements of `w` are extended to f32
    exactly. `init` has only the columns that the weight has rows.

    `format` is the record of Formats.def that the weight is stored in. A
    quantised weight is a matrix of bytes, [P, bytes of a panel] (Formats.h); its
    rows `a` are floats, or integers with the scales and sums that
    `kernel.quantize` yields. Of integers, the products of 32 columns, or of all
    if neither weight nor row changes its scale, are summed exactly. An
    `unpacked` weight is what `kernel.unpack` makes of one of `format`.

    ```mlir
    kernel.matmul ins(%a, %w : tensor<?x256xf32>, memref<16x128x32x2xbf16>)
        outs(%init : tensor<?x500xf32>) {format = #llm.format<bf16>} -> tensor<?x500xf32>
    kernel.matmul ins(%q, %w4 : tensor<?x256xi8>, memref<32x2368xi8>)
        rows(%s, %t : tensor<?x8xf32>, tensor<?x8xi32>) outs(%init : tensor<?x500xf32>)
        {activation = #llm.activation<int8_g32>, format = #llm.format<int4_g32>} -> tensor<?x500xf32>
    ```

    Loops: (rows, panels).

    Constraints:
    - (C1) columns of `a` need ceil(K / kk) groups of kk.
    - (C2) columns of `init` end in the last of the P panels of n.
    - (C3) the element type of `w` is that of `format`.
    - (C4) `a` has integers if and only if `scales`, `sums` and `activation` are
      given, which only a quantised weight takes.
    - (C5) rows of integers have at most 65536 columns: a sum of all of them fits
      in 32 bits.
    - (C6) an `unpacked` weight is of fewer bits than 8, and rows are integers.
  }];
  let arguments = (ins AnyTypeOf<[Kernel_Rows, Kernel_QuantizedRows]>:$a,
                       AnyTypeOf<[MemRefRankOf<[F32, F16, BF16], [4]>, MemRefRankOf<[I8], [2]>]>:$w,
                       Kernel_Rows:$init, Optional<Kernel_Rows>:$scales,
                       Optional<Kernel_RowSums>:$sums, LLM_FormatAttr:$format,
                       OptionalAttr<LLM_ActivationAttr>:$activation, UnitAttr:$unpacked);
  let assemblyFormat = [{
    `ins` `(` $a `,` $w `:` type($a) `,` type($w) `)`
    (`rows` `(` $scales^ `,` $sums `:` type($scales) `,` type($sums) `)`)?
    `outs` `(` $init `:` type($init) `)` attr-dict (`->` type($result)^)?
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = tileMapDeclaration # [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }
    /// Rows of a panel of the weight: columns of the product.
    int64_t getPanelRows() {
      return getFormat().isQuantized()
                 ? ::smelt::llm::FormatRecord::panelRows
                 : ::llvm::cast<::mlir::MemRefType>(getW().getType()).getDimSize(2);
    }
    /// The record of the weight's bytes.
    ::smelt::llm::FormatRecord getStored() {
      const ::smelt::llm::FormatRecord &record = getFormat().getRecord();
      return getUnpacked() ? record.unpacked() : record;
    }
    /// Whether both operands are bf16, and those of a column in pairs.
    bool hasPairs();
    /// Whether tile registers can sum the products: pairs of bf16, or bytes
    /// whose scales change after whole rows of a register at least.
    bool fillsTiles();
  }];
}

def Kernel_UnpackOp : Kernel_Op<"unpack"> {
  let summary = "panels with a byte for each element";
  let description = [{
    `unpacked` is `packed`, panels of the quantised `format`, as panels of the
    same elements in 8 bits each (Formats.h), with the same scales, minima and
    trailers: what a product of many rows reads.

    ```mlir
    kernel.unpack ins(%w : memref<1x640xi8>) outs(%u : memref<1x1152xi8>) {format = #llm.format<int4_g32>}
    ```

    Constraints:
    - (C1) `packed` are panels of `format`, whose elements have fewer bits than
      8.
    - (C2) `unpacked` has as many panels, of as many columns.
  }];
  let arguments = (ins Arg<MemRefRankOf<[I8], [2]>, "panels", [MemRead]>:$packed,
                       Arg<MemRefRankOf<[I8], [2]>, "panels", [MemWrite]>:$unpacked,
                       LLM_FormatAttr:$format);
  let assemblyFormat = [{
    `ins` `(` $packed `:` type($packed) `)` `outs` `(` $unpacked `:` type($unpacked) `)` attr-dict
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Blocks of a panel; negative where `packed` isn't made of whole blocks.
    int64_t getBlockCount();
  }];
}

def Kernel_GatherOp : Kernel_ComputeOp<"gather"> {
  let summary = "rows of a table, one for each index";
  let description = [{
    `init[m, d] = table[indices[m], d]`, extended to f32. A table of rank 4 is
    packed in panels, [P, ceil(D/kk), n, kk]; of rank 2, plain rows, or the panels
    of the quantised `format`.

    ```mlir
    kernel.gather ins(%ids, %table : tensor<?xi32>, memref<64x128x32x2xbf16>)
        outs(%init : tensor<?x256xf32>) -> tensor<?x256xf32>
    ```

    Loops: (rows).

    Constraints:
    - (C1) the table has rank 2 or 4 and at least as many columns as `init`, or
      as many bytes as a panel of `format`.
  }];
  let arguments = (ins Kernel_Ints:$indices, AnyTypeOf<[AnyRankedTensor, AnyMemRef]>:$table,
                       Kernel_Rows:$init, OptionalAttr<LLM_FormatAttr>:$format);
  let assemblyFormat = [{
    `ins` `(` $indices `,` $table `:` type($indices) `,` type($table) `)`
    `outs` `(` $init `:` type($init) `)` attr-dict (`->` type($result)^)?
  }];
  let hasVerifier = 1;
}

def Kernel_RotateOp : Kernel_ComputeOp<"rotate", [AllTypesMatch<["cos", "sin"]>]> {
  let summary = "rotate the pairs of each head (llm.rotate)";
  let description = [{
    The head size is twice the columns of `cos`.

    ```mlir
    kernel.rotate ins(%x, %cos, %sin : tensor<?x256xf32>, tensor<?x16xf32>)
        outs(%init : tensor<?x256xf32>) -> tensor<?x256xf32>
    ```

    Loops: (rows).

    Constraints:
    - (C1) columns of `x` and `init` are equal, a multiple of twice the columns of `cos`.
  }];
  let arguments = (ins Kernel_Rows:$x, Kernel_Rows:$cos, Kernel_Rows:$sin, Kernel_Rows:$init);
  let assemblyFormat = [{
    `ins` `(` $x `,` $cos `,` $sin `:` type($x) `,` type($cos) `)`
    `outs` `(` $init `:` type($init) `)` attr-dict (`->` type($result)^)?
  }];
  let hasVerifier = 1;
}

def Kernel_Pool : MemRefRankOf<[F32, F16, BF16, I8], [5]>;
def Kernel_PoolScales : MemRefRankOf<[F32], [4]>;

def Kernel_KVAppendOp : Kernel_TiledOp<"kv_append",
    [AllTypesMatch<["slots", "positions"]>]> {
  let summary = "write rows into the blocks of a KV pool";
  let description = [{
    With b = table[slots[m], positions[m] / 64] and p = positions[m] % 64:
    `k_pool[layer, b, h, d, p] = k[m, h * D + d]` and
    `v_pool[layer, b, h, p, d] = v[m, h * D + d]`, rounded to the pool's type.
    Pools of i8 come with `scales`, of keys and of values (`!llm.kv`):
    `scales[layer, b, h, p]` times an integer is what it stands for.

    ```mlir
    kernel.kv_append %k, %v at %slots, %positions into %kp, %vp[%layer] by %table
        : tensor<?x128xf32>, tensor<?x128xf32>, tensor<?xi32>, memref<6x?x4x32x64xbf16>, memref<6x?x4x64x32xbf16>, memref<?x?xi32>
    ```

    Loops: (rows).

    Constraints:
    - (C1) both pools have the same elements; `scales` are two if those are i8, else none.
  }];
  let arguments = (ins Kernel_Rows:$k, Kernel_Rows:$v, Kernel_Ints:$slots, Kernel_Ints:$positions,
                       Kernel_Pool:$k_pool, Kernel_Pool:$v_pool, Index:$layer,
                       MemRefRankOf<[I32], [2]>:$table, Variadic<Kernel_PoolScales>:$scales);
  let assemblyFormat = [{
    $k `,` $v `at` $slots `,` $positions `into` $k_pool `,` $v_pool `[` $layer `]` `by` $table
    (`scaled` `(` $scales^ `:` type($scales) `)`)? attr-dict
    `:` type($k) `,` type($v) `,` type($slots) `,` type($k_pool) `,` type($v_pool) `,` type($table)
  }];
  let hasVerifier = 1;
}

def Kernel_CachedAttentionOp : Kernel_ComputeOp<"cached_attention",
    [AllTypesMatch<["slots", "positions"]>]> {
  let summary = "causal attention of rows over a KV pool (llm.cached_attention)";
  let description = [{
    The columns of `q` and `init` are the query heads of the kv heads from
    `first_head` on, `group` query heads each. If the pools are of bf16, what
    products are made of may be rounded to bf16, whose subnormals may count as
    zeros; sums are f32.

    ```mlir
    kernel.cached_attention ins(%q, %slots, %positions : tensor<?x256xf32>, tensor<?xi32>)
        over %kp, %vp[%layer, %c0] by %table : memref<6x?x4x32x64xbf16>, memref<6x?x4x64x32xbf16>, memref<?x?xi32>
        outs(%init : tensor<?x256xf32>) {group = 2 : i64, scale = 0.17677669 : f32} -> tensor<?x256xf32>
    ```

    Loops: (rows, kv heads).

    Constraints:
    - (C1) columns of `q` are a multiple of `group` * head size.
    - (C2) both pools have the same elements; `scales` are two if those are i8, else none.

    With `spanned`, the fold over blocks is one of spans (see below), and a step
    that `kernel.attend_spans` splits over threads is left to it.
  }];
  let arguments = (ins Kernel_Rows:$q, Kernel_Ints:$slots, Kernel_Ints:$positions,
                       Kernel_Pool:$k_pool, Kernel_Pool:$v_pool,
                       Index:$layer, Index:$first_head, MemRefRankOf<[I32], [2]>:$table,
                       Kernel_Rows:$init, Variadic<Kernel_PoolScales>:$scales,
                       I64Attr:$group, F32Attr:$scale, OptionalAttr<I64Attr>:$window,
                       UnitAttr:$spanned);
  let assemblyFormat = [{
    `ins` `(` $q `,` $slots `,` $positions `:` type($q) `,` type($slots) `)`
    `over` $k_pool `,` $v_pool `[` $layer `,` $first_head `]` `by` $table
    `:` type($k_pool) `,` type($v_pool) `,` type($table)
    (`scaled` `(` $scales^ `:` type($scales) `)`)?
    `outs` `(` $init `:` type($init) `)` attr-dict (`->` type($result)^)?
  }];
  let hasVerifier = 1;
}

def Kernel_AttendSpansOp : Kernel_Op<"attend_spans",
    [AllTypesMatch<["slots", "positions"]>, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "attention of few rows, split over their positions";
  let description = [{
    Blocks of 64 positions belong to spans at fixed positions: eight blocks each
    up to position 8192, an eighth of a power of two beyond. Each span folds to a
    maximum m, a sum l and an output o, which `kernel.merge_spans` merges in order;
    so the result doesn't depend on which thread computes which span. Thread
    `thread` of `threads` takes those that begin in its part of all blocks.

    `partials` has a row [m, l, 14 unused, o] for each (row, query head, span).

    ```mlir
    kernel.attend_spans ins(%q, %slots, %positions : tensor<?x256xf32>, tensor<?xi32>)
        over %kp, %vp[%layer] by %table : memref<6x?x4x32x64xbf16>, memref<6x?x4x64x32xbf16>, memref<?x?xi32>
        into %partials of %thread, %threads : memref<1024x48xf32> {group = 2 : i64, scale = 0.17677669 : f32}
    ```

    Constraints:
    - (C1) columns of `q` are a multiple of `group` * head size.
    - (C2) both pools have the same elements; `scales` are two if those are i8, else none.
    - (C3) `partials` has rows for `maxRows` rows of q and 16 columns more than the
      head size, rounded up to a multiple of 16.
  }];
  let arguments = (ins Kernel_Rows:$q, Kernel_Ints:$slots, Kernel_Ints:$positions,
                       Kernel_Pool:$k_pool, Kernel_Pool:$v_pool, Index:$layer,
                       MemRefRankOf<[I32], [2]>:$table, MemRefRankOf<[F32], [2]>:$partials,
                       Index:$thread, Index:$threads, Variadic<Kernel_PoolScales>:$scales,
                       I64Attr:$group, F32Attr:$scale, OptionalAttr<I64Attr>:$window);
  let assemblyFormat = [{
    `ins` `(` $q `,` $slots `,` $positions `:` type($q) `,` type($slots) `)`
    `over` $k_pool `,` $v_pool `[` $layer `]` `by` $table
    `:` type($k_pool) `,` type($v_pool) `,` type($table)
    (`scaled` `(` $scales^ `:` type($scales) `)`)?
    `into` $partials `of` $thread `,` $threads `:` type($partials) attr-dict
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Rows of a step that may be split.
    static constexpr int64_t maxRows = 8;
    /// Spans of a sequence of `positions` positions.
    static int64_t countSpans(int64_t positions);
    /// Columns of a row of partials, for heads of `size` elements.
    static int64_t getWidth(int64_t size);
  }];
}

def Kernel_MergeSpansOp : Kernel_ComputeOp<"merge_spans"> {
  let summary = "the result of kernel.attend_spans";
  let description = [{
    Merges the spans of each row and head, in order, into `init`. Row m of
    `positions` is row `first_row` + m of `partials`, the first head of `init` is
    head `first_head`. Heads have `size` elements.

    ```mlir
    kernel.merge_spans ins(%positions : tensor<?xi32>) from %partials[%c0, %c0] : memref<1024x48xf32>
        outs(%init : tensor<?x256xf32>) {group = 2 : i64, size = 32 : i64, heads = 4 : i64} -> tensor<?x256xf32>
    ```

    Loops: (rows, kv heads).

    Constraints:
    - (C1) columns of `init` are a multiple of `group` * `size`.
  }];
  let arguments = (ins Kernel_Ints:$positions, MemRefRankOf<[F32], [2]>:$partials,
                       Index:$first_row, Index:$first_head, Kernel_Rows:$init,
                       I64Attr:$group, I64Attr:$size, I64Attr:$heads,
                       OptionalAttr<I64Attr>:$window);
  let assemblyFormat = [{
    `ins` `(` $positions `:` type($positions) `)` `from` $partials `[` $first_row `,` $first_head `]`
    `:` type($partials) `outs` `(` $init `:` type($init) `)` attr-dict (`->` type($result)^)?
  }];
  let hasVerifier = 1;
}

def Kernel_AttentionOp : Kernel_ComputeOp<"attention", [AllTypesMatch<["begin", "end"]>]> {
  let summary = "attention of rows over ranges of the step's own rows (llm.attention)";
  let description = [{
    Row m sees rows begin[m] to end[m] of `k` and `v`. What products are made of
    may be rounded to `compute`, whose subnormals may count as zeros if it is
    bf16; sums are f32.

    ```mlir
    kernel.attention ins(%q, %k, %v, %begin, %end
        : tensor<?x48xf32>, tensor<?x48xf32>, tensor<?x48xf32>, tensor<?xi32>)
        outs(%init : tensor<?x48xf32>)
        {group = 1 : i64, size = 12 : i64, scale = 0.28867513 : f32, compute = f32} -> tensor<?x48xf32>
    ```

    Loops: (rows, kv heads).

    Constraints:
    - (C1) columns of `q` = heads * `group` * `size`, columns of `k` and of `v` = heads * `size`.
    - (C2) `compute` is f32 or bf16.
  }];
  let arguments = (ins Kernel_Rows:$q, Kernel_Rows:$k, Kernel_Rows:$v, Kernel_Ints:$begin,
                       Kernel_Ints:$end, Kernel_Rows:$init, I64Attr:$group, I64Attr:$size,
                       F32Attr:$scale, TypeAttr:$compute);
  let assemblyFormat = [{
    `ins` `(` $q `,` $k `,` $v `,` $begin `,` $end
    `:` type($q) `,` type($k) `,` type($v) `,` type($begin) `)`
    `outs` `(` $init `:` type($init) `)` attr-dict (`->` type($result)^)?
  }];
  let hasVerifier = 1;
}

def Kernel_PoolOp : Kernel_ComputeOp<"pool", [AllTypesMatch<["begin", "end"]>]> {
  let summary = "mean of ranges of rows (llm.pool)";
  let description = [{
    `init[s, d]` = the sum of x[r, d] for begin[s] <= r < end[s], in order of
    r, over the number of rows; a range without rows gives zeros.

    ```mlir
    kernel.pool ins(%x, %begin, %end : tensor<?x48xf32>, tensor<?xi32>)
        outs(%init : tensor<?x48xf32>) -> tensor<?x48xf32>
    ```

    Loops: (sequences).
  }];
  let arguments = (ins Kernel_Rows:$x, Kernel_Ints:$begin, Kernel_Ints:$end, Kernel_Rows:$init);
  let assemblyFormat = [{
    `ins` `(` $x `,` $begin `,` $end `:` type($x) `,` type($begin) `)`
    `outs` `(` $init `:` type($init) `)` attr-dict (`->` type($result)^)?
  }];
}

#endif // SMELT_DIALECT_KERNEL_IR_KERNELCOMPUTEOPS_TD
