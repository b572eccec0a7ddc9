#!/usr/bin/env python3
# ===- peers.py - One measurement of another system --------------------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Usage: peers.py prepare|measure PEER REQUEST

Runs in the environment that compare.py installs, a process for each request, so
that no threads of one system are alive while another runs. REQUEST is JSON with
checkpoint, format, file, batch, prompt, generate, threads and repetitions:
`prepare` writes the peer's model file, `measure` prints a line of JSON with the
seconds of every repetition and the bytes that generating a token reads.
"""
import ctypes
import json
import os
import sys
import time
from types import SimpleNamespace


def timed(repetitions, body):
    """Seconds of each repetition, after one without a clock."""
    seconds = []
    for i in range(repetitions + 1):
        start = time.perf_counter()
        body()
        seconds.append(time.perf_counter() - start)
    return seconds[1:]


def someIds(count, vocabulary):
    return [(i * 7919 + 13) % vocabulary for i in range(count)]


class LlamaCpp:
    """Prompts and generation through llama_decode, without a sampler.

    Threads, batch and cache are what llama_context_default_params says but
    for the number of threads and the length of the context.
    """

    def __init__(self):
        import llama_cpp
        self.api = llama_cpp
        self.silence = llama_cpp.llama_log_callback(lambda *args: None)
        llama_cpp.llama_log_set(self.silence, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()

    def prepare(self, request):
        import llama_gguf
        kind = request.format
        if kind in llama_gguf.FILE_TYPES:
            llama_gguf.write(request.checkpoint, kind, request.file)
            return
        source = request.file + ".source"
        llama_gguf.write(request.checkpoint, "BF16", source)
        params = self.api.llama_model_quantize_default_params()
        params.nthread = request.threads
        params.ftype = getattr(self.api, f"LLAMA_FTYPE_MOSTLY_{kind}")
        status = self.api.llama_model_quantize(
            source.encode(), request.file.encode(), ctypes.byref(params))
        os.remove(source)
        if status:
            sys.exit(f"llama_model_quantize to {kind}: status {status}")

    def bytesPerToken(self, request):
        """Bytes of weights that a token reads (all matrices, but an embedding
        table only where it is the head as well) and of the cache, on average
        over the generation."""
        import gguf
        reader = gguf.GGUFReader(request.file)
        names = {tensor.name for tensor in reader.tensors}
        weights = sum(int(tensor.n_bytes) for tensor in reader.tensors
                      if tensor.name != "token_embd.weight" or
                      "output.weight" not in names)
        with open(f"{request.checkpoint}/config.json") as file:
            config = json.load(file)
        position = (2 * config["num_hidden_layers"] * config["head_dim"] *
                    config["num_key_value_heads"] * 2)  # keys and values, f16
        return weights + position * (request.generate + 1) / 2

    def measure(self, request):
        api = self.api
        model = api.llama_model_load_from_file(
            request.file.encode(), api.llama_model_default_params())
        if not model:
            sys.exit(f"llama.cpp doesn't load {request.file}")
        params = api.llama_context_default_params()
        params.n_ctx = max(request.prompt, request.generate)
        params.n_threads = params.n_threads_batch = request.threads
        context = api.llama_init_from_model(model, params)
        if not context:
            sys.exit("llama.cpp makes no context")
        vocabulary = api.llama_vocab_n_tokens(api.llama_model_get_vocab(model))

        def run(ids, step):
            array = (api.llama_token * len(ids))(*ids)
            api.llama_memory_clear(api.llama_get_memory(context), True)
            for begin in range(0, len(ids), step):
                part = ctypes.cast(
                    ctypes.byref(array, begin * ctypes.sizeof(api.llama_token)),
                    ctypes.POINTER(api.llama_token))
                status = api.llama_decode(
                    context, api.llama_batch_get_one(part, step))
                if status:
                    sys.exit(f"llama_decode: status {status}")
                api.llama_synchronize(context)

        prompt = someIds(request.prompt, vocabulary)
        answer = someIds(request.generate, vocabulary)
        return {"prompt": timed(request.repetitions,
                                lambda: run(prompt, len(prompt))),
                "generate": timed(request.repetitions,
                                  lambda: run(answer, 1)),
                "bytes_per_token": self.bytesPerToken(request)}


class Graphs:
    """What the two runtimes of ONNX graphs share: static shapes, no mask."""

    def quantizeDynamic(self, source, request):
        """Weights by output channel; activations at run time."""
        from onnxruntime.quantization import QuantType, quantize_dynamic
        quantize_dynamic(source, request.file, per_channel=True,
                         weight_type=QuantType.QInt8)

    def quantizeStatic(self, source, request):
        """Ranges of activations come from one batch."""
        from onnxruntime.quantization import (
            CalibrationDataReader, QuantFormat, QuantType, quantize_static)

        class Batch(CalibrationDataReader):
            def __init__(self, ids):
                self.batches = iter([{"ids": ids}])

            def get_next(self):
                return next(self.batches, None)

        quantize_static(source, request.file, Batch(self.ids(request)),
                        quant_format=QuantFormat.QDQ, per_channel=True,
                        op_types_to_quantize=["MatMul"],
                        activation_type=QuantType.QUInt8,
                        weight_type=QuantType.QInt8)

    QUANTIZERS = {"int8-dynamic": quantizeDynamic,
                  "int8-static": quantizeStatic}

    def ids(self, request):
        import numpy
        count = request.batch * request.prompt
        return numpy.array(someIds(count, 30000), numpy.int64).reshape(
            request.batch, request.prompt)

    def prepare(self, request):
        import bert_onnx
        import onnx
        model = bert_onnx.build(request.checkpoint, request.batch,
                                request.prompt)
        onnx.checker.check_model(model)
        quantize = self.QUANTIZERS.get(request.format)
        source = request.file + ".source" if quantize else request.file
        onnx.save(model, source)
        if quantize:
            quantize(self, source, request)
            os.remove(source)


class OnnxRuntime(Graphs):
    def measure(self, request):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = request.threads
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            request.file, options, providers=["CPUExecutionProvider"])
        inputs = {"ids": self.ids(request)}
        return {"prompt": timed(request.repetitions,
                                lambda: session.run(None, inputs))}


class OpenVino(Graphs):
    """Its own front end reads the ONNX graph; activations stay in f32, which
    isn't what it does by default on processors with bf16."""

    def measure(self, request):
        import openvino
        core = openvino.Core()
        compiled = core.compile_model(core.read_model(request.file), "CPU", {
            "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": request.threads,
            "INFERENCE_PRECISION_HINT": "f32"})
        infer = compiled.create_infer_request()
        inputs = {"ids": self.ids(request)}
        return {"prompt": timed(request.repetitions,
                                lambda: infer.infer(inputs))}


PEERS = {"llama.cpp": LlamaCpp, "ONNX Runtime": OnnxRuntime,
         "OpenVINO": OpenVino}


def main():
    action, peer, request = sys.argv[1:]
    result = getattr(PEERS[peer](), action)(
        SimpleNamespace(**json.loads(request)))
    if result:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
