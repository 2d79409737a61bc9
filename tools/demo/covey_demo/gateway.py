# SPDX-License-Identifier: Apache-2.0
"""The site: coveyd as a process, and the command line `covey` as the only way to speak with it."""

import json
import subprocess

from .processes import Child, DemoError, free_ports, wait_until

CALL_LIMIT_S = 40
MODEL = "bearing-vibration"

CONFIG = """\
site: {{name: demo-{seed}}}
grpc: {{listen: "127.0.0.1:0"}}
http: {{listen: "127.0.0.1:0"}}
mqtt: {{embedded: {{port: {mqtt_port}, enroll_port: {enroll_port}}}}}
telemetry: {{window: 5s, report_interval: 1s}}
offline: {{silence_after: 5s}}
rollout: {{bandwidth_bytes_per_s: {bandwidth}}}
# Fifty devices are a small sample of the rig's: only what is clearly beyond their differences counts.
monitoring:
  drift: {{enabled: {drift}, warn_delta: 10%, page_delta: 25%, fire: 2, of: 3, clear: 3}}
"""


class CommandFailed(DemoError):
    def __init__(self, words, code, message):
        super().__init__(f"`covey {' '.join(words)}` ended with exit code {code}: {message}")
        self.exit_code = code
        self.message = message


class Gateway:
    def __init__(self, binaries, folder, seed, drift, keep):
        self.binaries = binaries
        self.folder = folder
        self.seed = seed
        self.drift = drift
        self.keep = keep
        self.data = folder / "site"
        self.config_file = folder / "covey.yaml"
        self.child = None
        self.endpoints = {}
        self.ports = free_ports(2)
        self.configure(bandwidth=1 << 20)

    def configure(self, bandwidth):
        """Holds from the next start on."""
        self.config_file.write_text(CONFIG.format(
            seed=self.seed, mqtt_port=self.ports[0], enroll_port=self.ports[1],
            bandwidth=bandwidth, drift="true" if self.drift else "false"))

    def start(self, *options):
        command = [self.binaries / "coveyd", "--data", self.data, "--config", self.config_file,
                   *options]
        self.child = Child("coveyd", command, self.folder / "coveyd.log", self.keep)
        if not wait_until(self._listens, 20, 0.05, [self.child]):
            raise DemoError(f"coveyd was not ready within 20 s; the end of {self.child.log_path}:\n"
                            f"{self.child.log_tail()}")

    def _listens(self):
        """endpoints.json outlives a crash: only the one of this very process counts."""
        try:
            endpoints = json.loads((self.data / "endpoints.json").read_text())
        except (OSError, ValueError):
            return False
        if endpoints.get("pid") != self.child.pid:
            return False
        self.endpoints = endpoints
        return True

    def stop(self):
        return self.child.stop() if self.child is not None else None

    # ---- the command line

    def text(self, *words, stdin=None, limit_s=CALL_LIMIT_S):
        words = [str(word) for word in words]
        command = [str(self.binaries / "covey"), "--data", str(self.data), *words]
        try:
            done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=limit_s, text=True, check=False,
                                  stdin=None if stdin is not None else subprocess.DEVNULL)
        except subprocess.TimeoutExpired as late:
            raise DemoError(f"`covey {' '.join(words)}` took longer than {limit_s} s") from late
        if done.returncode != 0:
            raise CommandFailed(words, done.returncode, done.stderr.strip())
        return done.stdout

    def call(self, *words, **arguments):
        return json.loads(self.text("-o", "json", *words, **arguments) or "{}")

    def devices(self):
        return self.call("device", "list").get("devices", [])

    def rollout(self, name):
        return self.call("rollout", "get", name)["rollout"]

    def deployments(self, name):
        return self.call("rollout", "deployments", name).get("deployments", [])

    def totals(self):
        return self.call("monitor", "totals", MODEL)

    def alerts(self, resolved=False):
        return self.call("alert", "list", *(["--all"] if resolved else [])).get("alerts", [])

    def accuracy(self, per="labels.machine_type"):
        rows = self.call("monitor", "accuracy", MODEL, "--per", per).get("rows", [])
        return [{"release": version_of(row["release"]), "stratum": row.get("stratum", ""),
                 "labelled": int(row.get("labelled", 0)), "correct": int(row.get("correct", 0))}
                for row in rows]

    def releases(self):
        """version -> manifest digests, whole, in hex"""
        listed = self.call("model", "list").get("releases", [])
        return {r["version"]: [a["manifest_digest"] for a in r.get("artifacts", [])]
                for r in listed}


def word(name):
    """ROLLOUT_STATE_ROLLED_BACK -> ROLLED_BACK, as the tables say it."""
    for prefix in ("ROLLOUT_STATE_", "STAGE_STATE_", "DEPLOYMENT_STATE_", "VERDICT_",
                   "ALERT_STATE_", "DEVICE_STATE_"):
        if name.startswith(prefix):
            return name[len(prefix):]
    return name


def version_of(release):
    return release.rsplit("@", 1)[-1]


def device_of(name):
    return name.rsplit("/", 1)[-1]


def confirmed_of(device):
    for model in device.get("models", []):
        if model.get("model") == MODEL:
            return version_of(model.get("confirmed_release", ""))
    return ""
