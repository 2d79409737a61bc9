# SPDX-License-Identifier: Apache-2.0
"""Three thousand who watch one rollout hear of each change, and nobody else notices."""

import struct
import sys

import hostile
import wire
from http2 import ACK, DATA, END_STREAM, HEADERS, RST_STREAM, SETTINGS, WINDOW_UPDATE, Connection, frame

CONNECTIONS, STREAMS = 50, 60
RUNNING, PAUSED = 4, 5  # RolloutState
PLAN = """\
apiVersion: covey/v1
kind: Rollout
metadata: {name: one}
spec:
  release: bearing-vibration@1.0.0
  stages: [{name: fleet, size: 100%}]
"""


class Watchers:
    """One connection of many watches, and which state of the rollout each has heard last: what
    happens between two messages of a watch is told once."""

    def __init__(self, endpoint):
        self.peer = Connection(endpoint)
        self.peer.send(frame(SETTINGS, ACK, 0))
        self.heard = {}
        for _ in range(STREAMS):
            request, number = self.peer.call("/covey.v1.RolloutService/WatchRollout", b"\x0a\x0crollouts/one")
            self.peer.send(request)
            self.heard[number] = None

    def hear(self, state):
        """Until each has."""
        while set(self.heard.values()) != {state}:
            kind, flags, stream, payload = self.peer.read_frame()
            if kind == RST_STREAM or kind == HEADERS and flags & END_STREAM:
                raise AssertionError(f"watch {stream} ended: {payload!r}")
            if kind == DATA and payload:
                [rollout] = wire.decode(payload[5:])[1]
                [self.heard[stream]] = wire.decode(rollout)[3]
                more = struct.pack(">I", len(payload))
                self.peer.send(frame(WINDOW_UPDATE, 0, 0, more) + frame(WINDOW_UPDATE, 0, stream, more))


class Watches(hostile.Case):
    def test_each_of_3000_hears_of_one_change(self):
        site = self.start()
        device = self.device(site, "press-1", device_class="m4f-256k")
        device.hello().await_hello_answered()
        key, _ = site.trust_author(self.folder)
        site.push_example(key)
        plan = self.folder / "plan.yaml"
        plan.write_text(PLAN)
        site.call("rollout", "create", "-f", plan)
        watchers = [Watchers(site.endpoints()["grpc"]) for _ in range(CONNECTIONS)]
        for each in watchers:
            self.addCleanup(each.peer.socket.close)
            each.hear(RUNNING)
        full = site.metric('covey_queue_full_total{class="control"}')
        site.call("rollout", "pause", "one")
        for each in watchers:
            each.hear(PAUSED)
        self.assertEqual(site.metric('covey_queue_full_total{class="control"}'), full)
        self.assertEqual(site.covey("status").returncode, 0)
        self.assertEqual(site.stop(), 0)


if __name__ == "__main__":
    sys.exit(hostile.main())
