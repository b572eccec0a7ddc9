// RUN: smelt-opt %s --load-pass-plugin=%plugins/CountOps.so --pass-pipeline='builtin.module(example-count-ops{dialect=llm})' 2>&1 | FileCheck %s

// CHECK: remark: llm.silu: 2
// CHECK: remark: llm.add: 1
func.func @count_unary_and_binary(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = llm.silu %x : tensor<?x8xf32>
  %1 = llm.silu %0 : tensor<?x8xf32>
  %2 = llm.add %0, %1 : tensor<?x8xf32>
  return %2 : tensor<?x8xf32>
}
