# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 frames by hand (RFC 9113), for clients that no library would let be so rude. Header blocks
use literal fields without indexing (RFC 7541 section 6.2.2) only."""

import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
CANCEL, ENHANCE_YOUR_CALM = 8, 11


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _string(data):
    data = data.encode() if isinstance(data, str) else data
    size = len(data)
    if size < 127:
        return bytes([size]) + data
    size -= 127
    head = bytearray([127])
    while size > 127:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + data


def header_block(path, authority="localhost", more=()):
    fields = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", authority),
              ("content-type", "application/grpc"), ("te", "trailers"), *more]
    return b"".join(b"\0" + _string(name) + _string(value) for name, value in fields)


def grpc_message(payload=b""):
    return b"\0" + struct.pack(">I", len(payload)) + payload


class Connection:
    """A TCP or Unix connection that has sent the preface and empty SETTINGS."""

    def __init__(self, endpoint, patience_s=30):
        """`endpoint`: "host:port", or the path of a Unix socket."""
        if endpoint.startswith("/"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(patience_s)
            self.socket.connect(endpoint)
        else:
            host, port = endpoint.rsplit(":", 1)
            self.socket = socket.create_connection((host, int(port)), timeout=patience_s)
        self.next_stream = 1
        self.buffer = b""
        self.send(PREFACE + frame(SETTINGS, 0, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def stream(self):
        number, self.next_stream = self.next_stream, self.next_stream + 2
        return number

    def call(self, path, payload=b"", end=True):
        """Frames of one unary call, not sent yet, and its stream."""
        number = self.stream()
        return (frame(HEADERS, END_HEADERS, number, header_block(path)) +
                frame(DATA, END_STREAM if end else 0, number, grpc_message(payload))), number

    def read_frame(self):
        """(kind, flags, stream, payload), or None at the end of the connection."""
        head = self._take(9)
        if head is None:
            return None
        size = int.from_bytes(head[:3], "big")
        payload = self._take(size)
        if payload is None:
            return None
        return head[3], head[4], int.from_bytes(head[5:9], "big") & 0x7FFFFFFF, payload

    def _take(self, size):
        while len(self.buffer) < size:
            try:
                data = self.socket.recv(65536)
            except ConnectionError:
                return None
            if not data:
                return None
            self.buffer += data
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken
