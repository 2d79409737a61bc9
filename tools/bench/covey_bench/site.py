# SPDX-License-Identifier: Apache-2.0
"""A site and its fleet, for measuring: coveyd and covey-sim as processes, and what the kernel and
/metrics say about them."""

import contextlib
import os
import pathlib
import re
import time
import urllib.request

from covey_demo.fleet import Control
from covey_demo.gateway import Gateway
from covey_demo.processes import Child, DemoError, wait_until

CLASS = "m4f-256k"
ENROL_LIMIT_S = 180
CONFIG = """\
site: {{name: bench}}
grpc: {{listen: "127.0.0.1:0"}}
http: {{listen: "127.0.0.1:0"}}
mqtt: {{embedded: {{port: {mqtt_port}, enroll_port: {enroll_port}}}}}
enroll: {{auto_accept: true}}
# A quarter of it is the time over which a fleet says hello.
telemetry: {{report_interval: {report_interval_s}s}}
"""
# Nothing but where it listens, what a site has that says no more, and a budget that a hundred
# devices may use to say all that two cores can take.
DEFAULTS = """\
site: {{name: bench}}
limits: {{device_reports: 1000000, device_report_bytes: 1073741824}}
grpc: {{listen: "127.0.0.1:0"}}
http: {{listen: "127.0.0.1:0"}}
mqtt: {{embedded: {{port: {mqtt_port}, enroll_port: {enroll_port}}}}}
"""
# Far above what two cores deliver, so that it is not a limit that is measured.
UNPACED = 10_000
PACE = "rollout: {{bandwidth_bytes_per_s: 1073741824, offer_rate: {}}}\n"


class Site(Gateway):
    def __init__(self, settings, folder, offer_rate):
        folder.mkdir()
        self.settings = settings
        self.offer_rate = offer_rate
        super().__init__(settings.binaries, folder, seed=0, drift=True, keep=False)

    def configure(self, bandwidth):
        del bandwidth  # the demo's
        text = CONFIG.format(mqtt_port=self.ports[0], enroll_port=self.ports[1],
                             report_interval_s=self.settings.report_interval_s)
        self.config_file.write_text(text + (PACE.format(self.offer_rate) if self.offer_rate else ""))

    def trust(self):
        """What a fleet has to be told to trust."""
        return []

    def configure_defaults(self):
        """From the next start on."""
        self.config_file.write_text(DEFAULTS.format(mqtt_port=self.ports[0],
                                                    enroll_port=self.ports[1]))

    def metrics(self):
        """name, or name{labels} -> value"""
        url = f"http://{self.endpoints['http']}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            text = answer.read().decode()
        return {name: float(value) for name, value in
                re.findall(r"^([a-z_]+(?:\{[^}]*\})?) (\S+)", text, re.MULTILINE)}

    def broker_pid(self):
        pids = [int(pid) for task in pathlib.Path(f"/proc/{self.child.pid}/task").iterdir()
                for pid in (task / "children").read_text().split()]
        named = [pid for pid in pids
                 if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "mosquitto"]
        if len(named) != 1:
            raise DemoError(f"coveyd has {len(named)} mosquitto processes, expected one")
        return named[0]


class Fleet:
    """`devices` devices that enrol at once and are accepted by the site on its own. `state`: a
    folder that they leave behind."""

    def __init__(self, site, name, devices, options=(), state=None):
        self.site = site
        self.name = name
        self.devices = devices
        self.socket_path = site.folder / f"{name}.sock"
        self.control = Control(self.socket_path)
        self.child = None
        self.command = [
            site.binaries / "covey-sim", "--broker", site.endpoints["mqtt"],
            "--enroll-broker", site.endpoints["enroll"],
            "--enroll-token-file", site.endpoints["enroll_token_file"],
            *(("--state", state) if state else ("--memory",)), "--control", self.socket_path, *self.identity(), "--quiet",
            "--report-interval", f"{site.settings.report_interval_s}s", *options]

    def identity(self):
        """What makes covey_bench_load take the same fleet."""
        return ["--classes", f"{CLASS}:{self.devices}", "--id-prefix", f"{self.name}-"]

    def start(self):
        self.child = Child("covey-sim", self.command, self.site.folder / f"{self.name}.log")
        # With a state, each device's stores are made durable first.
        if not wait_until(self.socket_path.exists, 30 + self.devices / 10, children=[self.child]):
            raise DemoError(f"covey-sim opened no control socket; see {self.child.log_path}")

    def await_online(self, console, known_before=0):
        """Until the gateway itself says that all are online. Seconds since the call."""
        begin = time.monotonic()
        total = known_before + self.devices
        while True:
            self.site.child.must_run()
            self.child.must_run()
            online = self.control("status")["online"]
            console.bar(online, self.devices, f"devices connected: {online} of {self.devices}")
            if online >= self.devices:
                known = self.site.call("device", "list", "--filter", "online = true", limit_s=60)
                if len(known.get("devices", [])) >= total:
                    return time.monotonic() - begin
            if time.monotonic() - begin > ENROL_LIMIT_S:
                raise DemoError(f"only {online} of {self.devices} devices came online within "
                                f"{ENROL_LIMIT_S} s")
            time.sleep(self.site.settings.look_s / 2)

    def stop(self):
        self.control.close()
        if self.child is not None:
            self.child.stop()


@contextlib.contextmanager
def running_site(settings, folder, offer_rate=UNPACED, kind=Site):
    """The started site, and a list for fleets (before they start); all end with the block.
    `offer_rate`: releases offered in a second; None: coveyd's own default, and its bandwidth."""
    site = kind(settings, folder, offer_rate)
    fleets = []
    try:
        site.start()
        yield site, fleets
    finally:
        for fleet in fleets:
            fleet.stop()
        site.stop()


def pss_bytes(pid):
    """Proportional set size: pages that several processes share count in part."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return 1024 * int(re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE).group(1))


def cpu_seconds(pid):
    """User and system time so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
