# SPDX-License-Identifier: Apache-2.0
"""Strangers who take places: on TCP they lock nobody out of the Unix socket, behind silent HTTP
connections a probe is answered, and who does not read its answers is given no more of them."""

import contextlib
import re
import socket
import struct
import sys

import hostile
import http2
import liar
from http2 import ACK, END_HEADERS, END_STREAM, HEADERS, PING, SETTINGS, WINDOW_UPDATE, Connection, frame
import site_process

CONFIG = site_process.CONFIG.replace('grpc: {listen: "127.0.0.1:0"}',
                                     'grpc: {listen: "127.0.0.1:0", max_connections: 20}')
LIST_DEVICES = "/covey.v1.DeviceService/ListDevices"
CREATE_RELEASE = "/covey.v1.ModelService/CreateRelease"


def metric(site, name, reason):
    found = re.search(rf'^{name}\{{reason="{reason}"\}} (\S+)$', site.http("/metrics")[1], re.M)
    return float(found.group(1))


class Strangers(hostile.Case):
    def connect(self, site, name="grpc"):
        host, port = site.endpoints()[name].rsplit(":", 1)
        peer = socket.create_connection((host, int(port)), timeout=10)
        self.addCleanup(peer.close)
        return peer

    def test_silent_ones_on_tcp_give_way(self):
        site = self.start(CONFIG)
        for _ in range(100):
            self.connect(site).sendall(http2.PREFACE)
        self.assertEqual(site.covey("status").returncode, 0)
        self.assertEqual(site.covey("--address", site.endpoints()["grpc"], "status").returncode, 0)
        self.assertTrue(site.ready()[0], site.ready())
        self.assertGreater(metric(site, "covey_api_closed_total", "evicted"), 50)

    def test_busy_ones_on_tcp_leave_the_owner_alone(self):
        site = self.start(CONFIG)
        tcp = site.endpoints()["grpc"]
        for _ in range(20):
            peer = Connection(tcp)
            self.addCleanup(peer.socket.close)
            peer.send(frame(HEADERS, END_HEADERS, 1, http2.header_block(LIST_DEVICES)) +
                      frame(PING, 0, 0, bytes(8)))
            while peer.read_frame()[:2] != (PING, ACK):
                pass  # its call has begun: it is not idle
        hostile.until(lambda: self.refused(site), "TCP is full")
        for _ in range(3):
            self.assertEqual(site.covey("status").returncode, 0)
        self.assertTrue(site.ready()[0], site.ready())

    def refused(self, site):
        with contextlib.suppress(OSError):
            self.connect(site)
        return metric(site, "covey_api_refused_total", "full") > 0

    def test_probes_are_answered_behind_those_who_drip(self):
        site = self.start()
        for round_ in range(3):
            for _ in range(64):
                with contextlib.suppress(OSError):
                    self.connect(site, "http").sendall(b"GET /healthz HTTP/1.1\r\nX-Drip: ")
            self.assertEqual(site.http("/healthz")[0], 200, round_)
            self.assertTrue(site.ready()[0])
        self.assertGreater(metric(site, "covey_http_closed_total", "evicted"), 0)

    def test_uploads_that_say_nothing_hold_no_place(self):
        site = self.start()
        for _ in range(8):
            peer = Connection(site.endpoints()["grpc"])
            self.addCleanup(peer.socket.close)
            for _ in range(8):
                peer.send(frame(HEADERS, END_HEADERS, peer.stream(), http2.header_block(CREATE_RELEASE)))
        for _ in range(3):
            # Refused for what it is, not for want of a place.
            with Connection(str(site.data / "covey.sock")) as peer:
                request, _ = peer.call(CREATE_RELEASE)
                peer.send(request)
                self.assertIn(b"UPLOAD_ORDER", self.next_end(peer))

    def test_answers_that_nobody_reads_are_bounded(self):
        site = self.start()
        crowd = [f"device-{number:03}" for number in range(400)]
        for name in crowd:
            enroller = liar.Enroller(site, name)
            with enroller.client as client:
                enroller.ask(name, 1, liar.facts(firmware="1.0.0", agent="a" * 30))
                client.flush()
        hostile.until(lambda: site.call("device", "list")["total_size"] >= len(crowd), "all wait")
        before = hostile.resident_bytes(site.process.pid)
        peers = []
        for _ in range(30):
            peer = Connection(site.endpoints()["grpc"])
            self.addCleanup(peer.socket.close)
            # No stream may send: every answer waits in gRPC.
            peer.send(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)))
            peer.send(b"".join(peer.call(LIST_DEVICES, b"\x08\xe8\x07")[0] for _ in range(60)))
            peers.append(peer)
        # Without a bound: 30 x 60 answers of some 80 kB, twice.
        refused = self.next_end(peers[-1])
        self.assertTrue(b"ANSWERS_UNREAD" in refused or b"ENGINE_BUSY" in refused, refused)
        # 1,800 questions at once take the places of TCP in the engine's queue, not the owner's.
        done = site.covey("device", "list")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertLess(hostile.resident_bytes(site.process.pid) - before, 150 << 20)
        # The answers are still there for who reads them after all.
        peers[0].send(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 24)) +
                      frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 24)))
        for _ in range(60):
            self.next_end(peers[0])

    def next_end(self, peer):
        """The trailers of the next call that ends."""
        while True:
            kind, flags, _, payload = peer.read_frame()
            if kind == HEADERS and flags & END_STREAM:
                return payload


if __name__ == "__main__":
    sys.exit(hostile.main())
