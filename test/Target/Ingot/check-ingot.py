# ===- check-ingot.py - An ingot against its checkpoint ---------------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Usage: check-ingot.py INGOT LAYOUT.mlir CHECKPOINT

Walks over an ingot as docs/Ingot.md describes it: header, extents, zero padding,
and every element of every param, taken back out of its panels and compared with
the tensors that the params of LAYOUT.mlir name.
"""
import json
import os
import re
import struct
import sys

import safetensors

SOURCE = re.compile(r'#llm\.source<"([^"]*)", file = "([^"]*)"')
PARAM = re.compile(r"llm\.param @(\S+) : \S+ from \[(.*?)\](?: recipe \[(.*?)\])?"
                   r" format")


def readParams(path, checkpoint):
    """Name: instances, each a list of rows (or None for a row of zeros)."""
    files, params = {}, {}
    for line in open(path):
        if not (match := PARAM.search(line)):
            continue
        align = re.search(r"align = (\d+)", match[3] or "")
        align = int(align[1]) if align else 1
        assert not re.search("scale|transpose", match[3] or "")
        instances = []
        for text in re.findall(r"\[([^][]*)\]", match[2]):
            rows = []
            for name, file in SOURCE.findall(text):
                if file not in files:
                    files[file] = safetensors.load(
                        os.path.join(checkpoint, file))
                shape, values, _ = files[file][name]
                width = shape[1] if len(shape) > 1 else 1
                rows += [values[i:i + width]
                         for i in range(0, len(values), width)]
                rows += [None] * (-len(rows) % align)
            instances.append(rows)
        params[match[1]] = instances
    return params


def decode(data, form):
    if form == "f32":
        return struct.unpack(f"<{len(data) // 4}f", data)
    if form == "f16":
        return struct.unpack(f"<{len(data) // 2}e", data)
    halves = struct.unpack(f"<{len(data) // 2}H", data)
    return struct.unpack(f"<{len(halves)}f",
                         struct.pack(f"<{len(halves)}I",
                                     *(h << 16 for h in halves)))


def rounded(value, form):
    if form != "bf16":
        return value
    bits, = struct.unpack("<I", struct.pack("<f", value))
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000
    return struct.unpack("<f", struct.pack("<I", bits))[0]


def main():
    ingot, layout, checkpoint = sys.argv[1:]
    with open(ingot, "rb") as file:
        data = file.read()
    magic, version, headerSize, fileSize, begin, size, _, r0, r1 = \
        struct.unpack("<8sIIQQQQQQ", data[:64])
    assert (magic, version, headerSize) == (b"SMELTING", 1, 64)
    assert fileSize == len(data) == begin + size and r0 == r1 == 0
    manifest = json.loads(data[begin:])
    assert list(manifest) == [
        "format", "producer", "model", "target", "options", "inputs", "outputs",
        "memory", "cost", "generation", "embedding", "params", "sections"]
    end, sections = 64, {}
    for section in manifest["sections"]:
        offset = -(-end // 4096) * 4096
        assert section["offset"] == offset, section
        assert not any(data[end:offset]), section
        end = offset + section["size"]
        sections[section["name"]] = data[offset:end]
    assert begin == -(-end // 4096) * 4096 and not any(data[end:begin])
    weights = sections["weights"]
    assert manifest["cost"]["weight_bytes"] == len(weights)
    assert sections["code/avx2"][:4] == b"\x7fELF"
    for name in "tokenizer.json", "tokenizer_config.json":
        path = os.path.join(checkpoint, name)
        assert (name in sections) == os.path.exists(path)
        if name in sections:
            assert sections[name] == open(path, "rb").read()

    expected, compared, covered = readParams(layout, checkpoint), 0, []
    for param in manifest["params"]:
        instances = expected.pop(param["name"])
        assert len(instances) == param["sources"]
        rowCount, columns = (*param["shape"], 1)[:2]
        n = k = 1
        if match := re.fullmatch(r"panel<n = (\d+), k = (\d+)>",
                                 param["layout"]):
            n, k = int(match[1]), int(match[2])
        else:
            assert param["layout"] == "rows"
        steps, form = -(-columns // k), param["format"]
        for i, rows in enumerate(instances):
            assert len(rows) == rowCount, param
            offset = param["offset"] + i * param["stride"]
            assert offset % 64 == 0
            covered.append((offset, offset + param["bytes"]))
            values = decode(weights[offset:offset + param["bytes"]], form)
            assert len(values) == -(-rowCount // n) * n * steps * k
            for place, value in enumerate(values):
                step, r = divmod(place // k, n)
                panel, c = divmod(step, steps)
                r, c = panel * n + r, c * k + place % k
                want = 0.0
                if r < rowCount and c < columns and rows[r] is not None:
                    want = rounded(rows[r][c], form)
                assert value == want, (param["name"], i, r, c, value, want)
                compared += 1
    assert not expected, list(expected)
    covered.sort()
    end = 0
    for offset, stop in covered:
        assert end <= offset < end + 64 and not any(weights[end:offset])
        end = stop
    assert end == len(weights)
    print(f"{compared} elements of {len(covered)} instances compared")


if __name__ == "__main__":
    main()
