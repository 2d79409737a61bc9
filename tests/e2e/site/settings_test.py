# SPDX-License-Identifier: Apache-2.0
"""What an operator sets on devices reaches real agents: they report as often as coveyd says."""

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

DEVICES = 3
CONFIG = """\
grpc: {{listen: "127.0.0.1:0"}}
http: {{listen: "127.0.0.1:0"}}
enroll: {{auto_accept: true}}
mqtt: {{embedded: {{port: {0}, enroll_port: {1}}}}}
offline: {{silence_after: 1h}}
telemetry: {{{2}}}
"""
PLAN = """\
apiVersion: covey/v1
kind: Rollout
metadata: {name: one}
spec:
  release: bearing-vibration@1.0.0
  stages: [{name: fleet, size: 100%}]
  gates: [{failures: {max: 10%}}]
"""


class Settings(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.ports = free_ports(2)
        self.site = site_process.Site(PROGRAMS, self.folder, self.config(""))
        self.addCleanup(self.site.kill)

    def config(self, telemetry):
        return CONFIG.format(*self.ports, telemetry)

    def covey(self, *words):
        done = self.site.covey(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def devices(self):
        return self.site.call("device", "list").get("devices", [])

    def told(self, seconds):
        return lambda: [d.get("report_interval_s", 0) for d in self.devices()] == [seconds] * DEVICES

    def test_agents_report_as_often_as_they_are_told(self):
        self.site.start()
        key, public = self.site.trust_author(self.folder)
        at = self.site.endpoints()
        # Firmware that reports once an hour: whatever comes earlier, coveyd ordered.
        sim = subprocess.Popen(
            [PROGRAMS / "covey-sim", "--broker", at["mqtt"], "--enroll-broker", at["enroll"],
             "--enroll-token-file", at["enroll_token_file"], "--memory", "--trusted-key", public,
             "--count", str(DEVICES), "--inference-interval", "100ms", "--report-interval", "1h",
             "--quiet"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(sim.wait)
        self.addCleanup(sim.kill)
        site_process.until(
            lambda: self.site.call("status").get("devices_online") == DEVICES, "devices online")
        self.site.push_example(key)
        plan = self.folder / "plan.yaml"
        plan.write_text(PLAN)
        self.covey("rollout", "create", "-f", plan)
        self.covey("rollout", "watch", "one")
        self.assertTrue(self.told(0)(), "nobody set an interval")
        self.assertEqual(self.site.metric("covey_reports_total"), 0, "once an hour")
        self.assertEqual(self.site.stop(), 0)

        self.site.config = self.config("report_interval: 1s, sample_scale: 50%")
        self.site.start()
        site_process.until(self.told(1), "every goal says so")
        self.assertEqual(int(self.devices()[0]["sample_scale"]), 32768)
        site_process.until(lambda: self.site.metric("covey_reports_total") >= 3 * DEVICES,
                           "agents report each second")
        site_process.until(lambda: int(self.devices()[0].get("inferences", 0)) > 0,
                           "what it counted is here")
        page = self.covey("device", "get", self.devices()[0]["name"].split("/")[-1])
        self.assertIn("reports every 1 s, 50 % of the samples", page)
        self.assertRegex(page, r"\nbearing-vibration@1\.0\.0\n  inferences  [1-9]")
        self.assertEqual(self.site.stop(), 0)

        self.site.config = self.config("report_interval: 20m")
        self.site.start()
        site_process.until(self.told(1200), "the change reaches every goal")
        self.assertEqual(self.site.stop(), 0)


if __name__ == "__main__":
    sys.exit(unittest.main())
