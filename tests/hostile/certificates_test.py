# SPDX-License-Identifier: Apache-2.0
"""The listener for devices with certificates: who must not come in, what those who are in may not do, and what is
left of them when they are revoked."""

import ssl
import sys
import time

import hostile
import liar
import mqtt
import site_process
import stolen
from authority import openssl

CONFIG = site_process.CONFIG + "tls: {plaintext: never}\nenroll: {auto_accept: true}\n"
REFUSALS = (ssl.SSLError, ConnectionError, mqtt.Refused)
CA_CONFIG = """\
[ca]
default_ca = site
[site]
new_certs_dir = {0}
database = {0}/index
serial = {0}/serial
default_md = sha256
policy = any
x509_extensions = {1}
unique_subject = no
[any]
commonName = supplied
[client]
basicConstraints = CA:FALSE
extendedKeyUsage = clientAuth
[server]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth
[authority]
basicConstraints = critical,CA:TRUE
"""


class Mint:
    """Somebody who has the key of an authority."""

    def __init__(self, folder, ca, ca_key):
        self.folder, self.ca, self.ca_key = folder, ca, ca_key
        folder.mkdir()
        (folder / "index").write_text("")
        (folder / "serial").write_text("0BAD0000000000000001\n")

    def issue(self, name, key, usage="client", start="20200101000000Z", end="20991231235959Z"):
        config = self.folder / "config"
        config.write_text(CA_CONFIG.format(self.folder, usage))
        request, made = self.folder / "request.pem", self.folder / f"made-{time.monotonic_ns()}.pem"
        openssl("req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", request)
        openssl("ca", "-config", config, "-batch", "-notext", "-cert", self.ca, "-keyfile", self.ca_key,
                       "-startdate", start, "-enddate", end, "-in", request, "-out", made)
        return made


def new_key(path, *kind):
    openssl("genpkey", "-algorithm", *(kind or ("EC", "-pkeyopt", "ec_paramgen_curve:P-256")), "-out", path)
    return path


class Certificates(hostile.Case):
    def fleet(self, count=2, config=CONFIG, options=()):
        site = self.start(config)
        fleet = stolen.Fleet(self, site, "certificate", count, options=options)
        hostile.until(lambda: site.call("status").get("devices_online") == count, "the fleet is online")
        return site, fleet

    def connects(self, site, certificate, key, name="dev-0001", version=ssl.TLSVersion.TLSv1_3):
        """Whether the broker lets it in; by MQTT, because TLS 1.3 tells refusals late."""
        context = ssl.create_default_context(cafile=site.endpoints()["ca_file"])
        context.maximum_version = version
        if certificate:
            context.load_cert_chain(certificate, key)
        try:
            with mqtt.Client(site.endpoints()["certificates"], name, name, "", tls=context) as client:
                client.flush()
            return True
        except REFUSALS:
            return False

    def test_nobody_comes_in_with_another_certificate(self):
        site, fleet = self.fleet()
        own = stolen.Thief(site, fleet, "dev-0001")
        fleet.kill()
        tls = site.data / "tls"
        key = new_key(self.folder / "new.key")
        inside = Mint(self.folder / "inside", tls / "ca.pem", tls / "ca.key")
        openssl("req", "-x509", "-new", "-key", new_key(self.folder / "evil.key"), "-subj", "/CN=Covey site site",
                       "-days", "30", "-out", self.folder / "evil.pem")
        outside = Mint(self.folder / "foreign", self.folder / "evil.pem", self.folder / "evil.key")
        openssl("req", "-x509", "-new", "-key", key, "-subj", "/CN=dev-0001", "-days", "30", "-out",
                       self.folder / "self.pem")
        between = inside.issue("between", key, "authority")
        chained = self.folder / "chained.pem"
        below = Mint(self.folder / "below", between, key).issue("dev-0001", own.key_file)
        chained.write_text(below.read_text() + between.read_text())
        rsa = new_key(self.folder / "rsa.key", "RSA", "-pkeyopt", "rsa_keygen_bits:1024")
        cases = [
            ("none", None, None),
            ("self-signed", self.folder / "self.pem", key),
            ("of a foreign authority with the site's name", outside.issue("dev-0001", key), key),
            ("that has ended", inside.issue("dev-0001", key, end="20210101000000Z"), key),
            ("that has not begun", inside.issue("dev-0001", key, start="20980101000000Z"), key),
            ("of the gateway", tls / "server.pem", tls / "server.pem"),
            ("for servers", inside.issue("dev-0001", key, "server"), key),
            ("of an authority below the site's", chained, own.key_file),
            ("with RSA of 1,024 bits", inside.issue("dev-0001", rsa), rsa),
        ]
        for what, certificate, with_key in cases:
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                with self.subTest(certificate=what, version=version.name):
                    try:
                        self.assertFalse(self.connects(site, certificate, with_key, version=version))
                    except ssl.SSLError:
                        pass  # not even our own OpenSSL takes it
        with self.subTest("another's certificate without its key"):
            with self.assertRaises(ssl.SSLError):
                self.connects(site, own.certificate_file, key)
        self.assertTrue(self.connects(site, own.certificate_file, own.key_file), "the device itself")
        # A password is of no use here, and a certificate of none there.
        with self.assertRaises(REFUSALS):
            mqtt.Client(site.endpoints()["mqtt"], "dev-0001", "dev-0001", "", tls=own.context())
        self.assertIsNotNone(site.ready())

    def test_names_that_mean_more_than_a_device_mean_nothing(self):
        site, fleet = self.fleet(1)
        tls = site.data / "tls"
        mint = Mint(self.folder / "inside", tls / "ca.pem", tls / "ca.key")
        key = new_key(self.folder / "new.key")
        victim = stolen.Thief(site, fleet, "dev-0001")
        for name in ("#", "\\+", "dev-0001\\/up", "\\/", "*", "svc-gateway", "$SYS", "enroll", "dev-0002"):
            with self.subTest(name=name):
                context = ssl.create_default_context(cafile=site.endpoints()["ca_file"])
                context.load_cert_chain(mint.issue(name, key), key)
                try:
                    client = mqtt.Client(site.endpoints()["certificates"], "x", "", "", tls=context)
                except REFUSALS:
                    continue
                with client:
                    for topic in ("#", "covey/#", f"covey/v1/{victim.shard}/dev-0001/down/goal", "covey/v1/enroll/#"):
                        client.subscribe(topic)
                    client.publish(f"covey/v1/{victim.shard}/dev-0001/up/hello", b"x")
                    client.flush()
                    manifests = [t for t, _ in client.messages if t == "covey/v1/site" or t.startswith("covey/v1/m/")]
                    self.assertEqual([t for t, _ in client.messages], manifests)
        self.assertEqual(site.call("status").get("devices_online"), 1)

    def test_a_device_is_its_certificate_whatever_it_says(self):
        site, fleet = self.fleet()
        thief = stolen.Thief(site, fleet, "dev-0001")
        victim = stolen.Thief(site, fleet, "dev-0002")
        fleet.kill()
        victim.connect()
        # Another's client id, another's user name: it is dev-0001 all the same, and takes nobody's session.
        thief.connect(client_id="dev-0002", username="dev-0002", will=(victim.topic("bye"), b"x"))
        victim.client.flush()
        attempts = [(f"covey/v1/{victim.shard}/dev-0002/up/{kind}", b"x")
                    for kind in ("hello", "status", "report", "fetch", "bye")]
        attempts += [(f"covey/v1/{thief.shard}/dev-0002/down/goal", b"x"), ("covey/v1/site", b"x"),
                     ("covey/v1/enroll/dev-0001/up", b"x"), ("covey/v1/m/" + "0" * 64, b"x"), ("$SYS/x", b"x"),
                     ("$CONTROL/dynamic-security/v1", b"{}"), (f"covey/v1/{thief.shard}/dev-0001/down/goal", b"x"),
                     (f"covey/v1/{thief.shard}/dev-0001/up/other", b"x")]
        with mqtt.Client(site.endpoints()["mqtt"], "dev-0002", victim.username, victim.password,
                         tls=liar.trust(site)) as _:
            pass  # the listener for passwords lets it in, too
        victim.connect()
        bad = site.metric('covey_mqtt_drops_total{reason="IN_BAD_TOPIC"}')
        for topic, payload in attempts:
            thief.client.publish(topic, payload, retain=True)
        for topic in ("#", "covey/#", "covey/v1/+/+/up/#", f"covey/v1/{victim.shard}/dev-0002/down/#", "$SYS/#",
                      "$share/g/covey/v1/+/+/up/+", "covey/v1/enroll/+/up", "covey/v1/enroll/dev-0001/down"):
            thief.client.subscribe(topic)
        victim.hello()
        victim.await_hello_answered()
        thief.client.flush()
        seen = {topic for topic, _ in thief.client.messages}
        self.assertFalse([t for t in seen if "dev-0002" in t or t.startswith("$")], seen)
        self.assertEqual(victim.client.messages, [m for m in victim.client.messages if m[1] != b"x"])
        self.assertEqual(site.metric('covey_mqtt_drops_total{reason="IN_BAD_TOPIC"}'), bad)

    def test_a_revoked_device_is_out_at_once_and_stays_out(self):
        site, fleet = self.fleet()
        for how in ("reject", "remove"):
            name = {"reject": "dev-0001", "remove": "dev-0002"}[how]
            thief = stolen.Thief(site, fleet, name)
            tickets = [Resuming(thief.context(v)) for v in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)]
            fleet.kill()
            for ticket in tickets:
                thief.connect(tls=ticket)
                thief.client.flush()
            thief.hello()
            thief.await_hello_answered()
            site.call("device", how, name)
            with self.subTest(how=how):
                with self.assertRaises(REFUSALS):
                    end = time.monotonic() + 30
                    while time.monotonic() < end:
                        thief.client.flush()
                        time.sleep(0.05)
                with self.assertRaises(REFUSALS):
                    thief.connect()
                with self.assertRaises(REFUSALS):
                    thief.connect(tls=thief.context(ssl.TLSVersion.TLSv1_2))
                for ticket in tickets:
                    with self.assertRaises(REFUSALS, msg=f"resumed {ticket.resumed}"):
                        thief.connect(tls=ticket)
            if how == "reject":
                fleet.start()
                hostile.until(lambda: site.call("status").get("devices_online") == 1, "the other one is online")

    def test_renewed_before_its_end_and_back_after_it(self):
        site, fleet = self.fleet(1, CONFIG + "devices: {certificate_life: 15s}\n")
        until = lambda: int(site.call("device", "get", "dev-0001")["device"].get("certificate_until_ms", 0))
        first = until()
        path = fleet.state / "devices" / "dev-0001.certificate"
        before = path.read_bytes()
        hostile.until(lambda: until() > first and path.read_bytes() != before, "it has a newer one")
        fleet.kill()
        end = until() / 1000 + 1
        hostile.until(lambda: time.time() > end, "it has ended")
        fleet.start()
        hostile.until(lambda: until() / 1000 > end, "it has enrolled once more")
        hostile.until(lambda: site.call("status").get("devices_online") == 1, "it is back")
        self.assertEqual(site.call("device", "get", "dev-0001")["device"].get("enroll_changes", 0), 0)

    def test_a_restart_knows_what_was_revoked(self):
        site, fleet = self.fleet(1)
        thief = stolen.Thief(site, fleet, "dev-0001")
        fleet.kill()
        site.call("device", "remove", "dev-0001")
        self.assertEqual(site.stop(), 0)
        site.start()
        hostile.until(lambda: (site.ready() or [False])[0], "coveyd is ready")
        with self.assertRaises(REFUSALS):
            thief.connect()


class Resuming:
    """A TLS context that goes on with the session of the connection before, if it was given one."""

    def __init__(self, context):
        self.context = context
        self.last = None
        self.resumed = False

    def wrap_socket(self, socket, server_hostname):
        session = self.last.session if self.last is not None else None
        self.last = self.context.wrap_socket(socket, server_hostname=server_hostname, session=session)
        self.resumed = self.last.session_reused
        return self.last


if __name__ == "__main__":
    sys.exit(hostile.main())
