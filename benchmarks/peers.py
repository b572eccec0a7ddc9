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
checkpoint, format, file (without an ending), batch, prompt, depth (positions in
the cache before generating), generate, threads and repetitions: `prepare` writes the peer's model file, `measure` prints a line
of JSON with the seconds of every repetition and the bytes that generating a
token reads.
"""
import ctypes
import json
import os
import sys
import time
from types import SimpleNamespace


FILL = 512  # tokens of a step that fills the cache


def timed(repetitions, body, before=lambda: None):
    """Seconds of each repetition of `body`, after one without a clock; `before`
    runs before each, without one."""
    seconds = []
    for i in range(repetitions + 1):
        before()
        start = time.perf_counter()
        body()
        seconds.append(time.perf_counter() - start)
    return seconds[1:]


def someIds(count, vocabulary):
    return [(i * 7919 + 13) % vocabulary for i in range(count)]


def bytesPerToken(request, weights, element):
    """What a token reads: weights (`weights(config)` says how many bytes) and,
    on average over the generation, a cache of `element` bytes a number."""
    with open(f"{request.checkpoint}/config.json") as file:
        config = json.load(file)
    position = (2 * config["num_hidden_layers"] * config["head_dim"] *
                config["num_key_value_heads"] * element)  # keys and values
    return weights(config) + position * (request.depth +
                                         (request.generate + 1) / 2)


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
        kind, file = request.format, self.file(request)
        if kind in llama_gguf.FILE_TYPES:
            llama_gguf.write(request.checkpoint, kind, file)
            return
        source = file + ".source"
        llama_gguf.write(request.checkpoint, "BF16", source)
        params = self.api.llama_model_quantize_default_params()
        params.nthread = request.threads
        params.ftype = getattr(self.api, f"LLAMA_FTYPE_MOSTLY_{kind}")
        status = self.api.llama_model_quantize(
            source.encode(), file.encode(), ctypes.byref(params))
        os.remove(source)
        if status:
            sys.exit(f"llama_model_quantize to {kind}: status {status}")

    def file(self, request):
        return request.file + ".gguf"

    def weightBytes(self, request):
        """All matrices, but an embedding table only where it is the head as
        well."""
        import gguf
        tensors = gguf.GGUFReader(self.file(request)).tensors
        names = {tensor.name for tensor in tensors}
        return sum(int(tensor.n_bytes) for tensor in tensors
                   if tensor.name != "token_embd.weight" or
                   "output.weight" not in names)

    def measure(self, request):
        api = self.api
        file = self.file(request)
        model = api.llama_model_load_from_file(
            file.encode(), api.llama_model_default_params())
        if not model:
            sys.exit(f"llama.cpp doesn't load {file}")
        params = api.llama_context_default_params()
        params.n_ctx = max(request.prompt, request.depth + request.generate)
        params.n_threads = params.n_threads_batch = request.threads
        context = api.llama_init_from_model(model, params)
        if not context:
            sys.exit("llama.cpp makes no context")
        vocabulary = api.llama_vocab_n_tokens(api.llama_model_get_vocab(model))

        def keep(positions):
            memory = api.llama_get_memory(context)
            if not api.llama_memory_seq_rm(memory, 0, positions, -1):
                sys.exit("llama.cpp doesn't forget positions")

        def run(ids, step):
            array = (api.llama_token * len(ids))(*ids)
            for begin in range(0, len(ids), step):
                part = ctypes.cast(
                    ctypes.byref(array, begin * ctypes.sizeof(api.llama_token)),
                    ctypes.POINTER(api.llama_token))
                status = api.llama_decode(
                    context, api.llama_batch_get_one(
                        part, min(step, len(ids) - begin)))
                if status:
                    sys.exit(f"llama_decode: status {status}")
                api.llama_synchronize(context)

        prompt = someIds(request.prompt, vocabulary)
        answer = someIds(request.generate, vocabulary)
        prompts = timed(request.repetitions,
                        lambda: run(prompt, api.llama_n_batch(context)),
                        before=lambda: keep(0))
        keep(0)
        run(someIds(request.depth, vocabulary), FILL)
        return {"prompt": prompts,
                "generate": timed(request.repetitions,
                                  lambda: run(answer, 1),
                                  before=lambda: keep(request.depth)),
                "bytes_per_token": bytesPerToken(
                    request, lambda config: self.weightBytes(request), 2)}


def encoderIds(request):
    import numpy
    count = request.batch * request.prompt
    return numpy.array(someIds(count, 30000), numpy.int64).reshape(
        request.batch, request.prompt)


def encoderGraph(request):
    """Static shapes, no mask."""
    import bert_onnx
    import onnx
    model = bert_onnx.build(request.checkpoint, request.batch, request.prompt)
    onnx.checker.check_model(model)
    return model


class OnnxRuntime:
    """Its optimizer for transformers fuses attention, norms and activations."""

    def prepare(self, request):
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic
        from onnxruntime.transformers import optimizer
        model = optimizer.optimize_model(encoderGraph(request), "bert",
                                         opt_level=0)
        model.save_model_to_file(request.file + ".onnx")
        if request.format == "int8":
            # Weights by output channel; activations at run time.
            quantize_dynamic(
                request.file + ".onnx", request.file + ".onnx",
                per_channel=True, weight_type=QuantType.QInt8,
                extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})

    def measure(self, request):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = request.threads
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            request.file + ".onnx", options,
            providers=["CPUExecutionProvider"])
        inputs = {"ids": encoderIds(request)}
        return {"prompt": timed(request.repetitions,
                                lambda: session.run(None, inputs))}


class OpenVino:
    """Reads the ONNX graph of an encoder with its own front end; decoders are
    built by llama_openvino.py. NNCF makes weights, and an encoder's activations,
    8-bit. What stays in floats is f32 unless the format says bf16."""

    def prepare(self, request):
        file = request.file + ".xml"
        if request.generate:
            import llama_openvino
            llama_openvino.write(request.checkpoint, request.format, file)
            return
        import onnx
        import openvino
        source = request.file + ".onnx"
        onnx.save(encoderGraph(request), source)
        model = openvino.Core().read_model(source)
        if request.format.startswith("int8"):
            import nncf
            model = nncf.quantize(
                model, nncf.Dataset([{"ids": encoderIds(request)}]),
                model_type=nncf.ModelType.TRANSFORMER, subset_size=1)
        openvino.save_model(model, file, compress_to_fp16=False)
        os.remove(source)

    def measure(self, request):
        import openvino
        precision = "bf16" if request.format.endswith("bf16") else "f32"
        compiled = openvino.Core().compile_model(request.file + ".xml", "CPU", {
            "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": request.threads,
            "INFERENCE_PRECISION_HINT": precision})
        infer = compiled.create_infer_request()
        if request.generate:
            return self.measureDecoder(request, infer)
        inputs = {"ids": encoderIds(request)}
        return {"prompt": timed(request.repetitions,
                                lambda: infer.infer(inputs))}

    def measureDecoder(self, request, infer):
        import numpy

        def run(ids, step, first=0):
            for begin in range(0, len(ids), step):
                some = ids[begin:begin + step]
                past, end = first + begin, first + begin + len(some)
                mask = numpy.triu(numpy.full(
                    (len(some), end), -numpy.inf, numpy.float32), past + 1)
                infer.infer({
                    "input_ids": numpy.array([some]),
                    "position_ids": numpy.arange(past, end)[None],
                    "mask": mask[None, None],
                    "beam_idx": numpy.zeros(1, numpy.int32)})

        def fill():
            infer.reset_state()
            run(someIds(request.depth, 30000), FILL)

        prompt = someIds(request.prompt, 30000)
        answer = someIds(request.generate, 30000)
        return {"prompt": timed(request.repetitions,
                                lambda: run(prompt, len(prompt)),
                                before=infer.reset_state),
                "generate": timed(request.repetitions,
                                  lambda: run(answer, 1, request.depth),
                                  before=fill),
                "bytes_per_token": bytesPerToken(
                    request, lambda config: self.weightBytes(request, config),
                    1)}

    def weightBytes(self, request, config):
        """The whole file, but an embedding table (which stays in 8 bits) only
        where it is the head as well."""
        size = os.path.getsize(request.file + ".bin")
        if not config["tie_word_embeddings"]:
            size -= config["vocab_size"] * config["hidden_size"]
        return size


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
