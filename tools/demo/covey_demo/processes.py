# SPDX-License-Identifier: Apache-2.0
"""Children of the demo. Each writes to a log file, dies with the demo, and is ended by its pid."""

import ctypes
import os
import random
import signal
import socket
import subprocess
import time

PR_SET_PDEATHSIG = 1
# Below the range from which the kernel takes the ports of outgoing connections: a device that
# reconnects while the broker is down must not get the broker's port as its own.
PORTS = range(15_000, 30_000)


class DemoError(Exception):
    """The demo cannot go on; the text says why."""


def free_ports(count):
    """Ports that keep their number over restarts, so they cannot be chosen by the kernel."""
    found = []
    for port in random.SystemRandom().sample(PORTS, 500):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise DemoError("no free TCP ports on 127.0.0.1 between 15000 and 29999")


def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Child:
    def __init__(self, name, command, log_path, keep=False, output=None):
        """`output`: an open file for stdout, which goes into the log otherwise."""
        self.name = name
        self.command = [str(part) for part in command]
        self.log_path = log_path
        with open(log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stderr=log,
                stdout=output or log,
                start_new_session=True, preexec_fn=None if keep else _die_with_parent)

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process.poll() is None

    def exit_code(self):
        return self.process.poll()

    def log_tail(self, lines=8):
        try:
            text = self.log_path.read_text(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def must_run(self):
        if not self.running():
            raise DemoError(f"{self.name} ended with {describe_exit(self.exit_code())}; the end of "
                            f"{self.log_path}:\n{self.log_tail()}")

    def wait(self, seconds):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, grace_s=10.0):
        """Orderly first, then by force; only this very process and what it waits for."""
        if not self.running():
            return self.exit_code()
        self.process.send_signal(signal.SIGTERM)
        if self.wait(grace_s) is None:
            self.process.kill()
            self.process.wait()
        return self.exit_code()


def describe_exit(code):
    if code is None:
        return "nothing: it is still running"
    if code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"


def wait_until(probe, seconds, every_s=0.2, children=()):
    """The first true answer of `probe`, or None when the time is over."""
    end = time.monotonic() + seconds
    while True:
        for child in children:
            child.must_run()
        answer = probe()
        if answer:
            return answer
        if time.monotonic() >= end:
            return None
        time.sleep(every_s)


def process_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
