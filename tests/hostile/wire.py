# SPDX-License-Identifier: Apache-2.0
"""The device wire for peers that lie: protobuf messages from lists of fields, so that whatever a
schema forbids can be sent too; the MAC of proto/covey/device/v1/device.proto."""

import dataclasses
import hashlib
import hmac
import struct

MAC_BYTES = 16


@dataclasses.dataclass(frozen=True)
class Fixed64:
    value: int


@dataclasses.dataclass(frozen=True)
class Fixed32:
    value: int


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode(*fields):
    """Each field is (number, value): int or bool a varint, bytes, text, Fixed32, Fixed64; a list is
    packed varints, a tuple a message of fields. In the order given, repeated as often as given."""
    out = bytearray()
    for number, value in fields:
        if isinstance(value, Fixed64):
            out += varint(number << 3 | 1) + struct.pack("<Q", value.value)
        elif isinstance(value, Fixed32):
            out += varint(number << 3 | 5) + struct.pack("<I", value.value)
        elif isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            if isinstance(value, tuple):
                value = encode(*value)
            elif isinstance(value, list):
                value = b"".join(varint(item) for item in value)
            elif isinstance(value, str):
                value = value.encode()
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return bytes(out)


def decode(data):
    """{number: [values]}: ints of varints and fixed fields, bytes of the rest."""
    fields, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = number()
        kind = tag & 7
        if kind == 0:
            value = number()
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value = int.from_bytes(data[at:at + size], "little")
            at += size
        elif kind == 2:
            size = number()
            value = bytes(data[at:at + size])
            at += size
        else:
            raise ValueError(f"wire type {kind}")
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def sign(order_key, kind, device, payload):
    """The payload with its MAC behind it."""
    signed = kind.encode() + b"\0" + device.encode() + b"\0" + payload
    return payload + b"\x7a\x10" + hmac.digest(order_key, signed, hashlib.sha256)[:MAC_BYTES]
