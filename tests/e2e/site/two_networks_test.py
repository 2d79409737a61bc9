# SPDX-License-Identifier: Apache-2.0
"""A plant's network: the gateway in one network namespace, devices and people in another, and nothing but TLS
between them. With COVEY_TEST_COVEYD (words, {data} is its data directory) that gateway instead of the one in BIN_DIR:
`./dev image` gives the one in the image. Needs root."""

import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

import site_process
from site_process import until

PROGRAMS = site_process.binaries()
GATEWAY, FIELD = "10.213.7.1", "10.213.7.2"
CONFIG = """\
site: {name: plant, names: "10.213.7.1"}
grpc: {listen: "10.213.7.1:0"}
http: {listen: "10.213.7.1:0"}
mqtt: {embedded: {listen: "10.213.7.1", port: 0, enroll_port: 0, certificate_port: 0}}
telemetry: {report_interval: 2s}
"""


def run(*words, **more):
    return subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, **{"check": False, **more})


def why_not():
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not shutil.which("ip"):
        return "there is no `ip` (package iproute2)"
    name = f"covey-{os.getpid()}-try"
    made = run("ip", "netns", "add", name)
    run("ip", "netns", "del", name)
    return f"no network namespace can be made: {made.stderr.strip()}" if made.returncode else None


class Network:
    """Two namespaces and a cable."""

    def __init__(self, case):
        self.plant, self.field = (f"covey-{os.getpid()}-{name}" for name in ("plant", "field"))
        for name in (self.plant, self.field):
            run("ip", "netns", "add", name, check=True)
            case.addCleanup(run, "ip", "netns", "del", name)
        run("ip", "link", "add", "covey0", "netns", self.plant, "type", "veth", "peer", "name", "covey0", "netns",
            self.field, check=True)
        for name, address in ((self.plant, GATEWAY), (self.field, FIELD)):
            for words in (["addr", "add", f"{address}/24", "dev", "covey0"], ["link", "set", "covey0", "up"],
                          ["link", "set", "lo", "up"]):
                run("ip", "-n", name, *words, check=True)

    def inside(self, name, *words):
        return ["ip", "netns", "exec", name, *(str(word) for word in words)]


class TwoNetworks(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.folder.chmod(0o755)
        self.network = Network(self)
        self.data = self.folder / "site"
        self.data.mkdir(mode=0o700)
        (self.data / "covey.yaml").write_text(CONFIG)
        words = os.environ.get("COVEY_TEST_COVEYD")
        command = (shlex.split(words.replace("{data}", str(self.data))) if words
                   else [PROGRAMS / "coveyd", "--data", self.data])
        self.gateway = self.start("coveyd", self.network.plant, *command)
        self.endpoints = until(self.listens, "coveyd listens", 60)
        self.addCleanup(self.stop)

    def start(self, name, namespace, *words):
        with open(self.folder / f"{name}.log", "ab") as log:
            process = subprocess.Popen(self.network.inside(namespace, *words), stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=log, preexec_fn=site_process.end_with_me)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def stop(self):
        os.kill(self.endpoints["pid"], 15)  # itself: what runs an image passes no signal on
        self.assertEqual(self.gateway.wait(30), 0)

    def listens(self):
        self.assertIsNone(self.gateway.poll(), (self.folder / "coveyd.log").read_text()[-2000:])
        try:
            return json.loads((self.data / "endpoints.json").read_text())
        except (OSError, ValueError):
            return None

    def here(self, *words):
        """On the gateway's own machine, over the socket."""
        done = run(PROGRAMS / "covey", "--data", self.data, "-o", "json", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout or "{}")

    def there(self, *words):
        """From the other network."""
        return run(*self.network.inside(self.network.field, *words))

    def test_a_device_and_a_person_come_from_the_other_network(self):
        for what in ("devices", "grpc", "http"):
            self.assertTrue(self.endpoints[f"{what}_over_tls"], what)
        ca = self.folder / "site-ca.pem"
        ca.write_text(self.here("site", "ca")["ca_pem"])
        token = self.folder / "enroll.token"
        token.write_text((self.data / "enroll.token").read_text())
        self.start("sim", self.network.field, PROGRAMS / "covey-sim", "--broker", self.endpoints["mqtt"],
                   "--enroll-broker", self.endpoints["enroll"], "--certificate-broker", self.endpoints["certificates"],
                   "--enroll-token-file", token, "--tls-ca", ca, "--enrol", "certificate", "--state",
                   self.folder / "devices", "--count", "1", "--id-prefix", "press-", "--report-interval", "2s")
        waiting = until(lambda: self.here("device", "list").get("devices"), "it asks to be enrolled")
        key = waiting[0]["key_fingerprint"]
        self.here("device", "accept", "press-0001", "--key", key)
        until(lambda: self.here("status").get("devices_online") == 1, "it is online")
        self.assertEqual(self.here("device", "get", "press-0001")["device"]["key_fingerprint"], key)
        secret = self.folder / "ops.token"
        secret.touch(0o600)
        secret.write_text(self.here("token", "create", "ops", "--role", "operator")["secret"])
        person = [PROGRAMS / "covey", "--address", self.endpoints["grpc"], "--ca", ca]
        done = self.there(*person, "--token-file", secret, "device", "list")
        self.assertIn("press-0001", done.stdout, done.stderr)
        self.assertIn("UNAUTHENTICATED", self.there(*person, "device", "list").stderr)
        self.assertIn("ROLE_MISSING", self.there(*person, "--token-file", secret, "token", "list").stderr)

    def test_who_is_refused_hears_why(self):
        strange = self.folder / "strange"
        strange.mkdir()
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=strange", "-keyout", strange / "key", "-out", strange / "ca.pem", check=True)
        ca = self.folder / "site-ca.pem"
        ca.write_text(self.here("site", "ca")["ca_pem"])
        host, port = self.endpoints["mqtt"].rsplit(":", 1)
        publish = ["mosquitto_pub", "-h", host, "-p", port, "-t", "covey/v1/site", "-m", "x", "-u", "press-0001", "-P", "y"]
        for what, words, said in [
            ("plaintext", publish, "lost|timed out|refused|protocol|reset|closed"),
            ("a strange authority", [*publish, "--cafile", strange / "ca.pem"], "certificate verify failed|TLS"),
            ("a wrong password", [*publish, "--cafile", ca], "not authorised|authorized|refused"),
            ("the API by a strange authority",
             [PROGRAMS / "covey", "--address", self.endpoints["grpc"], "--ca", strange / "ca.pem", "status"], "TLS_"),
        ]:
            with self.subTest(what):
                done = self.there("timeout", "20", *words)
                self.assertNotEqual(done.returncode, 0)
                self.assertRegex((done.stdout + done.stderr).lower(), said.lower())


if __name__ == "__main__":
    if reason := why_not():
        print(f"SKIPPED: {reason}")
        sys.exit(77)
    unittest.main()
