# SPDX-License-Identifier: Apache-2.0
"""The audit log can't be rewritten unseen: somebody with the gateway's disk changes, removes and
moves entries in the database, and `covey admin audit verify` says which."""

import json
import pathlib
import random
import sqlite3
import sys
import tempfile
import unittest

import site_process

PROGRAMS = site_process.binaries()
ENTRIES = 6
MUTANTS = 300


class AuditChain(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.site = site_process.Site(PROGRAMS, self.folder)
        self.addCleanup(self.site.kill)
        self.site.start()
        self.trust(ENTRIES)

    def trust(self, keys):
        for _ in range(keys):
            for path in self.folder.glob("author*"):
                path.unlink()
            self.site.trust_author(self.folder)

    def edit(self, *statements):
        """What somebody does who has the disk."""
        self.assertEqual(self.site.stop(), 0)
        database = sqlite3.connect(self.site.data / "covey.db")
        with database:
            for statement in statements:
                self.assertGreater(database.execute(statement).rowcount, 0, statement)
        database.close()
        self.site.start()

    def verify(self, *options):
        done = self.site.covey("admin", "audit", "verify", *options)
        return done.returncode, done.stdout + done.stderr

    def found(self, reason, *options):
        code, text = self.verify(*options)
        self.assertEqual(code, 1, text)
        self.assertIn(reason, text)
        return text

    def export(self, name="audit.jsonl"):
        file = self.folder / name
        done = self.site.covey("admin", "audit", "export", file)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        return file

    def test_a_whole_log_is_good_after_a_crash_too(self):
        code, text = self.verify()
        self.assertEqual(code, 0, text)
        self.assertIn(f"{ENTRIES} entries", text)
        before = self.export()
        self.site.kill()
        self.site.start()
        self.trust(1)
        code, text = self.verify("--head", before)
        self.assertEqual(code, 0, text)
        self.assertIn(f"{ENTRIES + 1} entries", text)

    def test_a_changed_entry_is_named(self):
        self.edit("UPDATE audit SET actor = 'unix:mallory' WHERE sequence = 3")
        self.assertIn("entry 3 ", self.found("AUDIT_CHANGED"))

    def test_removed_entries_are_named(self):
        self.edit("DELETE FROM audit WHERE sequence IN (3, 4)")
        self.assertIn("entries 3 to 4 are missing", self.found("AUDIT_MISSING"))

    def test_moved_entries_are_found(self):
        self.edit("UPDATE audit SET sequence = -2 WHERE sequence = 2",
                  "UPDATE audit SET sequence = 2 WHERE sequence = 5",
                  "UPDATE audit SET sequence = 5 WHERE sequence = -2")
        self.found("AUDIT_CHANGED")

    def test_a_log_that_was_cut_off_is_found(self):
        self.edit("DELETE FROM audit WHERE sequence > 4")
        self.found("AUDIT_CUT")

    def test_an_earlier_head_finds_what_the_database_hides(self):
        # Cut off so that the database agrees with itself.
        head = self.folder / "head.json"
        head.write_text(self.site.covey("-o", "json", "admin", "audit", "head").stdout)
        self.edit("DELETE FROM audit WHERE sequence > 4",
                  "UPDATE site SET audit_sequence = 4, "
                  "audit_hash = (SELECT hash FROM audit WHERE sequence = 4)")
        code, text = self.verify()
        self.assertEqual(code, 0, text)
        self.found("AUDIT_CUT", "--head", head)
        # Other entries in the place of those that were removed.
        self.trust(3)
        self.found("AUDIT_REWRITTEN", "--head", head)

    def test_who_was_not_let_in_is_on_record(self):
        file = self.folder / "token"
        self.site.call("token", "create", "watcher", "--role", "viewer", "--expires", "1d", "--output", file)
        denied = self.site.covey("--address", self.site.endpoints()["grpc"], "--token-file", file,
                                 "key", "remove", "0" * 16)
        self.assertEqual(denied.returncode, 1)
        entry = site_process.until(
            lambda: [each for each in self.site.call("admin", "audit")["entries"]
                     if each["action"] == "CALL_DENIED"], "it is on record")[0]
        self.assertEqual(entry["actor"], "token:watcher")
        self.assertEqual((entry["known"], entry["from"]), ("token", "127.0.0.1"))
        self.assertIn("RemoveTrustedKey", entry["subject"])
        self.assertIn("ROLE_MISSING", entry["detail"])
        self.assertTrue(entry["request_id"])
        code, text = self.verify()
        self.assertEqual(code, 0, text)

    def test_a_mutated_export_is_good_only_if_it_says_the_same(self):
        file = self.export()
        original = file.read_bytes()
        said = [json.loads(line) for line in original.splitlines()]
        chance = random.Random(1)
        for number in range(MUTANTS):
            mutant = bytearray(original)
            for _ in range(chance.randint(1, 4)):
                at = chance.randrange(len(mutant))
                kind = chance.randrange(4)
                if kind == 0:
                    mutant[at] ^= 1 << chance.randrange(8)
                elif kind == 1:
                    del mutant[at:at + chance.randint(1, 400)]
                elif kind == 2:
                    mutant[at:at] = mutant[at:at + chance.randint(1, 400)]
                else:
                    mutant[at:at] = chance.choice((b'"', b"{", b"}", b"\n", b"\0", b"[" * 300, b"1e999", b"\xff"))
            file.write_bytes(mutant)
            code, text = self.verify(file)
            self.assertIn(code, (0, 1), f"mutant {number}: {text}")
            if code == 0:
                self.assertEqual([json.loads(line) for line in mutant.splitlines() if line], said, number)

    def test_an_export_is_checked_without_the_site(self):
        file = self.export()
        self.assertEqual(self.site.stop(), 0)
        code, text = self.verify(file)
        self.assertEqual(code, 0, text)
        lines = file.read_text().splitlines()
        head = json.loads(lines[-1])["head"]
        key = self.folder / "audit.pub"
        key.write_text(head["public_key_pem"])
        self.assertEqual(self.verify(file, "--key", key)[0], 0)
        for reason, changed in (
                ("AUDIT_CHANGED", [lines[0], lines[1].replace("ADD_TRUSTED_KEY", "NOTHING"),
                                   *lines[2:]]),
                ("AUDIT_MISSING", [lines[0], *lines[2:]]),
                ("AUDIT_CUT", [*lines[:-2], lines[-1]]),
                ("AUDIT_SIGNATURE", [*lines[:-1], json.dumps(
                    {"head": {**head, "sequence": int(head["sequence"]) - 1}})]),
                ("BAD_AUDIT_FILE", lines[:-1]),
                ("BAD_AUDIT_FILE", [lines[0], "{", *lines[1:]])):
            with self.subTest(reason):
                file.write_text("\n".join(changed) + "\n")
                self.found(reason, file)
        file.write_text("\n".join(lines) + "\n")
        self.site.covey("key", "generate", self.folder / "other.pem")
        self.found("AUDIT_KEY", file, "--key", self.folder / "other.pub.pem")


if __name__ == "__main__":
    sys.exit(unittest.main())
