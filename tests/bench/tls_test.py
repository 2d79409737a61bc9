# SPDX-License-Identifier: Apache-2.0
"""`./dev bench tls --quick`: each figure is there, of devices that really speak TLS, and nobody is left over.
tls_test.py DIR, DIR holds the programs. Nothing here judges how fast it was."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77
DEVICES = 20
binaries = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else ".").resolve()


class Tls(unittest.TestCase):
    def test_every_figure_is_there(self):
        with tempfile.TemporaryDirectory(prefix="covey-tls-") as folder:
            report = pathlib.Path(folder) / "bench.json"
            done = subprocess.run(
                [sys.executable, "-B", ROOT / "tools" / "bench" / "bench", "--quick", "--no-build", "--bin", binaries,
                 "--devices", str(DEVICES), "--json", report, "tls"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
                check=False)
            self.assertEqual(done.returncode, 0, done.stdout)
            figures = json.loads(report.read_text())["tls"]
        self.assertEqual(sorted(figures["handshakes"]), ["tls1_2", "tls1_3"])
        for version, made in figures["handshakes"].items():
            self.assertGreater(made["per_second"], 0, version)
            self.assertGreater(made["broker_ms_each"], 0, version)
        self.assertGreater(figures["mosquitto_bytes_per_device"]["tls"], figures["mosquitto_bytes_per_device"]["plain"])
        self.assertGreater(figures["flood"]["rate_ratio"], 0)
        for kind in ("plain", "tls"):
            self.assertGreater(figures["flood"][kind]["acknowledged"], 0, kind)
            self.assertEqual(figures["flood"][kind]["unacknowledged"], 0, kind)
            self.assertEqual(figures["rollout"][kind]["devices"], DEVICES)
            back = figures["broker_killed"][kind]
            self.assertEqual(back["online_afterwards"], DEVICES)
            self.assertLessEqual(back["sessions_per_device"], 1.2)


if __name__ == "__main__":
    if not os.access(binaries / "covey_bench_load", os.X_OK):
        print("covey_bench_load is not built")
        sys.exit(SKIPPED)
    unittest.main(verbosity=1)
