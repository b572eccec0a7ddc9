# ===- call-step.py - Call smelt_step of a shared object --------------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Usage: call-step.py SHARED

Calls the step of llvm-stage.mlir as runtime/include/smelt/abi.h describes it,
with one thread and with two that meet at a barrier.
"""
import ctypes
import sys
import threading

TOKENS, WIDTH = 3, 8
POINTERS = ("weights arena kv ids positions types slots seq_begin seq_end rows "
            "pool_begin pool_end block_table").split()
NUMBERS = "tokens n_rows sequences kv_blocks slots_count blocks_per_slot".split()
Barrier = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)


class Step(ctypes.Structure):
    _fields_ = ([(name, ctypes.c_void_p) for name in POINTERS] +
                [("outputs", ctypes.c_void_p * 4)] +
                [(name, ctypes.c_int64) for name in NUMBERS] +
                [("barrier", Barrier), ("barrier_context", ctypes.c_void_p)])


def aligned(size):
    buffer = ctypes.create_string_buffer(size + 64)
    return buffer, -(-ctypes.addressof(buffer) // 64) * 64


def main():
    function = ctypes.CDLL(sys.argv[1]).smelt_step
    function.argtypes = [ctypes.POINTER(Step), ctypes.c_int64, ctypes.c_int64]
    function.restype = None
    ids = (ctypes.c_int32 * TOKENS)(7, -2, 100)
    positions = (ctypes.c_int32 * TOKENS)(3, 4, 5)
    for count in 1, 2:
        meeting = threading.Barrier(count)
        arena, place = aligned(4096)
        logits = (ctypes.c_float * (TOKENS * WIDTH))()
        step = Step(arena=place, ids=ctypes.addressof(ids),
                    positions=ctypes.addressof(positions), tokens=TOKENS,
                    n_rows=TOKENS, barrier=Barrier(lambda *_: meeting.wait()))
        step.outputs[0] = ctypes.addressof(logits)
        team = [threading.Thread(target=function,
                                 args=(ctypes.byref(step), i, count))
                for i in range(count)]
        for thread in team:
            thread.start()
        for thread in team:
            thread.join()
        want = [(ids[m] + 0.5) * positions[m] + j
                for m in range(TOKENS) for j in range(WIDTH)]
        assert list(logits) == want, (list(logits), want)
        print(f"{len(want)} outputs are right with {count} "
              f"thread{'s' if count > 1 else ''}")


if __name__ == "__main__":
    main()
