//===- Passes.td - Passes of the vector phase --------------*- tablegen -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TRANSFORMS_VECTOR_PASSES_TD
#define SMELT_TRANSFORMS_VECTOR_PASSES_TD

include "mlir/Pass/PassBase.td"

def VectorizeRows : Pass<"smelt-vectorize-rows"> {
  let summary = "Turn linalg ops on memrefs into loops over vectors";
  let description = [{
    Every linalg op on memrefs becomes an `scf.for` nest over its outer
    dimensions and a loop over vectors of `lanes` lanes along the last one, the
    row. What is left of a row is one masked vector, so that edges are computed
    by the same vector code as the rest.

    A static tail has a constant mask:

    ```mlir
    #row = affine_map<(d0) -> (d0)>
    func.func @f(%x: memref<40xf32>, %y: memref<40xf32>) {
      linalg.generic {indexing_maps = [#row, #row], iterator_types = ["parallel"]}
          ins(%x : memref<40xf32>) outs(%y : memref<40xf32>) {
      ^bb0(%in: f32, %out: f32):
        %0 = arith.addf %in, %in : f32
        linalg.yield %0 : f32
      }
      return
    }
    // => lanes=16
    scf.for %i = %zero to %whole step ... {
      %v = vector.load %x[%i] : memref<40xf32>, vector<16xf32>
      %s = arith.addf %v, %v : vector<16xf32>
      vector.store %s, %y[%i] : memref<40xf32>, vector<16xf32>
    }
    %mask = vector.constant_mask [8] : vector<16xi1>
    %tail = arith.constant 32 : index
    %t = vector.maskedload %x[%tail], %mask, ...
    %u = arith.addf %t, %t : vector<16xf32>
    vector.maskedstore %y[%tail], %mask, %u : ...
    ```

    A dynamic one is a `vector.create_mask` under an `scf.if`. Values that don't
    change along the row are loaded and computed once, before the row's loop.

    A reduction along the row keeps one partial result per lane, which starts as
    the combiner's identity; lanes that the tail's mask turns off keep theirs.
    At the end the lanes are folded by the tree of LaneTree.h and combined with
    the output's initial value once. The order of a row's sum thus depends on its
    length and on `lanes` alone. A reduction over an outer dimension goes through
    memory in the order of the loops.

    An op becomes plain scalar loops when an operand moves along the row by
    anything but steps of one element, or when its body has other ops than
    elementwise ones that may be executed on lanes that are off. Ops on tensors
    are left alone.

    The body's arithmetic is neither reordered nor contracted, and its fast-math
    flags are left as they were: none are added.
  }];
  let options = [
    Option<"lanes", "lanes", "int64_t", "16",
           "Lanes of a vector, a power of two">
  ];
  let statistics = [
    Statistic<"numScalar", "scalar-ops", "Ops that became scalar loops">
  ];
  let dependentDialects = [
    "mlir::affine::AffineDialect", "mlir::arith::ArithDialect",
    "mlir::memref::MemRefDialect", "mlir::scf::SCFDialect",
    "mlir::vector::VectorDialect"
  ];
}

def ExpandMath : Pass<"smelt-expand-math"> {
  let summary = "Turn functions of f32 into polynomials";
  let description = [{
    Functions that would become calls of a C library become arithmetic, on f32
    and on vectors of it of any rank:

    ```mlir
    func.func @f(%x: vector<16xf32>) -> vector<16xf32> {
      %y = math.rsqrt %x : vector<16xf32>
      return %y : vector<16xf32>
    }
    // =>
    %one = arith.constant dense<1.000000e+00> : vector<16xf32>
    %root = math.sqrt %x : vector<16xf32>
    %y = arith.divf %one, %root : vector<16xf32>
    ```

    Errors against the exact result are bounded in units of its last place (ulp;
    that of a subnormal result is 2^-149), with fma or without:

    | function               | ulp  |                                          |
    |------------------------|------|------------------------------------------|
    | `math.exp`             | 1.25 | subnormal results and overflow as rounded |
    | `math.exp2`            | 1.25 | for magnitudes up to 126; 0 below -126.5, infinity from 127.5 on |
    | `math.log`             | 1.25 | -inf at 0, NaN below                     |
    | `math.tanh`            | 2    |                                          |
    | `math.erfc`            |      | absolute error 2e-7, which GELU multiplies |
    | `math.sin`, `math.cos` | 2    | for magnitudes up to 2^20; absolute error 1e-7 up to 2^28, NaN above |
    | `math.rsqrt`           | 1.5  | a square root and a division             |

    The polynomials' part of an error is proven by utils/minimax.py to be below
    0.3 of an ulp; what rounding adds is bounded by tests, with room to spare (of 10^8
    arguments spread evenly over all floats, the worst are 0.99 for exp, 0.86 for
    log, 1.4 for tanh, 1.6 for sin and cos).

    A NaN gives NaN, and infinities the functions' limits. Lanes don't influence
    each other, and a scalar gets the bits of a vector's lane.

    `fma=false` is for targets without fused multiply-add, where `math.fma` would
    be a call: all of them become `arith.mulf` and `arith.addf`. `rounding=false`
    is for those without instructions that round to integers: `math.roundeven`,
    `trunc`, `floor`, `ceil` and `round` become exact arithmetic.

    In a module that names its target (`llm.target`), the target's record takes
    the place of both options.

    `math.absf`, `copysign`, `sqrt` and, on targets that have it, `fma` stay: they
    are instructions.
  }];
  let options = [
    Option<"fma", "fma", "bool", "true",
           "The target has fused multiply-add">,
    Option<"rounding", "rounding", "bool", "true",
           "The target rounds floats to integers">
  ];
  let dependentDialects = [
    "mlir::arith::ArithDialect", "mlir::math::MathDialect"
  ];
}

def ExpandConversions : Pass<"smelt-expand-conversions"> {
  let summary = "Convert 16-bit floats by integer arithmetic";
  let description = [{
    Conversions between bf16 and f32 become integer arithmetic on scalars and
    vectors; LLVM would call a library on most targets:

    ```mlir
    func.func @f(%x: vector<16xbf16>) -> vector<16xf32> {
      %y = arith.extf %x : vector<16xbf16> to vector<16xf32>
      return %y : vector<16xf32>
    }
    // =>
    %bits = arith.bitcast %x : vector<16xbf16> to vector<16xi16>
    %wide = arith.extui %bits : vector<16xi16> to vector<16xi32>
    %c16 = arith.constant dense<16> : vector<16xi32>
    %shifted = arith.shli %wide, %c16 : vector<16xi32>
    %y = arith.bitcast %shifted : vector<16xi32> to vector<16xf32>
    ```

    With `f16` those between f16 and f32 do too. With `missing`, the module's target
    decides: those stay that it has an instruction for (vcvtneps2bf16 counts
    subnormals as zeros, as products of bf16 do). All are exact, or rounded to nearest even: subnormals, infinities and
    signed zeros are kept, and a NaN keeps the upper bits of its payload. Rounding
    makes a NaN quiet, and so does extending one from f16; one extended from bf16
    keeps its bits.
  }];
  let options = [
    Option<"f16", "f16", "bool", "false",
           "expand conversions of f16 too">,
    Option<"missing", "missing", "bool", "false",
           "expand only what the target has no instruction for">
  ];
  let dependentDialects = ["mlir::arith::ArithDialect"];
}

def ExpandDots : Pass<"smelt-expand-dots"> {
  let summary = "Products of neighbours by plain arithmetic";
  let description = [{
    `kernel.dot_bytes`, `kernel.apply_sign`, `kernel.multiply_add` and
    `x86vector.avx512.dot` stand for instructions, and `kernel.tile_dot` for a loop
    of them; they become shifts, products and sums with the same results, so that
    code made for one processor runs on any. (Products of bf16 are added in the
    order of vdpbf16ps and tdpbf16ps; those also count denormals as 0.) With
    `missing`, those stay that the module's target has an instruction for.

    ```mlir
    func.func @f(%x: vector<8xi16>, %y: vector<8xi16>) -> vector<4xi32> {
      %r = kernel.multiply_add %x, %y : vector<8xi16> -> vector<4xi32>
      return %r : vector<4xi32>
    }
    // =>
    %x2 = vector.bitcast %x : vector<8xi16> to vector<4xi32>
    ...
    %p = arith.muli %x_low, %y_low : vector<4xi32>
    %q = arith.muli %x_high, %y_high : vector<4xi32>
    %r = arith.addi %p, %q : vector<4xi32>
    ```
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::math::MathDialect",
                           "mlir::scf::SCFDialect", "mlir::vector::VectorDialect"];
  let options = [Option<"missing", "missing", "bool", "false",
                        "expand only what the target has no instruction for">];
}

def LowerMasks : Pass<"smelt-lower-masks"> {
  let summary = "Make masked accesses of narrow elements ones that LLVM compiles right";
  let description = [{
    Runs on the LLVM dialect. Masked loads and stores of bf16 and f16 become those
    of i16; a target without masked accesses that narrow splits them into scalars,
    and would call a conversion for each scalar of bf16:

    ```mlir
    llvm.func @f(%x: vector<16xbf16>, %p: !llvm.ptr, %mask: vector<16xi1>) {
      llvm.intr.masked.store %x, %p, %mask {alignment = 2 : i32}
          : vector<16xbf16>, vector<16xi1> into !llvm.ptr
      llvm.return
    }
    // =>
    %bits = llvm.bitcast %x : vector<16xbf16> to vector<16xi16>
    llvm.intr.masked.store %bits, %p, %mask {alignment = 2 : i32}
        : vector<16xi16>, vector<16xi1> into !llvm.ptr
    ```

    A store of elements narrower than 32 bits under a known mask with one lane becomes a scalar one, since LLVM 22 would
    write more bits than the element has where it was truncated:

    ```mlir
    llvm.func @f(%x: vector<4xi8>, %p: !llvm.ptr) {
      %mask = llvm.mlir.constant(dense<[true, false, false, false]> : vector<4xi1>) : vector<4xi1>
      llvm.intr.masked.store %x, %p, %mask {alignment = 1 : i32}
          : vector<4xi8>, vector<4xi1> into !llvm.ptr
      llvm.return
    }
    // =>
    %element = llvm.extractelement %x[%zero : i64] : vector<4xi8>
    %place = llvm.getelementptr %p[0] : (!llvm.ptr) -> !llvm.ptr, i8
    llvm.store %element, %place {alignment = 1 : i64} : i8, !llvm.ptr
    ```

    Where an expanded conversion has put the opposite of such a cast, the canonicalizer folds both. Masked accesses of
    32-bit elements stay: they are instructions from AVX on, for masks known or unknown, and without it LLVM splits them.
  }];
  let dependentDialects = ["mlir::LLVM::LLVMDialect"];
}

#endif // SMELT_TRANSFORMS_VECTOR_PASSES_TD
