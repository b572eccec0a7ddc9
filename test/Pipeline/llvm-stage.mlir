// From memrefs of a step to a shared object that computes.
// RUN: smelt-opt %s --smelt-memory --smelt-set-stage=stage=vector -o %t.mlir
// RUN: smelt-compile %t.mlir --emit shared -o %t.so
// RUN: %python %S/call-step.py %t.so | FileCheck %s
// CHECK: 24 outputs are right with 1 thread
// CHECK: 24 outputs are right with 2 threads

// logits[m, j] = (ids[m] + 0.5) * positions[m] + j, by way of a buffer in the
// arena that other threads have filled.
#map = affine_map<(d0) -> (d0)>
module attributes {llm.target = "avx2"} {
  func.func @step(%ids: memref<?xi32> {llm.input = "ids"},
                  %positions: memref<?xi32> {llm.input = "positions"},
                  %logits: memref<?x8xf32> {llm.output = "logits"}) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %half = arith.constant 5.000000e-01 : f32
    %tokens = memref.dim %ids, %c0 : memref<?xi32>
    %threads = kernel.num_threads
    %factors = memref.alloc(%tokens) : memref<?xf32>
    scf.forall (%t) in (%threads) {
      scf.for %m = %t to %tokens step %threads {
        %id = memref.load %ids[%m] : memref<?xi32>
        %float = arith.sitofp %id : i32 to f32
        %sum = arith.addf %float, %half : f32
        memref.store %sum, %factors[%m] : memref<?xf32>
      }
    }
    scf.forall (%t) in (%threads) {
      scf.for %i = %t to %tokens step %threads {
        // The row that the last thread's partner wrote.
        %last = arith.subi %tokens, %c1 : index
        %m = arith.subi %last, %i : index
        %factor = memref.load %factors[%m] : memref<?xf32>
        %position = memref.load %positions[%m] : memref<?xi32>
        %float = arith.sitofp %position : i32 to f32
        %a = vector.broadcast %factor : f32 to vector<8xf32>
        %b = vector.broadcast %float : f32 to vector<8xf32>
        %lanes = arith.constant dense<[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]> : vector<8xf32>
        %row = math.fma %a, %b, %lanes : vector<8xf32>
        vector.store %row, %logits[%m, %c0] : memref<?x8xf32>, vector<8xf32>
      }
    }
    return
  }
}
