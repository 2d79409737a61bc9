# SPDX-License-Identifier: Apache-2.0
"""Keys that stay in a token: SoftHSM through OpenSSL's engine. A release and a root document are signed by one, and
what is wrong with a token is said without its PIN. pkcs11_test.py DIR, DIR holds the programs."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "site"))
import site_process  # noqa: E402

PROGRAMS = site_process.binaries()
SKIPPED = 77
PIN = "493817"
MODULES = [pathlib.Path(path) for path in ("/usr/lib/softhsm/libsofthsm2.so",
                                           "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
                                           "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so")]


def why_not():
    if not shutil.which("softhsm2-util") or not any(path.exists() for path in MODULES):
        return "softhsm2 is not installed"
    engine = subprocess.run(["openssl", "engine", "pkcs11"], capture_output=True, check=False)
    return "libengine-pkcs11-openssl is not installed" if engine.returncode else None


class Tokens(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "tokens").mkdir()
        config = self.folder / "softhsm2.conf"
        config.write_text(f"directories.tokendir = {self.folder}/tokens\nobjectstore.backend = file\n")
        self.env = {**os.environ, "SOFTHSM2_CONF": str(config),
                    "PKCS11_MODULE_PATH": str(next(path for path in MODULES if path.exists()))}
        self.env.pop("COVEY_PKCS11_PIN", None)
        self.run_tool("softhsm2-util", "--init-token", "--free", "--label", "release", "--pin", PIN, "--so-pin", "1" * 8)
        self.pem = self.folder / "made.pem"
        self.run_tool("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.pem)
        self.run_tool("softhsm2-util", "--import", self.pem, "--token", "release", "--label", "author", "--id", "01",
                      "--pin", PIN)
        self.pin_file = self.folder / "pin"
        self.pin_file.touch(0o600)
        self.pin_file.write_text(PIN)
        self.key = f"pkcs11:token=release;object=author?pin-source=file:{self.pin_file}"

    def run_tool(self, *words):
        done = subprocess.run([str(word) for word in words], env=self.env, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def covey(self, *words, **more):
        return subprocess.run([PROGRAMS / "covey", *(str(word) for word in words)], env={**self.env, **more},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)

    def done(self, *words, **more):
        ended = self.covey(*words, **more)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return ended.stdout

    def test_its_public_half(self):
        own = self.run_tool("openssl", "pkey", "-in", self.pem, "-pubout")
        self.assertEqual(self.done("key", "public", self.key), own)
        bare = "pkcs11:token=release;object=author"
        self.assertEqual(self.done("key", "public", bare, COVEY_PKCS11_PIN=PIN), own)

    def test_what_is_wrong_is_said_without_the_pin(self):
        wrong = self.folder / "wrong"
        wrong.write_text("000000")
        for what, uri, more in [
            ("a wrong PIN", f"pkcs11:token=release;object=author?pin-source=file:{wrong}", {}),
            ("no PIN", "pkcs11:token=release;object=author", {}),
            ("no such key", self.key.replace("author", "nobody"), {}),
            ("no such token", self.key.replace("release", "other"), {}),
            ("a wrong PIN in the environment", "pkcs11:token=release;object=author", {"COVEY_PKCS11_PIN": "000000"}),
            ("no URI", "pkcs11:", {}),
            ("too long", "pkcs11:object=" + "a" * 5000, {}),
            ("no module", self.key, {"PKCS11_MODULE_PATH": "/nonexistent.so"}),
        ]:
            with self.subTest(what):
                ended = self.covey("key", "public", uri, **more)
                self.assertNotEqual(ended.returncode, 0)
                self.assertRegex(ended.stderr, r"\[PKCS11_(KEY|UNAVAILABLE)\]")
                self.assertNotIn(PIN, ended.stderr)
                self.assertNotIn("000000", ended.stderr)

    def test_it_signs_a_root_document_beside_a_file(self):
        half = self.folder / "token.pub.pem"
        half.write_text(self.done("key", "public", self.key))
        self.done("key", "generate", self.folder / "b.pem")
        root = self.folder / "root.1.bin"
        both = f"{half},{self.folder / 'b.pub.pem'}"
        self.done("key", "root", "create", "--threshold", "2", "--keys", both, "--author-threshold", "1", "--authors",
                  both, "--out", root)
        self.done("key", "sign", root, "--key", self.key)
        self.assertNotEqual(self.covey("key", "root", "verify", root).returncode, 0, "one of two")
        self.done("key", "sign", root, "--key", self.folder / "b.pem")
        self.done("key", "root", "verify", root)

    def test_it_signs_what_a_site_takes(self):
        site = site_process.Site(PROGRAMS, self.folder, env=self.env)
        self.addCleanup(site.kill)
        site.start()
        half = self.folder / "author.pub.pem"
        half.write_text(self.done("key", "public", self.key))
        site.call("key", "trust", half)
        models = site_process.MODELS
        self.done("--data", site.data, "model", "push", "bearing-vibration@1.0.0", "--artifact",
                  f"m4f-256k={models / 'bearing-1.0.0.tflite'}", "--stats", models / "bearing-1.0.0.stats.json",
                  "--preprocessing", models / "preprocessing.bin", "--key", self.key)
        self.assertIn("1.0.0", site.covey("model", "list").stdout)


if __name__ == "__main__":
    if reason := why_not():
        print(f"SKIPPED: {reason}")
        sys.exit(SKIPPED)
    unittest.main()
