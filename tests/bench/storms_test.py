# SPDX-License-Identifier: Apache-2.0
"""A thousand devices at once, all on one core: a new fleet enrols, the broker is killed, the gateway
and its broker are killed, a gateway whose broker stays. Nobody is left over, and each device opens the sessions that it needs, not
a second wave of them. storms_test.py DIR, DIR holds the programs. Nothing here judges how fast it
was."""

import os
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools" / "bench"), str(ROOT / "tools" / "demo")]

from covey_bench.main import Settings  # noqa: E402
from covey_bench.storms import weather  # noqa: E402
from covey_demo.console import Console  # noqa: E402

SKIPPED = 77
DEVICES = 1_000
binaries = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else ".").resolve()


class Storms(unittest.TestCase):
    def test_everybody_comes_back_once(self):
        settings = Settings(root=ROOT, binaries=binaries, devices=DEVICES, seconds=1, senders=1,
                            features=8, quick=True, paced=False, report_interval_s=10, look_s=1.0)
        with tempfile.TemporaryDirectory(prefix="covey-storms-") as folder:
            observed = weather(settings, Console(), pathlib.Path(folder) / "bench", DEVICES)
        for name, figures in observed.items():
            with self.subTest(storm=name):
                self.assertEqual(figures["online_afterwards"], DEVICES)
                self.assertLessEqual(figures["sessions_per_device"],
                                     1.2 * figures["sessions_needed"])
                self.assertGreaterEqual(figures["sessions_per_device"], figures["sessions_needed"])
                full = [series for series in figures["dropped"] if "full" in series.lower()]
                self.assertEqual(full, [], figures["dropped"])


if __name__ == "__main__":
    if not os.access(binaries / "covey-sim", os.X_OK):
        print("covey-sim is not built")
        sys.exit(SKIPPED)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # and those whom we start
    unittest.main(verbosity=1)
