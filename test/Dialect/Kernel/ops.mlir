// RUN: smelt-opt %s | smelt-opt | FileCheck %s

llm.param @norm : tensor<8xf32> from
    [[#llm.source<"norm", file = "m.safetensors", offset = 0, type = tensor<8xf32>>]]
llm.param @layers.q : tensor<8x6xbf16> from
    [[#llm.source<"q0", file = "m.safetensors", offset = 0, type = tensor<8x6xbf16>>],
     [#llm.source<"q1", file = "m.safetensors", offset = 96, type = tensor<8x6xbf16>>]]
    layout #llm.layout<panel, n = 4, k = 2>

// CHECK-LABEL: func.func @team
func.func @team(%thread: index, %step: !llvm.ptr) -> index {
  // CHECK: %[[N:.+]] = kernel.num_threads
  %n = kernel.num_threads
  // CHECK: kernel.barrier{{$}}
  kernel.barrier
  // CHECK: kernel.barrier %{{.+}} of %{{.+}}
  kernel.barrier %thread of %step
  return %n : index
}

// CHECK-LABEL: func.func @param
func.func @param(%layer: index) -> (memref<8xf32>, memref<2x3x4x2xbf16>) {
  // CHECK: kernel.param @norm : memref<8xf32>
  %norm = kernel.param @norm : memref<8xf32>
  // CHECK: kernel.param @layers.q[%{{.+}}] : memref<2x3x4x2xbf16>
  %q = kernel.param @layers.q[%layer] : memref<2x3x4x2xbf16>
  return %norm, %q : memref<8xf32>, memref<2x3x4x2xbf16>
}
