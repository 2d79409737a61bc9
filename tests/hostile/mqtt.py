# SPDX-License-Identifier: Apache-2.0
"""As much of MQTT 3.1.1 as a hostile peer needs (OASIS, sections named below). One thread; calls
block for PATIENCE_S at most."""

import socket
import struct
import time

PATIENCE_S = 30


class Refused(Exception):
    """CONNACK with a code that is not 0 (section 3.2.2.3)."""

    def __init__(self, code):
        super().__init__(f"CONNACK {code}")
        self.code = code


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack(">H", len(data)) + data


def packet(kind, flags, body):
    size, length = len(body), bytearray()
    while True:
        size, digit = size >> 7, size & 0x7F
        length.append(digit | (0x80 if size else 0))
        if not size:
            return bytes([kind << 4 | flags]) + bytes(length) + body


def publish_packet(topic, payload, retain=False):
    """QoS 0."""
    return packet(3, 1 if retain else 0, text(topic) + payload)


class Client:
    def __init__(self, endpoint, client_id, username, password, will=None, keep_alive_s=600, tls=None):
        """`endpoint` is "host:port", `will` is (topic, payload), `tls` an ssl.SSLContext."""
        host, port = endpoint.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname=host)
        self.buffer = bytearray()
        self.messages = []  # (topic, payload) that nobody asked for yet
        flags = 0xC2 | (0x04 if will else 0)
        body = text("MQTT") + bytes([4, flags]) + struct.pack(">H", keep_alive_s) + text(client_id)
        if will:
            body += text(will[0]) + text(will[1])
        try:
            self.send(packet(1, 0, body + text(username) + text(password)))
            answer = self._await(2)
            if answer[1]:
                raise Refused(answer[1])
        except Exception:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Without DISCONNECT: a will is published."""
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def publish(self, topic, payload, retain=False):
        self.send(publish_packet(topic, payload, retain))

    def subscribe(self, topic):
        """The granted QoS; 0x80: refused (section 3.9.3)."""
        self.send(packet(8, 2, struct.pack(">H", 1) + text(topic) + b"\1"))
        return self._await(9)[2]

    def await_message(self, wanted, what, patience_s=PATIENCE_S):
        """The first message that wanted(topic, payload) says yes to, taken out; others stay."""
        end = time.monotonic() + patience_s
        while True:
            for i, (topic, payload) in enumerate(self.messages):
                if wanted(topic, payload):
                    return self.messages.pop(i)
            if not self.poll(max(0.0, end - time.monotonic())):
                raise AssertionError(f"{what}: not within {patience_s} s")

    def poll(self, patience_s=0.0):
        """Reads what is there, waits for the first packet at most so long; False: none came."""
        packet_read = self._read(patience_s)
        if packet_read is None:
            return False
        self._handle(*packet_read)
        return True

    def flush(self):
        """Returns when the broker has read all that was sent: PINGREQ, PINGRESP."""
        self.send(packet(12, 0, b""))
        self._await(13)

    def _handle(self, kind, flags, body):
        if kind != 3:
            return
        size = struct.unpack(">H", body[:2])[0]
        topic, rest = body[2:2 + size].decode(), body[2 + size:]
        if flags & 0x06:
            self.send(packet(4, 0, rest[:2]))
            rest = rest[2:]
        self.messages.append((topic, bytes(rest)))

    def _await(self, wanted):
        end = time.monotonic() + PATIENCE_S
        while True:
            found = self._read(max(0.0, end - time.monotonic()))
            if found is None:
                raise AssertionError(f"the broker does not answer within {PATIENCE_S} s")
            if found[0] == wanted:
                return found[2]
            self._handle(*found)

    def _read(self, patience_s):
        """(kind, flags, body), or None when the time is over."""
        end = time.monotonic() + patience_s
        while True:
            parsed = self._parse()
            if parsed is not None:
                return parsed
            left = end - time.monotonic()
            self.socket.settimeout(max(left, 0.001))
            try:
                data = self.socket.recv(65536)
            except (TimeoutError, BlockingIOError):
                if left <= 0:
                    return None
                continue
            finally:
                self.socket.settimeout(PATIENCE_S)
            if not data:
                raise ConnectionError("the broker closed the connection")
            self.buffer += data

    def _parse(self):
        size, shift, at = 0, 0, 1
        while True:
            if at >= len(self.buffer):
                return None
            byte = self.buffer[at]
            size |= (byte & 0x7F) << shift
            shift += 7
            at += 1
            if byte < 0x80:
                break
        if len(self.buffer) < at + size:
            return None
        found = self.buffer[0] >> 4, self.buffer[0] & 0xF, bytes(self.buffer[at:at + size])
        del self.buffer[:at + size]
        return found
