# SPDX-License-Identifier: Apache-2.0
"""A rollout that goes on over a SIGTERM and a kill -9 of coveyd, and the watch that sees its end."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

import site_process

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAMS = site_process.binaries()
sys.path.insert(0, str(ROOT / "tools" / "demo"))

from covey_demo.processes import free_ports  # noqa: E402

DEVICES = 12
CONFIG = """\
grpc: {{listen: "127.0.0.1:0"}}
http: {{listen: "127.0.0.1:0"}}
enroll: {{auto_accept: true}}
mqtt: {{embedded: {{port: {0}, enroll_port: {1}}}}}
telemetry: {{window: 5s, report_interval: 1s}}
"""
PLAN = """\
apiVersion: covey/v1
kind: Rollout
metadata: {name: one}
spec:
  release: bearing-vibration@1.0.0
  stages: [{name: fleet, size: 100%, soak: 1s, max_in_flight: 2}]
  gates: [{failures: {max: 10%}}]
  attempt: {deadline: 60s, retries: 3, backoff: 1s}
"""


class Restart(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.site = site_process.Site(PROGRAMS, self.folder, CONFIG.format(*free_ports(2)))
        self.addCleanup(self.site.kill)

    def child(self, *command, **popen):
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                   **popen)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def covey(self, *words):
        done = self.site.covey(*words)
        self.assertEqual(done.returncode, 0, done.stderr)

    def confirmed(self, at_least):
        def probe():
            rollout = self.site.call("rollout", "get", "one")["rollout"]
            return int(rollout.get("deployments", {}).get("CONFIRMED", 0)) >= at_least
        site_process.until(probe, f"{at_least} devices confirmed")

    def test_rollout_and_watch_go_on(self):
        self.site.start()
        key, public = self.site.trust_author(self.folder)
        at = self.site.endpoints()
        self.child(PROGRAMS / "covey-sim", "--broker", at["mqtt"], "--enroll-broker", at["enroll"],
                   "--enroll-token-file", at["enroll_token_file"], "--memory",
                   "--trusted-key", public, "--count", DEVICES, "--speed-up", "20",
                   "--inference-interval", "2s", "--report-interval", "20s", "--quiet",
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        site_process.until(
            lambda: self.site.call("status").get("devices_online") == DEVICES, "devices online")
        self.site.push_example(key)
        plan = self.folder / "plan.yaml"
        plan.write_text(PLAN)
        self.covey("rollout", "create", "-f", plan)
        watch = self.child(PROGRAMS / "covey", "--data", self.site.data, "rollout", "watch", "one",
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.confirmed(1)
        self.assertEqual(self.site.stop(), 0)
        self.site.start()
        self.confirmed(3)
        self.site.kill()
        self.site.start()
        said = watch.communicate(timeout=site_process.PATIENCE_S)[1]
        self.assertEqual(watch.returncode, 0, said)
        self.assertEqual(said.count("does not answer; waiting"), 2, said)
        self.assertEqual(said.count("coveyd is back"), 2, said)
        self.confirmed(DEVICES)
        self.assertEqual(self.site.stop(), 0)


if __name__ == "__main__":
    sys.exit(unittest.main())
