# SPDX-License-Identifier: Apache-2.0
"""Claims: what a batch's credential lets in, from the factory to the first report, and what it does not."""

import hashlib
import hmac
import json
import secrets
import sys

import factory
import hostile
import liar
import mqtt
import site_process
import stolen
import wire

CONFIG = site_process.CONFIG + "enroll: {expire_after: 1h}\n"
REFUSED = 'covey_drops_total{reason="claim_refused"}'


class Asker:
    """Whoever has a claim's password, and asks as `device`."""

    def __init__(self, site, claim, device):
        self.device, self.claim = device, claim
        self.client = mqtt.Client(site.endpoints()["enroll"], device, claim["username"], claim["password"],
                                  tls=liar.trust(site))
        self.client.subscribe(f"{self.root()}/down")

    @staticmethod
    def soon(site, claim, device):
        """The broker hears of a new claim a little after whoever made it."""
        found = []

        def tries():
            try:
                found.append(Asker(site, claim, device))
            except mqtt.Refused:
                return False
            return True

        hostile.until(tries, "the broker knows the claim")
        return found[0]

    def root(self):
        return f"covey/v1/c/{self.claim['username']}/{self.device}"

    def ask(self, proof=b"", topic=None, device=None):
        self.client.publish(topic or f"{self.root()}/up", wire.encode(
            (1, device or self.device), (2, wire.Fixed64(secrets.randbits(63) | 1)), (3, liar.facts()),
            *([(7, proof)] if proof else [])))
        self.client.flush()

    def answer(self):
        return wire.decode(self.client.await_message(lambda *_: True, f"{self.device} is answered")[1])

    def is_accepted(self, proof=b""):
        with self.client:
            self.ask(proof)
            return liar.ORDER_KEY in self.answer()


class Claims(hostile.Case):
    def claim(self, site, name, *options):
        return site.call("claim", "create", name, *options)

    def ids(self, *names):
        path = self.folder / "ids.txt"
        path.write_text("# of the batch\n" + "\n".join(names) + "\n")
        return path

    def fleet(self, site, claim, name, options=(), **more):
        password = self.folder / f"{name}.password"
        password.write_text(claim["password"] + "\n")
        words = ["--claim", claim["username"], "--claim-password-file", password, *options]
        if "batch_secret" in claim:
            secret = self.folder / f"{name}.secret"
            secret.write_text(claim["batch_secret"] + "\n")
            words += ["--claim-secret-file", secret]
        return stolen.Fleet(self, site, more.pop("enrol", "password"), more.pop("count", 1), name, options=words,
                            **more)

    def device_is_gone(self, site, name):
        return site.covey("device", "get", name, "-o", "json").returncode != 0

    def refused(self, site, count, what):
        hostile.until(lambda: site.metric(REFUSED) == count, what)

    def test_from_the_factory_to_the_first_report(self):
        site = self.start(CONFIG)
        model = factory.FirstModel(self, site)
        ways = {
            "asks": (self.claim(site, "asks", "--count", "1"), "password"),
            "listed": (self.claim(site, "listed", "--count", "1", "--accept", "--ids", self.ids("listed-0001")), "key"),
            "proven": (self.claim(site, "proven", "--count", "2", "--accept", "--hmac"), "password"),
        }
        for name, (claim, enrol) in ways.items():
            with self.subTest(way=name):
                self.fleet(site, claim, name, model.options, prefix=f"{name}-", enrol=enrol)
                device = f"{name}-0001"
                if name == "asks":
                    hostile.until(lambda: not self.device_is_gone(site, device), "it has asked")
                    self.assertEqual(site.call("device", "get", device)["device"]["state"], "DEVICE_STATE_PENDING")
                    site.call("device", "accept", device)
                model.await_report(device)
                self.assertEqual(site.call("device", "get", device)["device"]["claim"], name)
        used = {each["name"]: each.get("used") for each in site.call("claim", "list")["claims"]}
        self.assertEqual(used, {f"claims/{name}": 1 for name in ways})
        self.assertNotIn(ways["proven"][0]["batch_secret"], site.log() + json.dumps(site.call("claim", "list")))

    def test_what_a_claim_does_not_let_in(self):
        site = self.start(CONFIG)
        proven = self.claim(site, "proven", "--count", "5", "--accept", "--hmac")
        foreign = self.claim(site, "foreign", "--count", "5", "--accept", "--hmac")
        listed = self.claim(site, "listed", "--count", "5", "--accept", "--ids", self.ids("dev-a"))
        short = self.claim(site, "short", "--count", "5", "--expires", "1s")
        small = self.claim(site, "small", "--count", "1")
        gone = self.claim(site, "gone", "--count", "5")
        proof = lambda claim, name: hmac.new(bytes.fromhex(claim["batch_secret"]), name.encode(), hashlib.sha256).digest()
        refusals = 0
        for what, claim, sent in (("no proof", proven, b""), ("another's proof", proven, proof(proven, "dev-a")),
                                  ("a short proof", proven, proof(proven, "dev-b")[:31]),
                                  ("a foreign batch", proven, proof(foreign, "dev-b")),
                                  ("an id that is not listed", listed, b"")):
            with self.subTest(claim=what):
                asker = Asker.soon(site, claim, "dev-b")
                with asker.client:
                    asker.ask(sent)
                refusals += 1
                self.refused(site, refusals, what)
                self.assertTrue(self.device_is_gone(site, "dev-b"))
        with self.subTest(claim="used up"):
            self.assertFalse(Asker.soon(site, small, "dev-s").is_accepted())
            late = Asker.soon(site, small, "dev-t")
            with late.client:
                late.ask()
            refusals += 1
            self.refused(site, refusals, "used up")
            self.assertTrue(self.device_is_gone(site, "dev-t"))
        with self.subTest(claim="that has ended"):
            hostile.until(lambda: self.is_shut_out(site, short), "the broker lets its devices ask no more")
        with self.subTest(claim="revoked"):
            stays = Asker.soon(site, gone, "dev-g")
            site.call("claim", "revoke", "gone")
            hostile.until(lambda: self.is_shut_out(site, gone), "nobody comes in by it")
            with self.assertRaises((ConnectionError, mqtt.Refused)):
                while True:
                    stays.client.flush()
        self.assertTrue(Asker.soon(site, proven, "dev-b").is_accepted(proof(proven, "dev-b")))

    def is_shut_out(self, site, claim):
        try:
            Asker(site, claim, "dev-x").client.close()
            return False
        except (ConnectionError, mqtt.Refused):
            return True

    def test_a_claim_reaches_its_own_topics_alone(self):
        site = self.start(CONFIG)
        mine = self.claim(site, "mine", "--count", "5")
        other = self.claim(site, "other", "--count", "5")
        victim = Asker.soon(site, other, "dev-v")
        thief = Asker.soon(site, mine, "dev-t")
        honest = self.device(site, "honest")
        honest.hello()
        honest.await_hello_answered()
        for topic in ("covey/v1/c/other/dev-v/up", "covey/v1/c/other/dev-t/up", "covey/v1/c/mine/dev-v/up",
                      "covey/v1/enroll/dev-t/up", "covey/v1/mine/dev-t/up", "covey/v1/c/mine/dev-t/down", "covey/v1/c/other/dev-v/down",
                      honest.topic("hello"), f"covey/v1/{honest.shard}/honest/down/goal", "covey/v1/site",
                      "covey/v1/m/" + "0" * 64, "$SYS/x"):
            with self.subTest(writes=topic.replace(f"/{honest.shard}/", "/SHARD/")):
                device = topic.split("/")[-2] if topic.endswith("/up") else "dev-t"
                thief.ask(topic=topic, device=device)
        for topic in ("#", "covey/#", "covey/v1/c/+/+/down", "covey/v1/c/other/dev-v/down", "covey/v1/enroll/+/down",
                      "covey/v1/site", "covey/v1/m/+", f"covey/v1/{honest.shard}/honest/down/#", "covey/v1/c/mine/+/up"):
            with self.subTest(reads=topic.replace(f"/{honest.shard}/", "/SHARD/")):
                thief.client.subscribe(topic)
        victim.ask()
        self.assertEqual(victim.answer()[2], [1], "the victim waits")
        honest.hello()
        honest.await_hello_answered()
        thief.client.flush()
        self.assertEqual(thief.client.messages, [])
        self.assertTrue(self.device_is_gone(site, "dev-t"))
        with self.subTest("its password elsewhere"), self.assertRaises((ConnectionError, mqtt.Refused)):
            mqtt.Client(site.endpoints()["mqtt"], "mine", mine["username"], mine["password"], tls=liar.trust(site))
        # As itself it is served all the same.
        thief.ask()
        self.assertEqual(thief.answer()[2], [1])

    def test_a_flood_of_ids_has_its_claims_places_alone(self):
        site = self.start(CONFIG + "limits: {lifecycle_queue: 1000}\n")
        claim = self.claim(site, "leaked", "--count", "20")
        for i in range(200):
            asker = Asker.soon(site, claim, f"flood-{i}")
            with asker.client:
                asker.ask()
        self.refused(site, 180, "all but twenty are refused")
        leaked = site.call("claim", "list")["claims"][0]
        self.assertEqual(leaked["waiting"], 20)
        self.assertEqual(leaked.get("used", 0), 0)
        self.device(site, "honest").hello().await_hello_answered()
        site.call("claim", "revoke", "leaked")
        site.call("device", "accept", "honest")

    def test_a_restart_keeps_claims_and_their_secrets(self):
        site = self.start(CONFIG)
        claim = self.claim(site, "batch-7", "--count", "2", "--accept", "--ids", self.ids("dev-a", "dev-b"))
        self.assertTrue(Asker.soon(site, claim, "dev-a").is_accepted())
        self.assertEqual(site.stop(), 0)
        site.start()
        hostile.until(lambda: (site.ready() or [False])[0], "coveyd is ready")
        self.assertTrue(Asker.soon(site, claim, "dev-b").is_accepted())
        self.assertEqual(site.call("claim", "list")["claims"][0]["used"], 2)


if __name__ == "__main__":
    sys.exit(hostile.main())
