#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/dev/run_tests.py against small test trees: what it counts, what it calls a failure."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
RUNNER = ROOT / "tools" / "dev" / "run_tests.py"

REPORT = """<?xml version="1.0"?>
<testsuites tests="4"><testsuite name="S">
<testcase name="good" status="run" classname="S"/>
<testcase name="fine" status="run" classname="S"/>
<testcase name="late" status="run" classname="S"><skipped message="a.cpp:7&#x0A;no broker here"/>
</testcase>
<testcase name="bad" status="run" classname="S"><failure message="1 is not 2"/></testcase>
</testsuite></testsuites>"""


class RunTests(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.build = pathlib.Path(self.folder.name)
        self.tests = []

    def tearDown(self):
        self.folder.cleanup()

    def add(self, name, script, labels="unit", **properties):
        listed = "".join(f' {key} "{value}"' for key, value in properties.items())
        file = self.build / f"{name}.sh"
        file.write_text("#!/bin/sh\n" + script)
        self.tests.append(f'add_test({name} "/bin/sh" "{file}")\n'
                          f'set_tests_properties({name} PROPERTIES LABELS "{labels}"{listed})\n')

    def run_tests(self, *options):
        (self.build / "CTestTestfile.cmake").write_text("".join(self.tests))
        done = subprocess.run([sys.executable, RUNNER, "--build", self.build, *options],
                              stdout=subprocess.PIPE, text=True, timeout=60)
        self.text = done.stdout
        return done.returncode, done.stdout.rstrip("\n").splitlines()[-1]

    def test_a_script_counts_as_one(self):
        self.add("first", "exit 0")
        self.add("second", "exit 0")
        self.assertEqual(self.run_tests(), (0, "2 passed, 0 failed, 0 skipped"))

    def test_exit_code_77_is_skipped_with_its_last_line_as_reason(self):
        self.add("first", "exit 0")
        self.add("second", "echo no network; exit 77")
        self.assertEqual(self.run_tests(), (0, "1 passed, 0 failed, 1 skipped"))
        self.assertIn("second: no network", self.text)

    def test_a_failure_shows_the_output(self):
        self.add("first", "echo what went wrong; exit 3")
        self.assertEqual(self.run_tests(), (1, "0 passed, 1 failed, 0 skipped"))
        self.assertIn("what went wrong", self.text)
        self.assertIn("exit code 3", self.text)

    def test_cases_of_a_report_are_counted(self):
        (self.build / "report.xml").write_text(REPORT)
        self.add("first", f'cp {self.build}/report.xml "${{GTEST_OUTPUT#xml:}}"; exit 1')
        self.assertEqual(self.run_tests(), (1, "2 passed, 1 failed, 1 skipped"))
        self.assertIn("S.late: no broker here", self.text)
        self.assertIn("S.bad", self.text)

    def test_a_crash_after_the_report_still_fails(self):
        (self.build / "report.xml").write_text(REPORT.replace("<failure", "<was"))
        self.add("first", f'cp {self.build}/report.xml "${{GTEST_OUTPUT#xml:}}"; kill -SEGV $$')
        code, last = self.run_tests()
        self.assertEqual((code, last), (1, "3 passed, 1 failed, 1 skipped"))
        self.assertIn("SIGSEGV", self.text)

    def test_no_test_is_a_failure(self):
        self.add("first", "exit 0")
        self.assertEqual(self.run_tests("-R", "nothing"), (1, "0 passed, 0 failed, 0 skipped"))
        self.add("empty", 'echo "<testsuites/>" >"${GTEST_OUTPUT#xml:}"')
        self.assertEqual(self.run_tests("-R", "empty"), (1, "0 passed, 1 failed, 0 skipped"))

    def test_only_skipped_is_no_success(self):
        self.add("first", "exit 77")
        self.assertEqual(self.run_tests(), (1, "0 passed, 0 failed, 1 skipped"))

    def test_labels_select(self):
        self.add("first", "exit 0", labels="unit")
        self.add("second", "exit 1", labels="long")
        self.assertEqual(self.run_tests("--labels", "unit,sim"), (0, "1 passed, 0 failed, 0 skipped"))

    def test_a_hanging_test_is_ended_with_its_children(self):
        pid_file = self.build / "pid"
        self.add("first", f"sleep 600 & echo $! >{pid_file}; wait", TIMEOUT=1)
        self.assertEqual(self.run_tests()[1], "0 passed, 1 failed, 0 skipped")
        self.assertIn("ran longer than", self.text)
        self.assert_gone(int(pid_file.read_text()))

    def test_a_process_left_behind_is_ended_and_fails(self):
        pid_file = self.build / "pid"
        # The script ends only when the process that it leaves behind is there.
        self.add("first", f"setsid sleep 600 </dev/null >/dev/null 2>&1 & echo $! >{pid_file}; "
                 "until grep -q sleep /proc/$!/comm; do :; done")
        self.assertEqual(self.run_tests()[1], "0 passed, 1 failed, 0 skipped")
        self.assertIn("left processes behind: sleep", self.text)
        self.assert_gone(int(pid_file.read_text()))

    def test_a_temporary_directory_of_its_own_that_goes_away(self):
        self.add("first", f'echo "$TMPDIR" >{self.build}/where; touch "$TMPDIR/x"')
        self.assertEqual(self.run_tests()[0], 0)
        self.assertFalse(pathlib.Path((self.build / "where").read_text().strip()).exists())

    def test_results_add_up(self):
        for name, script in (("one", "exit 0"), ("two", "exit 1")):
            self.tests = []
            self.add(name, script)
            self.run_tests_into(name)
        done = subprocess.run([sys.executable, RUNNER, "--summary", self.build / "one.json",
                               self.build / "two.json"], stdout=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout.splitlines()[-1], "1 passed, 1 failed, 0 skipped")

    def run_tests_into(self, name):
        (self.build / "CTestTestfile.cmake").write_text("".join(self.tests))
        subprocess.run([sys.executable, RUNNER, "--build", self.build, "--result",
                        self.build / f"{name}.json"], stdout=subprocess.DEVNULL, timeout=60)
        self.assertIn("passed", json.loads((self.build / f"{name}.json").read_text()))

    def assert_gone(self, pid):
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
            except OSError:
                return
            if state == "Z":
                return
            os.sched_yield()
        self.fail(f"process {pid} is still there")


if __name__ == "__main__":
    unittest.main()
