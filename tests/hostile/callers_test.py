# SPDX-License-Identifier: Apache-2.0
"""Callers of the API and of HTTP who are not who they say, or may not what they ask: certificates, tokens,
handshakes. Each row of a table is one hostile input, and what must come of it."""

import hashlib
import json
import os
import pathlib
import socket
import ssl
import struct
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import hostile
import http2
import site_process
from authority import Authority
from callers import CONFIG, Case

PAUSED = 5  # what a watch ends with when a person is needed
HALF_OPEN = 2_000  # connections that begin a handshake and go on with nothing


class People(Authority):
    """Issues to callers, by the name of a file."""

    def issue_to(self, file, subject="/CN=alice", names="", **more):
        """(certificate, key): the paths."""
        return self.issue(self.folder / f"{file}.pem", self.folder / f"{file}.key", names, subject, **more)


class Callers(Case):
    def begin_rollout(self, site):
        plan = self.folder / "plan.yaml"
        plan.write_text("apiVersion: covey/v1\nkind: Rollout\nmetadata: {name: first}\nspec:\n"
                        "  release: bearing-vibration@1.0.0\n  stages: [{name: all, size: 100%}]\n")
        site.call("rollout", "create", "-f", plan)

    def watch(self, site, token_file, output, ca=None):
        """covey rollout watch as a caller on the network does it."""
        watch = subprocess.Popen(
            [hostile.PROGRAMS / "covey", "-o", "json", "--address", site.endpoints()["grpc"],
             "--ca", ca or site.endpoints()["ca_file"], "--token-file", token_file, "rollout", "watch", "first"],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE, text=True,
            preexec_fn=site_process.end_with_me)
        self.addCleanup(watch.communicate)
        self.addCleanup(watch.kill)
        return watch

    # ---- Certificates of callers

    def test_certificates(self):
        ours, foreign = People(self.folder, "plant"), People(self.folder, "foreign")
        access = self.folder / "access.yaml"
        access.write_text("certificates: [{name: alice, role: admin}, {name: bob, role: viewer},"
                          " {name: 'spiffe://plant/ci', role: ci}]\n")
        site = self.start(CONFIG % f", client_ca_file: {ours.ca}" + f"access: {{file: {access}}}\n")
        good = ours.issue_to("alice")
        self.assertEqual(self.cli(site, "key", "list", certificate=good).returncode, 0)
        uri = ours.issue_to("ci", "/CN=ignored", names="URI:spiffe://plant/ci")
        done = self.cli(site, "token", "list", certificate=uri)
        self.refused(done, "ROLE_MISSING")
        self.assertIn("needs the role admin; spiffe://plant/ci (certificate) has ci", done.stderr)
        refused = [
            # what is shown, what the caller hears
            ("of another authority", foreign.issue_to("f"), "TLS_CLIENT_CERTIFICATE"),
            ("that vouches for itself", ours.issue_to("s", self_signed=True), "TLS_CLIENT_CERTIFICATE"),
            ("that has expired", ours.issue_to("e", end="20210101000000Z"), "TLS_CLIENT_CERTIFICATE"),
            ("whose time has not begun", ours.issue_to("n", start="20980101000000Z"), "TLS_CLIENT_CERTIFICATE"),
            ("with a wildcard", ours.issue_to("w", "/CN=*"), "CERTIFICATE_NAME"),
            ("with a slash", ours.issue_to("sl", r"/CN=alice\/bob"), "CERTIFICATE_NAME"),
            ("with a plus", ours.issue_to("p", r"/CN=alice\+"), "CERTIFICATE_NAME"),
            ("with a hash", ours.issue_to("h", "/CN=#"), "CERTIFICATE_NAME"),
            ("with a line end", ours.issue_to("l", "/CN=alice\nbob"), "CERTIFICATE_NAME"),
            ("with a look-alike", ours.issue_to("u", "/CN=\u0430lice"), "CERTIFICATE_NAME"),
            ("with two names", ours.issue_to("t", "/CN=bob/CN=alice"), "CERTIFICATE_NAME"),
            ("without a name", ours.issue_to("o", "/O=plant"), "CERTIFICATE_NAME"),
            ("too long", ours.issue_to("x", names="URI:spiffe://" + "a" * 200), "CERTIFICATE_NAME"),
            ("with two URIs", ours.issue_to("v", names="URI:spiffe://plant/ci,URI:x://y"), "CERTIFICATE_NAME"),
            ("nobody's", ours.issue_to("m", "/CN=mallory"), "ROLE_MISSING"),
        ]
        for what, certificate, reason in refused:
            with self.subTest(what):
                self.refused(self.cli(site, "status", certificate=certificate), reason)
        with self.subTest("taken back while the connection is there"):
            access.write_text("certificates: [{name: bob, role: viewer}]\n")
            hostile.until(lambda: "[ROLE_MISSING]" in self.cli(site, "key", "list", certificate=good).stderr,
                          "alice is nobody any more")
        with self.subTest("a broken access.file leaves the old one"):
            access.write_text("certificates: [{name: mallory, role: king}]\n")
            hostile.until(lambda: "access_file_not_taken" in site.log(), "the log says so")
            self.assertEqual(self.cli(site, "status", certificate=ours.issue_to("bob", "/CN=bob")).returncode, 0)
        self.served(site)

    # ---- Tokens

    def test_a_call_goes_on_when_the_gateways_certificate_changes(self):
        own = Authority(self.folder, "own")
        files = self.folder / "gateway.pem", self.folder / "gateway.key"
        own.issue(*files)
        site = self.start(CONFIG % f", certificate_file: {files[0]}, key_file: {files[1]}, ca_file: {own.ca}")
        site.push_example(site.trust_author(self.folder)[0])
        self.device(site, "press-1", device_class="m4f-256k")
        self.begin_rollout(site)
        token_file, said = self.folder / "watcher.token", self.folder / "watched"
        token_file.touch(0o600)
        token_file.write_text(self.token(site, "watcher", "viewer"))
        with open(said, "w", encoding="utf-8") as output:
            watch = self.watch(site, token_file, output, own.ca)
        hostile.until(lambda: "RUNNING" in said.read_text(), "the watch has begun")
        before = ssl.get_server_certificate(self.endpoint(site))
        own.issue(*files)
        hostile.until(lambda: ssl.get_server_certificate(self.endpoint(site)) != before, "newcomers see another one")
        site.call("rollout", "pause", "first")
        hostile.until(lambda: "PAUSED" in said.read_text(), "the watch goes on over the connection that it had")
        self.assertEqual(watch.wait(30), PAUSED)
        self.assertEqual(self.cli(site, "rollout", "list", token=token_file.read_text(), ca=own.ca).returncode, 0)

    def test_tokens(self):
        site = self.start(CONFIG % "")
        token = self.token(site, "bot", "ci", "--models", "press-*")
        admin = self.token(site, "root-bot", "admin")
        self.assertEqual(self.cli(site, "status", token=token).returncode, 0)
        rows = [
            ("none", None, "UNAUTHENTICATED"),
            ("that never was", "covey_" + "0" * 64, "BAD_TOKEN"),
            ("shorter", token[:-1], "BAD_TOKEN"),
            ("longer", token + "0", "BAD_TOKEN"),
            ("in capitals", token.upper(), "BAD_TOKEN"),
            ("its name", "bot", "BAD_TOKEN"),
            ("its digest", hashlib.sha256(token.encode()).hexdigest(), "BAD_TOKEN"),
            ("SQL", "' OR 1=1 --", "BAD_TOKEN"),
            ("dots", "..", "JWT_MALFORMED"),
            ("8 KB", "a" * 8_000, "BAD_TOKEN"),
        ]
        for what, shown, reason in rows:
            with self.subTest(what):
                self.refused(self.cli(site, "status", token=shown), reason)
        with self.subTest("beyond its role"):
            self.refused(self.cli(site, "token", "create", "x", "--role", "admin", token=token), "ROLE_MISSING")
            self.refused(self.cli(site, "device", "accept", "--all", token=token), "ROLE_MISSING")
            self.refused(self.cli(site, "rollout", "rollback", "first", token=token), "ROLE_MISSING")
        with self.subTest("another model"):
            key, _ = site.trust_author(self.folder)
            push = ["model", "push", "bearing-vibration@1.0.0",
                    "--artifact", f"m4f-256k={site_process.MODELS / 'bearing-1.0.0.tflite'}",
                    "--stats", site_process.MODELS / "bearing-1.0.0.stats.json",
                    "--preprocessing", site_process.MODELS / "preprocessing.bin", "--key", key]
            self.refused(self.cli(site, *push, token=token), "MODEL_NOT_YOURS")
            self.assertEqual(self.cli(site, *push, token=admin).returncode, 0)
        with self.subTest("no file of the data directory has the secret"):
            for file in site.data.rglob("*"):
                if file.is_file():
                    self.assertNotIn(token.encode(), file.read_bytes(), file)
            self.assertNotIn(token, site.log())
        with self.subTest("a rollout of somebody else"):
            self.device(site, "press-1", device_class="m4f-256k")  # which is never told anything, so the rollout goes on
            self.begin_rollout(site)
            pump = self.token(site, "pump-bot", "ci")
            self.refused(self.cli(site, "rollout", "abort", "first", token=pump), "NOT_YOURS")
            self.refused(self.cli(site, "rollout", "pause", "first", token=pump), "NOT_YOURS")
        with self.subTest("replayed after it was revoked, in a call that goes on, too"):
            file = self.folder / "watcher.token"
            file.touch(0o600)
            file.write_text(self.token(site, "watcher", "viewer"))
            watch = self.watch(site, file, subprocess.PIPE)
            self.assertTrue(watch.stdout.readline())
            site.call("token", "revoke", "watcher")
            self.assertIn("TOKEN_REVOKED", watch.communicate(timeout=30)[1])
            self.refused(self.cli(site, "status", token=file.read_text()), "BAD_TOKEN")
        self.assertGreater(site.metric("covey_calls_denied_total"), 0)
        self.served(site)

    def test_a_token_ends(self):
        site = self.start(CONFIG % "")
        token = self.token(site, "short", "viewer", "--expires", "1m")
        self.assertEqual(self.cli(site, "status", token=token).returncode, 0)
        listed = site.call("token", "list")["tokens"]
        short = next(row for row in listed if row["name"] == "short")
        self.assertGreater(int(short["last_use_time_ms"]), 0)
        self.assertNotIn("secret", json.dumps(listed))
        with self.subTest("it is there after a restart"):
            self.assertEqual(site.stop(), 0)
            site.start()
            self.assertEqual(self.cli(site, "status", token=token).returncode, 0)

    # ---- TLS itself

    def test_the_wrong_protocol(self):
        site = self.start(CONFIG % "")
        at, ca = site.endpoints(), site.endpoints()["ca_file"]
        with self.subTest("plaintext to the port of TLS, as the CLI explains it"):
            done = subprocess.run([hostile.PROGRAMS / "covey", "--address", at["grpc"], "status"], text=True,
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
            self.refused(done, "TLS_REQUIRED")
        with self.subTest("HTTP/2 in plaintext"), http2.Connection(at["grpc"]) as connection:
            self.assertIsNone(connection.read_frame())
        with self.subTest("HTTP in plaintext"), socket.create_connection(self.endpoint(site, "http"), 30) as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            with self.assertRaises((ConnectionError, AssertionError)):
                self.assertIn(b"200", plain.recv(1000))
        for version in ("-tls1", "-tls1_1"):
            for name in ("grpc", "http"):
                with self.subTest(f"{version} to {name}"):
                    old = subprocess.run(["openssl", "s_client", "-connect", at[name], version, "-cipher",
                                          "ALL:@SECLEVEL=0"], stdin=subprocess.DEVNULL, capture_output=True,
                                         text=True, timeout=30, check=False)
                    self.assertNotEqual(old.returncode, 0)
                    self.assertIn("protocol version", old.stderr)
        with self.subTest("another protocol in ALPN"):
            context = ssl.create_default_context(cafile=ca)
            context.set_alpn_protocols(["http/1.1", "ftp"])
            with socket.create_connection(self.endpoint(site), 30) as raw, self.assertRaises(ssl.SSLError):
                context.wrap_socket(raw, server_hostname="127.0.0.1")
        with self.subTest("no protocol in ALPN"):
            context = ssl.create_default_context(cafile=ca)
            with socket.create_connection(self.endpoint(site), 30) as raw:
                with context.wrap_socket(raw, server_hostname="127.0.0.1") as secure:
                    secure.sendall(http2.PREFACE)
                    with self.assertRaises((ssl.SSLError, ConnectionError, AssertionError)):
                        self.assertNotEqual(secure.recv(100), b"")
        with self.subTest("renegotiation"):
            again = subprocess.run(["openssl", "s_client", "-connect", at["http"], "-tls1_2"], input="R\n", text=True,
                                   capture_output=True, timeout=30, check=False)
            self.assertIn("no renegotiation", again.stderr + again.stdout)
        with self.subTest("weak ciphers"):
            weak = subprocess.run(["openssl", "s_client", "-connect", at["grpc"], "-tls1_2", "-cipher",
                                   "AES128-SHA:AES256-SHA256:@SECLEVEL=0"], stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=30, check=False)
            self.assertNotEqual(weak.returncode, 0)
        foreign = People(self.folder, "foreign")
        rows = [("a CA that is not the site's", foreign.ca, at["grpc"], "TLS_WRONG_CA"),
                ("another name", ca, "localhost.localdomain:" + at["grpc"].rsplit(":", 1)[1], "TLS_WRONG_NAME")]
        for what, trusted, address, reason in rows:
            with self.subTest(what):
                done = self.cli(site, "status", token="x", ca=trusted, address=address)
                if reason == "TLS_WRONG_NAME" and "[UNREACHABLE]" in done.stderr:
                    continue  # this machine does not know the name
                self.refused(done, reason)
        with self.subTest("TLS to a port of plaintext"):
            listener = socket.create_server(("127.0.0.1", 0))
            self.addCleanup(listener.close)

            def answer():
                while True:
                    try:
                        connection, _ = listener.accept()
                    except OSError:
                        return
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    connection.close()
            threading.Thread(target=answer, daemon=True).start()
            done = self.cli(site, "status", token="x", address=f"127.0.0.1:{listener.getsockname()[1]}")
            self.refused(done, "TLS_NOT_SPOKEN")
        self.served(site)

    def test_half_open_handshakes_crowd_out_each_other(self):
        site = self.start((CONFIG % "").replace("grpc: {", "grpc: {max_connections: 200, "))
        token = self.token(site, "viewer", "viewer")
        descriptors = pathlib.Path(f"/proc/{site.process.pid}/fd")
        before = hostile.resident_bytes(site.process.pid)
        hello = struct.pack(">BHH", 22, 0x0301, 512)  # a record's head, and never its content
        half = []
        for _ in range(HALF_OPEN):
            connection = socket.create_connection(self.endpoint(site), 30)
            connection.sendall(hello)
            half.append(connection)
            if len(half) > 400:
                half.pop(0).close()
        for connection in half:
            self.addCleanup(connection.close)
        self.assertLess(len(list(descriptors.iterdir())), 1_000)
        self.assertLess(hostile.resident_bytes(site.process.pid) - before, 100 << 20)
        self.assertEqual(self.cli(site, "status", token=token).returncode, 0)
        self.served(site)
        with self.subTest("a handshake byte by byte ends in its time"):
            slow = socket.create_connection(self.endpoint(site), 30)
            self.addCleanup(slow.close)
            slow.settimeout(30)
            slow.sendall(hello[:1])
            hostile.until(lambda: self.is_closed(slow), "it is closed", 40)

    def is_closed(self, connection):
        connection.setblocking(False)
        try:
            return connection.recv(1) == b""
        except BlockingIOError:
            return False
        except ConnectionError:
            return True

    # ---- HTTP

    def test_http(self):
        site = self.start(CONFIG % "")
        at, context = site.endpoints(), ssl.create_default_context(cafile=site.endpoints()["ca_file"])
        token = self.token(site, "scraper", "viewer")

        def status(path, authorization=None):
            request = urllib.request.Request(f"https://{at['http']}{path}")
            if authorization is not None:
                request.add_header("authorization", authorization)
            try:
                with urllib.request.urlopen(request, timeout=30, context=context) as answer:
                    return answer.status
            except urllib.error.HTTPError as error:
                if error.code == 401:
                    self.assertIn("Bearer", error.headers["www-authenticate"])
                return error.code

        rows = [("/healthz", None, 200), ("/readyz", None, 200), ("/metrics", None, 401),
                ("/metrics", f"Bearer {token}", 200), ("/metrics", f"bearer {token}", 200),
                ("/metrics", f"Basic {token}", 401), ("/metrics", "Bearer", 401), ("/metrics", "Bearer x", 401),
                ("/metrics", f"Bearer  {token}", 401), ("/metrics?x=/healthz", None, 401), ("//metrics", None, 404),
                ("/metrics/", None, 404), ("/healthz", "Bearer x", 401)]
        for path, authorization, expected in rows:
            with self.subTest(f"{path} {authorization}"):
                self.assertEqual(status(path, authorization), expected)
        self.served(site)

    # ---- Plaintext

    def test_tokens_stay_off_plaintext_networks(self):
        config = CONFIG.replace("never", "anywhere") % ""
        site = self.start(config.replace('grpc: {listen: "127.0.0.1:0"}', 'grpc: {listen: "0.0.0.0:0"}'))
        token = self.token(site, "bot", "admin")
        port = site.endpoints()["grpc"].rsplit(":", 1)[1]
        address = f"{self.own_address()}:{port}"
        file = self.folder / "bot.token"
        file.touch(0o600)
        file.write_text(token)
        done = subprocess.run([hostile.PROGRAMS / "covey", "--address", address, "--token-file", file, "status"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        self.refused(done, "TOKEN_IN_CLEAR")
        with http2.Connection(address) as connection:  # who sends it all the same
            number = connection.stream()
            block = http2.header_block("/covey.v1.AdminService/GetSite", more=[("authorization", f"Bearer {token}")])
            connection.send(http2.frame(http2.HEADERS, http2.END_HEADERS, number, block) +
                            http2.frame(http2.DATA, http2.END_STREAM, number, http2.grpc_message()))
            hostile.until(lambda: 'reason="TOKEN_IN_CLEAR"' in site.http("/metrics")[1], "it is refused")
        self.assertIn("plaintext_beyond_loopback", site.log())
        self.served(site)

    def own_address(self):
        """One of this machine that is not loopback."""
        probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            probe.connect(("192.0.2.1", 9))
            return probe.getsockname()[0]
        except OSError:
            self.skipTest("this machine has no address beside loopback")
        finally:
            probe.close()

    def test_another_user_of_this_machine_is_a_viewer(self):
        if not site_process.is_root():
            self.skipTest("only root can be several users")
        site = self.start()
        address = site.endpoints()["grpc"]
        mover = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        if subprocess.run([*mover, hostile.PROGRAMS / "covey", "version"], check=False, capture_output=True).returncode:
            self.skipTest("the programs are not for another user")

        def as_nobody(*words):
            return subprocess.run([*mover, hostile.PROGRAMS / "covey", "--address", address, *words], text=True,
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False, cwd="/",
                                  env={"PATH": os.environ["PATH"]})
        self.assertEqual(as_nobody("status").returncode, 0)
        self.refused(as_nobody("device", "accept", "--all"), "ROLE_MISSING")
        self.assertIn("(loopback) has viewer", as_nobody("device", "accept", "--all").stderr)


if __name__ == "__main__":
    sys.exit(hostile.main())
