# SPDX-License-Identifier: Apache-2.0
"""The audit log names who called: a user on the Unix socket, an address on TCP."""

import os
import pathlib
import pwd
import subprocess
import sys
import tempfile
import unittest

import site_process

PROGRAMS = site_process.binaries()
NOBODY = 65534


class Audit(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def start(self, **popen):
        site = site_process.Site(PROGRAMS, self.folder, **popen)
        self.addCleanup(site.kill)
        site.start()
        self.addCleanup(lambda: self.assertEqual(site.stop(), 0))
        return site

    def last_actor(self, site):
        return site.call("admin", "audit", "--limit", "1")["entries"][0]["actor"]

    def change(self, site, *options, **popen):
        """Any change: another key is trusted."""
        key = self.folder / "key.pem"
        for path in self.folder.glob("key*"):
            path.unlink()
        subprocess.run([PROGRAMS / "covey", "key", "generate", key], check=True,
                       stdout=subprocess.DEVNULL)
        public = self.folder / "key.pub.pem"
        public.chmod(0o644)
        done = site.covey(*options, "key", "trust", public, **popen)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_owner_and_address(self):
        site = self.start()
        self.change(site)
        self.assertEqual(self.last_actor(site), "unix:" + pwd.getpwuid(os.geteuid()).pw_name)
        self.change(site, "--address", site.endpoints()["grpc"])
        self.assertEqual(self.last_actor(site), "loopback:" + pwd.getpwuid(os.geteuid()).pw_name)

    @unittest.skipUnless(os.geteuid() == 0, "only root can be several users")
    def test_root_is_not_the_owner(self):
        self.folder.chmod(0o755)
        os.chown(self.folder, NOBODY, NOBODY)
        for above in self.folder.parents:  # the runner's folder is for its own user
            mode = above.stat().st_mode & 0o7777
            if not mode & 0o001:
                above.chmod(mode | 0o001)
                self.addCleanup(above.chmod, mode)
        if subprocess.run([PROGRAMS / "coveyd", "--version"], user=NOBODY, check=False,
                          stdout=subprocess.DEVNULL).returncode != 0:
            self.skipTest("the programs are not readable for another user")
        nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        site = self.start(**nobody)
        owner = pwd.getpwuid(NOBODY).pw_name
        self.change(site)
        self.assertEqual(self.last_actor(site), "unix:root")
        self.change(site, **nobody)
        self.assertEqual(self.last_actor(site), "unix:" + owner)
        stranger = site.covey("key", "list", **{**nobody, "user": NOBODY - 1})
        self.assertEqual(stranger.returncode, 1)


if __name__ == "__main__":
    sys.exit(unittest.main())
