# ===- published.py - Compare ids of published vocabularies -----------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""published.py FOLDER NAME WORK: reads the vocabulary FOLDER/NAME.gguf, writes
it to WORK as a tokenizer.json, has `smelt tokenize` encode the texts of
NAME.gguf.inp, and compares with the ids in NAME.gguf.out."""
import json
import os
import struct
import subprocess
import sys

SEPARATOR = "\n__ggml_vocab_test__\n"
SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f",
           7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
STRING, ARRAY = 8, 9
NORMAL, CONTROL, USER_DEFINED = 1, 3, 4


def readMetadata(path):
    """The key-value pairs at the head of a GGUF file."""
    with open(path, "rb") as file:
        def unpack(layout):
            return struct.unpack(layout, file.read(struct.calcsize(layout)))[0]

        def value(kind):
            if kind == STRING:
                return file.read(unpack("<Q")).decode()
            if kind == ARRAY:
                element, count = unpack("<I"), unpack("<Q")
                return [value(element) for _ in range(count)]
            return unpack(SCALARS[kind])

        assert file.read(4) == b"GGUF"
        unpack("<I"), unpack("<Q")
        count = unpack("<Q")
        return {value(STRING): value(unpack("<I")) for _ in range(count)}


def byteLevel(data, tokens):
    return {
        "model": {"type": "BPE", "merges": data["tokenizer.ggml.merges"],
                  "vocab": {token: i for i, token in enumerate(tokens)}},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
        "decoder": {"type": "ByteLevel"}}


def wordPiece(data, tokens):
    def spelling(token):
        """Words begin with a mark there, continuations with ## here."""
        if token.startswith("\u2581"):
            return token[1:]
        isSpecial = token[0] == "[" and token[-1] == "]" and len(token) > 2
        return token if isSpecial else "##" + token

    return {
        "model": {"type": "WordPiece", "unk_token": "[UNK]",
                  "vocab": {spelling(t): i for i, t in enumerate(tokens)}},
        "normalizer": {"type": "BertNormalizer"},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "decoder": {"type": "WordPiece"}}


def sentencePiece(data, tokens):
    """Scores order the merges: every way to put a token together is one."""
    scores = data["tokenizer.ggml.scores"]
    types = data["tokenizer.ggml.token_type"]
    known, merges = set(tokens), []
    for token, score, kind in zip(tokens, scores, types):
        for cut in range(1, len(token) if kind == NORMAL else 0):
            left, right = token[:cut], token[cut:]
            if left in known and right in known:
                merges.append((-score, [left, right]))
    merges.sort(key=lambda merge: merge[0])
    return {
        "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": True,
                  "byte_fallback": True, "merges": [m for _, m in merges],
                  "vocab": {token: i for i, token in enumerate(tokens)}},
        "added_tokens": [
            {"id": i, "content": token, "special": True, "normalized": False}
            for i, (token, kind) in enumerate(zip(tokens, types))
            if kind in (CONTROL, USER_DEFINED)],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "\u2581"},
            {"type": "Replace", "pattern": {"String": " "},
             "content": "\u2581"}]}}


KINDS = {"gpt2": byteLevel, "bert": wordPiece, "llama": sentencePiece}


def main(folder, name, work):
    base = os.path.join(folder, name + ".gguf")
    data = readMetadata(base)
    convert = KINDS[data["tokenizer.ggml.model"]]
    os.makedirs(work, exist_ok=True)
    with open(os.path.join(work, "tokenizer.json"), "w") as file:
        json.dump(convert(data, data["tokenizer.ggml.tokens"]), file)
    with open(base + ".inp", encoding="utf-8", newline="") as file:
        # Every text is followed by the separator.
        texts = file.read().split(SEPARATOR)[:-1]
    with open(base + ".out") as file:
        expected = [[int(i) for i in line.split()] for line in file]
    assert len(texts) == len(expected)
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    output = subprocess.run(["smelt", "tokenize", work], input=lines, text=True,
                            stdout=subprocess.PIPE, check=True).stdout
    answers = [json.loads(line)["ids_without_special"]
               for line in output.splitlines()]
    wrong = [entry for entry in zip(texts, expected, answers)
             if entry[1] != entry[2]]
    for text, ids, answer in wrong:
        print(f"{text!r}\n  expected {ids}\n  found    {answer}")
    print(f"{name}: {len(texts) - len(wrong)} of {len(texts)}")
    return 1 if wrong or len(answers) != len(texts) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
