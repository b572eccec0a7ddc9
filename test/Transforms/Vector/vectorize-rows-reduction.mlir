// RUN: smelt-opt %s --smelt-vectorize-rows=lanes=4 --canonicalize | FileCheck %s

#rows = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>

// Lanes that are off keep their partial sum; the tree folds 4 lanes, then the
// output's initial value comes in.

// CHECK-LABEL: func @reduction
// CHECK-SAME:    %[[X:.*]]: memref<3x10xf32>, %[[Y:.*]]: memref<3xf32>
// CHECK-DAG:     %[[ID:.*]] = arith.constant dense<-0.000000e+00> : vector<4xf32>
// CHECK:         scf.for %[[I:.*]] = %c0 to %c3 step %c1
// CHECK:           %[[SUM:.*]] = scf.for {{.*}} iter_args(%{{.*}} = %[[ID]]) -> (vector<4xf32>)
// CHECK:           %[[MASK:.*]] = vector.constant_mask [2] : vector<4xi1>
// CHECK:           vector.maskedload
// CHECK:           %[[ADD:.*]] = arith.addf
// CHECK:           %[[SEL:.*]] = arith.select %[[MASK]], %[[ADD]], %[[SUM]]
// CHECK:           %[[LO:.*]] = vector.extract_strided_slice %[[SEL]] {offsets = [0], sizes = [2]
// CHECK:           %[[HI:.*]] = vector.extract_strided_slice %[[SEL]] {offsets = [2], sizes = [2]
// CHECK:           %[[TWO:.*]] = arith.addf %[[LO]], %[[HI]] : vector<2xf32>
// CHECK:           vector.extract_strided_slice %[[TWO]] {offsets = [0], sizes = [1]
// CHECK:           vector.extract_strided_slice %[[TWO]] {offsets = [1], sizes = [1]
// CHECK:           arith.addf {{.*}} : vector<1xf32>
// CHECK:           %[[ROW:.*]] = vector.extract
// CHECK:           %[[INIT:.*]] = memref.load %[[Y]][%[[I]]]
// CHECK:           %[[ALL:.*]] = arith.addf %[[INIT]], %[[ROW]] : f32
// CHECK:           memref.store %[[ALL]], %[[Y]][%[[I]]]
func.func @reduction(%x: memref<3x10xf32>, %y: memref<3xf32>) {
  linalg.generic {indexing_maps = [#rows, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<3x10xf32>) outs(%y : memref<3xf32>) {
  ^bb0(%in: f32, %sum: f32):
    %0 = arith.addf %sum, %in : f32
    linalg.yield %0 : f32
  }
  return
}

// More than one result of a row, with the step a multiply-add.

// CHECK-LABEL: func @two_results
// CHECK-DAG:     %[[NONE:.*]] = arith.constant dense<0xFF800000> : vector<4xf32>
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant dense<-0.000000e+00> : vector<4xf32>
// CHECK:         scf.for {{.*}} iter_args(%[[MAX:.*]] = %[[NONE]], %[[SUM:.*]] = %[[ZERO]])
// CHECK-DAG:       arith.maximumf %[[MAX]], %{{.*}} : vector<4xf32>
// CHECK-DAG:       math.fma %{{.*}}, %{{.*}}, %[[SUM]] : vector<4xf32>
// CHECK:         scf.if {{.*}} -> (vector<4xf32>, vector<4xf32>)
// CHECK:           vector.create_mask
// CHECK:         arith.maximumf {{.*}} : f32
// CHECK:         arith.addf {{.*}} : f32
func.func @two_results(%x: memref<?xf32>, %max: memref<f32>, %squares: memref<f32>) {
  linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>, affine_map<(d0) -> ()>],
                  iterator_types = ["reduction"]}
      ins(%x : memref<?xf32>) outs(%max, %squares : memref<f32>, memref<f32>) {
  ^bb0(%in: f32, %m: f32, %s: f32):
    %0 = arith.maximumf %m, %in : f32
    %1 = math.fma %in, %in, %s : f32
    linalg.yield %0, %1 : f32, f32
  }
  return
}

// A step that rounds its sum can't be done lane by lane.

// CHECK-LABEL: func @negative_rounded_sum
// CHECK-NOT:     vector
// CHECK:         arith.truncf {{.*}} : f32 to bf16
func.func @negative_rounded_sum(%x: memref<?xf32>, %sum: memref<bf16>) {
  linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]}
      ins(%x : memref<?xf32>) outs(%sum : memref<bf16>) {
  ^bb0(%in: f32, %s: bf16):
    %0 = arith.extf %s : bf16 to f32
    %1 = arith.addf %0, %in : f32
    %2 = arith.truncf %1 : f32 to bf16
    linalg.yield %2 : bf16
  }
  return
}
