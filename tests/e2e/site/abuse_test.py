# SPDX-License-Identifier: Apache-2.0
"""What a site answers to who wants to break it: clear words, the same exit codes, and it goes on."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

import site_process

PROGRAMS = site_process.binaries()


class Abuse(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def start(self):
        site = site_process.Site(PROGRAMS, self.folder)
        self.addCleanup(site.kill)
        return site.start()

    def coveyd(self, *arguments, config=site_process.CONFIG):
        path = self.folder / "other.yaml"
        path.write_text(config)
        return subprocess.run([PROGRAMS / "coveyd", "--config", path, *arguments], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              timeout=site_process.PATIENCE_S)

    def test_wrong_usage_is_told_as_usage(self):
        for arguments in (["--nonsense"], ["--data"], ["extra"]):
            done = self.coveyd(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertTrue(done.stderr.startswith("coveyd: "), done.stderr)
            self.assertIn("coveyd --help", done.stderr)
        done = subprocess.run([PROGRAMS / "covey", "-o", "xml", "status"], text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 2)
        self.assertIn("covey status: --format: 'xml' is not one of table, wide, json, yaml",
                      done.stderr)

    def test_every_error_of_a_configuration_is_named(self):
        done = self.coveyd("--data", self.folder / "d", config="""\
mqtt: {mode: cloud, embedded: {pot: 1}}
telemetry: {window: -5s}
grpc: {listen: "gateway.plant:1"}
""")
        self.assertEqual(done.returncode, 2)
        for key in ("mqtt.mode", "mqtt.embedded.pot: unknown key", "telemetry.window",
                    "grpc.listen", "4 error(s)"):
            self.assertIn(key, done.stderr)
        self.assertFalse((self.folder / "d").exists())

    def test_a_folder_that_exists_keeps_its_mode(self):
        data = self.folder / "data"
        data.mkdir(mode=0o750)
        data.chmod(0o750)
        site = site_process.Site(PROGRAMS, self.folder)
        site.data = data
        self.addCleanup(site.kill)
        site.start()
        self.assertEqual(data.stat().st_mode & 0o777, 0o750)
        for path in data.rglob("*"):
            if path.name != "endpoints.json":
                self.assertEqual(path.stat().st_mode & 0o077, 0, path)
        self.assertEqual(site.stop(), 0)

    def test_a_second_start_is_refused_and_the_first_goes_on(self):
        site = self.start()
        done = self.coveyd("--data", site.data)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"LOCKED text=\"process {site.process.pid} uses", done.stderr)
        self.assertTrue(site.answers())
        self.assertEqual(site.stop(), 0)

    def test_a_port_in_use_is_named_by_its_key(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            for key, old, new in (
                    ("grpc.listen", 'grpc: {listen: "127.0.0.1:0"}',
                     f'grpc: {{listen: "127.0.0.1:{port}"}}'),
                    ("http.listen", 'http: {listen: "127.0.0.1:0"}',
                     f'http: {{listen: "127.0.0.1:{port}"}}'),
                    ("mqtt.embedded.port", "{port: 0", f"{{port: {port}"),
                    ("mqtt.embedded.enroll_port", "enroll_port: 0", f"enroll_port: {port}")):
                done = self.coveyd("--data", self.folder / "d",
                                   config=site_process.CONFIG.replace(old, new))
                self.assertEqual(done.returncode, 1, key)
                last = done.stderr.splitlines()[-1]
                self.assertIn(f"{key}: ", last)
                self.assertIn("choose another", last)

    def test_a_data_folder_that_cannot_be_is_named(self):
        (self.folder / "file").touch()
        for path in (self.folder / "file", pathlib.Path("/proc/nowhere")):
            done = self.coveyd("--data", path)
            self.assertEqual(done.returncode, 1)
            self.assertIn(str(path), done.stderr)
            self.assertIn("--data", done.stderr)

    def test_a_database_that_is_none_is_named_and_kept(self):
        data = self.folder / "d"
        data.mkdir()
        garbage = os.urandom(20_000)
        (data / "covey.db").write_bytes(garbage)
        (data / "covey.db").chmod(0o600)
        done = self.coveyd("--data", data)
        self.assertEqual(done.returncode, 1)
        self.assertIn("STORE_CORRUPT", done.stderr)
        self.assertIn(str(data / "covey.db"), done.stderr)
        self.assertIn("restore", done.stderr)
        self.assertEqual((data / "covey.db").read_bytes(), garbage)

    def test_a_killed_broker_is_seen_and_comes_back(self):
        site = self.start()
        site_process.until(lambda: (site.ready() or [False])[0], "coveyd is ready")
        children = pathlib.Path(f"/proc/{site.process.pid}/task").glob("*/children")
        broker = [int(pid) for path in children for pid in path.read_text().split()]
        self.assertEqual(len(broker), 1)
        os.kill(broker[0], signal.SIGKILL)
        site_process.until(lambda: "broker_disconnected" in site.log(), "it is noticed")
        site_process.until(lambda: site.ready()[0], "the broker is back")
        self.assertEqual(site.stop(), 0)

    def test_garbage_on_the_ports_is_no_more_than_that(self):
        site = self.start()
        for name in ("grpc", "http", "mqtt", "enroll"):
            host, port = site.endpoints()[name].rsplit(":", 1)
            for garbage in (os.urandom(4096), b"GET / HTTP/1.1\r\n" + b"a" * 100_000,
                            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 4096, b"\x10\xff\xff\xff\x7f"):
                with socket.create_connection((host, int(port)), timeout=10) as peer:
                    try:
                        peer.sendall(garbage)
                    except OSError:
                        pass  # cut off while we spoke
        self.assertEqual(site.covey("status").returncode, 0)
        site_process.until(lambda: (site.ready() or [False])[0], "coveyd is ready")
        self.assertEqual(site.stop(), 0)


if __name__ == "__main__":
    sys.exit(unittest.main())
