# SPDX-License-Identifier: Apache-2.0
"""The listeners of devices over TLS: who must refuse whom, and certificates that change, end or break
while devices are connected."""

import os
import pathlib
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

import hostile
import liar
import mqtt
import site_process
from authority import Authority

CONFIG = site_process.CONFIG + "tls: {plaintext: never}\n"
OWN = "tls: {plaintext: never, certificate_file: %s, key_file: %s, ca_file: %s}\n"
PLAN = """\
apiVersion: covey/v1
kind: Rollout
metadata: {name: first}
spec:
  release: bearing-vibration@1.0.0
  target: 'class = "m4f-256k"'
  stages: [{name: fleet, size: 100%, soak: 1s}]
  gates: [{failures: {max: 10%}}]
  attempt: {deadline: 100s, retries: 3, backoff: 1s}
"""
CONNECTIONS = 300  # that begin a handshake and go on with nothing


def anywhere(config):
    """The same with listeners for devices on all addresses."""
    return config.replace("mqtt: {embedded: {", 'mqtt: {embedded: {listen: "0.0.0.0", ')


def shown(endpoint):
    """The certificate that a new connection is shown, whoever vouches for it."""
    host, port = endpoint.rsplit(":", 1)
    return ssl.get_server_certificate((host, int(port)), timeout=30)


class Tls(hostile.Case):
    def raw(self, endpoint):
        host, port = endpoint.rsplit(":", 1)
        connection = socket.create_connection((host, int(port)), timeout=30)
        self.addCleanup(connection.close)
        return connection

    def test_a_device_gets_in_and_others_do_not(self):
        site = self.start(CONFIG)
        at = site.endpoints()
        self.assertTrue(at["devices_over_tls"])
        device = self.device(site, "honest-1")
        self.assertEqual(device.client.socket.version(), "TLSv1.3")
        device.hello()
        hostile.until(lambda: site.call("status").get("devices_online") == 1, "the device is online")

        with self.subTest("its own authority, a name that is not the gateway's"):
            context = liar.trust(site)
            with self.raw(at["mqtt"]) as connection, self.assertRaisesRegex(ssl.SSLError, "mismatch|doesn't match"):
                context.wrap_socket(connection, server_hostname="gateway.elsewhere")
        with self.subTest("another authority"):
            context = ssl.create_default_context(cafile=Authority(self.folder, "foreign").ca)
            with self.assertRaises(ssl.SSLCertVerificationError):
                mqtt.Client(at["mqtt"], "x", "x", "x", tls=context)
        with self.subTest("plaintext to a listener of TLS"), self.assertRaises((OSError, AssertionError)):
            mqtt.Client(at["mqtt"], "honest-1", device.username, device.password)
        with self.subTest("a password that is not this device's"), self.assertRaises(mqtt.Refused):
            mqtt.Client(at["mqtt"], "honest-1", "honest-1", "0" * 32, tls=liar.trust(site))
        with self.subTest("TLS 1.1"):
            old = subprocess.run(["openssl", "s_client", "-connect", at["mqtt"], "-tls1_1",
                                  "-cipher", "ALL:@SECLEVEL=0"],
                                 stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
            self.assertNotEqual(old.returncode, 0)
            self.assertIn("protocol version", old.stderr)
        with self.subTest("what the API and the CLI say of it"):
            authority = pathlib.Path(at["ca_file"]).read_text()
            self.assertEqual(site.covey("site", "ca").stdout, authority)
            said = site.covey("site", "fingerprint").stdout.strip()
            digest = subprocess.run(["openssl", "x509", "-noout", "-fingerprint", "-sha256"], input=authority,
                                    capture_output=True, text=True, check=True).stdout
            self.assertTrue(digest.strip().endswith(said), digest)
            self.assertIn(said, site.log())
        self.assertNotIn("PRIVATE KEY", site.log())
        device.client.flush()  # all the while it was there

    def test_the_gateways_own_listener_stays_on_loopback(self):
        site = self.start(anywhere(CONFIG))
        text = (site.data / "broker" / "mosquitto.conf").read_text()
        listeners = [line.split()[1:] for line in text.splitlines() if line.startswith("listener ")]
        self.assertEqual([host for _, host in listeners], ["0.0.0.0"] * 3 + ["127.0.0.1"])
        self.assertEqual(text.count("certfile "), 3)

    def test_certificates_change_under_connected_devices(self):
        authority = Authority(self.folder)
        certificate, key = self.folder / "own.pem", self.folder / "own.key"
        authority.issue(certificate, key)
        site = self.start(site_process.CONFIG + OWN % (certificate, key, authority.ca))
        at = site.endpoints()
        device = self.device(site, "honest-1")
        self.assertEqual(shown(at["mqtt"]).split(), certificate.read_text().split())
        self.assertEqual(site.covey("site", "ca").stdout, authority.ca.read_text())

        with self.subTest("a broken file leaves the old one"):
            before = certificate.read_text()
            certificate.write_text("no certificate")
            hostile.until(lambda: "error tls_certificate_not_renewed" in site.log(), "the log says so", 90)
            self.assertIn(str(certificate), site.log())
            self.assertEqual(shown(at["mqtt"]).split(), before.split())
            device.client.flush()
        with self.subTest("a new one is shown to new connections"):
            authority.issue(certificate, key)
            hostile.until(lambda: shown(at["mqtt"]).split() == certificate.read_text().split(),
                          "the new certificate is shown", 90)
            device.client.flush()
            self.assertEqual(shown(at["enroll"]).split(), certificate.read_text().split())
            self.device(site, "honest-2")
        self.assertEqual(site.stop(), 0)

    def fleet(self, site, *options):
        """covey-sim with ten devices; what it says is in its log."""
        at = site.endpoints()
        log = self.folder / "fleet.log"
        with open(log, "wb") as out:
            fleet = subprocess.Popen(
                [hostile.PROGRAMS / "covey-sim", "--broker", at["mqtt"], "--enroll-broker", at["enroll"],
                 "--enroll-token-file", at["enroll_token_file"], "--memory", "--count", "10",
                 "--inference-interval", "200ms", "--report-interval", "5s", "--probation-inferences", "1",
                 "--tls-ca", at["ca_file"], *options],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=site_process.end_with_me)
        self.addCleanup(fleet.wait)
        self.addCleanup(fleet.kill)
        return log

    def test_a_fleet_gets_its_model_over_tls_and_comes_back(self):
        site = self.start(CONFIG + "enroll: {auto_accept: true}\n")
        key, public = site.trust_author(self.folder)
        self.fleet(site, "--trusted-key", public)
        hostile.until(lambda: site.call("status").get("devices_online") == 10, "the fleet is online")
        site.push_example(key)
        plan = self.folder / "plan.yaml"
        plan.write_text(PLAN)
        site.call("rollout", "create", "-f", plan)
        hostile.until(lambda: site.call("rollout", "get", "first")["rollout"]["state"] == "ROLLOUT_STATE_SUCCEEDED",
                      "the fleet runs the release", 120)
        # Without its broker nobody is there; all come back to the new one by themselves.
        connects = site.metric("covey_broker_restarts_total")
        broker = subprocess.run(["pgrep", "-P", str(site.process.pid), "mosquitto"], capture_output=True, text=True,
                                check=True).stdout.split()
        os.kill(int(broker[0]), signal.SIGKILL)
        hostile.until(lambda: site.metric("covey_broker_restarts_total") > connects, "the gateway is back")
        inferences = site.call("status").get("inferences", 0)
        hostile.until(lambda: int(site.call("status").get("inferences", 0)) > int(inferences), "reports come again")

    def test_a_fleet_says_why_it_does_not_come(self):
        site = self.start(CONFIG)
        log = self.fleet(site, "--tls-name", "gateway.elsewhere")
        hostile.until(lambda: "nobody is online" in log.read_text(), "covey-sim says so")
        self.assertIn("gateway.elsewhere", log.read_text())

    def test_a_start_says_all_that_is_wrong(self):
        authority = Authority(self.folder)
        certificate, key = self.folder / "own.pem", self.folder / "own.key"
        authority.issue(certificate, key)
        os.chmod(key, 0o644)
        certificate.write_text("no certificate")
        site = site_process.Site(hostile.PROGRAMS, self.folder,
                                 site_process.CONFIG + OWN % (certificate, key, authority.ca))
        self.addCleanup(site.kill)
        site.spawn()
        self.assertNotEqual(site.process.wait(site_process.PATIENCE_S), 0)
        for words in ("CERTIFICATE_INVALID", f"{certificate}: no certificate in PEM", "chmod 600"):
            self.assertIn(words, site.log())

    def test_plaintext_beyond_loopback_is_warned_about(self):
        site = self.start(anywhere(CONFIG.replace("never", "anywhere")))
        self.assertIn("plaintext_beyond_loopback", site.log())
        self.assertFalse(site.endpoints()["devices_over_tls"])
        refused = site.covey("site", "ca")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("tls.plaintext", refused.stderr)

    def test_handshakes_that_stand_still_take_nobodys_place(self):
        site = self.start(CONFIG)
        at = site.endpoints()
        hello = struct.pack(">BHH", 22, 0x0301, 512)  # a record's head, and never its content
        for _ in range(CONNECTIONS):
            self.raw(at["mqtt"]).sendall(hello)
        over = threading.Event()

        def come_and_go():
            while not over.is_set():
                with socket.create_connection(tuple(at["mqtt"].rsplit(":", 1)), timeout=30) as connection:
                    connection.sendall(hello)

        attacker = threading.Thread(target=come_and_go, daemon=True)
        attacker.start()
        began = time.monotonic()
        device = self.device(site, "honest-1")
        device.hello()
        hostile.until(lambda: site.call("status").get("devices_online") == 1, "the device is online")
        over.set()
        attacker.join()
        self.assertLess(time.monotonic() - began, hostile.site_process.PATIENCE_S)
        self.assertTrue(site.ready()[0])


if __name__ == "__main__":
    sys.exit(hostile.main())
