// RUN: smelt-opt %s --smelt-set-stage=stage=quantize | FileCheck %s
// RUN: not smelt-opt %s --smelt-set-stage=stage=melt 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// CHECK: module attributes {llm.stage = "quantize"}
// UNKNOWN: error: expects the name of a stage, got 'melt'
module attributes {llm.stage = "graph"} {
}
