// RUN: smelt-opt %s -split-input-file -verify-diagnostics

func.func @barrier_c1(%thread: index) {
  // expected-error @+1 {{expects thread and step together, or neither}}
  kernel.barrier %thread
  return
}

// -----

func.func @param_c1_symbol() {
  // expected-error @+1 {{expects @nothing to be an llm.param}}
  %w = kernel.param @nothing : memref<8xf32>
  return
}

// -----

// expected-note @+1 {{the param is here}}
llm.param @norm : tensor<8xf32> from
    [[#llm.source<"norm", file = "m.safetensors", offset = 0, type = tensor<8xf32>>]]
func.func @param_c1_type() {
  // expected-error @+1 {{expects a view of the stored type 'tensor<8xf32>', got 'memref<8xf16>'}}
  %w = kernel.param @norm : memref<8xf16>
  return
}

// -----

// expected-note @+1 {{the param is here}}
llm.param @norm : tensor<8xf32> from
    [[#llm.source<"norm", file = "m.safetensors", offset = 0, type = tensor<8xf32>>]]
func.func @param_c2(%layer: index) {
  // expected-error @+1 {{expects no layer, since @norm has 1 instance}}
  %w = kernel.param @norm[%layer] : memref<8xf32>
  return
}

// -----

llm.param @norm : tensor<8xf32> from
    [[#llm.source<"norm", file = "m.safetensors", offset = 0, type = tensor<8xf32>>]]
func.func @param_c3() {
  // expected-error @+1 {{expects identity layout}}
  %w = kernel.param @norm : memref<8xf32, strided<[2]>>
  return
}
