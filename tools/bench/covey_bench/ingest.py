# SPDX-License-Identifier: Apache-2.0
"""Reports on their way from a device's socket to a row and back as an acknowledgement: through a
real coveyd and its mosquitto, each a process, and through the bare loop (Paho and SQLite) in its
place, in the same run. The devices were enrolled, and given their model, by covey-sim; what they
say was made beforehand (tests/bench/load_main.cpp)."""

import contextlib
import json
import time

from covey_demo.gateway import device_of
from covey_demo.processes import Child, DemoError, wait_until

from .rollout import FLEET_OPTIONS, MODEL, PLAN, build_model, follow, push
from .site import UNPACED, Fleet, Site

WIDTH = 8              # of the model: it is not what is measured
# Reports that are made beforehand for a flood, by second of it.
PER_SECOND_MAX = 80_000
QUICK_PER_SECOND_MAX = 20_000
START_LIMIT_S = 20


class Setup:
    """One way to load: at a rate per device, or as fast as it is acknowledged (rate 0)."""

    def __init__(self, name, devices, rate, settings):
        self.name = name
        self.devices = devices
        self.rate = rate
        self.warm_up = 0.2 if settings.quick else 4 if rate else 1
        self.seconds = settings.seconds
        per_second = QUICK_PER_SECOND_MAX if settings.quick else PER_SECOND_MAX
        total_s = self.warm_up + self.seconds
        self.reports = int((rate or per_second / devices) * total_s) + 1
        # Reports of windows that are now, not in some hours.
        self.interval_ms = int(1000 / rate) if rate else max(1, 1000 * devices // per_second)

    def options(self):
        return ["--devices", self.devices, "--reports", self.reports, "--rate", self.rate,
                "--interval-ms", self.interval_ms, "--warm-up", self.warm_up,
                "--seconds", self.seconds]


def setups_of(settings):
    return [Setup("steady", settings.senders, 4 if settings.quick else 1, settings),
            Setup("flood", min(100, settings.senders), 0, settings)]


def provision(settings, console, site, folder):
    """Devices that have confirmed the model, in `folder`/fleet; the fleet has ended. What
    covey_bench_load has to be told to find them."""
    files = build_model(settings, folder, WIDTH, settings.features)
    made = site.call("key", "generate", folder / "author.pem")
    site.call("key", "trust", made["public_key"], "--comment", "the benchmark's author")
    push(site, files, folder / "author.pem")
    fleet = Fleet(site, "i", settings.senders, (*FLEET_OPTIONS, *site.trust(), "--trusted-key",
                                                made["public_key"]), folder / "fleet")
    try:
        fleet.start()
        fleet.await_online(console)
        plan = folder / "plan.yaml"
        plan.write_text(PLAN.format(model=MODEL, version="1.0.0"))
        rollout = site.call("rollout", "create", "-f", plan)["rollout"]
        follow(site, fleet, console, device_of(rollout["name"]))
    finally:
        fleet.stop()
    return [settings.binaries / "covey_bench_load", "--state", folder / "fleet", *fleet.identity(),
            "--model", MODEL]


def not_counted(site):
    """Reports that were acknowledged, but are in no count."""
    totals = site.call("monitor", "totals", MODEL)
    return {name: int(totals.get(name, 0)) for name in ("windows_lost", "quarantined")}


def load(settings, generator, setup, folder, name, target, watched, *more):
    watch = [word for known, pid in watched.items() for word in ("--watch", f"{known}={pid}")]
    command = [*generator, *setup.options(), "--broker", target, *watch, *more]
    # Passwords reach the broker shortly after coveyd is ready: whoever is refused tries again.
    deadline = time.monotonic() + 20
    while True:
        try:
            return json.loads(settings.run(f"{setup.name}-{name}", command, folder,
                                           setup.seconds + setup.warm_up + 240))
        except DemoError as error:
            if "the broker refuses it" not in str(error) or time.monotonic() > deadline:
                raise


@contextlib.contextmanager
def bare_loop(settings, generator, folder):
    """Where it listens, and its processes."""
    folder.mkdir()
    credentials = folder / "credentials"
    credentials.write_text(settings.run(
        "credentials", [*generator, "--devices", settings.senders, "--credentials"], folder, 60))
    ready_file = folder / "ready.json"
    with open(ready_file, "w", encoding="utf-8") as output:
        child = Child("covey_bench_bare", [settings.binaries / "covey_bench_bare", "--data-dir",
                                           folder, "--credentials", credentials],
                      folder / "covey_bench_bare.log", output=output)
        try:
            if not wait_until(lambda: ready_file.read_text().endswith("\n"), START_LIMIT_S, 0.02,
                              [child]):
                raise DemoError(f"the bare loop is not ready: {child.log_tail()}")
            ready = json.loads(ready_file.read_text())
            yield ready["broker"], {"bare": child.pid, "mosquitto": ready["mosquitto_pid"]}
        finally:
            child.stop()


def say(console, name, figures):
    costs = ", ".join(f"{known} {spent['us_per_report']:.1f}"
                      for known, spent in figures["processor"].items())
    console.step(f"{name}: {figures['durable_per_second']:,.0f} reports/s, p99 "
                 f"{figures['acknowledgement_p99_ms']:.0f} ms; us of processor time per report: "
                 f"{costs}")


def through_coveyd(settings, console, folder, setups, kind=Site):
    """Figures by setup, and what covey_bench_load has to be told."""
    figures = {}
    site = kind(settings, folder / "site", UNPACED)
    try:
        site.start()
        generator = provision(settings, console, site, folder)
        site.stop()
        site.configure_defaults()
        site.start()
        console.step(f"{settings.senders} devices are enrolled and have a model; coveyd runs with "
                     "its defaults")
        watched = {"coveyd": site.child.pid, "mosquitto": site.broker_pid()}
        for setup in setups:
            before = not_counted(site)
            figures[setup.name] = load(settings, generator, setup, folder, "coveyd",
                                       site.endpoints["mqtt"], watched, *site.trust())
            after = not_counted(site)
            figures[setup.name].update({name: after[name] - before[name] for name in after})
            say(console, f"{setup.name}, coveyd", figures[setup.name])
    finally:
        site.stop()
    return figures, generator


def compare(coveyd, bare):
    spent, spent_bare = (figures["processor"][name]["us_per_report"]
                         for name, figures in (("coveyd", coveyd), ("bare", bare)))
    return {"coveyd": coveyd, "bare": bare,
            "rate_ratio": coveyd["durable_per_second"] / bare["durable_per_second"],
            "processor_ratio": spent / spent_bare if spent_bare else 0.0}


def measure(settings, console, folder):
    folder.mkdir()
    setups = setups_of(settings)
    coveyd, generator = through_coveyd(settings, console, folder, setups)
    result = {}
    with bare_loop(settings, generator, folder / "bare") as (target, watched):
        for setup in setups:
            bare = load(settings, generator, setup, folder, "bare", target, watched, "--bare")
            say(console, f"{setup.name}, bare loop", bare)
            result[setup.name] = compare(coveyd[setup.name], bare)
    return result
