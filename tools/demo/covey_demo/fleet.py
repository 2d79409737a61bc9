# SPDX-License-Identifier: Apache-2.0
"""covey-sim: starting it, and its control socket (one JSON object per line, one line back)."""

import json
import socket
import threading

from .processes import Child, DemoError, wait_until

CLASSES = "m4f-256k:48,m0-64k:12"
DEVICES = 60
SMALL = 3
OFFLINE = 4
# Real intervals, which --speed-up divides: a sensor reads every second, a window is 20 s long.
SPEED_UP = 20
INFERENCE_INTERVAL = "1s"
REPORT_INTERVAL = "20s"


class Control:
    """One connection; not for several threads."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = None
        self.reader = None

    def close(self):
        if self.socket is not None:
            self.reader.close()
            self.socket.close()
            self.socket = None

    def __call__(self, command, timeout=30.0, **arguments):
        try:
            if self.socket is None:
                self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self.socket.connect(self.path)
                self.reader = self.socket.makefile("rb")
            self.socket.settimeout(timeout)
            request = json.dumps({"command": command, **arguments}) + "\n"
            self.socket.sendall(request.encode())
            line = self.reader.readline()
        except OSError as error:
            self.close()
            raise DemoError(f"covey-sim does not answer '{command}': {error}") from error
        if not line:
            self.close()
            raise DemoError(f"covey-sim closed its control socket at '{command}'")
        answer = json.loads(line)
        if not answer.get("ok"):
            raise DemoError(f"covey-sim refuses '{command}': {answer.get('reason')}: "
                            f"{answer.get('message')}")
        return answer


class Fleet:
    def __init__(self, binaries, folder, seed, keep):
        self.binaries = binaries
        self.folder = folder
        self.seed = seed
        self.keep = keep
        self.child = None
        self.socket_path = folder / "sim.sock"
        self.state = folder / "fleet"
        self.control = Control(self.socket_path)
        self.local = threading.local()
        self.devices = []

    def start(self, endpoints, trusted_key):
        command = [
            self.binaries / "covey-sim", "--broker", endpoints["mqtt"],
            "--enroll-broker", endpoints["enroll"],
            "--enroll-token-file", endpoints["enroll_token_file"],
            "--state", self.state, "--control", self.socket_path, "--trusted-key", trusted_key,
            "--classes", CLASSES, "--small", SMALL, "--offline", OFFLINE,
            "--seed", self.seed, "--id-prefix", f"s{self.seed}-",
            "--speed-up", SPEED_UP, "--inference-interval", INFERENCE_INTERVAL,
            "--report-interval", REPORT_INTERVAL, "--quiet",
        ]
        self.child = Child("covey-sim", command, self.folder / "covey-sim.log", self.keep)
        if not wait_until(self.socket_path.exists, 20, children=[self.child]):
            raise DemoError(f"covey-sim opened no control socket within 20 s; see "
                            f"{self.child.log_path}")
        self.devices = self.control("fleet")["devices"]

    def status(self):
        return self.control("status")

    def slots(self):
        return {slot["device"]: slot for slot in self.control("slots")["devices"]}

    def step(self, action, **devices):
        return self.control("step", devices=devices, action=action)["matched"]

    def able(self):
        """Devices that can take a release and are there: not too small, not told to stay away."""
        return [d for d in self.devices if not d["small"] and not d["offline"]]

    def ids(self, **wanted):
        return {d["id"] for d in self.devices if all(d[k] == v for k, v in wanted.items())}

    def stop(self):
        self.control.close()
        if self.child is not None:
            self.child.stop()
