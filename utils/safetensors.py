# ===- safetensors.py - Read and write safetensors, standard library only ---===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Tensors as flat arrays, for tests and scripts that must run without numpy.

A file is a header length (u64), a JSON header, and the tensors' bytes:

    {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}
"""
import array
import collections
import json
import struct
import sys

assert sys.byteorder == "little"

# A dtype is given where the type code of the values doesn't say it: f16 and
# bf16, as `narrow` makes them.
Tensor = collections.namedtuple("Tensor", "shape values dtype",
                                defaults=(None,))

# dtype: array's type code of what is stored.
CODES = {"F64": "d", "F32": "f", "I64": "q", "I32": "i", "F16": "H",
         "BF16": "H", "U8": "B", "I8": "b", "BOOL": "B"}
NAMES = {"d": "F64", "f": "F32", "q": "I64", "i": "I32", "B": "U8", "b": "I8"}


def widen(dtype, values):
    """f16 and bf16 as f32; everything else as stored."""
    if dtype == "BF16":
        bits = array.array("I", (value << 16 for value in values))
        return array.array("f", bits.tobytes())
    if dtype == "F16":
        return array.array("f", struct.unpack(f"<{len(values)}e",
                                              values.tobytes()))
    return values


def narrow(dtype, shape, values):
    """A tensor to be stored as F32, F16 or BF16; BF16 is cut, not rounded."""
    if dtype == "F16":
        values = array.array("H", struct.pack(f"<{len(values)}e", *values))
    else:
        values = array.array("f", values)
    if dtype == "BF16":
        values = array.array("H", values.tobytes())[1::2]
    return Tensor(shape, values, dtype)


def load(path, names=None):
    """Tensors of a file by name; `names` says which, all where it is None."""
    tensors = {}
    with open(path, "rb") as file:
        size, = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        for name, entry in header.items():
            if name == "__metadata__" or (names and name not in names):
                continue
            begin, end = entry["data_offsets"]
            file.seek(8 + size + begin)
            values = array.array(CODES[entry["dtype"]], file.read(end - begin))
            tensors[name] = Tensor(entry["shape"],
                                   widen(entry["dtype"], values))
    return tensors


def integers(values, shape=None):
    """An i64 tensor, of one dimension where no shape is given."""
    values = array.array("q", values)
    return Tensor(shape or [len(values)], values)


def save(path, tensors):
    """Writes tensors (as `load` returns them) in order."""
    header, offset = {}, 0
    for name, (shape, values, dtype) in tensors.items():
        size = len(values) * values.itemsize
        header[name] = {"dtype": dtype or NAMES[values.typecode],
                        "shape": list(shape),
                        "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            file.write(tensor.values.tobytes())
