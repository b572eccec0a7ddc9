//===- Passes.td - Passes that place buffers and threads -*- tablegen -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TRANSFORMS_MEMORY_PASSES_TD
#define SMELT_TRANSFORMS_MEMORY_PASSES_TD

include "mlir/Pass/PassBase.td"

def UnpackPanels : Pass<"smelt-unpack-panels", "::mlir::func::FuncOp"> {
  let summary = "Unpack weights of fewer bits than 8 once for many rows";
  let description = [{
    A loop over tiles of rows whose products read the same packed panels gets a
    copy for `rows` rows and more that reads them with a byte for each element,
    which `kernel.unpack` writes before it. The room is private to the thread.

    ```mlir
    func.func @f(%q: memref<?x32xi8>, %s: memref<?x1xf32>, %t: memref<?x1xi32>,
                 %w: memref<1x640xi8>, %y: memref<?x16xf32>, %m: index) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      scf.for %i = %c0 to %m step %c1 {
        %a = memref.subview %q[%i, 0] [1, 32] [1, 1]
            : memref<?x32xi8> to memref<1x32xi8, strided<[32, 1], offset: ?>>
        %b = memref.subview %s[%i, 0] [1, 1] [1, 1]
            : memref<?x1xf32> to memref<1x1xf32, strided<[1, 1], offset: ?>>
        %c = memref.subview %t[%i, 0] [1, 1] [1, 1]
            : memref<?x1xi32> to memref<1x1xi32, strided<[1, 1], offset: ?>>
        %r = memref.subview %y[%i, 0] [1, 16] [1, 1]
            : memref<?x16xf32> to memref<1x16xf32, strided<[16, 1], offset: ?>>
        kernel.matmul ins(%a, %w : memref<1x32xi8, strided<[32, 1], offset: ?>>, memref<1x640xi8>)
            rows(%b, %c : memref<1x1xf32, strided<[1, 1], offset: ?>>,
                          memref<1x1xi32, strided<[1, 1], offset: ?>>)
            outs(%r : memref<1x16xf32, strided<[16, 1], offset: ?>>)
            {activation = #llm.activation<int8_g32>, format = #llm.format<int4_g32>}
      }
      return
    }
    // => rows=24
    %few = arith.cmpi slt, %count, %c24 : index
    scf.if %few {
      scf.for ...
        kernel.matmul ins(%a, %w :
    } else {
      %u = memref.alloc() {alignment = 64 : i64} : memref<1x1152xi8>
      kernel.unpack ins(%w : memref<1x640xi8>) outs(%u : memref<1x1152xi8>) {format = #llm.format<int4_g32>}
      scf.for ...
        kernel.matmul ins(%a, %u : memref<1x32xi8, strided<[32, 1], offset: ?>>, memref<1x1152xi8>) ... unpacked}
    }
    ```
  }];
  let options = [
    Option<"rows", "rows", "int64_t", "0",
      "the least rows that panels are unpacked for; 0: the unpackRows of the module's target">,
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect", "::smelt::kernel::KernelDialect"
  ];
}

def PlanMemory : Pass<"smelt-plan-memory", "::mlir::ModuleOp"> {
  let summary = "Give every buffer of a step its place in one arena";
  let description = [{
    The size of a buffer is a linear function of M, the tokens of the step, and
    so is the offset that it gets: `smelt.offset = array<i64: a, b>` stands for
    `a * M + b` bytes. Buffers share bytes if no point of the program needs
    both. The frame of a called function begins beyond those of its callers.
    A buffer inside `scf.forall` is private to the thread (`smelt.private`);
    its offset counts from the thread's slice. With T threads the arena is

    ```
    0                     S                  S + P              S + T * P
    | shared buffers      | thread 0's slice | thread 1's slice | ...
      S = per_token * M + bytes          P = per_token_thread * M + per_thread
    ```

    and the module gets these four numbers as `llm.memory`. Deallocations
    and buffers without use go away.

    ```mlir
    func.func @f(%ids: memref<?xi32>, %v: f32) {
      %c0 = arith.constant 0 : index
      %m = memref.dim %ids, %c0 : memref<?xi32>
      %x = memref.alloc(%m) : memref<?x48xf32>
      memref.store %v, %x[%c0, %c0] : memref<?x48xf32>
      return
    }
    // =>
    llm.memory = {bytes = 0 : i64, per_thread = 0 : i64, per_token = 192 : i64,
                  per_token_thread = 0 : i64}
    %x = memref.alloc(%m) {smelt.offset = array<i64: 0, 0>} : memref<?x48xf32>
    ```

    Errors: recursion, a size that isn't linear in M, a buffer that lives
    longer than the iteration of the loop that allocates it.
  }];
}

def CheckBuffers : Pass<"smelt-check-buffers", "::mlir::ModuleOp"> {
  let summary = "Reject allocations and copies that the plan doesn't name";
  let description = [{
    A step allocates nothing and copies nothing that wasn't asked for. Allowed
    are planned `memref.alloc`, constant globals, and inside `scf.forall` a
    `memref.alloca` of a static size up to 16 KiB: the values of a register
    tile. Everything else is an error that says where the buffer comes from and
    what to do.

    ```mlir
    func.func @f() {
      %x = memref.alloc() : memref<4xf32>
      return
    }
    // =>
    // error: 'memref.alloc' op has no place in the memory plan
    // note: run smelt-plan-memory after the last pass that allocates
    ```
  }];
}

def DeriveBarriers : Pass<"smelt-derive-barriers", "::mlir::ModuleOp"> {
  let summary = "Insert barriers between accesses of different threads that conflict";
  let description = [{
    Each `scf.forall` runs on all threads; one thread may be in the next while
    another is still in this. A `kernel.barrier` goes before an operation whose
    accesses conflict (same bytes, at least one write) with an access since the
    last barrier. Bytes are ranges of the memory plan or arguments of the
    function. Called functions are seen through summaries, loops with the
    accesses of their previous iteration.

    ```mlir
    func.func @f(%x: memref<8xf32>, %v: f32) {
      %c0 = arith.constant 0 : index
      %n = kernel.num_threads
      scf.forall (%t) in (%n) {
        memref.store %v, %x[%t] : memref<8xf32>
      }
      scf.forall (%t) in (%n) {
        %y = memref.load %x[%c0] : memref<8xf32>
      }
      return
    }
    // =>
    scf.forall (...) in (%n) {
      memref.store %v, ...
    }
    kernel.barrier
    scf.forall (...) in (%n) {
      %y = memref.load ...
    }
    ```

    Outside of `scf.forall` all threads do the same, so nothing may be written
    there. Arguments of a function that isn't private are distinct buffers.

    A module with a function @step gets the number of barriers that a step
    meets as `llm.barriers`, if the bounds of all loops around them are constant.
  }];
  let dependentDialects = ["::smelt::kernel::KernelDialect"];
}

def Profile : Pass<"smelt-profile", "::mlir::ModuleOp"> {
  let summary = "Record when each thread began and ended each op and barrier";
  let description = [{
    For a module with the attribute `llm.profile`; others stay as they are. Each
    `scf.forall` and each `kernel.barrier` is put between a look at the clock
    and a `kernel.record` of its entry. What the entries are becomes `llm.ops`
    of the module:

    - `name`: what smelt-name-ops called the origin of the root, which is a
      matrix product, else the last kernel op, else the first linalg op; without
      a name the function's and the kind. `fused` has names of others in the
      same forall. A barrier is called as what comes after it;
    - `kind`: the kernel op that is the root, `elementwise` or `barrier`;
    - `runs`: how often a step executes it, at most;
    - `bytes` read and written and `operations` (a multiply-add counts two) of
      matrix products and attention in one run, by all threads, as factors of
      what a step consists of (`fixed`, `per_token`, `per_row`, `per_sequence`,
      `per_position` of the caches, `per_pair` of a token and a position that it
      attends to), what is multiplied (`arithmetic`), and how many positions a
      token attends to at most (`window`), if not all.

    ```mlir
    module attributes {llm.profile} {
      func.func @step(%x: memref<?x8xf32>, %y: memref<?x8xf32>) {
        %c0 = arith.constant 0 : index
        %n = kernel.num_threads
        kernel.barrier
        scf.forall (%t) in (%n) {
          %v = memref.load %x[%t, %c0] : memref<?x8xf32>
          memref.store %v, %y[%t, %c0] : memref<?x8xf32>
        }
        return
      }
    }
    // =>
    llm.ops = [{kind = "barrier", name = "step.elementwise", runs = 1 : i64},
               {arithmetic = "f32", bytes = {per_token = 64 : i64}, kind = "elementwise", ...
    %a = kernel.clock
    kernel.barrier
    kernel.record 0 since %a
    %b = kernel.clock
    scf.forall ...
    kernel.record 1 since %b
    ```

    Errors: a loop without constant bounds around a forall or a barrier.
  }];
  let dependentDialects = ["::smelt::kernel::KernelDialect"];
}

def SPMD : Pass<"smelt-spmd", "::mlir::ModuleOp"> {
  let summary = "Turn each function into what one thread of the team does";
  let description = [{
    Each function gets the arguments (weights: memref<?xi8>, arena:
    memref<?xi8>, tokens: index, thread: index, nthreads: index, step:
    !llvm.ptr) after its own, each call passes them on. The body of a
    `scf.forall` over `kernel.num_threads` stays, for the thread's own index;
    `kernel.num_threads` is `nthreads`; planned buffers and `kernel.param`
    become `memref.view`s of arena and weights; `kernel.barrier` and
    `kernel.record` name thread and step. The names and types of the original arguments are kept as
    `smelt.signature` of each public function, for smelt-emit-entry-point.

    ```mlir
    func.func @f(%x: memref<4xf32>, %v: f32) {
      %n = kernel.num_threads
      scf.forall (%t) in (%n) {
        memref.store %v, %x[%t] : memref<4xf32>
      }
      return
    }
    // =>
    func.func @f(%x: memref<4xf32>, %v: f32, %weights: memref<?xi8>, %arena: memref<?xi8>,
                 %tokens: index, %thread: index, %nthreads: index, %step: !llvm.ptr)
        attributes {smelt.signature = [{type = memref<4xf32>}, ...
      memref.store %v, %x[%thread] : memref<4xf32>
      return
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::LLVM::LLVMDialect"];
}

#endif // SMELT_TRANSFORMS_MEMORY_PASSES_TD
