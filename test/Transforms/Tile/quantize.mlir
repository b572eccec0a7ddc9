// RUN: smelt-opt %s --pass-pipeline='builtin.module(convert-llm-to-linalg,canonicalize,cse,func.func(smelt-tile-and-fuse{row-tile=6 panel-tile=1},canonicalize))' | FileCheck %s
// RUN: smelt-opt %s --pass-pipeline='builtin.module(convert-llm-to-linalg,canonicalize,cse,func.func(smelt-tile-and-fuse{row-tile=6 panel-tile=2},canonicalize))' | FileCheck %s --check-prefix=WIDE

llm.param @up : tensor<64x40xf32> from
    [[#llm.source<"up", file = "f", offset = 0, type = tensor<64x40xf32>>]] format <int4_g32> layout <blocks, n = 16, k = 64>
llm.param @down : tensor<40x64xf32> from
    [[#llm.source<"down", file = "f", offset = 0, type = tensor<40x64xf32>>]] format <int4_g32> layout <blocks, n = 16, k = 64>
llm.param @b : tensor<40xf32> from
    [[#llm.source<"b", file = "f", offset = 0, type = tensor<40xf32>>]] format <f32> layout <rows>
llm.param @w : tensor<40x70xf32> from
    [[#llm.source<"w", file = "f", offset = 0, type = tensor<40x70xf32>>]] format <int4_g32> layout <blocks, n = 16, k = 64>

// The norm is computed row by row where it is quantised; a product reads
// integers, scales and sums of its rows, and a panel of bytes.
// CHECK-LABEL: func.func private @norm
// CHECK: scf.forall
// CHECK:   scf.for
// CHECK:     linalg.generic {{.*}} ["parallel", "reduction"]
// CHECK:     linalg.generic
// CHECK:     kernel.quantize ins(%{{.+}} : tensor<1x70xf32>) outs({{.*}} : tensor<1x96xi8>, tensor<1x3xf32>, tensor<1x3xi32>)
// CHECK:   tensor.parallel_insert_slice {{.*}} : tensor<?x96xi8> into tensor<?x96xi8>
// CHECK:   tensor.parallel_insert_slice {{.*}} : tensor<?x3xf32> into tensor<?x3xf32>
// CHECK:   tensor.parallel_insert_slice {{.*}} : tensor<?x3xi32> into tensor<?x3xi32>
// CHECK: scf.forall
// CHECK:   kernel.matmul ins({{.*}} : tensor<?x96xi8>, memref<1x1216xi8, {{.*}}>) rows({{.*}} : tensor<?x3xf32>, tensor<?x3xi32>)
//
// Two panels at a time, of those that are whole; then one by one. The last of
// these three has 8 columns.
// WIDE-LABEL: func.func private @norm
// WIDE: %[[WHOLE:.+]] = arith.minui %{{.+}}, %c2
// WIDE: %[[REST:.+]] = affine.apply #{{.+}}()[%{{.+}}, %[[WHOLE]]]
// WIDE: scf.for %{{.+}} = %{{.+}} to %[[REST]] step %c2
// WIDE:   scf.for %{{.+}} = %{{.+}} to %{{.+}} step %c6
// WIDE:     kernel.matmul ins({{.*}} memref<2x1216xi8, {{.*}} outs(%{{.+}} : tensor<?x?xf32>)
// WIDE: scf.for %{{.+}} = %[[REST]] to %{{.+}} step %c1
// WIDE:   kernel.matmul ins({{.*}} memref<1x1216xi8, {{.*}} outs(%{{.+}} : tensor<?x?xf32>)
func.func private @norm(%x: tensor<?x70xf32>) -> tensor<?x40xf32> {
  %n = llm.rms_norm %x {eps = 1.0e-6 : f32} : tensor<?x70xf32>
  %w = llm.get_param @w : tensor<40x70xf32>
  %y = llm.linear %n, %w {activation = #llm.activation<int8_g32>, compute = f32} : tensor<?x70xf32>, tensor<40x70xf32>
  return %y : tensor<?x40xf32>
}

// What reads a product is computed with its tiles; it isn't quantised there,
// since the second group of 32 columns ends within.
// CHECK-LABEL: func.func private @activation
// CHECK: scf.forall
// CHECK:   kernel.quantize
// CHECK: scf.forall
// CHECK:   kernel.matmul
// CHECK:   linalg.generic
// CHECK: scf.forall
// CHECK-NOT: linalg.generic
// CHECK:   kernel.quantize
// WIDE-LABEL: func.func private @activation
// WIDE:   %[[P:.+]] = kernel.matmul ins({{.*}} memref<2x1216xi8, {{.*}} outs(%{{.+}} : tensor<?x32xf32>)
// WIDE:   %[[S:.+]] = tensor.extract_slice %[[P]]
// WIDE:   linalg.generic {{.+}} ins(%[[S]], %{{.+}} : tensor<?x32xf32>, tensor<32xf32>)
func.func private @activation(%x: tensor<?x70xf32>) -> tensor<?x64xf32> {
  %w = llm.get_param @w : tensor<40x70xf32>
  %b = llm.get_param @b : tensor<40xf32>
  %y = llm.linear %x, %w bias %b {activation = #llm.activation<int8_g32>, compute = f32} : tensor<?x70xf32>, tensor<40x70xf32> bias tensor<40xf32>
  %up = llm.get_param @up : tensor<64x40xf32>
  %z = llm.linear %y, %up {activation = #llm.activation<int8_g32>, compute = f32} : tensor<?x40xf32>, tensor<64x40xf32>
  return %z : tensor<?x64xf32>
}

// Whole groups are quantised where the activation is computed: two panels at a
// time, or what threads share would end within a group.
// CHECK-LABEL: func.func private @groups
// CHECK: scf.forall
// CHECK:   kernel.quantize ins(%{{.+}} : tensor<?x40xf32>)
// CHECK: kernel.param @up
// CHECK: scf.forall {{.*}} -> (tensor<?x64xi8>, tensor<?x2xf32>, tensor<?x2xi32>)
// CHECK-COUNT-6: arith.divui
// CHECK-NEXT: %[[BEGIN:.+]] = affine.apply #[[TWICE:.+]]()[
// CHECK-NEXT: %[[END:.+]] = affine.apply #[[TWICE]]()[
// CHECK:   scf.for %{{.+}} = %[[BEGIN]] to %[[END]] step %c2
// CHECK:     scf.for %{{.+}} = %{{.+}} to %{{.+}} step %c6
// CHECK:       kernel.matmul ins({{.*}} memref<2x{{.*}} outs(%{{.+}} : tensor<?x32xf32>)
// CHECK:       math.erfc
// CHECK:       kernel.quantize ins(%{{.+}} : tensor<?x32xf32>) outs({{.*}} : tensor<?x32xi8>, tensor<?x1xf32>, tensor<?x1xi32>)
// CHECK:   tensor.parallel_insert_slice {{.*}} into tensor<?x64xi8>
// CHECK:   tensor.parallel_insert_slice {{.*}} into tensor<?x2xf32>
// CHECK:   tensor.parallel_insert_slice {{.*}} into tensor<?x2xi32>
// CHECK: scf.forall
// CHECK-NOT: kernel.quantize
// CHECK:   kernel.matmul
func.func private @groups(%x: tensor<?x40xf32>) -> tensor<?x40xf32> {
  %up = llm.get_param @up : tensor<64x40xf32>
  %y = llm.linear %x, %up {activation = #llm.activation<int8_g32>, compute = f32} : tensor<?x40xf32>, tensor<64x40xf32>
  %z = llm.gelu %y : tensor<?x64xf32>
  %down = llm.get_param @down : tensor<40x64xf32>
  %r = llm.linear %z, %down {activation = #llm.activation<int8_g32>, compute = f32} : tensor<?x64xf32>, tensor<40x64xf32>
  return %r : tensor<?x40xf32>
}

// A scale for all of a row is known when the row is.
// CHECK-LABEL: func.func private @tokens
// CHECK: math.erfc
// CHECK: scf.forall
// CHECK:   kernel.quantize ins(%{{.+}} : tensor<?x64xf32>)
func.func private @tokens(%x: tensor<?x40xf32>) -> tensor<?x40xf32> {
  %up = llm.get_param @up : tensor<64x40xf32>
  %y = llm.linear %x, %up {activation = #llm.activation<int8_token>, compute = f32} : tensor<?x40xf32>, tensor<64x40xf32>
  %z = llm.gelu %y : tensor<?x64xf32>
  %down = llm.get_param @down : tensor<40x64xf32>
  %r = llm.linear %z, %down {activation = #llm.activation<int8_token>, compute = f32} : tensor<?x64xf32>, tensor<40x64xf32>
  return %r : tensor<?x40xf32>
}
