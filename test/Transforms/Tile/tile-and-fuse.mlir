// RUN: smelt-opt %s --pass-pipeline='builtin.module(func.func(smelt-tile-and-fuse{row-tile=6 panel-tile=1},canonicalize))' | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
#col = affine_map<(d0, d1) -> (d1)>

// Threads own panels, or rows of all panels, if each has 128 of them; the
// product's tile meets the bias in cache.
// CHECK-LABEL: func.func @tile_and_fuse_product
// CHECK-SAME: %[[ROWS:[^ ]+]]: index
// CHECK: %[[N:.+]] = kernel.num_threads
// CHECK: scf.forall (%[[T:.+]]) in (%[[N]])
// CHECK: %[[LEAST:.+]] = arith.muli %[[N]], %c128
// CHECK: %[[MANY:.+]] = arith.cmpi uge, %[[ROWS]], %[[LEAST]]
// CHECK: %[[ACROSS:.+]] = arith.select %[[MANY]], %c1, %[[N]]
// CHECK: %[[COLUMN:.+]] = arith.remui %[[T]], %[[ACROSS]]
// CHECK: %[[LINE:.+]] = arith.divui %[[T]], %[[ACROSS]]
// CHECK: %[[DOWN:.+]] = arith.divui %[[N]], %[[ACROSS]]
// CHECK: %[[FIRST:.+]] = arith.muli %[[LINE]], %[[ROWS]]
// CHECK: %[[BEGIN:.+]] = arith.divui %[[FIRST]], %[[DOWN]]
// CHECK: %[[END:.+]] = arith.divui %{{.+}}, %[[DOWN]]
// CHECK: arith.muli %[[COLUMN]], %c2
// CHECK: scf.for
// CHECK: scf.for %{{.+}} = %[[BEGIN]] to %[[END]] step %c6
// CHECK: %[[P:.+]] = kernel.matmul {{.+}} outs(%{{.+}} : tensor<?x32xf32>)
// CHECK: %[[S:.+]] = tensor.extract_slice %[[P]]
// CHECK: linalg.generic {{.+}} ins(%[[S]], %{{.+}} : tensor<?x32xf32>, tensor<32xf32>)
// CHECK: tensor.parallel_insert_slice
// CHECK-NOT: kernel.matmul
func.func @tile_and_fuse_product(%x: tensor<?x16xf32>, %w: memref<2x16x32x1xf32>, %bias: tensor<64xf32>, %m: index) -> tensor<?x64xf32> {
  %t = tensor.empty(%m) : tensor<?x64xf32>
  %p = kernel.matmul ins(%x, %w : tensor<?x16xf32>, memref<2x16x32x1xf32>) outs(%t : tensor<?x64xf32>) {format = #llm.format<f32>} -> tensor<?x64xf32>
  %y = linalg.generic {indexing_maps = [#id, #col, #id], iterator_types = ["parallel", "parallel"]} ins(%p, %bias : tensor<?x64xf32>, tensor<64xf32>) outs(%t : tensor<?x64xf32>) {
  ^bb0(%in: f32, %b: f32, %out: f32):
    %v = arith.addf %in, %b : f32
    linalg.yield %v : f32
  } -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// The sum of a row is computed where the row is scaled.
// CHECK-LABEL: func.func @tile_and_fuse_rows
// CHECK: scf.forall
// CHECK: scf.for %{{.+}} = %{{.+}} to %{{.+}} step %c1
// CHECK: linalg.fill
// CHECK: linalg.generic {{.+}}"reduction"
// CHECK: linalg.generic {{.+}} outs(%{{.+}} : tensor<1x16xf32>)
// CHECK-NOT: scf.forall (
func.func @tile_and_fuse_rows(%x: tensor<?x16xf32>, %m: index) -> tensor<?x16xf32> {
  %zero = arith.constant 0.0 : f32
  %s = tensor.empty(%m) : tensor<?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%s : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<?x16xf32>) outs(%f : tensor<?xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = math.fma %in, %in, %out : f32
    linalg.yield %v : f32
  } -> tensor<?xf32>
  %t = tensor.empty(%m) : tensor<?x16xf32>
  %y = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %sum : tensor<?x16xf32>, tensor<?xf32>) outs(%t : tensor<?x16xf32>) {
  ^bb0(%in: f32, %b: f32, %out: f32):
    %v = arith.mulf %in, %b : f32
    linalg.yield %v : f32
  } -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}

// What two ops read is computed once, in a nest of its own.
// CHECK-LABEL: func.func @negative_tile_and_fuse_shared
// CHECK-COUNT-3: scf.forall (
func.func @negative_tile_and_fuse_shared(%x: tensor<?x16xf32>, %m: index) -> (tensor<?x16xf32>, tensor<?x16xf32>) {
  %t = tensor.empty(%m) : tensor<?x16xf32>
  %a = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<?x16xf32>) outs(%t : tensor<?x16xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = math.exp %in : f32
    linalg.yield %v : f32
  } -> tensor<?x16xf32>
  %b = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<?x16xf32>) outs(%t : tensor<?x16xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = arith.addf %in, %in : f32
    linalg.yield %v : f32
  } -> tensor<?x16xf32>
  %c = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<?x16xf32>) outs(%t : tensor<?x16xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = arith.mulf %in, %in : f32
    linalg.yield %v : f32
  } -> tensor<?x16xf32>
  return %b, %c : tensor<?x16xf32>, tensor<?x16xf32>
}

// A tile that two ops of a nest read is computed once.
// CHECK-LABEL: func.func @read_twice
// CHECK: scf.forall
// CHECK: %[[SUM:.+]] = linalg.generic {{.+}}"reduction"]
// CHECK: linalg.generic {{.+}}"reduction"]} ins(%{{.+}}, %[[SUM]] :
// CHECK-NOT: "reduction"
// CHECK: linalg.generic {{.+}} ins(%{{.+}}, %[[SUM]], %{{.+}} :
func.func @read_twice(%x: tensor<?x16xf32>, %rows: index) -> tensor<?x16xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%rows) : tensor<?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<?x16xf32>) outs(%f : tensor<?xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = arith.addf %in, %out : f32
    linalg.yield %v : f32
  } -> tensor<?xf32>
  %distance = linalg.generic {indexing_maps = [#id, #row, #row], iterator_types = ["parallel", "reduction"]} ins(%x, %sum : tensor<?x16xf32>, tensor<?xf32>) outs(%f : tensor<?xf32>) {
  ^bb0(%in: f32, %mean: f32, %out: f32):
    %d = arith.subf %in, %mean : f32
    %v = math.fma %d, %d, %out : f32
    linalg.yield %v : f32
  } -> tensor<?xf32>
  %t = tensor.empty(%rows) : tensor<?x16xf32>
  %y = linalg.generic {indexing_maps = [#id, #row, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %sum, %distance : tensor<?x16xf32>, tensor<?xf32>, tensor<?xf32>) outs(%t : tensor<?x16xf32>) {
  ^bb0(%in: f32, %mean: f32, %d: f32, %out: f32):
    %v = arith.subf %in, %mean : f32
    %w = arith.mulf %v, %d : f32
    linalg.yield %w : f32
  } -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}

// Of the two ways of a step, the one that isn't taken has no rows: heads that the
// threads share evenly, or more than eight rows, stay together.
// CHECK-LABEL: func.func @tile_and_fuse_spans
// CHECK: %[[N:.+]] = kernel.num_threads
// CHECK: %[[REST:.+]] = arith.remui %c3, %[[N]]
// CHECK: %[[UNEVEN:.+]] = arith.cmpi ne, %[[REST]], %c0
// CHECK: %[[FEW:.+]] = arith.cmpi ule, %[[ROWS:.+]], %c8
// CHECK: %[[SPLIT:.+]] = arith.andi %[[UNEVEN]], %[[FEW]]
// CHECK: arith.select %[[SPLIT]], %c0, %[[ROWS]]
// CHECK: scf.forall
// CHECK: kernel.cached_attention
// CHECK: arith.select %{{.+}}, %{{.+}}, %c0
// CHECK: scf.forall (%[[T:.+]]) in (%[[ALL:.+]]) {
// CHECK: kernel.attend_spans {{.+}} of %[[T]], %[[ALL]]
// CHECK: scf.forall
// CHECK: kernel.merge_spans
func.func @tile_and_fuse_spans(%q: tensor<?x24xf32>, %i: tensor<?xi32>, %kp: memref<2x?x3x4x64xf32>, %vp: memref<2x?x3x64x16xf32>, %t: memref<?x?xi32>, %l: index, %m: index, %p: memref<96x32xf32>) -> tensor<?x24xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %e = tensor.empty(%m) : tensor<?x24xf32>
  %a = kernel.cached_attention ins(%q, %i, %i : tensor<?x24xf32>, tensor<?xi32>) over %kp, %vp[%l, %c0] by %t : memref<2x?x3x4x64xf32>, memref<2x?x3x64x16xf32>, memref<?x?xi32>
      outs(%e : tensor<?x24xf32>) {group = 2 : i64, scale = 0.5 : f32, spanned} -> tensor<?x24xf32>
  kernel.attend_spans ins(%q, %i, %i : tensor<?x24xf32>, tensor<?xi32>) over %kp, %vp[%l] by %t : memref<2x?x3x4x64xf32>, memref<2x?x3x64x16xf32>, memref<?x?xi32>
      into %p of %c0, %c1 : memref<96x32xf32> {group = 2 : i64, scale = 0.5 : f32}
  %y = kernel.merge_spans ins(%i : tensor<?xi32>) from %p[%c0, %c0] : memref<96x32xf32> outs(%a : tensor<?x24xf32>) {group = 2 : i64, size = 4 : i64, heads = 3 : i64} -> tensor<?x24xf32>
  return %y : tensor<?x24xf32>
}
