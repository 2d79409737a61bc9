# SPDX-License-Identifier: Apache-2.0
"""One emulated board: qemu-system-arm with the firmware image. Its flash is a file, so killing the
emulator is a power cut; its two serial streams lead into the broker's listeners."""

import re
import subprocess
import sys

from covey_demo.processes import Child


class Board:
    """`image`: an .elf of ./dev firmware; `folder` keeps flash and log."""

    def __init__(self, name, image, folder):
        self.name = name
        self.image = image
        self.flash = folder / f"{name}.flash"
        self.log_path = folder / f"{name}.log"
        self.child = None
        self.endpoints = None
        self.seen = 0  # of the log: where this power cycle begins

    def provision(self, root, *options):
        subprocess.run([sys.executable, "-B", root / "device_agent" / "firmware" / "provision.py",
                        self.flash, "--device-id", self.name, *options], check=True, timeout=20)

    def power_on(self, endpoints):
        self.endpoints = endpoints
        self.seen = len(self.log())
        serial = []
        for number, endpoint in enumerate((endpoints["mqtt"], endpoints["enroll"]), 1):
            host, port = endpoint.rsplit(":", 1)
            serial += ["-chardev", f"socket,id=s{number},host={host},port={port},nodelay=on,"
                                   "reconnect=1", "-serial", f"chardev:s{number}"]
        self.child = Child(self.name, [
            "qemu-system-arm", "-M", "mps2-an386,memory-backend=m", "-m", "16M", "-object",
            f"memory-backend-file,id=m,size=16M,mem-path={self.flash},share=on",
            "-kernel", self.image, "-display", "none", "-monitor", "none",
            "-serial", "stdio", *serial], self.log_path)

    def cut_power(self):
        """kill -9: the processor stops between two instructions; the flash file stays."""
        self.child.process.kill()
        self.child.process.wait()

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def says(self, pattern):
        """What the last power cycle's log has of the pattern, in order: match objects."""
        return list(re.finditer(pattern, self.log()[self.seen:]))

    def stop(self):
        if self.child is not None:
            self.child.stop(3)
