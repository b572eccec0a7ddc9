#!/usr/bin/env python3
# ===- embed.py - Embeddings of texts against those of their ids -------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Usage: embed.py WORKFOLDER CHECKPOINT

Gives an encoder a tokenizer of a few words and a length of 70 tokens, compiles
it with steps that are shorter, and compares `smelt embed` bit for bit with
`smelt logits` of the ids: an ordinary text, an empty one, unknown words, and
one that is far too long.
"""
import array
import json
import os
import shutil
import sys

import safetensors
from smelt import smelt

LENGTH = 70
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "light", "##s", "of", "the",
         "sea"]
UNKNOWN, FIRST, LAST = 1, 2, 3

# What a text is, and the ids between the first and the last.
TEXTS = {
    "lights of the sea": [4, 5, 6, 7, 8],
    "": [],
    "sea of zebras": [8, 6, UNKNOWN],
    "the sea " * 5000: [7, 8] * ((LENGTH - 2) // 2),
    "sea": [8],
}


def writeTokenizer(folder):
    special = {"[CLS]": FIRST, "[SEP]": LAST}
    tokenizer = {
        "version": "1.0",
        "added_tokens": [
            {"id": i, "content": WORDS[i], "special": True,
             "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False} for i in range(LAST + 1)],
        "normalizer": {"type": "BertNormalizer", "clean_text": True,
                       "handle_chinese_chars": True, "strip_accents": None,
                       "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                       {"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}},
                     {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {
                name: {"id": name, "ids": [i], "tokens": [name]}
                for name, i in special.items()}},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": WORDS[UNKNOWN],
                  "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100,
                  "vocab": {word: i for i, word in enumerate(WORDS)}}}
    for name, value in {
            "tokenizer.json": tokenizer,
            "sentence_bert_config.json": {"max_seq_length": LENGTH}}.items():
        with open(os.path.join(folder, name), "w") as file:
            json.dump(value, file)


def main():
    work, source = sys.argv[1:]
    shutil.rmtree(work, ignore_errors=True)
    checkpoint, ingot, outputs = (os.path.join(work, name) for name in (
        "checkpoint", "model.ingot", "outputs"))
    shutil.copytree(source, checkpoint)
    writeTokenizer(checkpoint)
    smelt("compile", checkpoint, "-q", "-o", ingot, "--max-step-tokens", "8")

    out = smelt("embed", ingot, stdin="".join(
        json.dumps({"text": text}) + "\n" for text in TEXTS)).splitlines()
    if len(out) != len(TEXTS):
        sys.exit(f"{len(out)} embeddings of {len(TEXTS)} texts")
    for line, (text, ids) in zip(out, TEXTS.items()):
        ids = [FIRST, *ids, LAST]
        smelt("logits", ingot, "--ids", ",".join(map(str, ids)), "-o", outputs)
        expected = safetensors.load(outputs)["embedding"].values
        actual = array.array("f", json.loads(line)["embedding"])
        if actual.tobytes() != expected.tobytes():
            sys.exit(f"{text[:20]!r}: not the embedding of its ids {ids}")
        print(f"{text[:20]!r}: the embedding of its {len(ids)} ids")
    if smelt("embed", ingot, stdin=""):
        sys.exit("an empty input has embeddings")
    same = smelt("embed", ingot, "--similarity", "the sea", "the sea")
    if same != "1.000000\n":
        sys.exit(f"the cosine of a text with itself is {same!r}")


if __name__ == "__main__":
    main()
