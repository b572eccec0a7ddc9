// RUN: smelt-opt %s --split-input-file --verify-diagnostics

func.func @quantize_c1(%x: memref<?x70xf32>, %q: memref<?x70xi8>, %s: memref<?x3xf32>, %t: memref<?x3xi32>) {
  // expected-error @+1 {{expects columns of q (70) to be those of x, padded to 96}}
  kernel.quantize ins(%x : memref<?x70xf32>) outs(%q, %s, %t : memref<?x70xi8>, memref<?x3xf32>, memref<?x3xi32>) {activation = #llm.activation<int8_g32>}
  return
}

// -----

func.func @quantize_c2(%x: memref<?x70xf32>, %q: memref<?x96xi8>, %s: memref<?x3xf32>, %t: memref<?x3xi32>) {
  // expected-error @+1 {{expects 3 columns of sums and 2 of scales}}
  kernel.quantize ins(%x : memref<?x70xf32>) outs(%q, %s, %t : memref<?x96xi8>, memref<?x3xf32>, memref<?x3xi32>) {activation = #llm.activation<int8_token>}
  return
}

// -----

func.func @matmul_c1(%x: memref<?x70xf32>, %w: memref<3x1217xi8>, %y: memref<?x40xf32>) {
  // expected-error @+1 {{expects panels of 1216 bytes for 70 columns, got 'memref<3x1217xi8>'}}
  kernel.matmul ins(%x, %w : memref<?x70xf32>, memref<3x1217xi8>) outs(%y : memref<?x40xf32>) {format = #llm.format<int4_g32>}
  return
}

// -----

func.func @matmul_c2(%x: memref<?x70xf32>, %w: memref<3x1216xi8>, %y: memref<?x49xf32>) {
  // expected-error @+1 {{expects columns of init (49) to end in the last of 3 panels of 16}}
  kernel.matmul ins(%x, %w : memref<?x70xf32>, memref<3x1216xi8>) outs(%y : memref<?x49xf32>) {format = #llm.format<int4_g32>}
  return
}

// -----

func.func @matmul_c4(%q: memref<?x96xi8>, %w: memref<3x1216xi8>, %y: memref<?x40xf32>) {
  // expected-error @+1 {{expects scales, sums and activation with rows of integers, and a quantised weight with them}}
  kernel.matmul ins(%q, %w : memref<?x96xi8>, memref<3x1216xi8>) outs(%y : memref<?x40xf32>) {format = #llm.format<int4_g32>}
  return
}

// -----

func.func @matmul_c5(%q: memref<?x65568xi8>, %w: memref<1x1049216xi8>, %s: memref<?x2xf32>, %t: memref<?x2049xi32>, %y: memref<?x16xf32>) {
  // expected-error @+1 {{expects at most 65536 columns of integers, got 65568}}
  kernel.matmul ins(%q, %w : memref<?x65568xi8>, memref<1x1049216xi8>) rows(%s, %t : memref<?x2xf32>, memref<?x2049xi32>)
      outs(%y : memref<?x16xf32>) {activation = #llm.activation<int8_token>, format = #llm.format<int8_channel>}
  return
}

// -----

func.func @gather_c1(%ids: memref<?xi32>, %w: memref<3x1217xi8>, %y: memref<?x70xf32>) {
  // expected-error @+1 {{expects panels of 1216 bytes, got 'memref<3x1217xi8>'}}
  kernel.gather ins(%ids, %w : memref<?xi32>, memref<3x1217xi8>) outs(%y : memref<?x70xf32>) {format = #llm.format<int4_g32>}
  return
}

// -----

func.func @dot_bytes_c1(%acc: vector<8xi32>, %u: vector<16xi8>) {
  // expected-error @+1 {{expects four bytes for each sum, got 'vector<16xi8>' and 'vector<8xi32>'}}
  %0 = kernel.dot_bytes %acc, %u, %u : vector<8xi32>, vector<16xi8>
  return
}

// -----

func.func @multiply_add_c1(%u: vector<32xi8>) {
  // expected-error @+1 {{expects half the elements of 'vector<32xi8>', twice as wide, got 'vector<16xi32>'}}
  %0 = kernel.multiply_add %u, %u : vector<32xi8> -> vector<16xi32>
  return
}

// -----

// expected-error @+1 {{unknown format of activations 'int7'}}
func.func @activation(%x: tensor<?x4xf32>) attributes {a = #llm.activation<int7>} {
  return
}
