# SPDX-License-Identifier: Apache-2.0
"""coveyd and covey as processes, for tests: a site in a directory, spoken with as users do."""

import contextlib
import ctypes
import json
import os
import pathlib
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[3]
MODELS = ROOT / "examples" / "bearing_vibration" / "models"
PR_SET_PDEATHSIG = 1
PATIENCE_S = 60  # of waiting for something that must happen; a busy machine is slow
CONFIG = """\
grpc: {listen: "127.0.0.1:0"}
http: {listen: "127.0.0.1:0"}
mqtt: {embedded: {port: 0, enroll_port: 0, certificate_port: 0}}
"""


def binaries():
    """The folder of the programs: the first argument, taken out for unittest."""
    return pathlib.Path(sys.argv.pop(1)).resolve()


def end_with_me():
    """In a child, before it becomes another program: it is killed when this process ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def until(probe, what, patience_s=PATIENCE_S):
    """The first true answer of `probe`."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        answer = probe()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {patience_s} s")


class Site:
    def __init__(self, programs, folder, config=CONFIG, **popen):
        self.programs = programs
        self.data = pathlib.Path(folder) / "site"
        self.log_path = pathlib.Path(folder) / "coveyd.log"
        self.config = config
        self.popen = popen
        self.process = None
        self.viewer_token = None

    def spawn(self, *options):
        """Starts coveyd, waits for nothing."""
        config = self.log_path.with_name("covey.yaml")
        config.write_text(self.config)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "coveyd", "--data", self.data, "--config", config, *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=end_with_me,
                **self.popen)
        return self

    def start(self, *options):
        self.spawn(*options)
        until(self.answers, "coveyd answers")
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"coveyd ended with {self.process.returncode}:\n{self.log()}")
        return self.endpoints().get("pid") == self.process.pid and self.ready() is not None

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def endpoints(self):
        """Read anew each time: a coveyd that begins anew listens elsewhere."""
        with contextlib.suppress(OSError, ValueError):
            return json.loads((self.data / "endpoints.json").read_text())
        return {}

    def viewer(self):
        """A token that may read, made at the first need."""
        if self.viewer_token is None:
            made = self.covey("token", "create", "viewer-of-tests", "--role", "viewer")
            if made.returncode != 0:
                raise AssertionError(made.stderr)
            self.viewer_token = made.stdout.strip()
        return self.viewer_token

    def http(self, path):
        """(status, text), or None when nobody answers. Over TLS as a viewer."""
        at = self.endpoints()
        tls = at.get("http_over_tls")
        try:
            request = urllib.request.Request(f"{'https' if tls else 'http'}://{at.get('http')}{path}")
            context = None
            if tls:
                context = ssl.create_default_context(cafile=at["ca_file"])
                request.add_header("authorization", f"Bearer {self.viewer()}")
            with urllib.request.urlopen(request, timeout=10, context=context) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (OSError, ValueError):
            return None

    def ready(self):
        """(ready, {check: reason or ""}), or None when nobody answers."""
        answer = self.http("/readyz")
        if answer is None:
            return None
        checks = {c["name"]: c.get("reason", "") for c in json.loads(answer[1])["checks"]}
        return answer[0] == 200, checks

    def metric(self, name):
        for line in self.http("/metrics")[1].splitlines():
            if line.startswith(name) and line[len(name):len(name) + 1] in " {":
                return float(line.rsplit(" ", 1)[1])
        raise AssertionError(f"no metric {name}")

    def covey(self, *words, **popen):
        return subprocess.run([self.programs / "covey", "--data", self.data, *words],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=PATIENCE_S, check=False,
                              **popen)

    def call(self, *words):
        done = self.covey("-o", "json", *words)
        if done.returncode != 0:
            raise AssertionError(f"covey {' '.join(map(str, words))}: {done.stderr}")
        return json.loads(done.stdout)

    def trust_author(self, folder):
        """A new author that the site trusts: the files of his private and his public key."""
        key = pathlib.Path(folder) / "author.pem"
        public = pathlib.Path(self.call("key", "generate", key)["public_key"])
        self.call("key", "trust", public)
        return key, public

    def push_example(self, key, *more):
        """bearing-vibration@1.0.0, for devices of class m4f-256k."""
        self.call("model", "push", "bearing-vibration@1.0.0",
                  "--artifact", f"m4f-256k={MODELS / 'bearing-1.0.0.tflite'}",
                  "--stats", MODELS / "bearing-1.0.0.stats.json",
                  "--preprocessing", MODELS / "preprocessing.bin", "--key", key, *more)

    def stop(self):
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def is_root():
    return os.geteuid() == 0
