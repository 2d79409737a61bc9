# SPDX-License-Identifier: Apache-2.0
"""Two thousand devices and a rollout without pacing, all on one core: more is offered than can be
done, nothing is sent in vain, nobody is left over. overload_test.py DIR, DIR holds the programs.
Nothing here judges how fast it was."""

import os
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools" / "bench"), str(ROOT / "tools" / "demo")]

from covey_bench.main import Settings  # noqa: E402
from covey_bench.rollout import roll_out  # noqa: E402
from covey_bench.site import UNPACED  # noqa: E402
from covey_demo.console import Console  # noqa: E402

SKIPPED = 77
DEVICES = 2_000
binaries = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else ".").resolve()


class Overload(unittest.TestCase):
    def test_nothing_is_sent_in_vain_and_nobody_is_left_over(self):
        settings = Settings(root=ROOT, binaries=binaries, devices=DEVICES, seconds=1, senders=1,
                            features=8, quick=False, paced=False, report_interval_s=10, look_s=1.0)
        with tempfile.TemporaryDirectory(prefix="covey-overload-") as folder:
            figures = roll_out(settings, Console(), pathlib.Path(folder) / "bench", DEVICES, UNPACED,
                               ("--inference-interval", "5s"))  # it SUCCEEDED
        self.assertEqual(figures["attempts"], DEVICES)
        self.assertGreaterEqual(figures["chunks_per_needed"], 1)
        self.assertLessEqual(figures["chunks_per_needed"], 1.05)
        self.assertEqual(figures["connections_lost"], 0)
        lost = [name for name in figures["dropped"] if "mqtt_drops" in name or "full" in name]
        self.assertEqual(lost, [], figures["dropped"])


if __name__ == "__main__":
    if not os.access(binaries / "covey_bench_model", os.X_OK):
        print("the benchmark's programs are not built")
        sys.exit(SKIPPED)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # and those whom we start
    unittest.main(verbosity=1)
