//===- LLMDialect.td - The llm dialect, its types and attributes -*- tablegen -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_DIALECT_LLM_IR_LLMDIALECT_TD
#define SMELT_DIALECT_LLM_IR_LLMDIALECT_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/OpBase.td"

def LLM_Dialect : Dialect {
  let name = "llm";
  let cppNamespace = "::smelt::llm";
  let summary = "One op per concept of the language-model literature";
  let description = [{
    The top level of Smelt: tensors with value semantics, a dynamic number of
    tokens, static model dimensions. A function of this level is a *step*: M
    tokens of any mix of sequences at any positions go in, outputs for the
    rows asked for come out. Weights are never in the IR: an `llm.param`
    symbol says where their bytes come from and what is to be done with them.

    Module attributes:
    - `llm.stage`: the last stage that ran, a name of the stage table;
    - `llm.checkpoint`: the folder that the sources of params are relative to;
    - `llm.model`: a dictionary, the model card that goes into the manifest;
    - `llm.target`: the name of the target record, such as "avx2";
    - `llm.quantize`: an array of rules, which params are quantised and how;
    - `llm.compute`: `f32` or `bf16`, what inputs of linears are rounded to.

    Arguments of the step function carry `llm.input`, its results
    `llm.output`, each with a name of the manifest.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
}

/// A name printed as a bare word.
class LLM_Word<string desc> : StringRefParameter<desc> {
  let parser = [{
    [&]() -> ::mlir::FailureOr<std::string> {
      std::string word;
      if ($_parser.parseKeywordOrString(&word))
        return ::mlir::failure();
      return word;
    }()
  }];
  let printer = "$_printer.printKeywordOrString($_self)";
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

def LLM_KVType : TypeDef<LLM_Dialect, "KV"> {
  let mnemonic = "kv";
  let summary = "Handle of the KV cache of all layers";
  let description = [{
    A sequence's rows live in blocks of 64 positions that a block table names.
    The handle has memory effects instead of value semantics: as a tensor, one
    read of the old value after an append would clone the whole cache.

    `type` is a record of Formats.def that rows are rounded to when they are
    appended: `f32`, `f16`, `bf16`, or `int8`: the `size` elements x of a head
    in a row share scale = max |x| / 127, and q = round(x * (127 / max |x|))
    stands for q * scale; all arithmetic is in f32, `round` is to nearest even.
    Where all elements are 0, so are scale and q.

    ```mlir
    !llm.kv<layers = 6, heads = 4, size = 32, type = bf16>
    ```
  }];
  let parameters = (ins "int64_t":$layers, "int64_t":$heads, "int64_t":$size,
                        LLM_Word<"name of the record">:$type);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    const CacheRecord &getRecord() const;
    /// Of an element as stored.
    ::mlir::Type getElementType() const;
    /// Elements of a row of values as stored: a multiple of 16, so that vectors
    /// may end beyond the head.
    int64_t getPaddedSize() const;
    /// Bytes that 64 positions take in all layers.
    int64_t getBlockBytes() const;
  }];
}

//===----------------------------------------------------------------------===//
// Attributes of params
//===----------------------------------------------------------------------===//

class LLM_Attr<string name, string attrMnemonic> : AttrDef<LLM_Dialect, name> {
  let mnemonic = attrMnemonic;
}

def LLM_SourceAttr : LLM_Attr<"Source", "source"> {
  let summary = "A tensor of a checkpoint file";
  let description = [{
    `offset` counts bytes from the start of the file; `type` is the shape and
    element type as stored.

    ```mlir
    #llm.source<"model.norm.weight", file = "model.safetensors", offset = 832,
                type = tensor<256xbf16>>
    ```
  }];
  let parameters = (ins StringRefParameter<"name of the tensor">:$name,
                        StringRefParameter<"path in the checkpoint">:$file,
                        "int64_t":$offset, "::mlir::RankedTensorType":$type);
  let assemblyFormat = [{
    `<` $name `,` `file` `=` $file `,` `offset` `=` $offset `,`
        `type` `=` $type `>`
  }];
}

def LLM_ConcatAttr : LLM_Attr<"Concat", "concat"> {
  let summary = "Recipe step: stack the rows of the first `parts` sources";
  let description = [{
    Each part is padded with zero rows to a multiple of `align` (default 1).
    Without this step a recipe starts from its first source.
  }];
  let parameters = (ins "int64_t":$parts, DefaultValuedParameter<"int64_t", "1">:$align);
  let assemblyFormat = "`<` `parts` `=` $parts (`,` `align` `=` $align^)? `>`";
}

def LLM_ScaleColumnsAttr : LLM_Attr<"ScaleColumns", "scale_columns"> {
  let summary = "Recipe step: multiply column k by element k of source `by`";
  let parameters = (ins "int64_t":$by);
  let assemblyFormat = "`<` `by` `=` $by `>`";
}

def LLM_TransposeAttr : LLM_Attr<"Transpose", "transpose"> {
  let summary = "Recipe step: exchange rows and columns";
}

def LLM_CastAttr : LLM_Attr<"Cast", "cast"> {
  let summary = "Recipe step: convert elements, rounding to nearest even";
  let parameters = (ins "::mlir::Type":$type);
  let assemblyFormat = "`<` $type `>`";
}

def LLM_FormatAttr : LLM_Attr<"Format", "format"> {
  let summary = "How the elements of a param are stored: a record of Formats.def";
  let parameters = (ins LLM_Word<"name of the record">:$name);
  let assemblyFormat = "`<` $name `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    const FormatRecord &getRecord() const;
    bool isQuantized() const { return getRecord().isInteger; }
    /// Element type of the stored tensor: bytes, i8, where it is quantised.
    ::mlir::Type getElementType() const;
  }];
}

def LLM_ActivationAttr : LLM_Attr<"Activation", "activation"> {
  let summary = "What the rows of a linear are rounded to: a record of Formats.def";
  let description = [{
    Elements x become integers q; all arithmetic is in f32, `round` is to nearest
    even:

    - `int8_g32`: 32 elements share scale = max |x| / 127;
      q = round(x * (127 / max |x|)) stands for q * scale.
    - `int8_token`: a row shares scale = (max - min) / 254, where max and min
      include 0. With inverse = 254 / (max - min) and
      zero = -127 - round(min * inverse), q = round(x * inverse) + zero, at most
      127, stands for (q - zero) * scale.

    Where all elements are 0, so are inverse, scale and q (zero is -127).

    ```mlir
    #llm.activation<int8_g32>
    ```
  }];
  let parameters = (ins LLM_Word<"name of the record">:$name);
  let assemblyFormat = "`<` $name `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    const ActivationRecord &getRecord() const;
  }];
}

def LLM_QuantizeAttr : LLM_Attr<"Quantize", "quantize"> {
  let summary = "A rule of llm.quantize: what params of a name become";
  let description = [{
    `pattern` is a glob for names of params; `scheme` is a scheme of Formats.def,
    or a format of it, which leaves the rows of linears as they are. The last
    rule that matches counts.

    ```mlir
    module attributes {llm.quantize = [#llm.quantize<"*", w4a8>, #llm.quantize<"head", bf16>]} {
    }
    ```
  }];
  let parameters = (ins StringRefParameter<"glob">:$pattern,
                        LLM_Word<"name of the record">:$scheme);
  let assemblyFormat = "`<` $pattern `,` $scheme `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    bool matches(::llvm::StringRef name) const;
  }];
}

def LLM_LayoutAttr : LLM_Attr<"Layout", "layout"> {
  let summary = "The order in which the elements of a param are stored";
  let description = [{
    `#llm.layout<rows>`: row-major, as in the checkpoint.

    `#llm.layout<blocks, n = 16, k = 64>`: the panels of a quantised format, with
    its scales (Formats.h); a matrix of bytes, one row for each panel of n rows.

    `#llm.layout<panel, n = 32, k = 2>` of a matrix [N, K]: panels of n rows,
    stored as `[ceil(N/n)][ceil(K/k)][n][k]`, padded with zeros, so that a
    matrix product reads one sequential stream:

    ```
                 k = 0 1 | 2 3 | ...              one panel, n = 4, k = 2
        row 0        a a'| e e'|                  a a' b b' c c' d d' | e e' ...
        row 1        b b'| f f'|        ==>       (row 0, row 1, row 2, row 3;
        row 2        c c'| g g'|                   then the next pair of k)
        row 3        d d'| h h'|
    ```
  }];
  let parameters = (ins LLM_Word<"rows, panel or blocks">:$kind,
                        DefaultValuedParameter<"int64_t", "0">:$n,
                        DefaultValuedParameter<"int64_t", "0">:$k);
  let assemblyFormat = "`<` $kind (`,` `n` `=` $n^ `,` `k` `=` $k)? `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    bool isPanel() const { return getKind() == "panel"; }
    bool isBlocks() const { return getKind() == "blocks"; }
    /// Shape of the storage of a logical `shape` in `format`: itself for rows,
    /// [ceil(N/n), ceil(K/k), n, k] for panels of a matrix, [ceil(N/n), bytes of
    /// a panel] for blocks.
    ::llvm::SmallVector<int64_t> getPhysicalShape(
        ::llvm::ArrayRef<int64_t> shape, FormatAttr format) const;
  }];
}

#endif // SMELT_DIALECT_LLM_IR_LLMDIALECT_TD
