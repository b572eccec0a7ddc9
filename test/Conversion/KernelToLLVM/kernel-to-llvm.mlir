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
