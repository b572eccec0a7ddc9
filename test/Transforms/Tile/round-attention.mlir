// RUN: smelt-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(smelt-round-attention))' | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>
#transposed = affine_map<(d0, d1) -> (d1, d0)>

module attributes {llm.target = "amx"} {
// The product has no user but one rounding, whose size comes from elsewhere; so
// elementwise ops can merge.
// CHECK-LABEL: func.func @merged
// CHECK-SAME: %[[M:[^ ]+]]: index
// CHECK: %[[QKV:.+]] = linalg.add
// CHECK-NOT: tensor.dim
// CHECK: %[[E:.+]] = tensor.empty(%[[M]]) : tensor<?x24xbf16>
// CHECK: %[[R:.+]] = linalg.generic {{.*}} ins(%[[QKV]] : tensor<?x24xf32>) outs(%[[E]] : tensor<?x24xbf16>)
// CHECK: arith.truncf
// CHECK-NOT: arith.truncf
// CHECK-DAG: %[[Q:.+]] = tensor.extract_slice %[[R]][0, 0] [%[[M]], 8] [1, 1]
// CHECK-DAG: %[[K:.+]] = tensor.extract_slice %[[R]][0, 8] [%[[M]], 8] [1, 1]
// CHECK-DAG: %[[V:.+]] = tensor.extract_slice %[[R]][0, 16] [%[[M]], 8] [1, 1]
// CHECK-DAG: %[[F:.+]] = tensor.empty(%[[M]]) : tensor<?x8xbf16>
// CHECK: %[[A:.+]] = kernel.attention ins(%[[Q]], %[[K]], %[[V]], {{.*}}) outs(%[[F]] : tensor<?x8xbf16>)
// CHECK: return %[[A]] : tensor<?x8xbf16>
func.func @merged(%m: index, %x: tensor<?x24xf32>, %i: tensor<?xi32>) -> tensor<?x8xbf16> {
  %e = tensor.empty(%m) : tensor<?x24xf32>
  %qkv = linalg.add ins(%x, %x : tensor<?x24xf32>, tensor<?x24xf32>) outs(%e : tensor<?x24xf32>) -> tensor<?x24xf32>
  %q = tensor.extract_slice %qkv[0, 0] [%m, 8] [1, 1] : tensor<?x24xf32> to tensor<?x8xf32>
  %k = tensor.extract_slice %qkv[0, 8] [%m, 8] [1, 1] : tensor<?x24xf32> to tensor<?x8xf32>
  %v = tensor.extract_slice %qkv[0, 16] [%m, 8] [1, 1] : tensor<?x24xf32> to tensor<?x8xf32>
  %f = tensor.empty(%m) : tensor<?x8xf32>
  %a = kernel.attention ins(%q, %k, %v, %i, %i : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>)
      outs(%f : tensor<?x8xf32>) {group = 1 : i64, size = 4 : i64, scale = 0.5 : f32, compute = bf16} -> tensor<?x8xf32>
  %g = tensor.empty(%m) : tensor<?x8xbf16>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<?x8xf32>) outs(%g : tensor<?x8xbf16>) {
  ^bb0(%in: f32, %out: bf16):
    %t = arith.truncf %in : f32 to bf16
    linalg.yield %t : bf16
  } -> tensor<?x8xbf16>
  return %r : tensor<?x8xbf16>
}

// Queries that something else reads, and keys and values of the function's
// caller, stay; so does a result that isn't only rounded.
// CHECK-LABEL: func.func @negative_others
// CHECK-NOT: arith.truncf
// CHECK: kernel.attention {{.*}} outs(%{{.+}} : tensor<?x8xf32>)
func.func @negative_others(%m: index, %x: tensor<?x8xf32>, %i: tensor<?xi32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %e = tensor.empty(%m) : tensor<?x8xf32>
  %q = linalg.add ins(%x, %x : tensor<?x8xf32>, tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %f = tensor.empty(%m) : tensor<?x8xf32>
  %a = kernel.attention ins(%q, %x, %x, %i, %i : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>)
      outs(%f : tensor<?x8xf32>) {group = 1 : i64, size = 4 : i64, scale = 0.5 : f32, compute = bf16} -> tensor<?x8xf32>
  return %a, %q : tensor<?x8xf32>, tensor<?x8xf32>
}

// CHECK-LABEL: func.func @negative_compute
// CHECK-NOT: arith.truncf
// CHECK: kernel.attention ins(%{{.+}} : tensor<?x8xf32>
func.func @negative_compute(%m: index, %x: tensor<?x8xf32>, %i: tensor<?xi32>) -> tensor<?x8xf32> {
  %e = tensor.empty(%m) : tensor<?x8xf32>
  %q = linalg.add ins(%x, %x : tensor<?x8xf32>, tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %f = tensor.empty(%m) : tensor<?x8xf32>
  %a = kernel.attention ins(%q, %q, %q, %i, %i : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>)
      outs(%f : tensor<?x8xf32>) {group = 1 : i64, size = 4 : i64, scale = 0.5 : f32, compute = f32} -> tensor<?x8xf32>
  return %a : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @negative_transposed
// CHECK: kernel.attention {{.*}} outs(%{{.+}} : tensor<?x?xf32>)
// CHECK: arith.truncf
func.func @negative_transposed(%q: tensor<?x?xf32>, %i: tensor<?xi32>, %f: tensor<?x?xf32>, %g: tensor<?x?xbf16>) -> tensor<?x?xbf16> {
  %a = kernel.attention ins(%q, %q, %q, %i, %i : tensor<?x?xf32>, tensor<?x?xf32>, tensor<?x?xf32>, tensor<?xi32>)
      outs(%f : tensor<?x?xf32>) {group = 1 : i64, size = 4 : i64, scale = 0.5 : f32, compute = bf16} -> tensor<?x?xf32>
  %r = linalg.generic {indexing_maps = [#transposed, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<?x?xf32>) outs(%g : tensor<?x?xbf16>) {
  ^bb0(%in: f32, %out: bf16):
    %t = arith.truncf %in : f32 to bf16
    linalg.yield %t : bf16
  } -> tensor<?x?xbf16>
  return %r : tensor<?x?xbf16>
}
// Attention writes f32 or bf16.
// CHECK-LABEL: func.func @negative_f16
// CHECK: kernel.attention {{.*}} outs(%{{.+}} : tensor<?x?xf32>)
// CHECK: arith.truncf %{{.+}} : f32 to f16
func.func @negative_f16(%q: tensor<?x?xf32>, %i: tensor<?xi32>, %f: tensor<?x?xf32>, %g: tensor<?x?xf16>) -> tensor<?x?xf16> {
  %a = kernel.attention ins(%q, %q, %q, %i, %i : tensor<?x?xf32>, tensor<?x?xf32>, tensor<?x?xf32>, tensor<?xi32>)
      outs(%f : tensor<?x?xf32>) {group = 1 : i64, size = 4 : i64, scale = 0.5 : f32, compute = bf16} -> tensor<?x?xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<?x?xf32>) outs(%g : tensor<?x?xf16>) {
  ^bb0(%in: f32, %out: f16):
    %t = arith.truncf %in : f32 to f16
    linalg.yield %t : f16
  } -> tensor<?x?xf16>
  return %r : tensor<?x?xf16>
}
}

// -----

// Without tile registers products are made in f32: keys and values stay.
module attributes {llm.target = "avx2"} {
// CHECK-LABEL: func.func @negative_target
// CHECK-NOT: arith.truncf
// CHECK: kernel.attention ins(%{{.+}} : tensor<?x8xf32>
func.func @negative_target(%m: index, %x: tensor<?x8xf32>, %i: tensor<?xi32>) -> tensor<?x8xf32> {
  %e = tensor.empty(%m) : tensor<?x8xf32>
  %q = linalg.add ins(%x, %x : tensor<?x8xf32>, tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %f = tensor.empty(%m) : tensor<?x8xf32>
  %a = kernel.attention ins(%q, %q, %q, %i, %i : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>)
      outs(%f : tensor<?x8xf32>) {group = 1 : i64, size = 4 : i64, scale = 0.5 : f32, compute = bf16} -> tensor<?x8xf32>
  return %a : tensor<?x8xf32>
}
}
