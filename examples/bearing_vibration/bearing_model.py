# SPDX-License-Identifier: Apache-2.0
"""Training of the classifier, its conversion to int8 and its execution with reference kernels."""

import contextlib
import io
import os
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # its sums are not the same on every processor

import numpy as np
import tensorflow as tf

from bearing_data import UNITS_PER_DEVIATION, Windows

HIDDEN = 128


warnings.filterwarnings("ignore", message=".*tf.lite.Interpreter is deprecated.*")


def use_one_core() -> None:
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def _as_float(features: np.ndarray) -> np.ndarray:
    return features.astype(np.float32) / UNITS_PER_DEVIATION


def train(data: Windows, seed: int, epochs: int) -> tf.keras.Model:
    tf.keras.utils.set_random_seed(seed)
    model = tf.keras.Sequential([
        tf.keras.Input((data.features.shape[1],), batch_size=None),
        tf.keras.layers.Dense(HIDDEN, activation="relu"),
        tf.keras.layers.Dense(HIDDEN, activation="relu"),
        tf.keras.layers.Dense(4),
        tf.keras.layers.Softmax(),
    ])
    batch = 128
    rate = tf.keras.optimizers.schedules.CosineDecay(2e-3, max(1, len(data) // batch) * epochs)
    model.compile(tf.keras.optimizers.AdamW(rate, weight_decay=1e-4),
                  tf.keras.losses.SparseCategoricalCrossentropy())
    model.fit(_as_float(data.features), data.classes, batch_size=batch, epochs=epochs, verbose=0)
    return model


def to_int8(model: tf.keras.Model, data: Windows) -> bytes:
    """Full int8. The two saturated rows pin the input scale to 1/32 and its zero point to 0, so
    that the model takes the firmware's int8 features as they are."""
    def representative():
        width = data.features.shape[1]
        for value in (-128, 127):
            yield [_as_float(np.full((1, width), value, np.int8))]
        for row in data.features[:: max(1, len(data) // 500)]:
            yield [_as_float(row[None, :])]

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    # One scale per tensor: what every int8 FULLY_CONNECTED kernel for microcontrollers knows.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    with contextlib.redirect_stdout(io.StringIO()):  # it lists every tensor
        return converter.convert()


def run(tflite: bytes, features: np.ndarray) -> np.ndarray:
    """int8 outputs of the int8 model, by TensorFlow Lite's reference kernels."""
    interpreter = tf.lite.Interpreter(
        model_content=tflite,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF)
    entry = interpreter.get_input_details()[0]
    assert entry["dtype"] == np.int8, entry
    assert entry["quantization"] == (1 / UNITS_PER_DEVIATION, 0), entry
    interpreter.resize_tensor_input(entry["index"], features.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(entry["index"], features)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
