#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What other runtimes give for the models of tests/unit/runtime/layer_models.hpp.

  python3 -m venv VENV && VENV/bin/pip install ai-edge-litert==2.3.0 \\
      tflite_micro==0.dev20261023182759 numpy==2.4.6
  ninja -C build/dev tflite_model_dump && build/dev/bin/tflite_model_dump FOLDER
  VENV/bin/python tests/vectors/tflite_outputs.py FOLDER > tests/vectors/tflite_outputs.json

Inputs come from the generator of the golden vectors (lcg_bytes); a float32 input is a sixteenth of
each byte. TFLM is TensorFlow Lite Micro with its reference kernels, LiteRT the host interpreter with
its reference kernels (OpResolverType.BUILTIN_REF). An output of LiteRT is given where it differs;
null where LiteRT does not run the model.
"""
import json
import pathlib
import sys

import numpy
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from tflite_micro import runtime

SEEDS = (1, 2, 3)


def lcg_bytes(seed, count):
    values = []
    for _ in range(count):
        seed = (seed * 1664525 + 1013904223) & 0xFFFFFFFF
        values.append(seed >> 24)
    return numpy.array(values, dtype=numpy.uint8).view(numpy.int8)


def fnv1a32(data):
    value = 2166136261
    for byte in data:
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return value


def input_for(seed, shape, dtype):
    values = lcg_bytes(seed, int(numpy.prod(shape))).reshape(shape)
    return values if dtype == numpy.int8 else (values / 16).astype(numpy.float32)


def litert_outputs(model):
    interpreter = Interpreter(model_content=model, num_threads=1,
                              experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    to = interpreter.get_input_details()[0]
    out = interpreter.get_output_details()[0]
    for seed in SEEDS:
        interpreter.set_tensor(to["index"], input_for(seed, to["shape"], to["dtype"]))
        interpreter.invoke()
        yield interpreter.get_tensor(out["index"]).tobytes()


def tflm_outputs(model):
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=1 << 20)
    details = interpreter.get_input_details(0)
    for seed in SEEDS:
        interpreter.set_input(input_for(seed, details["shape"], details["dtype"]), 0)
        interpreter.invoke()
        yield interpreter.get_output(0).tobytes()


def outputs_or_none(run, model, name):
    try:
        return list(run(model))
    except (RuntimeError, ValueError) as error:
        print(f"{name}: {run.__name__}: {str(error).splitlines()[0]}", file=sys.stderr)
        return [None] * len(SEEDS)


def main():
    lines = []
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.tflite")):
        model = path.read_bytes()
        cases = []
        tflm = outputs_or_none(tflm_outputs, model, path.stem)
        litert = outputs_or_none(litert_outputs, model, path.stem)
        for seed, micro, host in zip(SEEDS, tflm, litert):
            case = {"seed": seed, "tflm": micro and micro.hex()}
            if host != micro:
                case["litert"] = host and host.hex()
            cases.append(case)
        lines.append(json.dumps(
            {"model": path.stem, "fnv1a32": fnv1a32(model), "cases": cases}))
    print('{"note": "tests/vectors/tflite_outputs.py",\n "models": [\n' + ",\n".join(lines) + "\n]}")


if __name__ == "__main__":
    main()
