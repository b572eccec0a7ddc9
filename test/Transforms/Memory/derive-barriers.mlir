// RUN: smelt-opt %s -split-input-file -smelt-plan-memory -smelt-derive-barriers | FileCheck %s

// Written then read; read then written; written twice. Reads don't conflict.
// CHECK-LABEL: func.func @conflicts
func.func @conflicts(%a: memref<8xf32>, %b: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = kernel.num_threads
  // CHECK: scf.forall
  scf.forall (%t) in (%n) {
    memref.store %zero, %a[%t] : memref<8xf32>
  }
  // CHECK: kernel.barrier
  // CHECK-NEXT: scf.forall
  scf.forall (%t) in (%n) {
    %v = memref.load %a[%c0] : memref<8xf32>
  }
  // CHECK-NOT: kernel.barrier
  // CHECK: scf.forall
  scf.forall (%t) in (%n) {
    %v = memref.load %a[%c0] : memref<8xf32>
    memref.store %v, %b[%t] : memref<8xf32>
  }
  // CHECK: kernel.barrier
  // CHECK-NEXT: scf.forall
  scf.forall (%t) in (%n) {
    memref.store %zero, %a[%t] : memref<8xf32>
  }
  // CHECK-NOT: kernel.barrier
  // CHECK: scf.forall
  scf.forall (%t) in (%n) {
    %v = memref.load %b[%c0] : memref<8xf32>
  }
  // CHECK: kernel.barrier
  // CHECK-NEXT: scf.forall
  scf.forall (%t) in (%n) {
    memref.store %zero, %a[%t] : memref<8xf32>
  }
  // CHECK: return
  return
}

// -----

// Private and constant buffers, and what is there already.
// CHECK-LABEL: func.func @no_conflicts
memref.global "private" constant @table : memref<2xf32> = dense<[1.0, 2.0]>
func.func @no_conflicts(%a: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %table = memref.get_global @table : memref<2xf32>
  %n = kernel.num_threads
  // CHECK-NOT: kernel.barrier
  scf.forall (%t) in (%n) {
    %p = memref.alloc() : memref<8xf32>
    memref.store %zero, %p[%c0] : memref<8xf32>
    %stack = memref.alloca() : memref<8xf32>
    memref.store %zero, %stack[%c0] : memref<8xf32>
    %v = memref.load %table[%c0] : memref<2xf32>
  }
  scf.forall (%t) in (%n) {
    %p = memref.alloc() : memref<8xf32>
    memref.store %zero, %p[%c0] : memref<8xf32>
    %v = memref.load %table[%c0] : memref<2xf32>
    memref.store %zero, %a[%t] : memref<8xf32>
  }
  // CHECK: kernel.barrier
  kernel.barrier
  // CHECK-NOT: kernel.barrier
  scf.forall (%t) in (%n) {
    %v = memref.load %a[%c0] : memref<8xf32>
  }
  // CHECK: return
  return
}

// -----

// Two buffers that share bytes conflict like one.
// CHECK-LABEL: func.func @shared_bytes
func.func @shared_bytes() {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = kernel.num_threads
  %a = memref.alloc() : memref<8xf32>
  %b = memref.alloc() : memref<8xf32>
  // CHECK: scf.forall
  scf.forall (%t) in (%n) {
    memref.store %zero, %a[%t] : memref<8xf32>
  }
  // CHECK: kernel.barrier
  // CHECK-NEXT: scf.forall
  scf.forall (%t) in (%n) {
    memref.store %zero, %b[%t] : memref<8xf32>
  }
  return
}

// -----

// One barrier for each dependence in the body; the last loop's reads of %b
// don't meet the first's writes of %a.
// CHECK-LABEL: func.func @loop
func.func @loop(%a: memref<8xf32>, %b: memref<8xf32>, %steps: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %n = kernel.num_threads
  // CHECK: scf.for
  scf.for %i = %c0 to %steps step %c1 {
    // CHECK-NOT: kernel.barrier
    // CHECK: scf.forall
    scf.forall (%t) in (%n) {
      memref.store %zero, %a[%t] : memref<8xf32>
    }
    // CHECK: kernel.barrier
    // CHECK-NEXT: scf.forall
    scf.forall (%t) in (%n) {
      %v = memref.load %a[%c0] : memref<8xf32>
      memref.store %v, %b[%t] : memref<8xf32>
    }
    // CHECK: kernel.barrier
    // CHECK-NEXT: scf.forall
    scf.forall (%t) in (%n) {
      %v = memref.load %b[%c0] : memref<8xf32>
    }
  }
  // CHECK-NOT: kernel.barrier
  // CHECK: return
  return
}

// -----

// A conflict across the back edge alone.
// CHECK-LABEL: func.func @back_edge
func.func @back_edge(%a: memref<8xf32>, %steps: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = kernel.num_threads
  // CHECK: scf.for
  scf.for %i = %c0 to %steps step %c1 {
    // CHECK: kernel.barrier
    // CHECK-NEXT: scf.forall
    scf.forall (%t) in (%n) {
      %v = memref.load %a[%i] : memref<8xf32>
      memref.store %v, %a[%t] : memref<8xf32>
    }
  }
  // The loop may not run, but what ran before it is over.
  // CHECK: kernel.barrier
  // CHECK-NEXT: scf.forall
  scf.forall (%t) in (%n) {
    %v = memref.load %a[%c0] : memref<8xf32>
  }
  return
}

// -----

// A barrier on one branch is not one on the other.
// CHECK-LABEL: func.func @branches
func.func @branches(%a: memref<8xf32>, %b: memref<8xf32>, %cond: i1) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = kernel.num_threads
  scf.forall (%t) in (%n) {
    memref.store %zero, %a[%t] : memref<8xf32>
  }
  // CHECK: scf.if
  scf.if %cond {
    // CHECK-NEXT: kernel.barrier
    // CHECK-NEXT: scf.forall
    scf.forall (%t) in (%n) {
      %v = memref.load %a[%c0] : memref<8xf32>
    }
  }
  // CHECK: }
  // CHECK: kernel.barrier
  // CHECK-NEXT: scf.forall
  scf.forall (%t) in (%n) {
    %v = memref.load %a[%c0] : memref<8xf32>
  }
  return
}

// -----

// All threads read the length, then one overwrites it.
// CHECK-LABEL: func.func @read_outside
func.func @read_outside(%length: memref<1xindex>) {
  %c0 = arith.constant 0 : index
  %n = kernel.num_threads
  %v = memref.load %length[%c0] : memref<1xindex>
  // CHECK: kernel.barrier
  // CHECK-NEXT: scf.forall
  scf.forall (%t) in (%n) {
    memref.store %v, %length[%c0] : memref<1xindex>
  }
  // CHECK: kernel.barrier
  // CHECK-NEXT: memref.load
  %w = memref.load %length[%c0] : memref<1xindex>
  return
}

// -----

// A callee's first accesses meet those before the call, its last those after;
// what is behind a barrier of its own doesn't.
// CHECK-LABEL: func.func private @layer
func.func private @layer(%x: memref<8xf32>, %y: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  %n = kernel.num_threads
  %tmp = memref.alloc() : memref<8xf32>
  // CHECK-NOT: kernel.barrier
  // CHECK: scf.forall
  scf.forall (%t) in (%n) {
    %v = memref.load %x[%c0] : memref<8xf32>
    memref.store %v, %tmp[%t] : memref<8xf32>
  }
  // CHECK: kernel.barrier
  // CHECK-NEXT: scf.forall
  scf.forall (%t) in (%n) {
    %v = memref.load %tmp[%c0] : memref<8xf32>
    memref.store %v, %y[%t] : memref<8xf32>
  }
  // CHECK-NOT: kernel.barrier
  // CHECK: return
  return
}

// CHECK-LABEL: func.func @calls
func.func @calls(%a: memref<8xf32>, %b: memref<8xf32>, %c: memref<8xf32>) {
  // The first call wrote %b at its end, the second reads it at its start; both
  // use the same frame.
  // CHECK: call @layer(%{{.+}}, %[[B:.+]]) :
  // CHECK-NEXT: kernel.barrier
  // CHECK-NEXT: call @layer(%[[B]], %{{.+}}) :
  call @layer(%a, %b) : (memref<8xf32>, memref<8xf32>) -> ()
  call @layer(%b, %c) : (memref<8xf32>, memref<8xf32>) -> ()
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = kernel.num_threads
  // The second call read %b before its own barrier.
  // CHECK-NEXT: arith.constant
  // CHECK-NEXT: arith.constant
  // CHECK-NEXT: kernel.num_threads
  // CHECK-NEXT: scf.forall
  scf.forall (%t) in (%n) {
    memref.store %zero, %b[%t] : memref<8xf32>
  }
  return
}

// -----

// Layers that write back and forth between two buffers, called in a loop: in
// the function the two arguments may be the same buffer.
// CHECK-LABEL: func.func private @step
func.func private @step(%x: memref<8xf32>, %y: memref<8xf32>, %z: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = kernel.num_threads
  // CHECK: scf.forall
  scf.forall (%t) in (%n) {
    %v = memref.load %x[%c0] : memref<8xf32>
  }
  // %z is another buffer in every call.
  // CHECK-NOT: kernel.barrier
  // CHECK: scf.forall
  scf.forall (%t) in (%n) {
    memref.store %zero, %z[%t] : memref<8xf32>
  }
  // CHECK: kernel.barrier
  // CHECK-NEXT: scf.forall
  scf.forall (%t) in (%n) {
    memref.store %zero, %y[%t] : memref<8xf32>
  }
  return
}

// CHECK-LABEL: func.func @swap
func.func @swap(%z: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %a = memref.alloc() : memref<8xf32>
  %b = memref.alloc() : memref<8xf32>
  scf.for %i = %c0 to %c4 step %c1
      iter_args(%x = %a, %y = %b) -> (memref<8xf32>, memref<8xf32>) {
    // CHECK: kernel.barrier
    // CHECK-NEXT: func.call @step
    func.call @step(%x, %y, %z)
        : (memref<8xf32>, memref<8xf32>, memref<8xf32>) -> ()
    scf.yield %y, %x : memref<8xf32>, memref<8xf32>
  }
  return
}

// -----

// Two barriers in each of three layers, one before them, none after.
// CHECK-LABEL: llm.barriers = 7
func.func @step(%x: memref<8xf32>, %v: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  kernel.barrier
  scf.for %i = %c0 to %c3 step %c1 {
    func.call @counted_layer() : () -> ()
  }
  return
}
func.func private @counted_layer() {
  kernel.barrier
  kernel.barrier
  return
}

// -----

// A loop of unknown length: no number.
// CHECK-LABEL: module
// CHECK-NOT: llm.barriers
// CHECK: func.func @step
func.func @step(%n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    kernel.barrier
  }
  return
}
