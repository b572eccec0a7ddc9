//===- LLMOps.td - Ops of the llm dialect -*- tablegen -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_DIALECT_LLM_IR_LLMOPS_TD
#define SMELT_DIALECT_LLM_IR_LLMOPS_TD

include "smelt/Dialect/LLM/IR/LLMDialect.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

//===----------------------------------------------------------------------===//
// Operand types. M is the dynamic number of tokens (or rows, or sequences).
//===----------------------------------------------------------------------===//

/// [M, D] activations.
def LLM_Rows : 2DTensorOf<[F32]>;
/// [M] per-token integers: ids, positions, slots, row ranges.
def LLM_Ints : 1DTensorOf<[I32]>;
/// [N, K] weights in any float format.
def LLM_Matrix : 2DTensorOf<[F32, F16, BF16]>;
/// [D] vectors: norm weights and biases are f32 at this level.
def LLM_Vector : 1DTensorOf<[F32]>;

class LLM_Op<string mnemonic, list<Trait> traits = []>
    : Op<LLM_Dialect, mnemonic, traits>;

/// An op without effects whose result type follows from its operands.
class LLM_PureOp<string mnemonic, list<Trait> traits = []>
    : LLM_Op<mnemonic, !listconcat(traits, [Pure,
        DeclareOpInterfaceMethods<InferTypeOpInterface>])>;

//===----------------------------------------------------------------------===//
// Params
//===----------------------------------------------------------------------===//

def LLM_ParamOp : LLM_Op<"param", [Symbol]> {
  let summary = "a weight of the model: where it comes from and what becomes of it";
  let description = [{
    The param has one instance for each element of `sources`; the layers that
    share an outlined function share one param. An instance's bytes come from
    one or more checkpoint tensors, through a recipe whose steps run in order;
    then they are stored in `format` and `layout`. `type` is the logical type.
    `offset` and `stride` (bytes) are its place in the weights section:
    instance i begins at `offset + i * stride`.

    ```mlir
    llm.param @layers.qkv : tensor<512x256xbf16> from
        [[#llm.source<"q", file = "model.safetensors", offset = 0, type = tensor<256x256xbf16>>,
          #llm.source<"kv", file = "model.safetensors", offset = 131072, type = tensor<256x256xbf16>>]]
        recipe [#llm.concat<parts = 2>]
    ```

    Constraints:
    - (C1) every instance has as many sources, of the same types.
    - (C2) the recipe yields `type`.
    - (C3) `layout` is rows unless the type is a matrix.
    - (C4) there is at least one instance, and one source.
    - (C5) quantised formats are for matrices, in layout blocks.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<AnyRankedTensor>:$type,
                       ArrayAttr:$sources, OptionalAttr<ArrayAttr>:$recipe,
                       OptionalAttr<LLM_FormatAttr>:$format,
                       OptionalAttr<LLM_LayoutAttr>:$layout,
                       OptionalAttr<I64Attr>:$offset, OptionalAttr<I64Attr>:$stride);
  let assemblyFormat = [{
    $sym_name `:` $type `from` $sources (`recipe` $recipe^)?
    (`format` $format^)? (`layout` $layout^)?
    (`at` $offset^ `stride` $stride)? attr-dict
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::RankedTensorType getParamType() {
      return ::llvm::cast<::mlir::RankedTensorType>(getType());
    }
    int64_t getInstanceCount() { return getSources().size(); }
    /// Sources of instance `i`.
    ::llvm::SmallVector<SourceAttr> getInstance(int64_t i);
    /// Type of the stored tensor: physical shape, element type of the format.
    ::mlir::RankedTensorType getStoredType();
    /// Bytes of one instance as stored.
    int64_t getStoredBytes();
    /// Params are private to their module: symbol-dce removes unread ones.
    ::mlir::SymbolTable::Visibility getVisibility() {
      return ::mlir::SymbolTable::Visibility::Private;
    }
  }];
}

def LLM_GetParamOp : LLM_Op<"get_param", [Pure,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the value of a param";
  let description = [{
    Without `layer` the param has one instance.

    ```mlir
    llm.param @layers.b : tensor<8xf32> from
        [[#llm.source<"0.b", file = "f", offset = 0, type = tensor<8xf32>>],
         [#llm.source<"1.b", file = "f", offset = 32, type = tensor<8xf32>>]]
    func.func @f(%layer: index) -> tensor<8xf32> {
      %b = llm.get_param @layers.b[%layer] : tensor<8xf32>
      return %b : tensor<8xf32>
    }
    ```

    Constraints:
    - (C1) the symbol is an `llm.param` of the result's type.
    - (C2) `layer` is given if and only if the param has several instances.
  }];
  let arguments = (ins FlatSymbolRefAttr:$param, Optional<Index>:$layer);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$param (`[` $layer^ `]`)? attr-dict `:` type($result)";
}

//===----------------------------------------------------------------------===//
// Rows in, rows out
//===----------------------------------------------------------------------===//

def LLM_EmbeddingOp : LLM_PureOp<"embedding"> {
  let summary = "rows of a table, one for each index";
  let description = [{
    `result[m, d] = table[indices[m], d]`, extended to f32 exactly. Indices
    are within the table: the caller of a step checks them.

    ```mlir
    %x = llm.embedding %ids, %table : tensor<?xi32>, tensor<2048x256xbf16>
    ```
  }];
  let arguments = (ins LLM_Ints:$indices, LLM_Matrix:$table);
  let results = (outs LLM_Rows:$result);
  let assemblyFormat = "$indices `,` $table attr-dict `:` type($indices) `,` type($table)";
}

def LLM_GatherRowsOp : LLM_PureOp<"gather_rows"> {
  let summary = "the rows asked for";
  let description = [{
    `result[r, d] = x[rows[r], d]`.

    ```mlir
    %y = llm.gather_rows %x, %rows : tensor<?x256xf32>, tensor<?xi32>
    ```
  }];
  let arguments = (ins LLM_Rows:$x, LLM_Ints:$rows);
  let results = (outs LLM_Rows:$result);
  let assemblyFormat = "$x `,` $rows attr-dict `:` type($x) `,` type($rows)";
}

def LLM_LinearOp : LLM_PureOp<"linear", [AttrSizedOperandSegments]> {
  let summary = "matrix product with a weight, optional bias and residual";
  let description = [{
    `result[m, n] = sum_k round(x[m, k]) * weight[n, k] + bias[n] + residual[m, n]`,
    accumulated in f32 in order of k; `round` is to `activation`, if given, else
    to `compute`, f32 or bf16. The weight is what its format stores, extended
    exactly. Of quantised rows and weights, 32 elements (or a row that shares one
    scale) are summed as integers. Terms are added in the order given.

    ```mlir
    %y = llm.linear %x, %w bias %b residual %r {compute = bf16}
        : tensor<?x256xf32>, tensor<512x256xbf16> bias tensor<512xf32> residual tensor<?x512xf32>
    ```

    Constraints:
    - (C1) columns of `x` = columns of `weight`.
    - (C2) size of `bias` = rows of `weight`.
    - (C3) `residual` has the type of the result.
  }];
  let arguments = (ins LLM_Rows:$x, LLM_Matrix:$weight, Optional<LLM_Vector>:$bias,
                       Optional<LLM_Rows>:$residual, TypeAttr:$compute,
                       OptionalAttr<LLM_ActivationAttr>:$activation);
  let results = (outs LLM_Rows:$result);
  let assemblyFormat = [{
    $x `,` $weight (`bias` $bias^)? (`residual` $residual^)? attr-dict
    `:` type($x) `,` type($weight) (`bias` type($bias)^)? (`residual` type($residual)^)?
  }];
  let hasVerifier = 1;
}

def LLM_RMSNormOp : LLM_PureOp<"rms_norm"> {
  let summary = "root mean square normalisation (Zhang and Sennrich 2019)";
  let description = [{
    `result[m, d] = x[m, d] / sqrt(mean_d(x[m, d]^2) + eps) * weight[d]`;
    without `weight` the factor is 1 (it was folded into the consumers).

    ```mlir
    %y = llm.rms_norm %x weight %w {eps = 1.0e-6 : f32}
        : tensor<?x256xf32> weight tensor<256xf32>
    ```

    Constraints:
    - (C1) size of `weight` = columns of `x`.
    - (C2) `eps` is finite and not negative.
  }];
  let arguments = (ins LLM_Rows:$x, Optional<LLM_Vector>:$weight, F32Attr:$eps);
  let results = (outs LLM_Rows:$result);
  let assemblyFormat = "$x (`weight` $weight^)? attr-dict `:` type($x) (`weight` type($weight)^)?";
  let hasVerifier = 1;
}

def LLM_LayerNormOp : LLM_PureOp<"layer_norm", [AllTypesMatch<["weight", "bias"]>]> {
  let summary = "layer normalisation (Ba, Kiros and Hinton 2016)";
  let description = [{
    `result[m, d] = (x[m, d] - mean) / sqrt(variance + eps) * weight[d] + bias[d]`,
    mean and (biased) variance over d, in two passes.

    ```mlir
    %y = llm.layer_norm %x, %w, %b {eps = 1.0e-12 : f32} : tensor<?x48xf32>, tensor<48xf32>
    ```

    Constraints:
    - (C1) sizes of `weight` and `bias` = columns of `x`.
    - (C2) `eps` is finite and not negative.
  }];
  let arguments = (ins LLM_Rows:$x, LLM_Vector:$weight, LLM_Vector:$bias, F32Attr:$eps);
  let results = (outs LLM_Rows:$result);
  let assemblyFormat = "$x `,` $weight `,` $bias attr-dict `:` type($x) `,` type($weight)";
  let hasVerifier = 1;
}

class LLM_Elementwise<string mnemonic, list<Trait> traits = []>
    : LLM_Op<mnemonic, !listconcat(traits, [Pure, SameOperandsAndResultType])> {
  let results = (outs LLM_Rows:$result);
}

class LLM_Binary<string mnemonic, string formula>
    : LLM_Elementwise<mnemonic, [Commutative]> {
  let summary = "elementwise " # formula;
  let description = "`result[m, d] = " # formula # "`.\n\n```mlir\n%z = llm."
      # mnemonic # " %x, %y : tensor<?x256xf32>\n```";
  let arguments = (ins LLM_Rows:$lhs, LLM_Rows:$rhs);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($result)";
}

def LLM_AddOp : LLM_Binary<"add", "lhs[m, d] + rhs[m, d]">;
def LLM_MulOp : LLM_Binary<"mul", "lhs[m, d] * rhs[m, d]">;

class LLM_Unary<string mnemonic, string formula> : LLM_Elementwise<mnemonic> {
  let summary = formula;
  let description = "Elementwise `" # formula # "`.\n\n```mlir\n%y = llm."
      # mnemonic # " %x : tensor<?x256xf32>\n```";
  let arguments = (ins LLM_Rows:$x);
  let assemblyFormat = "$x attr-dict `:` type($result)";
}

def LLM_SiluOp : LLM_Unary<"silu", "x / (1 + exp(-x))">;
def LLM_GeluOp : LLM_Unary<"gelu", "x / 2 * (1 + erf(x / sqrt(2)))">;
def LLM_GeluTanhOp
    : LLM_Unary<"gelu_tanh", "x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))">;
def LLM_ReluOp : LLM_Unary<"relu", "max(x, 0)"> {
  let hasFolder = 1;
}

// [doc:op]
def LLM_GluOp : LLM_PureOp<"glu"> {
  let summary = "gated linear unit over a merged gate and up projection (Shazeer 2020)";
  let description = [{
    `x` holds the gate in its first half of columns and the up projection in
    its second: `result[m, d] = act(x[m, d]) * x[m, F + d]` with F columns in
    the result. `activation` names a unary op of this dialect.

    ```mlir
    %y = llm.glu %x {activation = "silu"} : tensor<?x1536xf32>
    ```

    Constraints:
    - (C1) `x` has an even number of columns.
    - (C2) `activation` is one of silu, gelu, gelu_tanh, relu.
  }];
  let arguments = (ins LLM_Rows:$x, StrAttr:$activation);
  let results = (outs LLM_Rows:$result);
  let assemblyFormat = "$x attr-dict `:` type($x)";
  let hasVerifier = 1;
}
// [/doc:op]

//===----------------------------------------------------------------------===//
// Positions
//===----------------------------------------------------------------------===//

def LLM_RopeOp : LLM_PureOp<"rope"> {
  let summary = "rotary position embedding (Su et al. 2021), half-split pairs";
  let description = [{
    `x` holds `heads` heads of size d. Elements i and i + d/2 of a head are
    rotated by the angle `positions[m] * f_i`, where `f_i = base^(-2i/d)`,
    changed by `scaling`: absent, or a dictionary as in config.json's
    rope_scaling, `{type = "linear", factor = 4.0}` or `{type = "llama3",
    factor, low_freq_factor, high_freq_factor, original_max_position_embeddings}`.

    ```mlir
    %y = llm.rope %x, %positions {heads = 8 : i64, base = 1.0e4 : f64}
        : tensor<?x256xf32>, tensor<?xi32>
    ```

    Constraints:
    - (C1) `heads` divides the columns of `x` into an even head size.
    - (C2) `base` is positive; `scaling` is one of the forms above.
  }];
  let arguments = (ins LLM_Rows:$x, LLM_Ints:$positions, I64Attr:$heads,
                       F64Attr:$base, OptionalAttr<DictionaryAttr>:$scaling);
  let results = (outs LLM_Rows:$result);
  let assemblyFormat = "$x `,` $positions attr-dict `:` type($x) `,` type($positions)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The f_i of a head's pairs, rounded as transformers rounds them.
    ::llvm::SmallVector<float> getFrequencies();
  }];
}

def LLM_RopeTableOp : LLM_PureOp<"rope_table"> {
  let summary = "cosines and sines of a step's angles";
  let description = [{
    `cos[m, i] = cos(positions[m] * frequencies[i])`, likewise `sin`; the angle
    is rounded to f32 once. All layers share one table.

    ```mlir
    %cos, %sin = llm.rope_table %positions, %f : tensor<?xi32>, tensor<16xf32>
    ```
  }];
  let arguments = (ins LLM_Ints:$positions, LLM_Vector:$frequencies);
  let results = (outs LLM_Rows:$cos, LLM_Rows:$sin);
  let assemblyFormat = "$positions `,` $frequencies attr-dict `:` type($positions) `,` type($frequencies)";
}

def LLM_RotateOp : LLM_PureOp<"rotate", [AllTypesMatch<["cos", "sin"]>]> {
  let summary = "rotate the pairs of each head by the angles of a table";
  let description = [{
    With c = cos[m, i] and s = sin[m, i], for the elements a = x[m, h, i] and
    b = x[m, h, i + d/2] of each head: `a' = a * c - b * s`, `b' = b * c + a * s`.

    ```mlir
    %y = llm.rotate %x, %cos, %sin {heads = 8 : i64} : tensor<?x256xf32>, tensor<?x16xf32>
    ```

    Constraints:
    - (C1) columns of `x` = `heads` * 2 * columns of `cos`; `sin` has the type of `cos`.
  }];
  let arguments = (ins LLM_Rows:$x, LLM_Rows:$cos, LLM_Rows:$sin, I64Attr:$heads);
  let results = (outs LLM_Rows:$result);
  let assemblyFormat = "$x `,` $cos `,` $sin attr-dict `:` type($x) `,` type($cos)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

def LLM_KVAppendOp : LLM_Op<"kv_append",
    [AllTypesMatch<["k", "v"]>, AllTypesMatch<["slots", "positions"]>,
    DeclareOpInterfaceMethods<InferTypeOpInterface>]> {
  let summary = "write a step's keys and values into the cache";
  let description = [{
    Row m goes to position `positions[m]` of the sequence in slot `slots[m]`
    of layer `layer`, rounded to the cache's type; the rows are returned as
    stored.

    ```mlir
    %k2, %v2 = llm.kv_append %kv[%layer], %k, %v at %slots, %positions
        : !llm.kv<layers = 6, heads = 4, size = 32, type = bf16>, tensor<?x128xf32>, tensor<?xi32>
    ```

    Constraints:
    - (C1) columns of `k` and `v` = heads * size of the cache.
  }];
  let arguments = (ins Arg<LLM_KVType, "the cache", [MemWrite]>:$kv, Index:$layer,
                       LLM_Rows:$k, LLM_Rows:$v, LLM_Ints:$slots, LLM_Ints:$positions);
  let results = (outs LLM_Rows:$stored_k, LLM_Rows:$stored_v);
  let assemblyFormat = [{
    $kv `[` $layer `]` `,` $k `,` $v `at` $slots `,` $positions attr-dict
    `:` type($kv) `,` type($k) `,` type($slots)
  }];
  let hasVerifier = 1;
}

def LLM_CachedAttentionOp : LLM_Op<"cached_attention",
    [AllTypesMatch<["slots", "positions"]>,
    DeclareOpInterfaceMethods<InferTypeOpInterface>]> {
  let summary = "causal attention of a step's queries over the cache";
  let description = [{
    Query m of head h sees positions 0 to `positions[m]` of its slot's
    sequence (the last `window` of them, if given), in kv head
    h / (heads / kv heads):
    `result[m, h] = softmax_p(scale * q[m, h] . k[p]) . v`.
    The softmax is computed per block of 64 absolute positions, each with its
    own maximum, merged in order of position, whatever the step's shape: blocks
    to spans where sequences may have more than 512 positions
    (`kernel.attend_spans`), spans to the result. If the cache is of bf16,
    queries and weights may be rounded to bf16, too.

    ```mlir
    %y = llm.cached_attention %q, %kv[%layer] at %slots, %positions {heads = 8 : i64, scale = 0.17677669 : f32}
        : tensor<?x256xf32>, !llm.kv<layers = 6, heads = 4, size = 32, type = bf16>, tensor<?xi32>
    ```

    Constraints:
    - (C1) columns of `q` = `heads` * size of the cache.
    - (C2) the cache's heads divide `heads`.
    - (C3) `scale` is positive and finite; `window`, if given, is positive.
  }];
  let arguments = (ins LLM_Rows:$q, Arg<LLM_KVType, "the cache", [MemRead]>:$kv, Index:$layer,
                       LLM_Ints:$slots, LLM_Ints:$positions, I64Attr:$heads,
                       F32Attr:$scale, OptionalAttr<I64Attr>:$window);
  let results = (outs LLM_Rows:$result);
  let assemblyFormat = [{
    $q `,` $kv `[` $layer `]` `at` $slots `,` $positions attr-dict
    `:` type($q) `,` type($kv) `,` type($slots)
  }];
  let hasVerifier = 1;
}

def LLM_AttentionOp : LLM_PureOp<"attention", [AllTypesMatch<["k", "v"]>, AllTypesMatch<["begin", "end"]>]> {
  let summary = "bidirectional attention among the tokens of each sequence of the step";
  let description = [{
    Query m sees the rows `begin[m]` to `end[m]` (exclusive) of the step's own
    keys and values. Products are made of queries, keys, weights and values that
    may be rounded to `compute`, f32 or bf16; all sums are f32. Blocks of 64 are
    counted from `begin[m]`; otherwise as `llm.cached_attention`.

    ```mlir
    %y = llm.attention %q, %k, %v in %begin, %end
        {heads = 4 : i64, kv_heads = 4 : i64, scale = 0.28867513 : f32, compute = f32}
        : tensor<?x48xf32>, tensor<?x48xf32>, tensor<?xi32>
    ```

    Constraints:
    - (C1) columns of `q` = `heads` * size, of `k` and `v` = `kv_heads` * size.
    - (C2) `kv_heads` divides `heads`.
    - (C3) `scale` is positive and finite.
    - (C4) `compute` is f32 or bf16.
  }];
  let arguments = (ins LLM_Rows:$q, LLM_Rows:$k, LLM_Rows:$v, LLM_Ints:$begin, LLM_Ints:$end,
                       I64Attr:$heads, I64Attr:$kv_heads, F32Attr:$scale, TypeAttr:$compute);
  let results = (outs LLM_Rows:$result);
  let assemblyFormat = [{
    $q `,` $k `,` $v `in` $begin `,` $end attr-dict
    `:` type($q) `,` type($k) `,` type($begin)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Sequences
//===----------------------------------------------------------------------===//

def LLM_PoolOp : LLM_PureOp<"pool", [AllTypesMatch<["begin", "end"]>]> {
  let summary = "one row for each sequence";
  let description = [{
    `mean`: the mean of rows `begin[s]` to `end[s]` (exclusive); `cls`: row
    `begin[s]`.

    ```mlir
    %y = llm.pool %x in %begin, %end {mode = "mean"} : tensor<?x48xf32>, tensor<?xi32>
    ```

    Constraints:
    - (C1) `mode` is mean or cls.
  }];
  let arguments = (ins LLM_Rows:$x, LLM_Ints:$begin, LLM_Ints:$end, StrAttr:$mode);
  let results = (outs LLM_Rows:$result);
  let assemblyFormat = "$x `in` $begin `,` $end attr-dict `:` type($x) `,` type($begin)";
  let hasVerifier = 1;
}

def LLM_NormalizeOp : LLM_Elementwise<"normalize"> {
  let summary = "rows of Euclidean length 1";
  let description = [{
    `result[m, d] = x[m, d] / max(sqrt(sum_d x[m, d]^2), 1e-12)`.

    ```mlir
    %y = llm.normalize %x : tensor<?x48xf32>
    ```
  }];
  let arguments = (ins LLM_Rows:$x);
  let assemblyFormat = "$x attr-dict `:` type($result)";
}

#endif // SMELT_DIALECT_LLM_IR_LLMOPS_TD
