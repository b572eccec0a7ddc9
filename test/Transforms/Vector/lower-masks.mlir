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

// LLVM would store as many bits as the element had before it was truncated.
// CHECK-LABEL: llvm.func @one_lane
// CHECK-SAME:    %[[X:.*]]: vector<4xi8>, %[[Y:.*]]: vector<4xbf16>, %[[P:.*]]: !llvm.ptr
// CHECK:         %[[X2:.*]] = llvm.extractelement %[[X]][%{{.*}} : i64] : vector<4xi8>
// CHECK:         %[[P2:.*]] = llvm.getelementptr %[[P]][2] : (!llvm.ptr) -> !llvm.ptr, i8
// CHECK:         llvm.store %[[X2]], %[[P2]] {alignment = 1 : i64} : i8, !llvm.ptr
// CHECK:         %[[BITS:.*]] = llvm.bitcast %[[Y]] : vector<4xbf16> to vector<4xi16>
// CHECK:         %[[ZERO:.*]] = llvm.mlir.constant(0 : i64) : i64
// CHECK:         %[[Y0:.*]] = llvm.extractelement %[[BITS]][%[[ZERO]] : i64] : vector<4xi16>
// CHECK:         %[[P0:.*]] = llvm.getelementptr %[[P]][0] : (!llvm.ptr) -> !llvm.ptr, i16
// CHECK:         llvm.store %[[Y0]], %[[P0]] {alignment = 2 : i64} : i16, !llvm.ptr
llvm.func @one_lane(%x: vector<4xi8>, %y: vector<4xbf16>, %p: !llvm.ptr) {
  %third = llvm.mlir.constant(dense<[false, false, true, false]> : vector<4xi1>) : vector<4xi1>
  %first = llvm.mlir.constant(dense<[true, false, false, false]> : vector<4xi1>) : vector<4xi1>
  llvm.intr.masked.store %x, %p, %third {alignment = 1 : i32} : vector<4xi8>, vector<4xi1> into !llvm.ptr
  llvm.intr.masked.store %y, %p, %first {alignment = 2 : i32} : vector<4xbf16>, vector<4xi1> into !llvm.ptr
  llvm.return
}

// CHECK-LABEL: llvm.func @negative_two_lanes
// CHECK:         llvm.intr.masked.store {{.*}} : vector<4xi8>
// CHECK:         llvm.intr.masked.store {{.*}} : vector<4xf32>
llvm.func @negative_two_lanes(%x: vector<4xi8>, %y: vector<4xf32>, %p: !llvm.ptr) {
  %two = llvm.mlir.constant(dense<[true, false, true, false]> : vector<4xi1>) : vector<4xi1>
  %one = llvm.mlir.constant(dense<[true, false, false, false]> : vector<4xi1>) : vector<4xi1>
  llvm.intr.masked.store %x, %p, %two {alignment = 1 : i32} : vector<4xi8>, vector<4xi1> into !llvm.ptr
  llvm.intr.masked.store %y, %p, %one {alignment = 4 : i32} : vector<4xf32>, vector<4xi1> into !llvm.ptr
  llvm.return
}
