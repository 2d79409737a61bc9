# SPDX-License-Identifier: Apache-2.0
"""A caller on the network: `covey` with what he shows of himself, and how he is refused."""

import os
import subprocess

import hostile
import site_process

CONFIG = site_process.CONFIG + "tls: {plaintext: never%s}\n"


class Case(hostile.Case):
    def endpoint(self, site, name="grpc"):
        host, port = site.endpoints()[name].rsplit(":", 1)
        return host, int(port)

    def cli(self, site, *words, token=None, certificate=None, ca=None, address=None):
        """covey as a caller on the network does it."""
        options = ["--address", address or site.endpoints()["grpc"], "--ca", ca or site.endpoints()["ca_file"]]
        if token is not None:
            file = self.folder / "caller.token"
            file.touch(0o600)
            file.write_text(token)
            options += ["--token-file", file]
        if certificate is not None:
            options += ["--client-certificate", certificate[0], "--client-key", certificate[1]]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("COVEY_")}
        return subprocess.run([hostile.PROGRAMS / "covey", "--timeout", "10s", *options, *words], env=environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)

    def refused(self, done, reason):
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertIn(f"[{reason}]", done.stderr)

    def token(self, site, name, role, *more):
        made = site.covey("token", "create", name, "--role", role, *more)
        self.assertEqual(made.returncode, 0, made.stderr)
        return made.stdout.strip()

    def served(self, site):
        """Everybody else is served all the while."""
        self.assertIn("site", site.call("status"))
        self.assertTrue(site.ready()[0])
