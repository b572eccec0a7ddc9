// RUN: smelt-opt %s --smelt-vectorize-rows --canonicalize --split-input-file | FileCheck %s

#row = affine_map<(d0) -> (d0)>

// CHECK-LABEL: func @static_tail
// CHECK-SAME:    %[[X:.*]]: memref<40xf32>, %[[Y:.*]]: memref<40xf32>
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant dense<0.000000e+00> : vector<16xf32>
// CHECK-DAG:     %[[C32:.*]] = arith.constant 32 : index
// CHECK:         scf.for %[[I:.*]] = %c0 to %[[C32]] step %c16
// CHECK-NEXT:      %[[V:.*]] = vector.load %[[X]][%[[I]]] : memref<40xf32>, vector<16xf32>
// CHECK-NEXT:      %[[S:.*]] = arith.addf %[[V]], %[[V]] : vector<16xf32>
// CHECK-NEXT:      vector.store %[[S]], %[[Y]][%[[I]]]
// CHECK:         %[[MASK:.*]] = vector.constant_mask [8] : vector<16xi1>
// CHECK-NEXT:    %[[T:.*]] = vector.maskedload %[[X]][%[[C32]]], %[[MASK]], %[[ZERO]]
// CHECK-NEXT:    %[[U:.*]] = arith.addf %[[T]], %[[T]] : vector<16xf32>
// CHECK-NEXT:    vector.maskedstore %[[Y]][%[[C32]]], %[[MASK]], %[[U]]
func.func @static_tail(%x: memref<40xf32>, %y: memref<40xf32>) {
  linalg.generic {indexing_maps = [#row, #row], iterator_types = ["parallel"]}
      ins(%x : memref<40xf32>) outs(%y : memref<40xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %in, %in : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

#rows = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>

// The scale of a row is loaded and inverted before the row's loop.

// CHECK-LABEL: func @dynamic_tail
// CHECK:         scf.for
// CHECK:           memref.load
// CHECK:           math.sqrt %{{.*}} : f32
// CHECK:           %[[REST:.*]] = arith.remui %[[SIZE:.*]], %c16
// CHECK:           %[[WHOLE:.*]] = arith.subi %[[SIZE]], %[[REST]]
// CHECK:           scf.for %{{.*}} = %c0 to %[[WHOLE]] step %c16
// CHECK:             vector.broadcast
// CHECK:             arith.mulf {{.*}} : vector<16xf32>
// CHECK:           arith.cmpi ne, %[[REST]], %c0
// CHECK:           scf.if
// CHECK:             %[[MASK:.*]] = vector.create_mask %[[REST]] : vector<16xi1>
// CHECK:             vector.maskedload {{.*}}[%{{.*}}, %[[WHOLE]]], %[[MASK]]
// CHECK:             arith.mulf {{.*}} : vector<16xf32>
// CHECK:             vector.maskedstore
func.func @dynamic_tail(%x: memref<?x?xf32>, %s: memref<?xf32>, %y: memref<?x?xf32>) {
  linalg.generic {indexing_maps = [#rows, #row, #rows], iterator_types = ["parallel", "parallel"]}
      ins(%x, %s : memref<?x?xf32>, memref<?xf32>) outs(%y : memref<?x?xf32>) {
  ^bb0(%in: f32, %scale: f32, %out: f32):
    %root = math.sqrt %scale : f32
    %0 = arith.mulf %in, %root : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// CHECK-LABEL: func @fill
// CHECK-SAME:    %[[V:.*]]: f32, %[[Y:.*]]: memref<2x16xf32>
// CHECK:         scf.for %[[I:.*]] =
// CHECK-NEXT:      %[[S:.*]] = vector.broadcast %[[V]] : f32 to vector<16xf32>
// CHECK-NEXT:      vector.store %[[S]], %[[Y]][%[[I]], %c0]
func.func @fill(%v: f32, %y: memref<2x16xf32>) {
  linalg.fill ins(%v : f32) outs(%y : memref<2x16xf32>)
  return
}

// -----

// The outer dimension may be anything; the row's index becomes a vector.

// CHECK-LABEL: func @flipped_halves
// CHECK:         %[[ROW:.*]] = affine.apply
// CHECK:         vector.load %{{.*}}[%[[ROW]], %c0] : memref<2x16xf32>
// CHECK:         %[[STEP:.*]] = vector.step : vector<16xindex>
// CHECK:         arith.index_cast %[[STEP]] : vector<16xindex> to vector<16xi32>
func.func @flipped_halves(%x: memref<2x16xf32>, %y: memref<2x16xf32>) {
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (1 - d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>],
                  iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<2x16xf32>) outs(%y : memref<2x16xf32>) {
  ^bb0(%in: f32, %out: f32):
    %i = linalg.index 1 : index
    %j = arith.index_cast %i : index to i32
    %f = arith.sitofp %j : i32 to f32
    %0 = arith.mulf %in, %f : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// A tile's offset is added to the index of each lane.

// CHECK-LABEL: func @tiled_index
// CHECK-SAME:    %[[Y:.*]]: memref<16xindex>, %[[OFFSET:.*]]: index
// CHECK-DAG:     %[[STEP:.*]] = vector.step : vector<16xindex>
// CHECK-DAG:     %[[SPLAT:.*]] = vector.broadcast %[[OFFSET]] : index to vector<16xindex>
// CHECK:         %[[INDEX:.*]] = arith.addi %[[STEP]], %[[SPLAT]]
// CHECK:         vector.store %[[INDEX]], %[[Y]]
func.func @tiled_index(%y: memref<16xindex>, %offset: index) {
  linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      outs(%y : memref<16xindex>) {
  ^bb0(%out: index):
    %i = linalg.index 0 : index
    %j = affine.apply affine_map<(d0)[s0] -> (d0 + s0)>(%i)[%offset]
    linalg.yield %j : index
  }
  return
}

// -----

// CHECK-LABEL: func @negative_transposed
// CHECK-NOT:     vector
// CHECK:         scf.for
// CHECK:           scf.for
// CHECK:             memref.load
// CHECK:             memref.store
// CHECK-NOT:     linalg
func.func @negative_transposed(%x: memref<8x16xf32>, %y: memref<16x8xf32>) {
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>],
                  iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<8x16xf32>) outs(%y : memref<16x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  }
  return
}

// -----

// A lane that is off would divide by zero.

// CHECK-LABEL: func @negative_division
// CHECK-NOT:     vector
// CHECK:         arith.divsi {{.*}} : i32
func.func @negative_division(%x: memref<20xi32>, %y: memref<20xi32>) {
  linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%x : memref<20xi32>) outs(%y : memref<20xi32>) {
  ^bb0(%in: i32, %out: i32):
    %0 = arith.divsi %out, %in : i32
    linalg.yield %0 : i32
  }
  return
}

// -----

// CHECK-LABEL: func @negative_tensors
// CHECK:         linalg.generic
func.func @negative_tensors(%x: tensor<20xf32>, %y: tensor<20xf32>) -> tensor<20xf32> {
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%x : tensor<20xf32>) outs(%y : tensor<20xf32>) {
  ^bb0(%in: f32, %out: f32):
    %1 = arith.negf %in : f32
    linalg.yield %1 : f32
  } -> tensor<20xf32>
  return %0 : tensor<20xf32>
}
