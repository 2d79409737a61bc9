# SPDX-License-Identifier: Apache-2.0
"""Starts that must not succeed in silence: a lost database, a stranger's files, too low limits,
misspelt variables; and what a running coveyd keeps to itself."""

import os
import pathlib
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys

import hostile
import site_process

STRANGER = 54321


class Start(hostile.Case):
    def site(self, config=site_process.CONFIG, **popen):
        site = site_process.Site(hostile.PROGRAMS, self.folder, config, **popen)
        self.addCleanup(site.kill)
        return site

    def refused(self, site, *options):
        """What a start that fails says."""
        begin = len(site.log())
        site.spawn(*options)
        self.assertNotEqual(site.process.wait(site_process.PATIENCE_S), 0)
        return site.log()[begin:]

    def test_a_lost_database_is_no_new_site(self):
        site = self.start()
        self.device(site, "honest-1")
        self.assertEqual(site.stop(), 0)
        database = site.data / "covey.db"
        kept = self.folder / "kept.db"
        shutil.copy(database, kept)
        for damage in (lambda: database.write_bytes(b""), database.unlink):
            damage()
            said = self.refused(site)
            self.assertIn("SITE_LOST", said)
            self.assertIn("--new-site", said)
        self.assertFalse(database.exists(), "nothing was made")
        shutil.copy(kept, database)
        database.chmod(0o600)
        site.start()
        self.assertIn("honest-1", site.covey("device", "list").stdout)
        self.assertEqual(site.stop(), 0)
        # Only the traces of a broker, and of an orderly stop, are left: it was a site.
        database.unlink()
        for trace in ("enroll.token", "broker"):
            path = site.data / trace
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            self.assertIn("SITE_LOST", self.refused(site))
        site.start("--new-site")
        self.assertEqual(site.call("device", "list").get("devices", []), [])
        self.assertEqual(site.stop(), 0)
        site.start("--new-site")  # has no effect on a site that is there
        self.assertIn("new_site_ignored", site.log())

    def test_a_start_that_was_killed_may_start_again(self):
        for _ in range(5):
            site = self.site()
            site.spawn()
            hostile.until(lambda: (site.data / "lock").exists(), "it begins")
            site.kill()
        site.start()

    def test_a_strangers_file_is_not_obeyed(self):
        site = self.start()
        self.assertEqual(site.stop(), 0)
        evil = self.folder / "evil"
        evil.write_text(f"#!/bin/sh\ntouch {self.folder}/obeyed\n")
        evil.chmod(0o755)
        config = site.data / "covey.yaml"

        def refused_as(names, *options):
            said = self.refused(site, *options)
            self.assertIn("belongs to user" if names else "other users", said)
            self.assertFalse((self.folder / "obeyed").exists())

        def alone():
            """Without --config: covey.yaml of the data directory is read."""
            done = subprocess.run([hostile.PROGRAMS / "coveyd", "--data", site.data],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertFalse((self.folder / "obeyed").exists())
            return done.stdout

        site.data.chmod(0o777)
        refused_as(False)
        site.data.chmod(0o700)
        config.write_text(f"mqtt: {{embedded: {{binary: {evil}}}}}\n")
        config.chmod(0o666)
        self.assertIn("other users", alone())
        config.unlink()
        database = site.data / "covey.db"
        moved = self.folder / "moved.db"
        database.rename(moved)
        database.symlink_to(moved)
        self.assertIn("symbolic link", self.refused(site))
        database.unlink()
        moved.rename(database)
        if site_process.is_root():
            os.chown(site.data, STRANGER, -1)
            refused_as(True)
            os.chown(site.data, 0, -1)
            config.write_text(f"mqtt: {{embedded: {{binary: {evil}}}}}\n")
            config.chmod(0o644)
            os.chown(config, STRANGER, -1)
            self.assertIn("belongs to user", alone())
            config.unlink()
        site.start()

    def test_what_is_secret_is_nobody_elses(self):
        password = self.folder / "password"
        password.write_text("p\n")
        site = self.start(site_process.CONFIG + "tls: {plaintext: never}\n")
        self.assertEqual(site.stop(), 0)
        for name in ("covey.db", "enroll.token", "audit.key", "site.key", "tls/ca.key"):
            path = site.data / name
            self.assertEqual(path.stat().st_mode & 0o077, 0, name)
            for mode, reason in ((0o604, "EXPOSED_FILE"), (0o602, "FOREIGN_FILE"), (0o606, "FOREIGN_FILE")):
                with self.subTest(file=name, mode=oct(mode)):
                    path.chmod(mode)
                    said = self.refused(site)
                    self.assertIn(reason, said)
                    self.assertIn(str(path), said)
                    self.assertIn("chmod", said)
            path.chmod(0o600)
        # All of them at once.
        for name in ("covey.db", "enroll.token", "audit.key"):
            (site.data / name).chmod(0o604)
        said = self.refused(site)
        for name in ("covey.db", "enroll.token", "audit.key"):
            self.assertIn(f"{name} can be read by everybody", said)
            (site.data / name).chmod(0o600)
        with self.subTest(file="password of the broker", mode="0o644"):
            password.chmod(0o644)
            site.config = ("mqtt: {mode: external, external: {host: 127.0.0.1, port: 1, password_file: "
                           f"{password}}}}}\n")
            self.assertIn(f"{password} can be read by everybody", self.refused(site))
        site.config = site_process.CONFIG
        site.start()

    def test_another_programs_database(self):
        site = self.site()
        site.data.mkdir(mode=0o700)
        with sqlite3.connect(site.data / "covey.db") as other:
            other.execute("CREATE TABLE songs (name TEXT)")
        (site.data / "covey.db").chmod(0o600)
        before = (site.data / "covey.db").read_bytes()
        said = self.refused(site)
        self.assertIn("STORE_FOREIGN", said)
        self.assertNotIn("damaged", said)
        self.assertEqual((site.data / "covey.db").read_bytes(), before)

    def test_all_that_is_wrong_is_said_at_once(self):
        site = self.site(site_process.CONFIG + "telemetry: {windw: 1s}\nlog: {format: xml}\n",
                         env={**os.environ, "COVEY_MQTT_EMBEDED_PORT": "0",
                              "COVEY_SERVICE_HOST": "10.0.0.1", "COVEY_PORT": "tcp://10.0.0.1:1"})
        said = self.refused(site)
        self.assertIn("COVEY_MQTT_EMBEDED_PORT: unknown variable; did you mean "
                      "COVEY_MQTT_EMBEDDED_PORT?", said)
        self.assertIn("telemetry.window", said)
        self.assertIn("xml", said)
        self.assertIn("3 error(s)", said)

    def test_all_ports_that_are_taken_are_said_at_once(self):
        keys = ("grpc.listen", "http.listen", "mqtt.embedded.port", "mqtt.embedded.enroll_port")
        takers = []
        for _ in keys:
            taker = socket.create_server(("127.0.0.1", 0))
            self.addCleanup(taker.close)
            takers.append(taker.getsockname()[1])
        grpc, http, mqtt, enroll = takers
        site = self.site(f"grpc: {{listen: \"127.0.0.1:{grpc}\"}}\n"
                         f"http: {{listen: \"127.0.0.1:{http}\"}}\n"
                         f"mqtt: {{embedded: {{port: {mqtt}, enroll_port: {enroll}}}}}\n")
        said = self.refused(site)
        for key, port in zip(keys, takers):
            self.assertIn(key, said)
            self.assertIn(str(port), said)

    def test_limits_of_the_system_are_said_with_what_to_raise(self):
        def files():
            resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))

        def memory():
            resource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20))

        for limit, advice in ((files, "LimitNOFILE"), (memory, "ulimit -v")):
            done = subprocess.run([hostile.PROGRAMS / "coveyd", "--data", self.folder / "site"],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
                                  preexec_fn=limit)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("LIMIT_TOO_LOW", done.stdout)
            self.assertIn(advice, done.stdout)

    def test_output_that_cannot_be_written_fails(self):
        for option in ("--print-config", "--config-reference", "--check-config"):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([hostile.PROGRAMS / "coveyd", "--data",
                                       self.folder / "site", option], stdout=full,
                                      stderr=subprocess.PIPE, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("No space left", done.stderr)

    def test_what_a_running_coveyd_keeps_to_itself(self):
        site = self.start()
        proc = pathlib.Path(f"/proc/{site.process.pid}")
        core = next(line for line in (proc / "limits").read_text().splitlines()
                    if line.startswith("Max core file size"))
        self.assertEqual(core.split()[4:6], ["0", "0"])
        site.process.send_signal(signal.SIGHUP)
        hostile.until(lambda: "reload_ignored" in site.log(), "SIGHUP is said")
        self.assertTrue(site.ready()[0])
        self.assertEqual(site.stop(), 0)


if __name__ == "__main__":
    sys.exit(hostile.main())
