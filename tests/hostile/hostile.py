# SPDX-License-Identifier: Apache-2.0
"""What the tests of this folder begin with: a real coveyd in a folder of its own, and what it costs."""

import os
import pathlib
import re
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e" / "site"))
import liar  # noqa: E402
import site_process  # noqa: E402

PROGRAMS = site_process.binaries()
INPUTS = pathlib.Path(__file__).with_name("inputs.txt")
NEW_INPUTS = os.environ.get("COVEY_TEST_NEW_INPUTS")  # a file that gets the lines that are missing
until = site_process.until


def inputs_are_listed(test, tried):
    lines = {" ".join(line.split()) for line in INPUTS.read_text().splitlines() if not line.startswith("#")}
    listed = {line for line in lines if line == test or line.startswith(test + ": ")}
    tried = {re.sub("[0-9a-f]{32,}", "*", " ".join(line.split())) for line in tried}
    if NEW_INPUTS:
        with open(NEW_INPUTS, "a") as file:
            file.writelines(f"{line}\n" for line in sorted(tried - listed))
    elif tried != listed:
        raise AssertionError(f"{INPUTS.name} lacks {sorted(tried - listed)} and has {sorted(listed - tried)}, which "
                             "nobody tries: COVEY_TEST_NEW_INPUTS=FILE collects the lines")


class Case(unittest.TestCase):
    """A site per test, made by start(). What is tried stands in inputs.txt: a test without parts is
    one input, else each of its subTest() is one."""

    def run(self, result=None):
        self.tried = set()
        return super().run(result)

    def subTest(self, msg=None, **params):
        words = [] if msg is None else [str(msg)]
        self.tried.add(": ".join([*words, *(f"{name} {value}" for name, value in params.items())]))
        return super().subTest(msg, **params)

    def _callTestMethod(self, method):
        super()._callTestMethod(method)
        file = pathlib.Path(sys.modules[type(self).__module__].__file__).name
        named = f"{file} {self._testMethodName}"
        inputs_are_listed(named, {f"{named}: {each}" for each in self.tried} or {named})

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def start(self, config=site_process.CONFIG, **popen):
        site = site_process.Site(PROGRAMS, self.folder, config, **popen)
        self.addCleanup(site.kill)
        site.start()
        until(lambda: (site.ready() or [False])[0], "coveyd is ready")
        return site

    def device(self, site, name, **facts):
        """Enrolled and connected, silent, closed with the test."""
        device = liar.Device(site, name, **facts).enrol()
        self.addCleanup(device.close)
        return device


def resident_bytes(pid):
    """Physical memory of a process."""
    fields = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(fields.split("VmRSS:")[1].split()[0]) * 1024


def tree_bytes(folder):
    return sum(path.stat().st_size for path in pathlib.Path(folder).rglob("*") if path.is_file())


main = unittest.main
