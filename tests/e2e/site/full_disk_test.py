# SPDX-License-Identifier: Apache-2.0
"""A site on a full disk serves reads, says why, and goes on by itself; nothing acknowledged is lost.

On a small file system of its own, in a mount namespace of this process: gone when it ends.
"""

import ctypes
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import site_process

CLONE_NEWNS = 0x00020000
MS_REC_PRIVATE = 0x4000 | 0x40000
SKIPPED = 77
PROGRAMS = site_process.binaries()


def mount_small_disk(folder):
    """Why it can't be, or None."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0 or libc.mount(None, b"/", None, MS_REC_PRIVATE, None) != 0:
        return "no mount namespace: " + os.strerror(ctypes.get_errno())
    if libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, b"size=80m") != 0:
        return "no tmpfs: " + os.strerror(ctypes.get_errno())
    return None


class FullDisk(unittest.TestCase):
    disk = None

    def setUp(self):
        self.site = site_process.Site(PROGRAMS, self.disk)
        self.site.log_path = self.disk.parent / "coveyd.log"  # what is said on a full disk, too
        self.addCleanup(self.site.kill)
        self.keys = self.disk.parent
        self.ballast = self.disk / "ballast"

    def tearDown(self):
        for path in self.disk.rglob("*"):
            if path.is_file():
                path.unlink()

    def trust(self, name):
        private = self.keys / f"{name}.pem"
        if not private.exists():
            self.assertEqual(self.site.covey("key", "generate", private).returncode, 0)
        return self.site.covey("key", "trust", private.with_suffix(".pub.pem"),
                               "--comment", "c" * 150)

    def fill(self):
        with open(self.ballast, "ab", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass

    def keys_trusted(self):
        return {key["key_id"] for key in self.site.call("key", "list").get("keys", [])}

    def audited(self):
        return [(e["action"], e["subject"])
                for e in self.site.call("admin", "audit", "--limit", "1000")["entries"]]

    def read_only(self):
        answer = self.site.ready()
        return answer is not None and "DISK_FULL" in answer[1]["store"]

    def test_fill_serve_reads_free_go_on(self):
        self.site.start()
        pid = self.site.process.pid
        self.assertEqual(self.trust("first").returncode, 0)
        key = self.keys_trusted().pop()
        acknowledged = 1
        trusted = True
        for _ in range(500):  # the log of the database has some room of its own
            self.fill()
            refused = self.site.covey("key", "remove", key) if trusted else self.trust("first")
            if refused.returncode != 0:
                break
            acknowledged += 1
            trusted = not trusted
        self.assertEqual(refused.returncode, 1, refused.stderr)

        site_process.until(self.read_only, "readyz says DISK_FULL")
        ready, checks = self.site.ready()
        self.assertFalse(ready)
        self.assertIn("Free space", checks["store"])
        self.assertEqual(self.site.http("/readyz")[0], 503)
        self.assertEqual(self.site.metric("covey_read_only"), 1)
        self.assertIn("read_only", self.site.log())
        self.assertEqual(self.site.process.pid, pid)

        # Reads are served and show what was acknowledged; nothing else is taken.
        self.assertEqual(self.keys_trusted(), {key} if trusted else set())
        self.assertEqual(len(self.audited()), acknowledged)
        before = self.audited()
        for refused in (self.trust("second"), self.site.covey("device", "accept", "--all"),
                        self.site.covey("device", "label", "nobody", "hall=b")):
            self.assertEqual(refused.returncode, 1)
            self.assertIn("[DISK_FULL]", refused.stderr)
            self.assertIn("goes on by itself", refused.stderr)
        self.assertIn("[NOT_FOUND]", self.site.covey("rollout", "watch", "none").stderr)
        self.assertEqual(self.audited(), before)
        self.assertEqual(self.site.endpoints()["mqtt"], "", "no device is listened to")

        self.ballast.unlink()
        site_process.until(lambda: (self.site.ready() or [False])[0], "coveyd goes on")
        self.assertEqual(self.site.process.pid, pid)
        self.assertEqual(self.site.metric("covey_read_only"), 0)
        self.assertEqual(self.audited(), before)
        self.assertEqual(self.trust("second").returncode, 0)
        self.assertEqual(len(self.keys_trusted()), 1 + trusted)
        self.assertEqual(self.site.stop(), 0)

    def test_a_start_on_a_disk_without_a_byte(self):
        self.site.start()
        self.assertEqual(self.trust("first").returncode, 0)
        self.assertEqual(self.site.stop(), 0)
        self.fill()
        self.site.spawn()
        site_process.until(self.read_only, "it serves reads")
        self.assertEqual(len(self.keys_trusted()), 1)
        # The reserve is used up, too, and nothing was stopped in order.
        self.fill()
        self.site.kill()
        self.site.spawn()
        site_process.until(lambda: self.site.process.poll() is not None or self.read_only(),
                           "it serves reads or says why not")
        if self.site.process.poll() is not None:
            self.assertIn("DISK_FULL", self.site.log().splitlines()[-1])
        self.site.kill()
        self.ballast.unlink()
        self.site.start()
        self.assertEqual(len(self.keys_trusted()), 1)
        self.assertEqual(self.trust("second").returncode, 0)
        self.assertEqual(self.site.stop(), 0)


def main():
    with tempfile.TemporaryDirectory() as folder:
        FullDisk.disk = pathlib.Path(folder) / "disk"
        FullDisk.disk.mkdir()
        reason = mount_small_disk(FullDisk.disk)
        if reason:
            print("skipped:", reason)
            return SKIPPED
        try:
            return 0 if unittest.main(exit=False).result.wasSuccessful() else 1
        finally:
            subprocess.run(["umount", FullDisk.disk], check=True)


if __name__ == "__main__":
    sys.exit(main())
