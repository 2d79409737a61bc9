# SPDX-License-Identifier: Apache-2.0
"""Devices that are known before they come: by their key, by a manufacturer's certificate; who pretends to be one of
them; and devices that are replaced or go for good."""

import secrets
import subprocess
import sys

import factory
import hostile
import liar
import mqtt
import site_process
import stolen
import wire
from authority import Authority, openssl

CONFIG = site_process.CONFIG + "tls: {plaintext: never}\n"
CERTIFICATE, WANTED, SEALED = 8, 9, 9
STATE = "DEVICE_STATE_"


def new_key(path):
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)
    return path


def public_key(key):
    return openssl("pkey", "-in", key, "-pubout", "-outform", "DER")


def fingerprint(key):
    return openssl("dgst", "-sha256", "-r", input=public_key(key)).split()[0].decode()


class Maker:
    """A manufacturer."""

    def __init__(self, folder, name):
        self.folder = folder
        self.authority = Authority(folder, name)
        self.ca = self.authority.ca
        self.file = folder / f"{name}-maker.pem"
        self.file.write_text(self.authority.ca_key.read_text() + self.ca.read_text())

    def certify(self, name, key, start=None, end=None, subject=None, extensions="basicConstraints=CA:FALSE\n"):
        """DER."""
        request, made = self.folder / "device.csr", self.folder / "device.pem"
        openssl("req", "-new", "-utf8", "-key", key, "-subj", subject or f"/CN={name}", "-out", request)
        if start or end:
            self.authority.issue_between(request, made, start or "20200101000000Z", end or "20990101000000Z")
        else:
            config = self.folder / "extensions"
            config.write_text(extensions)
            openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.authority.ca_key, "-CAcreateserial",
                    "-days", "3650", "-extfile", config, "-out", made)
        return openssl("x509", "-in", made, "-outform", "DER")


class Registrations(hostile.Case):
    def state(self, site, name):
        got = site.covey("device", "get", name, "-o", "json")
        if got.returncode != 0:
            return None
        return site.call("device", "get", name)["device"]["state"].removeprefix(STATE)

    def asks(self, site, name, *fields, nonce=None):
        with liar.Enroller(site, name).client as client:
            client.publish(f"covey/v1/enroll/{name}/up", wire.encode(
                (1, name), (2, wire.Fixed64(nonce or secrets.randbits(63) | 1)), (3, liar.facts("m4f-256k")), *fields))
            client.flush()

    def refusals(self, site, reason):
        name = f'covey_malformed_total{{reason="{reason}"}}'
        return site.metric(name) if name in site.http("/metrics")[1] else 0

    def file(self, *lines, head="id,class,labels,key,certificate"):
        path = self.folder / "devices.csv"
        path.write_text("\n".join([head, *lines]) + "\n")
        return path

    def site_with_model(self):
        site = self.start(CONFIG)
        self.model = factory.FirstModel(self, site)
        return site

    def keys_of_the_factory(self, site, count, **more):
        """A fleet that has its keys, and is not switched on."""
        fleet = stolen.Fleet(self, site, "certificate", count, options=self.model.options, **more)
        paths = [fleet.state / "devices" / f"dev-{i + 1:04}.key" for i in range(count)]
        hostile.until(lambda: all(path.exists() and path.stat().st_size > 0 for path in paths), "it has its keys")
        fleet.kill()
        return fleet, paths

    def test_registered_by_key_from_the_factory_to_the_first_report(self):
        site = self.site_with_model()
        fleet, keys = self.keys_of_the_factory(site, 2)
        for name in ("dev-0001", "dev-0002"):
            site.covey("device", "remove", name)
        point = public_key(keys[1])[26:].hex()
        done = site.call("device", "import", self.file(
            f"dev-0001,m4f-256k,hall=b;line=press,{fingerprint(keys[0])},", f"dev-0002,,,{point},", "dev-0003,,hall=c,,"))
        self.assertEqual(done["registered"], 3)
        self.assertEqual([self.state(site, f"dev-000{i}") for i in (1, 2, 3)], ["REGISTERED"] * 3)
        # Somebody else comes first.
        stranger = public_key(new_key(self.folder / "stranger.key"))[26:]
        for what, fields in (("another key", [(5, stranger)]), ("no key", [])):
            with self.subTest(asks_with=what):
                before = site.metric('covey_drops_total{reason="enroll_refused"}')
                self.asks(site, "dev-0001", *fields)
                hostile.until(lambda: site.metric('covey_drops_total{reason="enroll_refused"}') > before, "refused")
                self.assertEqual(self.state(site, "dev-0001"), "REGISTERED")
        fleet.start()
        for name in ("dev-0001", "dev-0002"):
            self.model.await_report(name)
        self.assertEqual(site.call("device", "get", "dev-0001")["device"]["labels"], {"hall": "b", "line": "press"})
        self.assertIn("not_as_registered", site.log())
        exported = self.folder / "exported.csv"
        exported.write_text(site.covey("device", "export").stdout)
        self.assertIn(f"dev-0001,m4f-256k,hall=b;line=press,{fingerprint(keys[0])},", exported.read_text())
        again = site.call("device", "import", exported)
        self.assertEqual((again["known"], again["changed"]), (2, 1))

    def test_files_that_cannot_be_taken(self):
        site = self.start(CONFIG)
        self.device_with_key(site)
        digest = "0" * 63 + "1"
        for what, lines, said in (
                ("a bad id", ["ok-1,,,,", "bad id,,,,"], "line 3, column 1 (id)"),
                ("a reserved id", ["svc-x,,,,"], "line 2, column 1 (id)"),
                ("a short key", ["dev-1,,,abc,"], "line 2, column 4 (key)"),
                ("a label without a value", ["dev-1,,hall,,"], "line 2, column 3 (labels)"),
                ("a label with other characters", ["dev-1,,hall=b c!,,"], "line 2, column 3 (labels)"),
                ("too many cells", ["dev-1,,,,,x"], "line 2: 6 cells"),
                ("an id twice", ["dev-1,,,,", "dev-2,,,,", "dev-1,,,,"], "line 4, column 1 (id): dev-1 is also line 2"),
                ("a quote that is never closed", ['"dev-1,,,,'], "line 2: a quote"),
                ("another key of an accepted device", [f"known,,,{digest},"], "line 2, column 4 (key): known is accepted"),
                ("another class of an accepted device", ["known,m7-1m,,,"], "line 2, column 2 (class)"),
                ("no device", [], "it has no device")):
            with self.subTest(file=what):
                done = site.covey("device", "import", self.file("# remark", *lines).as_posix())
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(said.replace("line 2", "line 3").replace("line 4", "line 5")
                              if "line 3" not in said else said.replace("line 3", "line 4"), done.stderr)
                self.assertEqual(len(site.call("device", "list")["devices"]), 1, "nothing half done")
        with self.subTest(file="a column that is none"):
            done = site.covey("device", "import", self.file("x", head="id,colour").as_posix())
            self.assertIn("line 1, column 2", done.stderr)
        with self.subTest(file="UTF-16"):
            path = self.folder / "utf16.csv"
            path.write_text("id\ndev-1\n", encoding="utf-16")
            self.assertIn("UTF-16", site.covey("device", "import", path.as_posix()).stderr)
        with self.subTest(file="too many devices"):
            path = self.folder / "many.csv"
            path.write_text("id\n" + "".join(f"dev-{i}\n" for i in range(10_001)))
            self.assertIn("more than 10000", site.covey("device", "import", path.as_posix()).stderr)
        dry = site.call("device", "import", "--dry-run", self.file("dev-1,,,,"))
        self.assertEqual(dry["registered"], 1)
        self.assertEqual(len(site.call("device", "list")["devices"]), 1)

    def device_with_key(self, site):
        self.asks(site, "known", (5, public_key(new_key(self.folder / "known.key"))[26:]))
        hostile.until(lambda: self.state(site, "known") == "PENDING", "it has asked")
        site.call("device", "accept", "known")

    def test_a_manufacturer_says_who_it_is(self):
        site = self.site_with_model()
        maker, other = Maker(self.folder, "acme"), Maker(self.folder, "other")
        trusted = site.call("ca", "trust", maker.ca, "--name", "acme")
        self.assertIn("CN=acme", trusted["authority"]["subject"])
        fleet = stolen.Fleet(self, site, "certificate", 1, 
                             options=[*self.model.options, "--manufacturer", maker.file])
        self.model.await_report("dev-0001")
        self.assertEqual(site.call("device", "get", "dev-0001")["device"]["authority"], "acme")
        key = new_key(self.folder / "device.key")
        # Who is not vouched for waits, and an operator sees by which key.
        for what, why, der in (
                ("of another manufacturer", "issuer certificate", other.certify("dev-w", key)),
                ("that has ended", "has expired", maker.certify("dev-w", key, end="20210101000000Z")),
                ("that has not begun", "not yet valid", maker.certify("dev-w", key, start="20980101000000Z")),
                ("for servers", "purpose", maker.certify("dev-w", key, extensions="extendedKeyUsage=serverAuth\n"))):
            with self.subTest(certificate=what):
                self.asks(site, "dev-w", (CERTIFICATE, der))
                hostile.until(lambda: self.state(site, "dev-w") == "PENDING", "it waits")
                self.assertEqual(site.call("device", "get", "dev-w")["device"].get("authority", ""), "")
                self.assertIn(why, [line for line in site.log().splitlines() if "manufacturer_not_trusted" in line][-1])
                site.call("device", "remove", "dev-w")
        with self.subTest(certificate="that is not the device's own key's"):
            # Whoever shows another's certificate gets what only that one can open, and takes nothing from it.
            shown = maker.certify("dev-s", key)
            with liar.Enroller(site, "dev-s").client as client:
                client.subscribe("covey/v1/enroll/dev-s/down")
                client.publish("covey/v1/enroll/dev-s/up", wire.encode(
                    (1, "dev-s"), (2, wire.Fixed64(7)), (3, liar.facts("m4f-256k")), (CERTIFICATE, shown)))
                answer = wire.decode(client.await_message(lambda *_: True, "an answer")[1])
            self.assertIn(SEALED, answer)
            self.assertNotIn(liar.ORDER_KEY, answer)
        site.call("ca", "revoke", "acme")
        with self.subTest(certificate="of one that is not trusted any more"):
            self.asks(site, "dev-w", (CERTIFICATE, maker.certify("dev-w", key)))
            hostile.until(lambda: self.state(site, "dev-w") == "PENDING", "it waits")
        self.assertEqual(self.state(site, "dev-0001"), "ACCEPTED", "whom it brought stays")
        fleet.kill()

    def test_names_of_certificates_that_are_no_ids(self):
        site = self.start(CONFIG)
        maker = Maker(self.folder, "acme")
        site.call("ca", "trust", maker.ca, "--name", "acme")
        key = new_key(self.folder / "device.key")
        good = maker.certify("dev-aXb", key)
        cases = [(f"with {what}", maker.certify("", key, subject=f"/CN=dev-a{text}b")) for what, text in (
            ("a wildcard", "*"), ("a slash", "\\/"), ("a plus", "\\+"), ("a hash", "#"), ("a line end", "\n"))]
        cases += [("with a NUL", good.replace(b"dev-aXb", b"dev-a\0b")), ("of another", maker.certify("dev-b", key)),
                  ("with two names", maker.certify("", key, subject="/CN=dev-a/CN=dev-b")),
                  ("without a name", maker.certify("", key, subject="/O=acme"))]
        for what, der in cases:
            with self.subTest(name=what):
                before = self.refusals(site, "CERTIFICATE_NAME")
                self.asks(site, "dev-a", (CERTIFICATE, der))
                hostile.until(lambda: self.refusals(site, "CERTIFICATE_NAME") > before, "it is refused")
                self.assertIsNone(self.state(site, "dev-a"))
        for what, der in (("torn", good[:-9]), ("with more behind it", good + b"\0"), ("none", b"x"),
                          ("with a key of RSA", self.with_rsa(maker))):
            with self.subTest(certificate=what):
                before = self.refusals(site, "CERTIFICATE_INVALID")
                self.asks(site, "dev-a", (CERTIFICATE, der))
                hostile.until(lambda: self.refusals(site, "CERTIFICATE_INVALID") > before, "it is refused")
        for what, path in (("no authority's", self.leaf(maker, key)), ("no certificate", maker.authority.ca_key)):
            with self.subTest(trusts=what):
                self.assertIn("CERTIFICATE_INVALID", site.covey("ca", "trust", path, "--name", "bad").stderr)

    def with_rsa(self, maker):
        rsa = self.folder / "rsa.key"
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", rsa)
        return maker.certify("dev-a", rsa)

    def leaf(self, maker, key):
        path = self.folder / "leaf.pem"
        path.write_text(subprocess.run(["openssl", "x509", "-inform", "DER"], input=maker.certify("dev-a", key),
                                       capture_output=True, check=True).stdout.decode())
        return path

    def test_new_hardware_in_the_same_place(self):
        site = self.site_with_model()
        old = stolen.Fleet(self, site, "certificate", 1, "old", "old-", self.model.options)
        hostile.until(lambda: self.state(site, "old-0001") == "PENDING", "it has asked")
        site.call("device", "accept", "old-0001")
        site.call("device", "label", "old-0001", "hall=b", "line=press")
        self.model.await_report("old-0001")
        thief = stolen.Thief(site, old, "old-0001")
        old.kill()
        site.call("device", "replace", "old-0001", "new-0001")
        self.assertEqual(self.state(site, "old-0001"), "DECOMMISSIONED")
        self.assertEqual(self.state(site, "new-0001"), "REGISTERED")
        stolen.Fleet(self, site, "certificate", 1, "new", "new-", self.model.options)
        hostile.until(lambda: self.state(site, "new-0001") == "PENDING", "the new one has asked")
        site.call("device", "accept", "new-0001")
        self.model.await_report("new-0001")
        self.assertEqual(site.call("device", "get", "new-0001")["device"]["labels"], {"hall": "b", "line": "press"})
        self.assertEqual(site.call("device", "get", "old-0001")["device"]["successor"], "devices/new-0001")
        with self.subTest("the old one's certificate"), self.assertRaises((OSError, mqtt.Refused)):
            thief.connect()
        with self.subTest("the old one asks again"):
            with liar.Enroller(site, "old-0001").client as client:
                client.subscribe("covey/v1/enroll/old-0001/down")
                client.publish("covey/v1/enroll/old-0001/up", wire.encode(
                    (1, "old-0001"), (2, wire.Fixed64(9)), (3, liar.facts("m4f-256k"))))
                self.assertEqual(wire.decode(client.await_message(lambda *_: True, "an answer")[1])[2], [3])
            self.assertIn("DECOMMISSIONED", site.covey("device", "accept", "old-0001").stderr)
        for what, words in (("itself", ("new-0001", "new-0001")), ("what is gone", ("old-0001", "x-1")),
                            ("by what is gone", ("new-0001", "old-0001")), ("nobody", ("x-1", "x-2"))):
            with self.subTest(replaces=what):
                self.assertNotEqual(site.covey("device", "replace", *words).returncode, 0)
        site.call("device", "reenroll", "old-0001")
        self.assertEqual(self.state(site, "old-0001"), "PENDING")

    def test_a_key_that_is_known_may_begin_anew(self):
        site = self.site_with_model()
        fleet, keys = self.keys_of_the_factory(site, 1)
        site.covey("device", "remove", "dev-0001")
        site.call("device", "import", self.file(f"dev-0001,,,{fingerprint(keys[0])},"))
        fleet.start()
        self.model.await_report("dev-0001")
        fleet.kill()
        for path in (fleet.state / "devices").iterdir():
            if path.suffix != ".key":
                path.unlink()  # all that it had but the key, which no reset takes
        fleet.start()
        before = int(site.call("device", "get", "dev-0001")["device"]["inferences"])
        hostile.until(lambda: int(site.call("device", "get", "dev-0001")["device"]["inferences"]) > before,
                      "it reports again, and nobody was asked")


if __name__ == "__main__":
    sys.exit(hostile.main())
