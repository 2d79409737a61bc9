# SPDX-License-Identifier: Apache-2.0
"""What a device, an operator or a path calls itself moves nothing on the terminal of who reads it."""

import json
import re
import sys

import hostile
import liar

ESCAPES = "1.0\x1b[2J\x1b]0;owned\x07\u202e\u009b2J"
FAKE_ROW = "a\nDEVICE  fake-9  ACCEPTED"
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


class Terminal(hostile.Case):
    def harmless(self, done, words):
        for text in (done.stdout, done.stderr):
            self.assertIsNone(RAW.search(text), f"{words}: {text!r}")
            self.assertNotRegex(text, r"(?m)^DEVICE  fake-9", words)

    def test_texts_of_devices_and_operators(self):
        site = self.start()
        enroller = liar.Enroller(site, "liar-1")
        self.addCleanup(enroller.client.close)
        enroller.ask("liar-1", 7, liar.facts(firmware=ESCAPES, agent=FAKE_ROW[:31]))
        hostile.until(lambda: site.call("device", "list").get("devices"), "the device is listed")
        key = site.data.parent / "author.pem"
        for words in (["key", "generate", key],
                      ["key", "trust", f"{key}"[:-4] + ".pub.pem", "--comment", ESCAPES + FAKE_ROW]):
            self.assertEqual(site.covey(*map(str, words)).returncode, 0)
        for words in (["device", "list"], ["device", "list", "-o", "wide"],
                      ["device", "get", "liar-1"], ["device", "get", "liar-1", "-o", "yaml"],
                      ["device", "get", "liar-1", "-o", "json"], ["key", "list"],
                      ["key", "list", "-o", "yaml"], ["admin", "audit"], ["status", "-o", "wide"]):
            done = site.covey(*words)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.harmless(done, words)
        device = site.call("device", "get", "liar-1")["device"]
        self.assertEqual(device["firmware"], ESCAPES, "JSON says what the device said")

    def test_errors_and_paths(self):
        site = self.start()
        path = str(site.data.parent / (FAKE_ROW + ESCAPES))
        for words in (["device", "get", ESCAPES], ["device", "list", "--filter", FAKE_ROW + ESCAPES],
                      ["rollout", "plan", "-f", path], ["model", "inspect", path],
                      ["model", "push", path], [ESCAPES], ["device", FAKE_ROW],
                      ["device", "list", "--" + ESCAPES], ["model", "list", ESCAPES],
                      ["device", "label", "none", f"{ESCAPES}={FAKE_ROW}"]):
            for form in ([], ["-o", "json"], ["-o", "yaml"]):
                done = site.covey(*form, *words)
                self.assertNotEqual(done.returncode, 0, words)
                self.harmless(done, words)
                if form == ["-o", "json"]:
                    self.assertIn("message", json.loads(done.stderr)["error"])


if __name__ == "__main__":
    sys.exit(hostile.main())
