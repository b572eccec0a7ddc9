// RUN: smelt-opt %s --smelt-quantize --smelt-layout | FileCheck %s
// RUN: not smelt-opt %s --smelt-set-stage=stage=fuse 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// CHECK: llm.stage = "layout"
// UNKNOWN: expects the name of a stage, got 'fuse'
module attributes {llm.stage = "graph", llm.compute = bf16, llm.target = "generic"} {
  // CHECK: llm.param @w {{.*}} format <bf16> layout <rows> at 0 stride 64
  llm.param @w : tensor<8x4xf32> from [[#llm.source<"w", file = "m", offset = 0, type = tensor<8x4xf32>>]]
}
