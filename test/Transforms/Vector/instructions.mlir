// What the passes of this phase leave has instructions on its target: the object
// refers to no other function, and masks are applied without branches where the
// target has masked accesses.

// DEFINE: %{lowering} = canonicalize,lower-affine,convert-scf-to-cf,expand-strided-metadata,lower-affine,convert-vector-to-llvm,convert-to-llvm,reconcile-unrealized-casts,smelt-lower-masks,canonicalize
// RUN: smelt-opt %s --pass-pipeline="builtin.module(smelt-vectorize-rows{lanes=16},smelt-expand-math,smelt-expand-conversions,%{lowering})" | mlir-translate --mlir-to-llvmir -o %t.v3.ll
// RUN: llc -O3 -mtriple=x86_64-linux-gnu -mcpu=x86-64-v3 %t.v3.ll -o - | FileCheck %s
// RUN: llc -O3 -mtriple=x86_64-linux-gnu -mcpu=x86-64-v3 -filetype=obj %t.v3.ll -o %t.v3.o
// RUN: llvm-nm -u %t.v3.o | count 0
// RUN: smelt-opt %s --pass-pipeline="builtin.module(smelt-vectorize-rows{lanes=8},smelt-expand-math{fma=false rounding=false},smelt-expand-conversions{f16=true},%{lowering})" | mlir-translate --mlir-to-llvmir -o %t.generic.ll
// RUN: llc -O3 -mtriple=x86_64-linux-gnu -mcpu=x86-64 -filetype=obj %t.generic.ll -o %t.generic.o
// RUN: llvm-nm -u %t.generic.o | count 0

#row = affine_map<(d0) -> (d0)>

// CHECK-LABEL: dynamic_mask:
// CHECK:         vmaskmovps {{.*}}, %ymm{{[0-9]+}}, %ymm{{[0-9]+}}
// CHECK:         vmaskmovps %ymm{{[0-9]+}}, %ymm{{[0-9]+}}, {{.*}}
// CHECK-NOT:     {{j[a-z]+ }}
// CHECK:         retq
func.func @dynamic_mask(%x: memref<?xf32>, %y: memref<?xf32>) {
  linalg.generic {indexing_maps = [#row, #row], iterator_types = ["parallel"]}
      ins(%x : memref<?xf32>) outs(%y : memref<?xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %in, %in : f32
    linalg.yield %0 : f32
  }
  return
}

// CHECK-LABEL: static_mask:
// CHECK-NOT:     {{j[a-z]+ }}
// CHECK:         vmaskmovps
// CHECK:         vmaskmovps
// CHECK:         retq
func.func @static_mask(%x: memref<7xf32>, %y: memref<7xf32>) {
  linalg.generic {indexing_maps = [#row, #row], iterator_types = ["parallel"]}
      ins(%x : memref<7xf32>) outs(%y : memref<7xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %in, %in : f32
    linalg.yield %0 : f32
  }
  return
}

// CHECK-LABEL: functions:
func.func @functions(%x: memref<?xf32>, %y: memref<?xf32>) {
  linalg.generic {indexing_maps = [#row, #row], iterator_types = ["parallel"]}
      ins(%x : memref<?xf32>) outs(%y : memref<?xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = math.exp %in : f32
    %1 = math.sin %0 : f32
    %2 = math.cos %1 : f32
    %3 = math.log %2 : f32
    %4 = math.erfc %3 : f32
    %5 = math.tanh %4 : f32
    %6 = math.rsqrt %5 : f32
    %7 = math.roundeven %6 : f32
    %8 = math.floor %7 : f32
    %9 = math.ceil %8 : f32
    %10 = math.round %9 : f32
    %11 = math.trunc %10 : f32
    %12 = math.fma %11, %11, %in : f32
    linalg.yield %12 : f32
  }
  return
}

func.func @sum_bf16(%x: memref<?x?xbf16>, %y: memref<?x?xf16>, %z: memref<?x?xbf16>) {
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>,
                                   affine_map<(d0, d1) -> (d0, d1)>,
                                   affine_map<(d0, d1) -> (d0, d1)>],
                  iterator_types = ["parallel", "parallel"]}
      ins(%x, %y : memref<?x?xbf16>, memref<?x?xf16>) outs(%z : memref<?x?xbf16>) {
  ^bb0(%a: bf16, %b: f16, %out: bf16):
    %0 = arith.extf %a : bf16 to f32
    %1 = arith.extf %b : f16 to f32
    %2 = arith.addf %0, %1 : f32
    %3 = arith.truncf %2 : f32 to bf16
    linalg.yield %3 : bf16
  }
  return
}

// Plain loops.
func.func @transpose_bf16(%x: memref<?x8xbf16>, %z: memref<8x?xbf16>) {
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>,
                                   affine_map<(d0, d1) -> (d0, d1)>],
                  iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<?x8xbf16>) outs(%z : memref<8x?xbf16>) {
  ^bb0(%a: bf16, %out: bf16):
    %0 = arith.extf %a : bf16 to f32
    %1 = arith.addf %0, %0 : f32
    %2 = arith.truncf %1 : f32 to bf16
    linalg.yield %2 : bf16
  }
  return
}
