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
    linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>,
                                     affine_map<(d0) -> (d0)>],
                    iterator_types = ["parallel"]}
        ins(%x : memref<40xf32>) outs(%y : memref<40xf32>) {
    ^bb0(%in: f32, %out: f32):
      %0 = arith.addf %in, %in : f32
      linalg.yield %0 : f32
    }
    ```
    =>
    ```mlir
    scf.for %i = %c0 to %c32 step %c16 {
      %0 = vector.load %x[%i] : memref<40xf32>, vector<16xf32>
      %1 = arith.addf %0, %0 : vector<16xf32>
      vector.store %1, %y[%i] : memref<40xf32>, vector<16xf32>
    }
    %mask = vector.constant_mask [8] : vector<16xi1>
    %2 = vector.maskedload %x[%c32], %mask, %zero : ...
    %3 = arith.addf %2, %2 : vector<16xf32>
    vector.maskedstore %y[%c32], %mask, %3 : ...
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

#endif // SMELT_TRANSFORMS_VECTOR_PASSES_TD
