# SPDX-License-Identifier: Apache-2.0
"""An honest fleet and some liars, the whole time: nothing of the honest ones is lost, and the site
stays what it is without liars: siege_test.py BIN_DIR [--devices N] [--liars N] [--seconds N]

Runs the same site twice, in peace and under siege, and prints memory, ticks and disk of both. As a
test it is short; by hand, 3,000 devices, ten liars and 600 s say more."""

import argparse
import collections
import json
import pathlib
import random
import secrets
import subprocess
import sys
import tempfile
import threading
import time

import hostile
import liar
import mqtt
import wire

sys.path.insert(0, str(hostile.site_process.ROOT / "tools" / "demo"))
from covey_demo.fleet import Control  # noqa: E402

MODEL = "bearing-vibration"
CONFIG = """\
grpc: {listen: "127.0.0.1:0"}
http: {listen: "127.0.0.1:0"}
enroll: {auto_accept: true}
mqtt: {embedded: {port: 0, enroll_port: 0, certificate_port: 0}}
rollout: {bandwidth_bytes_per_s: 1073741824, offer_rate: 10000}
telemetry: {report_interval: 10s}
"""
PLAN = """\
apiVersion: covey/v1
kind: Rollout
metadata: {name: first}
spec:
  release: bearing-vibration@1.0.0
  target: 'id >= "dev-"'
  stages: [{name: fleet, size: 100%, soak: 1s}]
  gates: [{failures: {max: 10%}}]
  attempt: {deadline: 300s, retries: 3, backoff: 1s}
"""
DAY_MS = 86_400_000


class Liar(threading.Thread):
    """Says one thing after the other that a device should not, `rate` a second; comes back when it
    is thrown out."""

    def __init__(self, site, name, manifest, rate):
        super().__init__(name=name)
        self.device = liar.Device(site, name).enrol()
        self.manifest = manifest
        self.pause_s = 1 / rate
        self.random = random.Random(name)
        self.over = threading.Event()
        self.said = 0
        self.thrown_out = 0

    def run(self):
        lies = (self.future, self.unknown, self.fat, self.retained, self.epochs, self.fetches,
                self.later, self.junk, self.forged)
        while not self.over.wait(self.pause_s):
            try:
                self.random.choice(lies)()
                self.said += 1
                while self.device.client.poll():
                    self.device.client.messages.clear()
            except (OSError, mqtt.Refused, AssertionError):
                self.thrown_out += 1
                if not self.over.wait(0.1):
                    try:
                        self.device.connect()
                    except (OSError, mqtt.Refused, AssertionError):
                        pass  # not yet

    def future(self):
        start = self.random.randrange(1, 3000) * 365 * DAY_MS
        self.device.report(self.said + 1, prefix=self.manifest[:8], t0_ms=start, t1_ms=start + 5)

    def unknown(self):
        self.device.report(1, boot_id=secrets.randbits(63), prefix=secrets.token_bytes(8))

    def fat(self):
        self.device.report(self.said + 1, prefix=b"unknown!", more=((99, secrets.token_bytes(15_000)),))

    def retained(self):
        topic = f"covey/v1/t{self.said}/{self.device.device}/up/x{self.said}"
        self.device.client.publish(topic, b"x" * 15_000, retain=True)

    def epochs(self):
        self.device.hello(site_epoch=self.random.choice((1, 5, 1 << 31)),
                          goal_counter=self.random.choice((0, 1 << 40)), boot_id=secrets.randbits(63))

    def fetches(self):
        self.device.fetch(self.manifest, bitmap=0x3FFFFF)

    def later(self):
        state = liar.model_state(MODEL, "DECLINED", liar.REASON_BYTE_BUDGET, candidate=self.manifest,
                                 retry_after_s=0xFFFFFFFF)
        self.device.status(self.said + 1, [state])

    def junk(self):
        self.device.client.publish(self.device.topic("hello"), secrets.token_bytes(200))

    def forged(self):
        self.device.client.publish(self.device.topic("status"),
                                   wire.sign(b"\0" * 32, "status", self.device.device, b""))


class Stranger(threading.Thread):
    """Has the enrolment token and asks for one device after the other."""

    def __init__(self, site, rate):
        super().__init__(name="stranger")
        self.site = site
        self.pause_s = 1 / rate
        self.over = threading.Event()
        self.asked = 0

    def run(self):
        enroller = None
        while not self.over.wait(self.pause_s):
            name = f"junk-{secrets.token_hex(6)}"
            try:
                if enroller is None or self.asked % 50 == 0:
                    enroller = liar.Enroller(self.site, name)
                    enroller.ask(name, secrets.randbits(62) + 1)
                self.asked += 1
            except (OSError, mqtt.Refused, AssertionError):
                enroller = None


class Siege:
    def __init__(self, folder, devices, liars, seconds, rate):
        self.folder = pathlib.Path(folder)
        self.devices, self.liars, self.seconds, self.rate = devices, liars, seconds, rate
        self.site = hostile.site_process.Site(hostile.PROGRAMS, self.folder, CONFIG)
        self.fleet = None
        self.control = None

    def end(self):
        if self.control is not None:
            self.control.close()
        if self.fleet is not None:
            self.fleet.terminate()
            self.fleet.wait(hostile.site_process.PATIENCE_S)
        self.site.kill()

    def begin(self):
        """The honest fleet runs the release."""
        self.site.start()
        hostile.until(lambda: (self.site.ready() or [False])[0], "coveyd is ready")
        key, public = self.site.trust_author(self.folder)
        at = self.site.endpoints()
        socket = self.folder / "fleet.sock"
        self.fleet = subprocess.Popen(
            [hostile.PROGRAMS / "covey-sim", "--broker", at["mqtt"], "--enroll-broker", at["enroll"],
             "--enroll-token-file", at["enroll_token_file"], "--memory", "--trusted-key", public,
             "--count", str(self.devices), "--inference-interval", "2s", "--report-interval", "10s",
             "--probation-inferences", "1", "--control", socket, "--quiet"],
            preexec_fn=hostile.site_process.end_with_me)
        self.control = Control(socket)
        hostile.until(lambda: self.online() >= self.devices, "the fleet is online", 120)
        self.site.push_example(key)
        plan = self.folder / "plan.yaml"
        plan.write_text(PLAN)
        self.site.call("rollout", "create", "-f", plan)
        hostile.until(lambda: self.state() == "ROLLOUT_STATE_SUCCEEDED", "the fleet runs 1.0.0", 300)


    def online(self):
        return self.site.call("status").get("devices_online", 0)

    def state(self):
        return self.site.call("rollout", "get", "first")["rollout"].get("state", "")

    def manifest(self):
        """Digest of the release that the fleet runs."""
        release = self.site.call("model", "list")["releases"][0]
        return bytes.fromhex(release["artifacts"][0]["manifest_digest"])

    def run(self):
        liars = [Liar(self.site, f"liar-{i}", self.manifest(), self.rate) for i in range(self.liars)]
        strangers = [Stranger(self.site, self.rate)] if self.liars else []
        for attacker in liars + strangers:
            attacker.start()
        self.fleet_stays()
        for attacker in liars + strangers:
            attacker.over.set()
        for attacker in liars + strangers:
            attacker.join()
        quiet = self.control("quiesce", timeout=70, deadline="60s")
        figures = {
            "devices": self.devices, "liars": self.liars, "seconds": self.seconds,
            "lies": sum(a.said for a in liars), "thrown_out": sum(a.thrown_out for a in liars),
            "coveyd_bytes": hostile.resident_bytes(self.site.process.pid),
            "disk_bytes": hostile.tree_bytes(self.site.data),
            "log_bytes": self.site.log_path.stat().st_size,
            "tick_max_s": self.site.metric('covey_engine_slice_cpu_seconds{turn="tick",quantile="1"}'),
            "all_acknowledged": quiet["quiet"],
        }
        return figures

    def fleet_stays(self):
        """Honest devices are online and coveyd answers, all the while."""
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            hostile.until(lambda: (self.site.ready() or [False])[0], "coveyd is ready")
            hostile.until(lambda: self.online() >= self.devices, "the fleet is online")

    def truth(self):
        """Inferences of each honest device: its own word, and the gateway's."""
        own = collections.Counter()
        for stream in self.control("truth")["streams"]:
            own[stream["device"]] += stream["inferences"]
        counted = collections.Counter()
        for row in self.site.call("monitor", "totals", MODEL).get("devices", []):
            counted[row["device"].rpartition("/")[2]] += int(row.get("inferences", 0))
        return own, {device: counted[device] for device in own}


def both(devices, liars, seconds, rate):
    results = []
    for count in (0, liars):
        with tempfile.TemporaryDirectory() as folder:
            siege = Siege(folder, devices, count, seconds, rate)
            try:
                siege.begin()
                results.append(siege.run())
                own, counted = siege.truth()
                if own != counted or not results[-1]["all_acknowledged"]:
                    wrong = {d: (own[d], counted[d]) for d in own if own[d] != counted[d]}
                    raise AssertionError(f"counts of honest devices differ: {wrong}")
            finally:
                siege.end()
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=60)
    parser.add_argument("--liars", type=int, default=4)
    parser.add_argument("--seconds", type=int, default=12)
    parser.add_argument("--rate", type=int, default=100, help="lies of a liar in a second")
    options = parser.parse_args()
    peace, siege = both(**vars(options))
    print(json.dumps({"peace": peace, "siege": siege}, indent=2))
    for what, margin in (("coveyd_bytes", 64 << 20), ("disk_bytes", 64 << 20), ("log_bytes", 1 << 20)):
        if siege[what] > peace[what] + margin:
            raise AssertionError(f"{what}: {siege[what]:,} under siege, {peace[what]:,} in peace")
    return 0


if __name__ == "__main__":
    sys.exit(main())
