# SPDX-License-Identifier: Apache-2.0
"""The site's secrets: a copied database is not the keys of the fleet, a wrong key file is said, and a
secret that was stolen is replaced without a person at any device."""

import hmac
import os
import shutil
import sqlite3

import hostile
import site_process
import stolen

CONFIG = site_process.CONFIG + "enroll: {auto_accept: true}\n"
DEVICE = "dev-0001"


def order_key(site, fleet, device=DEVICE):
    return (fleet.state / "devices" / f"{device}.identity").read_bytes()[stolen.ORDER_KEY_AT:stolen.ORDER_KEY_AT + 32]


def keys_are_in(file, device, wanted):
    """Whether any 32 bytes of a file are a secret that gives this device's key, as docs/adr/0004 says."""
    data = file.read_bytes()
    message = b"order key\0" + device.encode() + b"\0" + b"1\x01"
    return any(hmac.digest(data[at:at + 32], message, "sha256") == wanted for at in range(len(data) - 31))


class Secrets(hostile.Case):
    def online(self, site, count):
        hostile.until(lambda: site.call("status").get("devices_online") == count, f"{count} are online")

    def by_secret(self, site):
        return site.call("status").get("devices_by_secret", {})

    def stopped(self, config=CONFIG):
        site = self.start(config)
        self.device(site, "honest-1")
        self.assertEqual(site.stop(), 0)
        return site

    def refused(self, site):
        begin = len(site.log())
        site.spawn()
        self.assertNotEqual(site.process.wait(site_process.PATIENCE_S), 0)
        return site.log()[begin:]

    def test_a_copied_database_is_not_the_keys(self):
        site = self.start(CONFIG)
        self.assertEqual(site.stop(), 0)
        # As a site of before had it, and with a secret that is looked for.
        database = site.data / "covey.db"
        opened = sqlite3.connect(database)
        with opened:
            opened.execute("UPDATE site_secrets SET sealed = ?", (os.urandom(32),))
        opened.close()
        before = self.folder / "before.db"
        shutil.copy(database, before)
        site.start()
        self.assertIn("site_secrets_sealed", site.log())
        fleet = stolen.Fleet(self, site, "key")
        self.online(site, 1)
        fleet.kill()
        key = order_key(site, fleet)
        self.assertEqual(site.stop(), 0)
        self.assertTrue(keys_are_in(before, DEVICE, key), "the search finds what is there")
        for left in site.data.glob("covey.db*"):
            self.assertFalse(keys_are_in(left, DEVICE, key), left.name)
        self.assertEqual((site.data / "site.key").stat().st_mode & 0o777, 0o600)
        self.assertNotIn((site.data / "site.key").read_text().strip(), site.log())

    def test_the_key_of_the_site(self):
        site = self.stopped()
        path = site.data / "site.key"
        good = path.read_text()
        for what, damage, said in [
            ("lost", path.unlink, "SITE_KEY_LOST"),
            ("of another site", lambda: path.write_text("ab" * 32 + "\n"), "SITE_KEY_WRONG"),
            ("empty", lambda: path.write_text(""), "SITE_KEY_INVALID"),
            ("cut", lambda: path.write_text(good[:60]), "SITE_KEY_INVALID"),
            ("of other letters", lambda: path.write_text("g" * 64), "SITE_KEY_INVALID"),
            ("too long", lambda: path.write_text("a" * 5000), "FILE_TOO_LARGE"),
            ("for everybody", lambda: path.chmod(0o644), "EXPOSED_FILE"),
            ("that others write", lambda: path.chmod(0o602), "FOREIGN_FILE"),
        ]:
            with self.subTest(key=what):
                damage()
                text = self.refused(site)
                self.assertIn(said, text)
                self.assertNotIn(good.strip(), text)
                path.write_text(good)
                path.chmod(0o600)
        site.start()
        self.assertIn("honest-1", site.covey("device", "list").stdout)

    def test_another_key_takes_over(self):
        site = self.stopped()
        old = self.folder / "old.key"
        (site.data / "site.key").rename(old)
        new = self.folder / "new.key"
        new.write_text(os.urandom(32).hex() + "\n")
        new.chmod(0o600)
        site.config = CONFIG + f"site: {{key_file: {new}}}\n"
        with self.subTest(previous="not named"):
            self.assertIn("SITE_KEY_WRONG", self.refused(site))
        site.config = CONFIG + f"site: {{key_file: {new}, previous_key_file: {old}}}\n"
        site.start()
        self.assertEqual(site.stop(), 0)
        site.config = CONFIG + f"site: {{key_file: {new}}}\n"
        with self.subTest(previous="needed no more"):
            site.start()
            self.assertIn("honest-1", site.covey("device", "list").stdout)

    def test_a_stolen_secret_is_replaced(self):
        site = self.start(CONFIG)
        keyed = stolen.Fleet(self, site, "key", 4)
        plain = stolen.Fleet(self, site, "password", 2, name="plain", prefix="old-")
        self.online(site, 6)
        before = order_key(site, keyed)
        rotated = site.call("site", "rotate-secret")
        self.assertEqual([rotated[name] for name in ("secret_number", "devices_following", "devices_staying")],
                         [2, 4, 2])
        site.kill()  # in the middle of it; devices find it where it was
        port, enroll = (site.endpoints()[name].rsplit(":", 1)[1] for name in ("mqtt", "enroll"))
        site.config = CONFIG.replace("port: 0, enroll_port: 0", f"port: {port}, enroll_port: {enroll}")
        site.start()
        hostile.until(lambda: self.by_secret(site) == {"1": 2, "2": 4}, "those with keys have new ones")
        self.online(site, 6)
        with self.subTest(order_key="of before"):
            self.assertNotEqual(order_key(site, keyed), before)
        listed = site.call("device", "list", "--filter", "secret < 2")["devices"]
        self.assertEqual(sorted(each["name"].split("/")[-1] for each in listed), ["old-0001", "old-0002"])
        with self.subTest(secret="that nobody uses"):
            plain.kill()
            for device in ("old-0001", "old-0002"):
                self.assertEqual(site.covey("device", "remove", device).returncode, 0)
            hostile.until(lambda: "site_secret_forgotten" in site.log(), "the old one is gone")
        self.online(site, 4)
        self.assertEqual(site.call("status").get("drops", {}).get("ENROLL_REFUSED", 0), 0)


if __name__ == "__main__":
    hostile.main()
