// RUN: smelt-opt %s -split-input-file -smelt-spmd -verify-diagnostics

func.func @negative_bound(%n: index) {
  // expected-error @+1 {{expects the single upper bound kernel.num_threads}}
  scf.forall (%t) in (%n) {
  }
  return
}

// -----

func.func @negative_rank() {
  %n = kernel.num_threads
  // expected-error @+1 {{expects the single upper bound kernel.num_threads}}
  scf.forall (%t, %u) in (%n, %n) {
  }
  return
}

// -----

func.func @negative_step() {
  %n = kernel.num_threads
  // expected-error @+1 {{expects the single upper bound kernel.num_threads, lower bound 0 and step 1}}
  scf.forall (%t) = (0) to (%n) step (2) {
  }
  return
}

// -----

func.func @negative_nested() {
  %n = kernel.num_threads
  scf.forall (%t) in (%n) {
    // expected-error @+1 {{expects to stand outside of other scf.forall}}
    scf.forall (%u) in (%n) {
    }
  }
  return
}

// -----

func.func @negative_unplanned() {
  // expected-error @+1 {{expects a place in the arena (run smelt-plan-memory)}}
  %a = memref.alloc() : memref<8xf32>
  return
}

// -----

// expected-note @+1 {{the param is here}}
llm.param @norm : tensor<8xf32> from
    [[#llm.source<"norm", file = "m.safetensors", offset = 0, type = tensor<8xf32>>]]
func.func @negative_param() {
  // expected-error @+1 {{expects a param with a place in the weights section}}
  %w = kernel.param @norm : memref<8xf32>
  return
}
