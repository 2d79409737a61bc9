# SPDX-License-Identifier: Apache-2.0
"""What the tests of this folder begin with: a real coveyd in a folder of its own, and what it costs."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e" / "site"))
import liar  # noqa: E402
import site_process  # noqa: E402

PROGRAMS = site_process.binaries()
until = site_process.until


class Case(unittest.TestCase):
    """A site per test, made by start()."""

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
