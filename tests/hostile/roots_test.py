# SPDX-License-Identifier: Apache-2.0
"""Root documents at a running site: what it refuses, what a revoked author's releases are worth, and that a fleet
walks the chain and runs nothing that too few authors signed."""

import json
import os
import pathlib
import subprocess
import sys

import hostile
import site_process

sys.path.insert(0, str(site_process.ROOT / "tools" / "demo"))
from covey_demo.fleet import Control  # noqa: E402

RELEASE = "bearing-vibration@1.0.0"
PLAN = """\
apiVersion: covey/v1
kind: Rollout
metadata: {name: NAME}
spec:
  release: bearing-vibration@VERSION
  stages: [{name: fleet, size: 100%}]
  gates: [{failures: {max: 50%}}]
"""


class Roots(hostile.Case):
    def setUp(self):
        super().setUp()
        self.site = self.start(site_process.CONFIG + "enroll: {auto_accept: true}\n")
        self.public = {}
        for name in ("a", "b", "c", "ann", "bob", "eve", "thief"):
            made = self.site.call("key", "generate", self.folder / f"{name}.pem")
            self.public[name] = (pathlib.Path(made["public_key"]), made["key_id"])

    def key(self, name):
        return self.folder / f"{name}.pem"

    def refused(self, *words):
        done = self.site.covey("-o", "json", *words)
        self.assertNotEqual(done.returncode, 0, words)
        return json.loads(done.stderr)["error"]["reason"]

    def names(self, names):
        return ",".join(str(self.public[name][0]) for name in names)

    def root(self, out, *signers, authors=("ann", "bob"), keys=("a", "b", "c"), threshold=2):
        file = self.folder / out
        self.site.call("key", "root", "create", "--threshold", str(threshold), "--keys", self.names(keys),
                       "--authors", self.names(authors), "--author-threshold", "2", "--out", file)
        return self.sign(file, *signers)

    def next(self, out, before, *signers, words):
        file = self.folder / out
        self.site.call("key", "root", "change", before, "--out", file, *words)
        return self.sign(file, *signers)

    def sign(self, file, *signers):
        for name in signers:
            self.site.call("key", "sign", file, "--key", self.key(name))
        return file

    def release(self, folder, version="1.0.0"):
        folder = self.folder / folder
        models = site_process.MODELS
        self.site.call("model", "build", f"bearing-vibration@{version}",
                       "--artifact", f"m4f-256k={models / f'bearing-{version}.tflite'}",
                       "--stats", models / f"bearing-{version}.stats.json",
                       "--preprocessing", models / "preprocessing.bin", "--out", folder)
        return folder

    def roll_out(self, name, version="1.0.0"):
        plan = self.folder / f"{name}.yaml"
        plan.write_text(PLAN.replace("NAME", name).replace("VERSION", version))
        return ("rollout", "create", "-f", plan)

    def fleet(self, root, count=3):
        at = self.site.endpoints()
        socket = self.folder / "fleet.sock"
        process = subprocess.Popen(
            [hostile.PROGRAMS / "covey-sim", "--broker", at["mqtt"], "--enroll-broker", at["enroll"],
             "--enroll-token-file", at["enroll_token_file"], "--memory", "--root", root, "--count", str(count),
             "--inference-interval", "100ms", "--report-interval", "1s", "--probation-inferences", "3",
             "--speed-up", "10", "--control", socket, "--quiet"],
            preexec_fn=site_process.end_with_me)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        hostile.until(socket.exists, "the fleet answers")
        control = Control(socket)
        self.addCleanup(control.close)
        hostile.until(lambda: self.site.call("status").get("devices_online") == count, "all are online")
        return control

    def versions(self, control):
        return {device["root_version"] for device in control("slots")["devices"]}

    def test_what_a_site_refuses(self):
        first = self.root("root.1.bin", "a", "b")
        self.site.call("key", "root", "import", first)
        second = self.next("root.2.bin", first, "a", "c", words=("--remove-author", self.public["bob"][1],
                                                                  "--add-author", self.public["eve"][0]))
        whole = second.read_bytes()
        third = self.next("root.3.bin", second, "a", "b", words=("--author-threshold", "1"))
        other = self.root("other.bin", "a", "b", authors=("ann", "eve"))
        theirs = self.next("theirs.bin", first, "thief", "eve", words=(
            "--add-key", self.names(("thief", "eve")), "--remove-key", self.public["a"][1],
            "--remove-key", self.public["b"][1]))
        once = self.next("once.bin", first, "a", words=("--threshold", "1"))
        attempts = {
            "nothing": (b"", "ROOT_MALFORMED"),
            "zeros": (bytes(64), "ROOT_MALFORMED"),
            "the first half": (whole[:len(whole) // 2], "ROOT_MALFORMED"),
            "all but a byte": (whole[:-1], "ROOT_MALFORMED"),
            "a byte more": (whole + b"\x00", "ROOT_MALFORMED"),
            "a bit of its signature": (whole[:-1] + bytes([whole[-1] ^ 1]), "ROOT_NOT_SIGNED"),
            "longer than any": (whole + bytes(1024), "FILE_TOO_LARGE"),
            "the same version with other content": (other.read_bytes(), "ROOT_VERSION_TAKEN"),
            "a version that skips": (third.read_bytes(), "ROOT_SKIPS"),
            "one signature, as its own threshold asks": (once.read_bytes(), "ROOT_NOT_SIGNED"),
            "a thief's, signed by a thief": (theirs.read_bytes(), "ROOT_NOT_SIGNED"),
            "a manifest": (None, "ROOT_MALFORMED"),
        }
        folder = self.release("manifest")
        self.site.call("key", "sign", folder, "--key", self.key("ann"))
        for what, (content, reason) in attempts.items():
            with self.subTest(what):
                file = self.folder / "attempt.bin"
                file.write_bytes(content if content is not None else
                                 (folder / "0" / "signed_manifest.bin").read_bytes())
                self.assertEqual(self.refused("key", "root", "import", file), reason)
                self.assertEqual(self.site.call("key", "root", "get")["root"]["version"], 1)
        self.site.call("key", "root", "import", second, third)
        self.assertEqual(self.site.call("key", "root", "get")["root"]["version"], 3)
        self.site.stop()
        self.site.start()
        hostile.until(lambda: (self.site.ready() or [False])[0], "coveyd is ready again")
        with self.subTest("the second version again, after a restart"):
            self.assertTrue(self.site.call("key", "root", "import", second)["already_existed"])
            self.assertEqual(self.site.call("key", "root", "get")["root"]["version"], 3)
        with self.subTest("a trusted key beside the document"):
            self.assertEqual(self.refused("key", "trust", self.public["thief"][0]), "ROOT_DECIDES")

    def test_a_fleet_takes_nothing_that_too_few_signed(self):
        first = self.root("root.1.bin", "a", "b")
        control = self.fleet(first)
        self.assertEqual(self.versions(control), {1})
        folder = self.release("release")
        # Before the site has a document it goes by its own keys: the devices don't.
        self.site.call("key", "trust", self.public["ann"][0])
        self.site.call("key", "sign", folder, "--key", self.key("ann"))
        self.site.call("model", "push", folder)
        with self.subTest("one author of two, by a gateway that takes it"):
            self.site.call(*self.roll_out("early"))
            hostile.until(lambda: any(
                "SIGNATURES_TOO_FEW" in (d.get("reason") or "")
                for d in self.site.call("rollout", "deployments", "early").get("deployments", [])), "devices decline")
            self.site.covey("rollout", "abort", "early", "--now")  # it may have ended by its gate
        # All of the root's keys change while nobody knows of it; the fleet walks the chain.
        second = self.next("root.2.bin", first, "a", "b", "thief", words=(
            "--remove-key", self.public["c"][1], "--add-key", self.public["thief"][0]))
        third = self.next("root.3.bin", second, "a", "b", words=("--remove-key", self.public["thief"][1],
                                                                  "--add-key", self.public["c"][0]))
        imported = self.site.call("key", "root", "import", first, second, third)
        self.assertEqual(imported["root"]["version"], 3)
        hostile.until(lambda: self.versions(control) == {3}, "the fleet has walked the chain")
        with self.subTest("withheld until a second author signs"):
            self.assertIn("1 of the 2 signatures", self.site.call("model", "get", RELEASE)["release"]["withheld"])
            self.assertEqual(self.refused(*self.roll_out("more")), "RELEASE_WITHHELD")
        digest = self.site.call("model", "get", RELEASE)["release"]["artifacts"][0]["manifest_digest"]
        os.environ["COVEY_KEY_FILE"] = str(self.key("bob"))
        self.addCleanup(os.environ.pop, "COVEY_KEY_FILE", None)
        self.site.call("model", "push", folder)
        release = self.site.call("model", "get", RELEASE)["release"]
        self.assertEqual(release["withheld"], "")
        self.assertEqual(release["artifacts"][0]["manifest_digest"], digest)
        self.assertEqual(len(release["artifacts"][0]["signature_key_ids"]), 2)
        self.site.call(*self.roll_out("both"))
        hostile.until(lambda: self.site.call("rollout", "get", "both")["rollout"]["state"] == "ROLLOUT_STATE_SUCCEEDED",
                      "both have signed: it is taken")
        with self.subTest("an author is taken out while a rollout goes on"):
            newer = self.release("newer", "1.1.0")
            for name in ("ann", "bob"):
                self.site.call("key", "sign", newer, "--key", self.key(name))
            self.site.call("model", "push", newer)
            self.site.call(*self.roll_out("newer", "1.1.0"))
            fourth = self.next("root.4.bin", third, "b", "c", words=(
                "--remove-author", self.public["bob"][1], "--add-author", self.public["eve"][0]))
            done = self.site.call("key", "root", "import", fourth)
            self.assertIn("bearing-vibration@1.1.0", done["withheld"])
            hostile.until(lambda: self.versions(control) == {4}, "the fleet knows")
        actions = [e["action"] for e in self.site.call("admin", "audit")["entries"]]
        self.assertEqual(actions.count("IMPORT_ROOT"), 4)
        agents = control("status")["agents"]
        self.assertEqual(agents["bugs"], 0)
        self.assertEqual(agents["journal_errors"], 0)


if __name__ == "__main__":
    hostile.main()
