// RUN: smelt-opt %s -split-input-file -smelt-spmd -convert-func-to-llvm -smelt-emit-entry-point -verify-diagnostics

// expected-error @+1 {{expects a function @step with a body}}
module {
}

// -----

// expected-error @+1 {{expects inputs among ids, positions, types, slots, seq_begin, seq_end, rows, pool_begin, pool_end, block_table, kv.k, kv.v, kv.k_scales, kv.v_scales; got 'mask'}}
func.func @step(%mask: memref<?xi32> {llm.input = "mask"}) {
  return
}

// -----

// expected-error @+1 {{expects outputs among logits, last_hidden_state, embedding; got 'hidden'}}
func.func @step(%hidden: memref<?x4xf32> {llm.output = "hidden"}) {
  return
}

// -----

// expected-error @+1 {{expects argument 0 to name an input or an output}}
func.func @step(%ids: memref<?xi32>) {
  return
}

// -----

// expected-error @+1 {{expects 'ids' to be a memref of identity layout with 1 dynamic sizes, got 'memref<8xi32>'}}
func.func @step(%ids: memref<8xi32> {llm.input = "ids"}) {
  return
}

// -----

// expected-error @+1 {{expects an input 'kv.k'}}
func.func @step(%v: memref<2x?x4x64x48xbf16> {llm.input = "kv.v"}) {
  return
}

// -----

// expected-error @+1 {{expects smelt.signature (run smelt-spmd)}}
llvm.func @step() {
  llvm.return
}

// -----

func.func @step(%ids: memref<?xi32> {llm.input = "ids"}) {
  return
}
// expected-error @+1 {{expects no symbol @smelt_step, the name of the entry point}}
func.func @smelt_step() {
  return
}
