// RUN: smelt-opt %s -convert-kernel-to-llvm -convert-func-to-llvm -reconcile-unrealized-casts | FileCheck %s

// CHECK-LABEL: llvm.func @barrier
// CHECK-SAME: %[[THREAD:.+]]: i64, %[[STEP:.+]]: !llvm.ptr
func.func @barrier(%thread: index, %step: !llvm.ptr) {
  // CHECK: %[[FIELD:.+]] = llvm.getelementptr %[[STEP]][184] : (!llvm.ptr) -> !llvm.ptr, i8
  // CHECK: %[[BARRIER:.+]] = llvm.load %[[FIELD]]
  // CHECK: %[[FIELD2:.+]] = llvm.getelementptr %[[STEP]][192] : (!llvm.ptr) -> !llvm.ptr, i8
  // CHECK: %[[CONTEXT:.+]] = llvm.load %[[FIELD2]]
  // CHECK: llvm.call %[[BARRIER]](%[[CONTEXT]], %[[THREAD]]) : !llvm.ptr, (!llvm.ptr, i64) -> ()
  kernel.barrier %thread of %step
  return
}

// *profile[thread].next++ = {5, begin, now}
// CHECK-LABEL: llvm.func @record
// CHECK-SAME: %[[THREAD:.+]]: i64, %[[STEP:.+]]: !llvm.ptr
func.func @record(%thread: index, %step: !llvm.ptr) {
  // CHECK: %[[BEGIN:.+]] = llvm.call_intrinsic "llvm.readcyclecounter"() : () -> i64
  %begin = kernel.clock
  // CHECK: %[[NOW:.+]] = llvm.call_intrinsic "llvm.readcyclecounter"() : () -> i64
  // CHECK: %[[FIELD:.+]] = llvm.getelementptr %[[STEP]][200]
  // CHECK: %[[PROFILE:.+]] = llvm.load %[[FIELD]] : !llvm.ptr -> !llvm.ptr
  // CHECK: %[[SIZE:.+]] = llvm.mlir.constant(64 : i64)
  // CHECK: %[[OFFSET:.+]] = llvm.mul %[[THREAD]], %[[SIZE]]
  // CHECK: %[[OWN:.+]] = llvm.getelementptr %[[PROFILE]][%[[OFFSET]]]
  // CHECK: %[[NEXT:.+]] = llvm.getelementptr %[[OWN]][0]
  // CHECK: %[[RECORD:.+]] = llvm.load %[[NEXT]] : !llvm.ptr -> !llvm.ptr
  // CHECK-DAG: %[[ENTRY:.+]] = llvm.mlir.constant(5 : i64)
  // CHECK-DAG: %[[AT0:.+]] = llvm.getelementptr %[[RECORD]][0]
  // CHECK: llvm.store %[[ENTRY]], %[[AT0]]
  // CHECK: %[[AT8:.+]] = llvm.getelementptr %[[RECORD]][8]
  // CHECK: llvm.store %[[BEGIN]], %[[AT8]]
  // CHECK: %[[AT16:.+]] = llvm.getelementptr %[[RECORD]][16]
  // CHECK: llvm.store %[[NOW]], %[[AT16]]
  // CHECK: %[[AFTER:.+]] = llvm.getelementptr %[[RECORD]][24]
  // CHECK: %[[NEXT2:.+]] = llvm.getelementptr %[[OWN]][0]
  // CHECK: llvm.store %[[AFTER]], %[[NEXT2]]
  kernel.record 5 since %begin by %thread of %step
  return
}
