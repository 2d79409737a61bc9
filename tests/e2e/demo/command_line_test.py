# SPDX-License-Identifier: Apache-2.0
"""What the demo says about itself and refuses, and what it counts, without a site."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
DEMO = ROOT / "tools" / "demo" / "demo"
sys.dont_write_bytecode = True
sys.path.insert(0, str(DEMO.parent))

from covey_demo import counts, plans, processes, report  # noqa: E402


def demo(*arguments):
    return subprocess.run([sys.executable, DEMO, *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=30, check=False)


class CommandLine(unittest.TestCase):
    def test_help_names_every_option(self):
        done = demo("--help")
        self.assertEqual(done.returncode, 0, done.stderr)
        for option in ("--seed", "--json", "--variant", "--sabotage", "--keep", "--no-build"):
            self.assertIn(option, done.stdout)

    def test_wrong_usage_is_refused(self):
        for arguments in (["--seed", "many"], ["--seed", "-1"], ["--variant", "worse"],
                          ["--sabotage", "all"], ["extra"]):
            done = demo(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn("usage:", done.stderr)

    def test_missing_programs_are_named_with_what_to_do(self):
        with tempfile.TemporaryDirectory() as empty:
            done = demo("--bin", empty)
        self.assertEqual(done.returncode, 2)
        self.assertIn("coveyd, covey, covey-sim", done.stderr)
        self.assertIn("./dev build", done.stderr)

    def test_an_unwritable_json_file_is_refused_before_anything_starts(self):
        with tempfile.TemporaryDirectory() as folder:
            for program in ("coveyd", "covey", "covey-sim"):
                path = pathlib.Path(folder) / program
                path.write_text("#!/bin/sh\nexit 1\n")
                path.chmod(0o755)
            done = demo("--bin", folder, "--json", folder + "/missing/out.json")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--json", done.stderr)

    def test_a_site_that_does_not_start_fails_every_act_and_is_told(self):
        with tempfile.TemporaryDirectory() as folder:
            for program in ("coveyd", "covey", "covey-sim"):
                path = pathlib.Path(folder) / program
                path.write_text("#!/bin/sh\necho broken on purpose\nexit 7\n")
                path.chmod(0o755)
            done = demo("--bin", folder)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("coveyd ended with exit code 7", done.stdout)
        self.assertIn("broken on purpose", done.stdout)
        self.assertEqual(done.stdout.count("not played"), 4)


class Counting(unittest.TestCase):
    def test_streams_of_one_device_and_release_add_up(self):
        truth = {"streams": [
            {"device": "a", "boot": "1", "manifest": "0f", "inferences": 3},
            {"device": "a", "boot": "2", "manifest": "0f", "inferences": 4},
            {"device": "a", "boot": "2", "manifest": "ff", "inferences": 5}]}
        self.assertEqual(counts.true_counts(truth, {"0f": "1.0.0"}),
                         {("a", "1.0.0"): 7, ("a", "ff"): 5})

    def test_totals_are_read_as_the_api_writes_them(self):
        totals = {"devices": [
            {"device": "a", "release": "m@1.0.0", "inferences": "7"},
            {"device": "b", "release": "m@1.0.0", "inferences": "0"}]}
        self.assertEqual(counts.counted(totals), {("a", "1.0.0"): 7})


class Pieces(unittest.TestCase):
    def test_plans_name_their_release(self):
        for stages in (plans.FIRST, plans.CANARY, plans.AT_ONCE):
            text = plans.plan("x-1", "1.2.3", stages)
            self.assertIn("metadata: {name: x-1}", text)
            self.assertIn("release: bearing-vibration@1.2.3", text)
            self.assertNotIn("{{", text)

    def test_ports_are_outside_the_range_of_outgoing_connections(self):
        low = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
        ports = processes.free_ports(2)
        self.assertEqual(len(set(ports)), 2)
        for port in ports:
            self.assertLess(port, low)

    def test_rollouts_are_written_in_plain_words(self):
        written = report.rollout_json({
            "name": "rollouts/x", "spec": {"release": "m@1.0.0"},
            "state": "ROLLOUT_STATE_SUCCEEDED", "create_time_ms": "5",
            "stages": [{"name": "canary", "state": "STAGE_STATE_PASSED",
                        "deployments": {"CONFIRMED": 3},
                        "gates": [{"gate": "failures", "verdict": "VERDICT_PASS"}]}]})
        self.assertEqual(written["state"], "SUCCEEDED")
        self.assertEqual(written["stages"],
                         [{"name": "canary", "state": "PASSED", "deployments": {"CONFIRMED": 3}}])
        self.assertEqual(written["verdicts"][0]["verdict"], "PASS")


if __name__ == "__main__":
    unittest.main()
