# SPDX-License-Identifier: Apache-2.0
"""Those who are not in a rollout while it goes on: devices that report and wait for their
acknowledgement, somebody who asks the API, and whoever asks whether coveyd is ready. They ask
seldom enough not to be the load. Who asks the API is a process of its own, as callers are: no
thread of the others is in its answers' time."""

import multiprocessing
import pathlib
import sys
import threading
import time
import urllib.error
import urllib.request

from covey_demo.processes import DemoError

sys.path.append(str(pathlib.Path(__file__).resolve().parents[3] / "tests" / "hostile"))
import http2  # noqa: E402
import liar  # noqa: E402
import wire  # noqa: E402

BYSTANDER = "bystander-"
REPORTERS = 5
REPORT_EVERY_S = 2.0
CALLS_EVERY_S = 0.1  # each of the three in turn
READY_EVERY_S = 0.5
CALLER_ENDS_S = 30
ACK_STREAMS, ACK_CUMULATIVE = 2, 2  # fields of device.proto
DEVICES_OF_A_PAGE = 100


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class _HostileSite:
    """As the players of tests/hostile know a site."""

    def __init__(self, site):
        self.data = site.data
        self.call = site.call
        self.endpoints = lambda: site.endpoints


class Reporter(threading.Thread):
    """One device with a report every other second, and the time until each is acknowledged."""

    def __init__(self, site, name, over):
        super().__init__(name=name, daemon=True)
        self.device = liar.Device(_HostileSite(site), name, device_class="bystander").enrol()
        self.device.hello().await_hello_answered()
        self.began = time.monotonic()
        self.over = over
        self.waits = {}  # sequence -> when it was sent
        self.took = []

    def run(self):
        sequence, due = 0, time.monotonic()
        while not self.over.is_set():
            now = time.monotonic()
            if now >= due:
                sequence, due = sequence + 1, due + REPORT_EVERY_S
                uptime = int(1000 * (now - self.began))
                self.waits[sequence] = now
                self.device.report(sequence, base=min(self.waits), t0_ms=max(0, uptime - 1000),
                                   t1_ms=uptime, total=10 * sequence)
            self.device.client.poll(0.02)
            for topic, payload in self.device.client.messages:
                if topic.endswith("/down/ack"):
                    self.acknowledged(wire.decode(payload))
            self.device.client.messages.clear()

    def acknowledged(self, ack):
        now = time.monotonic()
        for stream in ack.get(ACK_STREAMS, []):
            upto = wire.decode(stream).get(ACK_CUMULATIVE, [0])[0]
            for sequence in [each for each in self.waits if each <= upto]:
                self.took.append(now - self.waits.pop(sequence))


class Calls:
    """Calls over one connection, one after the other, until they are answered."""

    def __init__(self, socket, rollout):
        self.connection = http2.Connection(socket)
        self.calls = {
            "ListDevices": ("/covey.v1.DeviceService/ListDevices",
                            wire.encode((1, DEVICES_OF_A_PAGE))),
            "GetRollout": ("/covey.v1.RolloutService/GetRollout",
                           wire.encode((1, f"rollouts/{rollout}"))),
            "GetDevice": ("/covey.v1.DeviceService/GetDevice",
                          wire.encode((1, f"devices/{BYSTANDER}0")))}
        self.took = {name: [] for name in self.calls}
        self.failed = 0

    def until(self, over):
        while not over.is_set():
            for name, (path, request) in self.calls.items():
                begin = time.monotonic()
                self.failed += 0 if self.answered(path, request) else 1
                self.took[name].append(time.monotonic() - begin)
                over.wait(CALLS_EVERY_S)

    def answered(self, path, request):
        frames, number = self.connection.call(path, request)
        self.connection.send(frames)
        size = 0
        while True:
            frame = self.connection.read_frame()
            if frame is None:
                raise DemoError("coveyd has closed the connection of a well-behaved caller")
            kind, flags, stream, payload = frame
            if kind == http2.SETTINGS and not flags & http2.ACK:
                self.connection.send(http2.frame(http2.SETTINGS, http2.ACK, 0))
            if kind == http2.PING and not flags & http2.ACK:
                self.connection.send(http2.frame(http2.PING, http2.ACK, 0, payload))
            if kind == http2.DATA and payload:
                size += len(payload)
                self.connection.send(http2.frame(http2.WINDOW_UPDATE, 0, 0,
                                                 len(payload).to_bytes(4, "big")))
            if stream == number and kind != http2.WINDOW_UPDATE and flags & http2.END_STREAM:
                return size > 0


def call_until(socket, rollout, over, result):
    calls = Calls(socket, rollout)
    try:
        calls.until(over)
    finally:
        result.send((calls.took, calls.failed))


class Caller:
    """Calls in a process of its own, until `figures()`."""

    def __init__(self, site, rollout):
        own = multiprocessing.get_context("spawn")
        self.over = own.Event()
        self.result, theirs = own.Pipe(duplex=False)
        self.process = own.Process(target=call_until, daemon=True, args=(
            str(site.data / "covey.sock"), rollout, self.over, theirs))
        self.process.start()
        theirs.close()

    def figures(self):
        """(seconds of the calls by name, how many failed)"""
        self.over.set()
        if not self.result.poll(CALLER_ENDS_S):
            raise DemoError("the calls beside the rollout have not ended")
        try:
            took, failed = self.result.recv()
        except EOFError:
            took, failed = None, None
        self.process.join(CALLER_ENDS_S)
        if self.process.exitcode != 0:
            raise DemoError("the calls beside the rollout failed: the traceback is above")
        return took, failed


class ReadyProbe(threading.Thread):
    def __init__(self, site, over):
        super().__init__(name="ready", daemon=True)
        self.url = f"http://{site.endpoints['http']}/readyz"
        self.over = over
        self.looks = 0
        self.bad = []

    def run(self):
        while not self.over.wait(READY_EVERY_S):
            self.looks += 1
            try:
                with urllib.request.urlopen(self.url, timeout=5):
                    pass
            except urllib.error.HTTPError as error:
                self.bad.append(error.read().decode()[:300])
            except OSError as error:
                self.bad.append(str(error))


class Bystanders:
    """From start() to figures()."""

    def __init__(self, site):
        self.site = site
        self.over = threading.Event()
        self.reporters = [Reporter(site, f"{BYSTANDER}{n}", self.over) for n in range(REPORTERS)]
        self.threads = []

    def start(self, rollout):
        self.caller = Caller(self.site, rollout)
        self.ready = ReadyProbe(self.site, self.over)
        self.threads = [*self.reporters, self.ready]
        for thread in self.threads:
            thread.start()

    def figures(self):
        self.over.set()
        now = time.monotonic()
        calls, failed = self.caller.figures()
        for thread in self.threads:
            thread.join(10)
        took = [each for reporter in self.reporters for each in reporter.took]
        # What still waits has waited that long at least.
        waits = [now - each for reporter in self.reporters for each in reporter.waits.values()]
        return {
            "reports": len(took), "report_interval_s": REPORT_EVERY_S,
            "acknowledged_p50_s": quantile(took, 0.50), "acknowledged_p99_s": quantile(took, 0.99),
            "acknowledged_max_s": max([*took, *waits], default=0.0),
            "api_p50_ms": {name: 1000 * quantile(each, 0.50) for name, each in calls.items()},
            "api_p99_ms": {name: 1000 * quantile(each, 0.99) for name, each in calls.items()},
            "api_calls": sum(len(each) for each in calls.values()),
            "api_failed": failed,
            "ready_looks": self.ready.looks, "ready_bad": self.ready.bad}
