// RUN: smelt-opt %s --split-input-file --llm-assign-layouts --llm-assign-offsets --verify-diagnostics | FileCheck %s

// Two groups fill 64 bytes of scales: a block of int4_g32 spans 64 columns,
// 16 * 64 / 2 bytes of elements and 64 of scales; a trailer has 64 more.
// A second panel begins behind 2 blocks: 2 * 576 + 64 = 1216 bytes.

// CHECK-LABEL: module @blocks
module @blocks attributes {llm.target = "generic"} {
  // CHECK: llm.param @w {{.*}} layout <blocks, n = 16, k = 64> at 0 stride 2432
  llm.param @w : tensor<17x65xf32> from [[#llm.source<"w", file = "f", offset = 0, type = tensor<17x65xf32>>]] format <int4_g32>
  // Minima double the scales: (512 * 4 + 128) + 64.
  // CHECK: llm.param @m {{.*}} layout <blocks, n = 16, k = 256> at 2432 stride 2240
  llm.param @m : tensor<16x256xf32> from [[#llm.source<"m", file = "f", offset = 0, type = tensor<16x256xf32>>]] format <uint4_g128>
  // One scale for a row lies in the trailer: 2 * 512 + 128.
  // CHECK: llm.param @c {{.*}} layout <blocks, n = 16, k = 32> at 4672 stride 1152
  llm.param @c : tensor<1x33xf32> from [[#llm.source<"c", file = "f", offset = 0, type = tensor<1x33xf32>>]] format <int8_channel>
}

// -----

module @negative_blocks {
  // expected-error@+1 {{expects blocks of 16 rows, got 0 by 0}}
  llm.param @w : tensor<17x65xf32> from [[#llm.source<"w", file = "f", offset = 0, type = tensor<17x65xf32>>]] format <int4_g32> layout <blocks>
}
