# SPDX-License-Identifier: Apache-2.0
"""A broker that is not coveyd's, over TLS with a certificate for the gateway: it is used, and one that
cannot prove who it is gets neither the password nor a word."""

import shutil
import socket
import ssl
import subprocess
import sys

import hostile
import mqtt
import site_process
import wire
from liar import facts
from authority import Authority

BROKER = """\
listener {port} 127.0.0.1
cafile {ca}
certfile {certificate}
keyfile {key}
require_certificate true
allow_anonymous true
tls_version tlsv1.2
log_dest stderr
"""
CONFIG = """\
grpc: {{listen: "127.0.0.1:0"}}
http: {{listen: "127.0.0.1:0"}}
mqtt:
  mode: external
  external: {{host: 127.0.0.1, port: {port}, ca_file: {ca}, certificate_file: {certificate}, key_file: {key}}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class ExternalBroker(hostile.Case):
    def broker(self, authority, names):
        """Its port."""
        port = free_port()
        certificate, key = self.folder / f"broker-{port}.pem", self.folder / f"broker-{port}.key"
        authority.issue(certificate, key, names)
        config = self.folder / f"broker-{port}.conf"
        config.write_text(BROKER.format(port=port, ca=authority.ca, certificate=certificate, key=key) +
                          ("user root\n" if site_process.is_root() else ""))
        binary = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
        with open(self.folder / f"broker-{port}.log", "wb") as log:
            process = subprocess.Popen([binary, "-c", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       preexec_fn=site_process.end_with_me)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return port

    def gateway(self, port, trusted, authority):
        certificate, key = self.folder / "gateway.pem", self.folder / "gateway.key"
        authority.issue(certificate, key, "DNS:gateway")
        site = site_process.Site(hostile.PROGRAMS, self.folder,
                                 CONFIG.format(port=port, ca=trusted.ca, certificate=certificate, key=key))
        self.addCleanup(site.kill)
        return site.start()

    def test_the_gateway_is_known_by_its_certificate(self):
        authority = Authority(self.folder)
        port = self.broker(authority, "IP:127.0.0.1")
        site = self.gateway(port, authority, authority)
        hostile.until(lambda: site.ready()[0], "the gateway has its session")
        certificate, key = self.folder / "device.pem", self.folder / "device.key"
        authority.issue(certificate, key, "DNS:new-1")
        context = ssl.create_default_context(cafile=authority.ca)
        context.load_cert_chain(certificate, key)
        with mqtt.Client(f"127.0.0.1:{port}", "new-1", "enroll", "x", tls=context) as client:
            client.publish("covey/v1/enroll/new-1/up", wire.encode(
                (1, "new-1"), (2, wire.Fixed64(7)), (3, facts())))
            client.flush()
            hostile.until(lambda: [d for d in site.call("device", "list").get("devices", [])
                                   if d["name"].endswith("new-1")], "the device is pending")
        self.assertEqual(site.stop(), 0)

    def test_a_start_says_all_that_is_wrong(self):
        authority = Authority(self.folder)
        foreign = Authority(self.folder, "foreign")
        certificate, key = self.folder / "gateway.pem", self.folder / "gateway.key"
        authority.issue(certificate, key, "DNS:gateway")
        key.write_bytes(foreign.ca_key.read_bytes())
        missing = self.folder / "missing.pem"
        site = site_process.Site(hostile.PROGRAMS, self.folder,
                                 CONFIG.format(port=free_port(), ca=missing, certificate=certificate, key=key))
        self.addCleanup(site.kill)
        site.spawn()
        self.assertNotEqual(site.process.wait(site_process.PATIENCE_S), 0)
        for words in ("mqtt.external", str(missing), "the key is not the certificate's"):
            self.assertIn(words, site.log())

    def test_a_broker_that_is_somebody_else_gets_nothing(self):
        ours, theirs = Authority(self.folder), Authority(self.folder, "foreign")
        for authority, names in ((theirs, "IP:127.0.0.1"), (ours, "DNS:broker.elsewhere,IP:10.9.9.9")):
            with self.subTest(names):
                site = self.gateway(self.broker(authority, names), ours, ours)
                reason = hostile.until(lambda: site.ready()[1].get("mqtt"), "it says why it is not ready")
                self.assertIn("mqtt.external.ca_file", reason)
                self.assertFalse(site.ready()[0])
                self.assertEqual(site.stop(), 0)


if __name__ == "__main__":
    sys.exit(hostile.main())
