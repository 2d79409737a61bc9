# SPDX-License-Identifier: Apache-2.0
"""A broker between gateway and devices that alters, drops, replays, transplants, delays and reorders
what it delivers, to either side. Orders and reports are authenticated end to end: no device runs or
keeps what was not meant for it, nothing is counted twice or lost, the reasons are counted, and when
the broker is honest again everything goes on."""

import collections
import shutil
import subprocess
import sys
import time

import faithless
import hostile
import site_process
from external_broker_test import free_port

sys.path.insert(0, str(site_process.ROOT / "tools" / "demo"))
from covey_demo.fleet import Control  # noqa: E402

DEVICES = 8
MODEL = "bearing-vibration"
BROKER = "listener {port} 127.0.0.1\nallow_anonymous true\nlog_dest stderr\nmax_queued_messages 20000\n"
CONFIG = """\
grpc: {{listen: "127.0.0.1:0"}}
http: {{listen: "127.0.0.1:0"}}
enroll: {{auto_accept: true}}
mqtt: {{mode: external, external: {{host: 127.0.0.1, port: {port}}}}}
telemetry: {{report_interval: 1s}}
"""
PLAN = """\
apiVersion: covey/v1
kind: Rollout
metadata: {name: first}
spec:
  release: bearing-vibration@1.0.0
  stages: [{name: fleet, size: 100%, soak: 1s}]
  gates: [{failures: {max: 100%}}]
  attempt: {deadline: 100s, retries: 10, backoff: 1s}
"""
ROLLOUT_MEDDLED = 60
ATTACK_MEDDLED = 12
REFUSED = ("device_mac_invalid", "mac_invalid")


class FaithlessBroker(hostile.Case):
    def setUp(self):
        super().setUp()
        self.between = faithless.FaithlessBroker(self.real_broker()).begin()
        self.addCleanup(self.between.end)
        self.site = self.start(CONFIG.format(port=self.between.port))
        self.key, public = self.site.trust_author(self.folder)
        self.control = self.fleet(public)
        hostile.until(lambda: self.site.call("status").get("devices_online") == DEVICES, "the fleet is online")

    def real_broker(self):
        port = free_port()
        config = self.folder / "broker.conf"
        config.write_text(BROKER.format(port=port) + ("user root\n" if site_process.is_root() else ""))
        binary = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
        with open(self.folder / "broker.log", "wb") as log:
            process = subprocess.Popen([binary, "-c", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       preexec_fn=site_process.end_with_me)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return port

    def fleet(self, public):
        socket = self.folder / "fleet.sock"
        at = f"127.0.0.1:{self.between.port}"
        token = self.folder / "token"
        token.write_text("0" * 32)
        process = subprocess.Popen(
            [hostile.PROGRAMS / "covey-sim", "--broker", at, "--enroll-broker", at, "--enroll-token-file", token,
             "--memory", "--trusted-key", public, "--count", str(DEVICES), "--inference-interval", "200ms",
             "--report-interval", "1s", "--probation-inferences", "3", "--control", socket, "--quiet"],
            preexec_fn=site_process.end_with_me)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        control = Control(socket)
        self.addCleanup(control.close)
        hostile.until(socket.exists, "the fleet answers")
        return control

    def meddled(self, attack, times):
        self.between.counts.clear()
        self.between.attack = attack
        hostile.until(lambda: sum(self.between.counts.values()) >= times, f"{times} messages: {attack}")
        self.between.attack = None

    def refused(self):
        """What gateway and devices have refused until now, by reason."""
        agents = self.control("status")["agents"]
        self.assertEqual(agents["bugs"], 0)
        self.assertEqual(agents["journal_errors"], 0)
        counted = collections.Counter({f"device_{name}": times for name, times in agents.items()})
        for line in self.site.http("/metrics")[1].splitlines():
            if line.startswith("covey_drops_total{"):
                counted[line.split('"')[1]] = float(line.rsplit(" ", 1)[1])
        return counted

    def truth(self):
        """Inferences by device: as the devices know, and as the gateway has counted."""
        own, counted = collections.Counter(), collections.Counter()
        for stream in self.control("truth")["streams"]:
            own[stream["device"]] += stream["inferences"]
        for row in self.site.call("monitor", "totals", MODEL).get("devices", []):
            counted[row["device"].rpartition("/")[2]] += int(row.get("inferences", 0))
        return dict(own), {device: counted[device] for device in own}

    def everything_is_counted(self):
        self.assertTrue(self.control("quiesce", timeout=70, deadline="60s")["quiet"])
        own, counted = self.truth()
        self.assertEqual(own, counted)
        self.assertEqual(len(own), DEVICES)
        self.control("resume")

    def test_nothing_is_believed_that_was_not_said(self):
        self.site.push_example(self.key)
        plan = self.folder / "plan.yaml"
        plan.write_text(PLAN)
        before = self.refused()
        self.between.attack = "all"
        self.site.call("rollout", "create", "-f", plan)
        self.meddled("all", ROLLOUT_MEDDLED)
        hostile.until(lambda: self.state() == "ROLLOUT_STATE_SUCCEEDED", "the fleet runs 1.0.0", 120)
        after = self.refused()
        self.assertGreater(after["device_mac_invalid"], before["device_mac_invalid"], after)
        self.everything_is_counted()

        for attack, reasons in (("alter", REFUSED), ("drop", ()), ("replay", ()),
                                ("transplant", REFUSED), ("delay", ()), ("reorder", ())):
            with self.subTest(attack):
                before = self.refused()
                self.between.attack = attack
                for n in range(3):
                    self.site.call("device", "label", "--filter", "state = ACCEPTED", f"step={attack}-{n}")
                self.meddled(attack, ATTACK_MEDDLED)
                self.everything_is_counted()
                gained = self.refused() - before
                for reason in reasons:
                    self.assertGreater(gained[reason], 0, gained)
                self.assertEqual(self.releases(), {"1.0.0": DEVICES})
        self.assertTrue(self.site.ready()[0])

    def state(self):
        return self.site.call("rollout", "get", "first")["rollout"].get("state", "")

    def releases(self):
        """What devices say that they run."""
        found = collections.Counter()
        for device in self.site.call("device", "list")["devices"]:
            for model in device.get("models", []):
                found[model["confirmed_release"].rpartition("/")[2]] += 1
        return dict(found)


if __name__ == "__main__":
    sys.exit(hostile.main())
