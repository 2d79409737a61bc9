# SPDX-License-Identifier: Apache-2.0
"""Where output goes and what comes of it when it cannot: output_test.py BIN_DIR"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "site"))

import site_process  # noqa: E402

PROGRAMS = site_process.binaries()
COVEY = str(PROGRAMS / "covey")
MODEL = str(pathlib.Path(__file__).resolve().parents[3] /
            "examples/bearing_vibration/models/bearing-1.0.0.tflite")
# What needs no site.
LOCAL = [["--help"], ["--version"], ["rollout", "create", "--help"], ["help", "device"], ["version"],
         ["completion", "bash"], ["context", "list"], ["model", "inspect", MODEL]]


def covey(*words, **popen):
    popen = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, **popen}
    return subprocess.run([COVEY, *map(str, words)], stderr=subprocess.PIPE, text=True, timeout=60,
                          check=False, **popen)


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="covey-output-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)


class Unwritable(Folder):
    def refused(self, words, **popen):
        done = covey(*words, **popen)
        self.assertEqual(done.returncode, 1, f"{words}: {done.stderr}")
        return done

    def test_a_full_disk_is_said(self):
        for words in [*LOCAL, *(["-o", "json", *w] for w in LOCAL[3:5] + LOCAL[6:])]:
            with self.subTest(words=words), open("/dev/full", "w") as full:
                self.assertIn("No space left", self.refused(words, stdout=full).stderr)

    def test_a_closed_output_is_said(self):
        for words in LOCAL:
            with self.subTest(words=words):
                done = self.refused(words, stdout=None, preexec_fn=lambda: os.close(1))
                self.assertIn("cannot write", done.stderr)

    def test_a_reader_that_has_gone_is_no_news(self):
        for words in LOCAL:
            with self.subTest(words=words):
                reader, writer = os.pipe()
                os.close(reader)
                self.assertEqual(self.refused(words, stdout=writer).stderr, "")
                os.close(writer)

    def test_a_closed_input_is_no_empty_file(self):
        done = covey("monitor", "labels", "submit", "-", stdin=None,
                     preexec_fn=lambda: os.close(0))
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot read standard input", done.stderr)

    def test_a_closed_error_output_ends_nothing(self):
        self.assertEqual(covey("version", preexec_fn=lambda: os.close(2)).stdout[:6], "covey ")
        self.assertEqual(covey("statsu", preexec_fn=lambda: os.close(2)).returncode, 2)


class Files(Folder):
    def test_folders_and_secrets_of_others_are_no_empty_files(self):
        for words in (["monitor", "labels", "submit", self.folder], ["model", "inspect", self.folder],
                      ["rollout", "plan", "-f", self.folder], ["key", "trust", self.folder],
                      ["model", "run", MODEL, "--input", self.folder],
                      ["model", "push", "a@1.0.0", "--artifact", f"m={MODEL}", "--stats", self.folder]):
            with self.subTest(words=words):
                done = covey(*words)
                self.assertEqual(done.returncode, 1)
                self.assertIn("directory", done.stderr)

    def test_contexts_that_cannot_be_read_are_not_overwritten(self):
        (self.folder / "covey" / "contexts.yaml").mkdir(parents=True)
        environment = {**os.environ, "XDG_CONFIG_HOME": str(self.folder)}
        done = covey("--address", "a:1", "context", "add", "a", env=environment)
        self.assertEqual(done.returncode, 1)
        self.assertIn("CONTEXTS_UNREADABLE", done.stderr)

    def test_a_key_is_a_pair_or_nothing(self):
        os.chdir(self.folder)
        for name, public in (("team.alpha", "team.alpha.pub.pem"), ("author.pem", "author.pub.pem"),
                             ("team.beta", "team.beta.pub.pem")):
            self.assertEqual(covey("key", "generate", name).returncode, 0)
            self.assertTrue((self.folder / public).exists())
        (self.folder / "old.pub.pem").touch()
        done = covey("key", "generate", "old.pem")
        self.assertEqual(done.returncode, 1)
        self.assertIn("nothing was written", done.stderr)
        self.assertFalse((self.folder / "old.pem").exists())


class Json(Folder):
    def test_local_commands(self):
        self.assertEqual(json.loads(covey("version", "-o", "json").stdout).keys(), {"version"})
        self.assertEqual(json.loads(covey("model", "inspect", MODEL, "-o", "json").stdout)
                         ["inputs"][0]["type"], "INT8")
        given = self.folder / "in.bin"
        given.write_bytes(bytes(json.loads(covey("model", "inspect", MODEL, "-o", "json").stdout)
                                ["inputs"][0]["size_bytes"]))
        self.assertEqual(json.loads(covey("-o", "json", "model", "run", MODEL, "--input", given)
                                    .stdout)["inferences"], 1)
        environment = {**os.environ, "XDG_CONFIG_HOME": str(self.folder)}
        added = covey("-o", "json", "--address", "a:1", "context", "add", "a", env=environment)
        self.assertEqual(json.loads(added.stdout)["current"], "a")
        listed = covey("context", "list", "-o", "json", env=environment)
        self.assertEqual(json.loads(listed.stdout)["contexts"], [{"name": "a", "address": "a:1"}])

    def test_building_and_signing(self):
        models = pathlib.Path(MODEL).parent
        built = covey("model", "build", "bearing-vibration@1.0.0", "--artifact", f"m4={MODEL}",
                      "--stats", models / "bearing-1.0.0.stats.json", "--out",
                      self.folder / "release", "-o", "json")
        self.assertEqual(built.returncode, 0, built.stderr)
        self.assertFalse(json.loads(built.stdout)["artifacts"][0]["signed"])
        key = self.folder / "author.pem"
        self.assertEqual(json.loads(covey("-o", "json", "key", "generate", key).stdout)["algorithm"],
                         "ES256")
        signed = covey("model", "sign", self.folder / "release", "--key", key, "-o", "json")
        self.assertTrue(json.loads(signed.stdout)["artifacts"][0]["signed"], signed.stderr)

    def test_errors(self):
        for words, code, reason in ((["--address", "127.0.0.1:1", "--timeout", "1s", "status"], 1,
                                     "UNREACHABLE"),
                                    (["model", "inspect", "none"], 1, "NOT_FOUND"),
                                    (["device", "lsit"], 2, "USAGE"),
                                    (["device", "list", "--no-such"], 2, "USAGE")):
            done = covey("-o", "json", *words)
            self.assertEqual(done.returncode, code)
            self.assertEqual(done.stdout, "")
            error = json.loads(done.stderr)["error"]
            self.assertEqual((error["reason"], error["exit_code"]), (reason, code))
            self.assertIn("reason: ", covey("-o", "yaml", *words).stderr)


class Words(Folder):
    def complete(self, *words, **environment):
        script = ('source <("$0" completion bash)\nCOMP_WORDS=("$@")\nCOMP_CWORD=$(($# - 1))\n_covey\n'
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "-c", script, COVEY, *words], capture_output=True, text=True,
                              timeout=30, check=True, env={**os.environ, **environment})
        return done.stdout.split()

    def test_completion_knows_where_it_is(self):
        self.assertIn("device", self.complete("covey", ""))
        self.assertIn("device", self.complete("covey", "--data", "X", ""))
        self.assertEqual(self.complete("covey", "-o", ""), ["json", "table", "wide", "yaml"])
        self.assertIn("watch", self.complete("covey", "-o", "json", "rollout", ""))
        self.assertEqual(self.complete("covey", "rollout", "create", "--w"), ["--wait", "--watch"])
        self.assertEqual(self.complete("covey", "--format", "=", "j"), ["json"])
        self.assertEqual(self.complete("covey", "rollout", "plan", "-f", ""), [], "files")
        covey("--address", "a:1", "context", "add", "hall-b",
              env={**os.environ, "XDG_CONFIG_HOME": str(self.folder)})
        self.assertEqual(self.complete("covey", "context", "use", "",
                                       XDG_CONFIG_HOME=str(self.folder)), ["hall-b"])

    def test_a_typing_error_has_a_nearest_word(self):
        for words, meant in ((["statsu"], "status"), (["rolout", "list"], "rollout"),
                             (["device", "lsit"], "list"), (["device", "list", "--fliter", "a"],
                                                            "--filter"),
                             (["-o", "jsn", "status"], "json"), (["help", "devcie"], "device"),
                             (["rollout", "list", "--state", "runing"], "RUNNING")):
            with self.subTest(words=words):
                self.assertIn(f"did you mean {meant}?", covey(*words).stderr)
        misspelt = {k: v for k, v in os.environ.items() if not k.startswith("COVEY_")}
        done = covey("status", cwd=self.folder, env={**misspelt, "COVEY_DTA": "x",
                                                     "XDG_CONFIG_HOME": str(self.folder)})
        self.assertIn("COVEY_DTA is set: did you mean COVEY_DATA?", done.stderr)

    def test_a_wrong_argument_is_no_command(self):
        for words in (["rollout", "create", "plan.yaml"], ["device", "list", "more"],
                      ["device", "get", "a", "b"]):
            done = covey(*words)
            self.assertEqual(done.returncode, 2)
            self.assertIn("unexpected argument", done.stderr)


class OnSite(Folder):
    def test_names_lists_and_labels(self):
        site = site_process.Site(PROGRAMS, self.folder).start()
        self.addCleanup(site.kill)
        for words in (["status"], ["device", "list"], ["-o", "json", "alert", "list"],
                      ["admin", "audit"], ["model", "list"], ["rollout", "list", "-o", "yaml"]):
            with open("/dev/full", "w") as full:
                done = covey("--data", site.data, *words, stdout=full)
            self.assertEqual(done.returncode, 1, words)
            self.assertIn("No space left", done.stderr)
        self.assertIn("No device matches", site.covey("device", "list", "--filter",
                                                      "online = no").stdout)
        for words in (["rollout", "get", "rollouts/first"], ["rollout", "watch", "rollouts/first"],
                      ["device", "get", "devices/a"], ["rollout", "events", "rollouts/first"],
                      ["model", "get", "models/a/releases/1.0.0"]):
            self.assertIn("[NOT_FOUND]", site.covey(*words).stderr, words)
        labels = self.folder / "labels.csv"
        labels.write_text("press-07,00f1e2d3c4b5a697,1,2\n" * 10_500 + "press-07;1\n")
        done = site.covey("monitor", "labels", "submit", str(labels), "--model", "bearing")
        self.assertEqual(done.returncode, 1)
        self.assertIn("line 10501: has 1 cells", done.stderr)


if __name__ == "__main__":
    unittest.main()
