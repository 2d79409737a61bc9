# SPDX-License-Identifier: Apache-2.0
"""Everybody at once: a whole new fleet enrols; all come back after their broker was killed, and
after the gateway was killed with its broker; all are asked after a gateway was killed whose broker is
another one's. How long until the gateway says that all are online, how many sessions were opened for
each device, and what that took of the processor."""

import os
import resource
import shutil
import signal
import time

from covey_demo.processes import Child, DemoError

from .site import Fleet, Site, cpu_seconds, running_site

DEVICES = 10_000
QUICK_DEVICES = 50
LIMIT_S = 180
CALM_S = 10.0  # after all are there: does a second wave come?
# As little as can be asked for, in the place of covey-sim's 5 ms for each device.
AT_ONCE = ("--connect-jitter", "1ms", "--inference-interval", "1h")


EXTERNAL = """\
site: {{name: bench}}
grpc: {{listen: "127.0.0.1:0"}}
http: {{listen: "127.0.0.1:0"}}
mqtt: {{mode: external, external: {{host: 127.0.0.1, port: {port}}}}}
enroll: {{auto_accept: true}}
telemetry: {{report_interval: {report_interval_s}s}}
"""
# Lets everybody in and is asked nothing of it: only the gateway's part is looked at.
BROKER = """\
listener {port} 127.0.0.1
allow_anonymous true
max_queued_messages 20000
set_tcp_nodelay true
"""


class ForeignSite(Site):
    """coveyd beside a mosquitto that outlives it."""

    def __init__(self, settings, folder, offer_rate):
        super().__init__(settings, folder, offer_rate)
        (folder / "mosquitto.conf").write_text(BROKER.format(port=self.ports[0]))
        (folder / "token").write_text("nobody asks for it\n")
        name = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
        self.broker = Child("mosquitto", [name, "-c", folder / "mosquitto.conf"],
                            folder / "mosquitto.log")

    def configure(self, bandwidth):
        del bandwidth
        self.config_file.write_text(EXTERNAL.format(
            port=self.ports[0], report_interval_s=self.settings.report_interval_s))

    def start(self, *options):
        super().start(*options)
        at = f"127.0.0.1:{self.ports[0]}"
        self.endpoints.update(mqtt=at, enroll=at, enroll_token_file=self.folder / "token")

    def broker_pid(self):
        return self.broker.pid

    def stop(self):
        super().stop()
        self.broker.stop()


class Costs:
    """Processor time of processes that end and begin anew."""

    def __init__(self, site, fleet):
        self.site, self.fleet = site, fleet
        self.lost = {"coveyd": 0.0, "mosquitto": 0.0}

    def bury(self, name):
        """Just before the process is killed."""
        self.lost[name] += self._now(name)

    def _now(self, name):
        pids = {"coveyd": lambda: self.site.child.pid, "mosquitto": self.site.broker_pid,
                "covey_sim": lambda: self.fleet.child.pid}
        try:
            return cpu_seconds(pids[name]())
        except (OSError, DemoError, AttributeError):
            return 0.0  # not begun, or between two lives

    def total(self):
        return {name: self.lost.get(name, 0.0) + self._now(name)
                for name in ("coveyd", "mosquitto", "covey_sim")}


def online(site):
    """By the gateway's own word; 0 while it does not speak."""
    try:
        return int(site.call("status").get("devices_online", 0))
    except DemoError:
        return 0


def storm(site, fleet, costs, console, name, connects, begin):
    """`begin` makes everybody come; each opens `connects` sessions if it needs no second try."""
    devices = fleet.devices
    before = fleet.control("status") if fleet.child else {"connects": 0, "connects_refused": 0,
                                                          "connections_lost": 0}
    spent = costs.total()
    start = time.monotonic()
    begin()
    while True:
        now = fleet.control("status")
        opened = now["connects"] - before["connects"]
        console.bar(now["online"], devices, f"{name}: {now['online']} of {devices} connected")
        if opened >= connects * devices and now["online"] == devices and online(site) == devices:
            break
        if time.monotonic() - start > LIMIT_S:
            raise DemoError(f"{name}: {now['online']} of {devices} connected, {online(site)} online "
                            f"after {LIMIT_S} s")
        time.sleep(site.settings.look_s / 2)
    seconds = time.monotonic() - start
    costs_s = {each: round(total - spent[each], 2) for each, total in costs.total().items()}
    time.sleep(0.5 if site.settings.quick else CALM_S)
    after = fleet.control("status")
    figures = {
        "devices": devices, "seconds": seconds, "cpu_seconds": costs_s,
        "sessions_per_device": (after["connects"] - before["connects"]) / devices,
        "sessions_needed": connects,
        "refused": after["connects_refused"] - before["connects_refused"],
        "lost_afterwards": after["connections_lost"] - now["connections_lost"],
        "online_afterwards": online(site),
        "dropped": {series: int(value) for series, value in site.metrics().items()
                    if value and ("queue_drops" in series or "mqtt_drops" in series or
                                  "queue_full" in series)}}
    console.step("{name}: {devices} devices online after {seconds:.1f} s, {sessions_per_device:.2f} "
                 "sessions each, processor {cpu_seconds}".format(name=name, **figures))
    return figures


def broker_killed(site, fleet, costs, console):
    def kill():
        costs.bury("mosquitto")
        os.kill(site.broker_pid(), signal.SIGKILL)
    return storm(site, fleet, costs, console, "broker killed", 1, kill)


def weather(settings, console, folder, devices):
    """All three storms over one fleet of a new site."""
    folder.mkdir()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))  # mosquitto's, too
    with running_site(settings, folder / "site", None) as (site, fleets):
        fleet = Fleet(site, "d", devices, AT_ONCE)
        fleets.append(fleet)
        costs = Costs(site, fleet)
        observed = {"enrol": storm(site, fleet, costs, console, "enrolment", 2, fleet.start)}
        observed["broker_killed"] = broker_killed(site, fleet, costs, console)

        def kill_both():
            costs.bury("mosquitto")
            costs.bury("coveyd")
            broker = site.broker_pid()
            os.kill(broker, signal.SIGKILL)
            site.child.process.kill()
            site.child.wait(10)
            site.start()
        observed["gateway_and_broker_killed"] = storm(site, fleet, costs, console,
                                                      "gateway and broker killed", 1, kill_both)
    with running_site(settings, folder / "foreign", None, ForeignSite) as (site, fleets):
        fleet = Fleet(site, "d", devices, AT_ONCE)
        fleets.append(fleet)
        costs = Costs(site, fleet)
        fleet.start()
        fleet.await_online(console)

        def kill_gateway():
            costs.bury("coveyd")
            site.child.process.kill()
            site.child.wait(10)
            site.start()
        observed["gateway_killed"] = storm(site, fleet, costs, console, "gateway killed", 0,
                                           kill_gateway)
    return observed


def measure(settings, console, folder):
    return weather(settings, console, folder, QUICK_DEVICES if settings.quick else DEVICES)
