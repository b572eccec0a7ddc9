// RUN: smelt-opt %s --split-input-file --smelt-vector | FileCheck %s

// The target's record says which instructions there are.

// CHECK-LABEL: module @instructions
module @instructions attributes {llm.stage = "bufferize", llm.target = "avx2"} {
  // CHECK: func.func @rows
  // CHECK-NOT: linalg
  // CHECK: vector.load {{.*}} vector<16xf16>
  // CHECK: arith.extf
  // CHECK: math.fma
  // CHECK: math.floor
  func.func @rows(%x: memref<?xf16>, %y: memref<?xf32>) {
    linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
                    iterator_types = ["parallel"]}
        ins(%x : memref<?xf16>) outs(%y : memref<?xf32>) {
    ^bb0(%in: f16, %out: f32):
      %0 = arith.extf %in : f16 to f32
      %1 = math.exp %0 : f32
      %2 = math.floor %1 : f32
      linalg.yield %2 : f32
    }
    return
  }
}

// -----

// CHECK-LABEL: module @arithmetic
module @arithmetic attributes {llm.stage = "bufferize", llm.target = "generic"} {
  // CHECK: func.func @rows
  // CHECK: vector.load {{.*}} vector<16xf16>
  // CHECK-NOT: arith.extf
  // CHECK-NOT: math.{{fma|floor}}
  // CHECK: return
  func.func @rows(%x: memref<?xf16>, %y: memref<?xf32>) {
    linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
                    iterator_types = ["parallel"]}
        ins(%x : memref<?xf16>) outs(%y : memref<?xf32>) {
    ^bb0(%in: f16, %out: f32):
      %0 = arith.extf %in : f16 to f32
      %1 = math.exp %0 : f32
      %2 = math.floor %1 : f32
      linalg.yield %2 : f32
    }
    return
  }
}
