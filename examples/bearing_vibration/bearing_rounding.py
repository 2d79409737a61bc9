# SPDX-License-Identifier: Apache-2.0
"""Which inputs give the same int8 output on every faithful kernel?

int8 kernels scale a 32-bit sum by multiplier * 2^-shift. TensorFlow Lite 2.21 rounds that once;
others, our reference runtime among them, round twice (after the multiplier, then after the shift).
A hidden value may then differ by 1, which moves a class's probability by several percent for one
input in fifty. A self-test vector must not depend on that, so this module computes the
twice-rounded way and compares."""

import math

import numpy as np
import tensorflow as tf

from bearing_data import UNITS_PER_DEVIATION

SOFTMAX_MARGIN = 0.1  # of an output step: how close fixed-point softmax is to the real one


def _scaled_twice_rounded(total: np.ndarray, factor: float) -> np.ndarray:
    mantissa, exponent = math.frexp(factor)
    multiplier = round(mantissa * 2**31)
    left, right = max(exponent, 0), max(-exponent, 0)
    product = (total << left) * multiplier
    nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    high = np.where(nudged >= 0, nudged >> 31, -(-nudged >> 31))  # divides towards zero
    mask = (1 << right) - 1
    return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))


def _logits(interpreter: tf.lite.Interpreter, features: np.ndarray) -> tuple:
    """The last layer's int8 logits by TensorFlow's kernels and twice rounded, and their scale."""
    details = {d["index"]: d for d in interpreter.get_tensor_details()}
    dense = [op for op in interpreter._get_ops_details()
             if op["op_name"] == "FULLY_CONNECTED"]
    value = features.astype(np.int64)
    for op in dense:
        source, weights, bias = op["inputs"]
        target = op["outputs"][0]
        scale = {i: np.float64(np.float32(details[i]["quantization"][0]))
                 for i in (source, weights, target)}
        zero = details[target]["quantization"][1]
        total = ((value - details[source]["quantization"][1])
                 @ interpreter.get_tensor(weights).astype(np.int64).T
                 + interpreter.get_tensor(bias))
        value = _scaled_twice_rounded(total, scale[source] * scale[weights] / scale[target]) + zero
        value = np.clip(value, -128 if op is dense[-1] else zero, 127)  # all but the last have ReLU
    last = dense[-1]["outputs"][0]
    return interpreter.get_tensor(last), value, details[last]["quantization"][0]


def is_kernel_independent(tflite: bytes, features: np.ndarray) -> np.ndarray:
    """True for each row whose output is the same whichever way a kernel rounds."""
    interpreter = tf.lite.Interpreter(
        model_content=tflite, experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF)
    entry = interpreter.get_input_details()[0]
    assert entry["quantization"] == (1 / UNITS_PER_DEVIATION, 0)
    interpreter.resize_tensor_input(entry["index"], features.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(entry["index"], features)
    interpreter.invoke()
    once, twice, scale = _logits(interpreter, features)
    power = np.exp((once - once.max(axis=1, keepdims=True).astype(np.float64)) * scale)
    steps = 256 * power / power.sum(axis=1, keepdims=True)
    margin = np.abs(steps - np.floor(steps) - 0.5).min(axis=1)
    return (once == twice).all(axis=1) & (margin > SOFTMAX_MARGIN)
