# SPDX-License-Identifier: Apache-2.0
"""A disk that takes seconds for a commit, and one that does not answer: memory stays bounded, who
waits is told, nothing acknowledged is lost, and SIGTERM ends it."""

import os
import pathlib
import shutil
import subprocess
import sys
import time

import hostile

HERE = pathlib.Path(__file__).resolve().parent
HARD_END = 75
HELLOS = 30_000


class SlowDisk(hostile.Case):
    def setUp(self):
        super().setUp()
        self.delay = self.folder / "delay"
        self.slow(0)
        library = self.folder / "slow_disk.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, HERE / "slow_disk.c"],
                       check=True)
        self.site = self.start(env={**os.environ, "LD_PRELOAD": str(library),
                                    "SLOW_DISK": str(self.delay)})

    def slow(self, milliseconds):
        new = self.delay.with_suffix(".new")
        new.write_text(str(milliseconds))
        new.rename(self.delay)

    def test_a_flood_on_a_slow_disk(self):
        liar = self.device(self.site, "liar-1")
        honest = self.device(self.site, "honest-1")
        before = hostile.resident_bytes(self.site.process.pid)
        self.slow(1500)
        for _ in range(HELLOS // 100):
            for _ in range(100):
                liar.hello()
            liar.client.flush()
        # One after the other: a commit has a bounded number of rows, each of them 1.5 s.
        grown = hostile.resident_bytes(self.site.process.pid) - before
        self.assertLess(grown, 100 << 20)
        self.slow(0)
        honest.hello().await_hello_answered()
        hostile.until(lambda: (self.site.ready() or [False])[0], "it is ready again")

    def test_a_disk_that_does_not_answer(self):
        honest = self.device(self.site, "honest-1")
        honest.hello().await_hello_answered()
        key = self.folder / "key.pem"
        self.assertEqual(self.site.covey("key", "generate", key).returncode, 0)
        self.slow(600_000)
        waiting = subprocess.Popen([self.site.programs / "covey", "--data", self.site.data, "key",
                                    "trust", key.with_suffix(".pub.pem")],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(waiting.kill)
        hostile.until(lambda: "STORE_SLOW" in (self.site.ready() or (0, {"store": ""}))[1]["store"],
                      "readyz says what it waits for")
        since = time.monotonic()
        self.assertEqual(self.site.stop(), HARD_END)
        self.assertLess(time.monotonic() - since, 50, "20 s are promised")
        self.assertIn("ended_hard", self.site.log())
        _, told = waiting.communicate(timeout=60)
        self.assertNotEqual(waiting.returncode, 0, told)
        self.slow(0)
        self.site.start()
        self.assertIn("honest-1", self.site.covey("device", "list").stdout)


if __name__ == "__main__":
    if shutil.which("cc") is None:
        print("skipped: no compiler for slow_disk.c")
        sys.exit(77)
    sys.exit(hostile.main())
