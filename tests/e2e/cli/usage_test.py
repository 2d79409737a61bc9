# SPDX-License-Identifier: Apache-2.0
"""What `covey` says of itself and to wrong words, for every command: usage_test.py COVEY"""

import os
import re
import subprocess
import sys
import unittest

COVEY = sys.argv.pop(1)
USAGE = 2


def covey(*words):
    return subprocess.run([COVEY, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=30, check=False)


def commands(*words):
    """Yields each command below `words` with its help."""
    shown = covey(*words, "--help")
    yield words, shown
    listed = re.search(r"^Subcommands:\n((?:  .*\n)+)", shown.stdout, re.M)
    for line in (listed.group(1) if listed else "").splitlines():
        if name := re.match(r"  (\S+)", line):
            yield from commands(*words, name.group(1))


class Usage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.all = list(commands())
        cls.groups = [words for words, shown in cls.all if "\nSubcommands:" in shown.stdout]

    def test_every_command_has_help(self):
        self.assertGreater(len(self.all), 40)
        for words, shown in self.all:
            with self.subTest(words=words):
                self.assertEqual(shown.returncode, 0, shown.stderr)
                self.assertRegex(shown.stdout, r"\AUsage|\A[A-Z].*\nUsage: covey")

    def test_an_unknown_command_is_named_where_it_stands(self):
        for words in self.groups:
            with self.subTest(words=words):
                done = covey(*words, "nonsense")
                self.assertEqual(done.returncode, USAGE)
                group = " ".join(["covey", *words])
                self.assertEqual(done.stderr, f"{group}: unknown command 'nonsense'\n"
                                              f"Run {group} --help for the list of commands.\n")

    def test_a_missing_command_and_an_unknown_option_are_wrong_usage(self):
        for words, _ in self.all:
            with self.subTest(words=words):
                done = covey(*words, "--no-such-option", "value")
                self.assertEqual(done.returncode, USAGE)
                command = " ".join(["covey", *words])
                self.assertEqual(done.stderr, f"{command}: unknown option '--no-such-option'\n"
                                              f"Run {command} --help for the options.\n")
        # One that does something by itself says so: [SUBCOMMAND].
        alone = [words for words, shown in self.all if " [SUBCOMMAND]\n" in shown.stdout]
        self.assertEqual(alone, [("admin", "audit")])
        for words in self.groups:
            with self.subTest(words=words):
                if words not in alone:
                    self.assertEqual(covey(*words).returncode, USAGE)

    def test_a_wrong_duration_is_wrong_usage_and_names_its_option(self):
        for option, words in (("--timeout", ["--timeout", "soon", "status"]),
                              ("--wait", ["rollout", "watch", "x", "--wait", "soon"]),
                              ("--wait", ["rollout", "create", "-f", "-", "--wait", "-1s"])):
            with self.subTest(words=words):
                done = covey(*words)
                self.assertEqual(done.returncode, USAGE)
                self.assertIn(option, done.stderr)

    def test_no_site_says_where_one_was_looked_for(self):
        done = covey("--address", "127.0.0.1:1", "--timeout", "1s", "status")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("127.0.0.1:1", done.stderr)


if __name__ == "__main__":
    if not os.access(COVEY, os.X_OK):
        print(f"there is no {COVEY}")
        sys.exit(77)
    unittest.main()
