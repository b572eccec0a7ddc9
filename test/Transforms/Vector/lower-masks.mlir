// RUN: smelt-opt %s --smelt-lower-masks | FileCheck %s

// CHECK-LABEL: llvm.func @store
// CHECK-SAME:    %[[X:.*]]: vector<16xbf16>, %[[P:.*]]: !llvm.ptr, %[[MASK:.*]]: vector<16xi1>
// CHECK:         %[[BITS:.*]] = llvm.bitcast %[[X]] : vector<16xbf16> to vector<16xi16>
// CHECK:         llvm.intr.masked.store %[[BITS]], %[[P]], %[[MASK]] {alignment = 2 : i32} : vector<16xi16>
llvm.func @store(%x: vector<16xbf16>, %p: !llvm.ptr, %mask: vector<16xi1>) {
  llvm.intr.masked.store %x, %p, %mask {alignment = 2 : i32} : vector<16xbf16>, vector<16xi1> into !llvm.ptr
  llvm.return
}

// CHECK-LABEL: llvm.func @load
// CHECK-SAME:    %[[X:.*]]: vector<8xf16>, %[[P:.*]]: !llvm.ptr, %[[MASK:.*]]: vector<8xi1>
// CHECK:         %[[PASS:.*]] = llvm.bitcast %[[X]] : vector<8xf16> to vector<8xi16>
// CHECK:         %[[Y:.*]] = llvm.intr.masked.load %[[P]], %[[MASK]], %[[PASS]] {{.*}} -> vector<8xi16>
// CHECK:         llvm.bitcast %[[Y]] : vector<8xi16> to vector<8xf16>
llvm.func @load(%x: vector<8xf16>, %p: !llvm.ptr, %mask: vector<8xi1>) -> vector<8xf16> {
  %y = llvm.intr.masked.load %p, %mask, %x {alignment = 2 : i32} : (!llvm.ptr, vector<8xi1>, vector<8xf16>) -> vector<8xf16>
  llvm.return %y : vector<8xf16>
}

// CHECK-LABEL: llvm.func @negative_f32
// CHECK-NOT:     llvm.bitcast
// CHECK:         llvm.intr.masked.store {{.*}} : vector<16xf32>
llvm.func @negative_f32(%x: vector<16xf32>, %p: !llvm.ptr, %mask: vector<16xi1>) {
  llvm.intr.masked.store %x, %p, %mask {alignment = 4 : i32} : vector<16xf32>, vector<16xi1> into !llvm.ptr
  llvm.return
}
