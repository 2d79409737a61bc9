# SPDX-License-Identifier: Apache-2.0
"""A fine-tuned network: the same .tflite with other weights in its last FULLY_CONNECTED layer."""

import struct

FULLY_CONNECTED = 9  # tflite::BuiltinOperator
WEIGHTS = 1  # which of the operator's inputs


class Table:
    """A FlatBuffers table. Fields are numbered as in TensorFlow Lite's schema.fbs."""

    def __init__(self, data, at):
        self.data = data
        self.at = at

    def unpack(self, kind, at):
        return struct.unpack_from("<" + kind, self.data, at)[0]

    def field(self, number):
        """Where the field is; 0: not there."""
        table = self.at - self.unpack("i", self.at)
        entry = 4 + 2 * number
        if entry >= self.unpack("H", table):
            return 0
        offset = self.unpack("H", table + entry)
        return self.at + offset if offset else 0

    def number(self, number, kind):
        at = self.field(number)
        return self.unpack(kind, at) if at else 0

    def vector(self, number):
        """(where its elements begin, how many)"""
        at = self.field(number)
        if not at:
            return 0, 0
        at += self.unpack("I", at)
        return at + 4, self.unpack("I", at)

    def tables(self, number):
        begin, count = self.vector(number)
        places = range(begin, begin + 4 * count, 4)
        return [Table(self.data, at + self.unpack("I", at)) for at in places]


def weights_of_last_layer(data):
    """(offset, size) in the file"""
    model = Table(data, struct.unpack_from("<I", data)[0])
    codes = [max(code.number(0, "b"), code.number(3, "i")) for code in model.tables(1)]
    graph = model.tables(2)[0]
    layers = [operator for operator in graph.tables(3)
              if codes[operator.number(0, "I")] == FULLY_CONNECTED]
    inputs, _ = layers[-1].vector(1)
    tensor = graph.tables(0)[layers[-1].unpack("i", inputs + 4 * WEIGHTS)]
    return model.tables(4)[tensor.number(2, "I")].vector(0)


def fine_tuned(data):
    """Every weight of the last layer one step smaller or larger."""
    begin, size = weights_of_last_layer(data)
    changed = bytearray(data)
    for at in range(begin, begin + size):
        changed[at] ^= 1
    return bytes(changed)
