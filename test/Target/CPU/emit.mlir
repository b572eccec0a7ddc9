// RUN: smelt-compile %s --emit llvm -o - | FileCheck %s --check-prefix=LLVM
// RUN: smelt-compile %s --emit asm -o - | FileCheck %s --check-prefix=ASM
// RUN: smelt-compile %s --emit shared -o %t.so
// RUN: llvm-readelf --dyn-syms -l %t.so | FileCheck %s --check-prefix=SHARED

module attributes {llm.stage = "llvm", llm.target = "avx2"} {
  // A product and a sum stay two instructions: fusing them changes bits. A loop
  // that clears memory stays a loop: nobody would define memset.
  // LLVM: define void @smelt_step({{.*}} #[[ATTRIBUTES:[0-9]+]]
  // LLVM-NOT: {{memset|fma}}
  // How often a loop turns is said where it is known.
  // LLVM: br i1 {{[^!]+$}}
  // LLVM: br i1 {{.+}}, !prof ![[TURNS:[0-9]+]]
  // LLVM: attributes #[[ATTRIBUTES]] = {{.*}}nounwind{{.*}}"no-builtins"{{.*}}"prefer-vector-width"="256"{{.*}}"target-cpu"="x86-64-v3"
  // LLVM: ![[TURNS]] = !{!"branch_weights", i32 63, i32 1}
  // ASM-LABEL: smelt_step:
  // ASM-NOT: vfmadd
  // ASM-NOT: memset
  // ASM: vmulps {{.*}}ymm
  // ASM-NOT: vfmadd
  // ASM-NOT: memset
  // ASM: vaddps {{.*}}ymm
  // ASM-NOT: vfmadd
  // ASM-NOT: memset
  // ASM: .size smelt_step
  // SHARED: GNU_STACK
  // SHARED-SAME: RW
  // SHARED: contains 2 entries
  // SHARED: FUNC GLOBAL DEFAULT {{[0-9]+}} smelt_step
  llvm.func @smelt_step(%step: !llvm.ptr, %thread: i64, %threads: i64) {
    %x = llvm.load %step : !llvm.ptr -> vector<8xf32>
    %y = llvm.fmul %x, %x : vector<8xf32>
    %z = llvm.fadd %y, %x : vector<8xf32>
    llvm.store %z, %step : vector<8xf32>, !llvm.ptr
    %c0 = llvm.mlir.constant(0 : i64) : i64
    %c1 = llvm.mlir.constant(1 : i64) : i64
    %c64 = llvm.mlir.constant(64 : i64) : i64
    %zero = llvm.mlir.constant(0 : i8) : i8
    llvm.br ^loop(%c0 : i64)
  ^loop(%i: i64):
    %address = llvm.getelementptr %step[%i] : (!llvm.ptr, i64) -> !llvm.ptr, i8
    llvm.store %zero, %address : i8, !llvm.ptr
    %next = llvm.add %i, %c1 : i64
    %more = llvm.icmp "slt" %next, %threads : i64
    llvm.cond_br %more, ^loop(%next : i64), ^known(%c0 : i64)
  ^known(%j: i64):
    %place = llvm.getelementptr %step[%j] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    %value = llvm.load %place : !llvm.ptr -> f32
    %double = llvm.fadd %value, %value : f32
    llvm.store %double, %place : f32, !llvm.ptr
    %later = llvm.add %j, %c1 : i64
    %again = llvm.icmp "slt" %later, %c64 : i64
    llvm.cond_br %again, ^known(%later : i64), ^end
  ^end:
    llvm.return
  }
}
