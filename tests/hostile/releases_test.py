# SPDX-License-Identifier: Apache-2.0
"""A release that is deleted leaves the disk, not the history; what isn't there has no empty answers."""

import json
import sqlite3
import sys

import hostile

RELEASE = "bearing-vibration@1.0.0"
PLAN = """\
apiVersion: covey/v1
kind: Rollout
metadata: {name: first}
spec:
  release: bearing-vibration@1.0.0
  source: git 0000000
  stages: [{name: fleet, size: 100%}]
  gates: [{failures: {max: 10%}}]
"""


class Releases(hostile.Case):
    def setUp(self):
        super().setUp()
        self.site = self.start()
        self.key, _ = self.site.trust_author(self.folder)
        self.site.push_example(self.key)

    def refused(self, *words):
        done = self.site.covey("-o", "json", *words)
        self.assertNotEqual(done.returncode, 0, words)
        return json.loads(done.stderr)["error"]

    def image_bytes(self):
        # Its owner writes on: read what is committed.
        database = sqlite3.connect(f"file:{self.site.data / 'covey.db'}?mode=ro", uri=True)
        with database:
            rows = database.execute("SELECT length(image) FROM artifacts").fetchall()
        database.close()
        return [size for size, in rows]

    def test_a_deleted_release(self):
        self.assertTrue(all(size > 0 for size in self.image_bytes()))
        self.site.call("model", "delete", RELEASE)
        self.assertEqual(set(self.image_bytes()), {0})
        self.assertEqual(self.refused("model", "get", RELEASE)["reason"], "NOT_FOUND")
        self.assertEqual(self.refused("model", "delete", RELEASE)["reason"], "NOT_FOUND")
        self.site.stop()
        self.site.start()
        hostile.until(lambda: (self.site.ready() or [False])[0], "coveyd is ready again")
        self.assertEqual(self.site.call("model", "list").get("releases", []), [])
        actions = [e["action"] for e in self.site.call("admin", "audit")["entries"]]
        self.assertIn("DELETE_RELEASE", actions)
        self.site.push_example(self.key)
        self.assertTrue(all(size > 0 for size in self.image_bytes()), "the same content comes back")

    def test_where_it_was_made(self):
        self.site.call("model", "delete", RELEASE)
        self.site.push_example(self.key, "--source", "git 3f2a1c9")
        self.assertEqual(self.site.call("model", "get", RELEASE)["release"]["source"], "git 3f2a1c9")
        self.device(self.site, "m-1", device_class="m4f-256k")
        plan = self.folder / "plan.yaml"
        plan.write_text(PLAN)
        self.assertEqual(self.refused("rollout", "plan", "-f", plan, "--source", "g" * 257)["reason"], "BAD_PLAN")
        self.site.call("rollout", "create", "-f", plan, "--source", "https://ci.example/run/7\x1b[31m")
        self.assertEqual(self.site.call("rollout", "get", "first")["rollout"]["spec"]["source"],
                         "https://ci.example/run/7\x1b[31m")
        shown = self.site.covey("rollout", "get", "first").stdout
        self.assertIn("source https://ci.example/run/7", shown)
        self.assertNotIn("\x1b", shown)

    def test_what_is_not_there(self):
        for words in (["rollout", "explain", "nobody"], ["rollout", "watch", "nobody"],
                      ["model", "list", "nobody"], ["monitor", "totals", "nobody"],
                      ["monitor", "accuracy", "nobody"], ["monitor", "drift", "nobody"],
                      ["monitor", "windows", "nobody"],
                      ["monitor", "windows", "bearing-vibration", "--device", "nobody"],
                      ["device", "get", "nobody"], ["device", "remove", "nobody"]):
            error = self.refused(*words)
            self.assertEqual(error["reason"], "NOT_FOUND", words)
            self.assertIn("nobody", error["message"], words)


if __name__ == "__main__":
    sys.exit(hostile.main())
