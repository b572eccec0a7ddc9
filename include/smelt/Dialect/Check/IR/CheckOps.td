//===- CheckOps.td - The check dialect -*- tablegen -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_DIALECT_CHECK_IR_CHECKOPS_TD
#define SMELT_DIALECT_CHECK_IR_CHECKOPS_TD

include "mlir/IR/OpBase.td"

def Check_Dialect : Dialect {
  let name = "check";
  let cppNamespace = "::smelt::check";
  let summary = "Expectations about numbers, for tests that run";
  let description = [{
    A test computes a value in two ways and says how close they are to be. At
    run time the first element that departs is printed, with the place of the
    expectation, both values and the index, and the program exits with status
    1. NaN is never close to anything, itself included.

    `--convert-check-to-scf` makes loops of the ops before bufferization, so
    that a test is

    ```
    RUN: smelt-opt %s --convert-check-to-scf ... | mlir-runner ...
    ```
  }];
}

//===----------------------------------------------------------------------===//
// Operand types
//===----------------------------------------------------------------------===//

defvar Check_Floats = [BF16, F16, F32, F64]<Type>;
defvar Check_Elements = !listconcat(Check_Floats, [AnySignlessInteger, Index]<Type>);

class Check_Of<list<Type> elements> : AnyTypeOf<!listconcat(elements, [
    FixedVectorOfNonZeroRankOf<elements>, RankedTensorOf<elements>,
    MemRefOf<elements>])>;

class Check_Op<string mnemonic, list<Trait> traits = []>
    : Op<Check_Dialect, mnemonic,
         !listconcat(traits, [AllTypesMatch<["actual", "expected"]>])>;

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

def Check_ExpectEqOp : Check_Op<"expect_eq"> {
  let summary = "every element of actual equals that of expected";
  let description = [{
    Floats are compared as numbers: -0 equals 0, NaN equals nothing. Dynamic
    dimensions are equal, too.

    ```mlir
    check.expect_eq %actual, %expected : tensor<?x4xi32>
    ```
  }];
  let arguments = (ins Check_Of<Check_Elements>:$actual,
                       Check_Of<Check_Elements>:$expected);
  let assemblyFormat = "$actual `,` $expected attr-dict `:` type($actual)";
}

def Check_ExpectAlmostEqOp : Check_Op<"expect_almost_eq"> {
  let summary = "every element of actual is close to that of expected";
  let description = [{
    `|actual - expected| <= absolute + relative * |expected|`, computed in f64
    from both elements; equal infinities are close. Dynamic dimensions are
    equal, too.

    ```mlir
    check.expect_almost_eq %actual, %expected
        {absolute = 1.0e-6 : f64, relative = 1.0e-5 : f64} : vector<16xf32>
    ```

    Constraints:
    - (C1) `absolute` and `relative` are finite and not negative.
  }];
  let arguments = (ins Check_Of<Check_Floats>:$actual, Check_Of<Check_Floats>:$expected,
                       DefaultValuedAttr<F64Attr, "0.0">:$absolute,
                       DefaultValuedAttr<F64Attr, "0.0">:$relative);
  let assemblyFormat = "$actual `,` $expected attr-dict `:` type($actual)";
  let hasVerifier = 1;
}

#endif // SMELT_DIALECT_CHECK_IR_CHECKOPS_TD
