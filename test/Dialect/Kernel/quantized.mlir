// RUN: smelt-opt %s --split-input-file | smelt-opt --split-input-file | FileCheck %s

// CHECK-LABEL: func.func @products
func.func @products(%x: tensor<?x70xf32>, %w4: memref<3x2368xi8>, %ids: tensor<?xi32>,
    %q0: tensor<?x96xi8>, %s0: tensor<?x3xf32>, %t0: tensor<?x3xi32>, %z0: tensor<?x2xf32>, %y: tensor<?x40xf32>, %r: tensor<?x70xf32>) {
  // CHECK: kernel.quantize ins(%{{.+}} : tensor<?x70xf32>) outs(%{{.+}}, %{{.+}}, %{{.+}} : tensor<?x96xi8>, tensor<?x3xf32>, tensor<?x3xi32>) {activation = #llm.activation<int8_g32>} -> tensor<?x96xi8>, tensor<?x3xf32>, tensor<?x3xi32>
  %q, %s, %t = kernel.quantize ins(%x : tensor<?x70xf32>) outs(%q0, %s0, %t0 : tensor<?x96xi8>, tensor<?x3xf32>, tensor<?x3xi32>)
      {activation = #llm.activation<int8_g32>} -> tensor<?x96xi8>, tensor<?x3xf32>, tensor<?x3xi32>
  // CHECK: kernel.quantize {{.*}} {activation = #llm.activation<int8_token>}
  %p, %z, %u = kernel.quantize ins(%x : tensor<?x70xf32>) outs(%q0, %z0, %t0 : tensor<?x96xi8>, tensor<?x2xf32>, tensor<?x3xi32>)
      {activation = #llm.activation<int8_token>} -> tensor<?x96xi8>, tensor<?x2xf32>, tensor<?x3xi32>
  return
}

// A panel of int4_g32 with 70 columns: two blocks of 576 bytes, and 64.
// CHECK-LABEL: func.func @weights
func.func @weights(%q: memref<?x96xi8>, %s: memref<?x3xf32>, %t: memref<?x3xi32>, %x: memref<?x70xf32>, %w: memref<3x1216xi8>,
    %y: memref<?x40xf32>, %ids: memref<?xi32>, %r: memref<?x70xf32>) {
  // CHECK: kernel.matmul ins(%{{.+}}, %{{.+}} : memref<?x96xi8>, memref<3x1216xi8>) rows(%{{.+}}, %{{.+}} : memref<?x3xf32>, memref<?x3xi32>) outs(%{{.+}} : memref<?x40xf32>)
  kernel.matmul ins(%q, %w : memref<?x96xi8>, memref<3x1216xi8>) rows(%s, %t : memref<?x3xf32>, memref<?x3xi32>)
      outs(%y : memref<?x40xf32>) {activation = #llm.activation<int8_g32>, format = #llm.format<int4_g32>}
  // CHECK: kernel.matmul ins(%{{.+}}, %{{.+}} : memref<?x70xf32>, memref<3x1216xi8>) outs(%{{.+}} : memref<?x40xf32>)
  kernel.matmul ins(%x, %w : memref<?x70xf32>, memref<3x1216xi8>) outs(%y : memref<?x40xf32>) {format = #llm.format<int4_g32>}
  // CHECK: kernel.gather {{.*}} {format = #llm.format<int4_g32>}
  kernel.gather ins(%ids, %w : memref<?xi32>, memref<3x1216xi8>) outs(%r : memref<?x70xf32>) {format = #llm.format<int4_g32>}
  return
}

// CHECK-LABEL: func.func @vectors
func.func @vectors(%acc: vector<8xi32>, %u: vector<32xi8>, %x: vector<16xi16>) {
  // CHECK: kernel.dot_bytes %{{.+}}, %{{.+}}, %{{.+}} : vector<8xi32>, vector<32xi8>
  %0 = kernel.dot_bytes %acc, %u, %u : vector<8xi32>, vector<32xi8>
  // CHECK: kernel.multiply_add %{{.+}}, %{{.+}} : vector<32xi8> -> vector<16xi16>
  %1 = kernel.multiply_add %u, %u : vector<32xi8> -> vector<16xi16>
  // CHECK: kernel.multiply_add %{{.+}}, %{{.+}} : vector<16xi16> -> vector<8xi32>
  %2 = kernel.multiply_add %x, %x : vector<16xi16> -> vector<8xi32>
  return
}
