// RUN: split-file %s %t
// RUN: not smelt-compile %t/expf.mlir --emit obj -o %t/out 2>&1 | FileCheck %s --check-prefix=EXPF
// RUN: not smelt-compile %t/memset.mlir --emit shared -o %t/out 2>&1 | FileCheck %s --check-prefix=MEMSET
// RUN: not smelt-compile %t/half.mlir --emit obj -o %t/out 2>&1 | FileCheck %s --check-prefix=HALF
// RUN: not smelt-compile %t/entry.mlir --emit obj -o %t/out 2>&1 | FileCheck %s --check-prefix=ENTRY
// RUN: not smelt-compile %t/early.mlir --emit obj -o %t/out 2>&1 | FileCheck %s --check-prefix=EARLY
// RUN: not ls %t/out

//--- expf.mlir
// EXPF: smelt compile: the generated code has undefined symbols: expf, helper
module attributes {llm.stage = "llvm", llm.target = "avx2"} {
  llvm.func @helper(f32)
  llvm.func @smelt_step(%step: !llvm.ptr, %thread: i64, %threads: i64) {
    %x = llvm.load %step : !llvm.ptr -> f32
    %y = llvm.intr.exp(%x) : (f32) -> f32
    llvm.call @helper(%y) : (f32) -> ()
    llvm.return
  }
}

//--- memset.mlir
// MEMSET: smelt compile: the generated code has undefined symbols: memset
module attributes {llm.stage = "llvm", llm.target = "avx2"} {
  llvm.func @smelt_step(%step: !llvm.ptr, %thread: i64, %threads: i64) {
    %zero = llvm.mlir.constant(0 : i8) : i8
    "llvm.intr.memset"(%step, %zero, %threads) <{isVolatile = false}> : (!llvm.ptr, i8, i64) -> ()
    llvm.return
  }
}

//--- half.mlir
// Without f16c the conversion is a library function.
// HALF: smelt compile: the generated code has undefined symbols: __extendhfsf2
module attributes {llm.stage = "llvm", llm.target = "generic"} {
  llvm.func @smelt_step(%step: !llvm.ptr, %thread: i64, %threads: i64) {
    %x = llvm.load %step : !llvm.ptr -> f16
    %y = llvm.fpext %x : f16 to f32
    llvm.store %y, %step : f32, !llvm.ptr
    llvm.return
  }
}

//--- entry.mlir
// ENTRY: smelt compile: expects the module to define the entry point smelt_step
module attributes {llm.stage = "llvm", llm.target = "avx2"} {
  llvm.func @smelt_step(!llvm.ptr, i64, i64)
}

//--- early.mlir
// EARLY: smelt compile: expects ops of the llvm dialect to emit code, found 'index.add'; did all stages up to llvm run?
module attributes {llm.stage = "llvm", llm.target = "avx2"} {
  llvm.func @smelt_step(%step: !llvm.ptr, %thread: i64, %threads: i64) {
    %index = builtin.unrealized_conversion_cast %thread : i64 to index
    %next = index.add %index, %index
    llvm.return
  }
}
