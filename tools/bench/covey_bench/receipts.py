# SPDX-License-Identifier: Apache-2.0
"""How soon devices that are online have shown a goal that needs no transfer: everybody is sent back
to the release that it had before and still has. By coveyd's own histogram."""

import json
import re

from covey_demo.gateway import device_of

from .rollout import FLEET_OPTIONS, MODEL, PLAN, Sample, build_model, follow, push
from .site import UNPACED, Fleet, running_site

BUCKET = re.compile(r'covey_goal_receipt_seconds_bucket\{le="([^"]+)"\}')
SELDOM = ("--inference-interval", "5s")
DEVICES, QUICK_DEVICES = 10_000, 20


def at_share(before, after, share):
    """Seconds within which that share was received: a line between two bounds of the histogram."""
    bounds = sorted((float(found.group(1)), int(after.metrics[series] - before.metrics[series]))
                    for series in after.metrics if (found := BUCKET.match(series)))
    wanted = share * bounds[-1][1]
    below, count = 0.0, 0
    for bound, upto in bounds:
        if upto >= wanted and upto > count:
            return below + (bound - below) * (wanted - count) / (upto - count)
        below, count = bound, upto
    return below


def received(settings, console, folder, devices, offer_rate):
    folder.mkdir()
    files = build_model(settings, folder)
    statistics = json.loads(files[1].read_text())
    again = folder / "again.stats.json"
    again.write_text(json.dumps({**statistics, "version": "1.0.1"}))
    with running_site(settings, folder / "site", offer_rate) as (site, fleets):
        made = site.call("key", "generate", folder / "author.pem")
        site.call("key", "trust", made["public_key"], "--comment", "the benchmark's author")
        push(site, files, folder / "author.pem")
        push(site, (files[0], again, files[2]), folder / "author.pem", "1.0.1")
        fleet = Fleet(site, "d", devices,
                      (*FLEET_OPTIONS, *SELDOM, "--trusted-key", made["public_key"]))
        fleets.append(fleet)
        fleet.start()
        fleet.await_online(console)
        for version in ("1.0.0", "1.0.1"):
            plan = folder / "plan.yaml"
            plan.write_text(PLAN.format(model=MODEL, version=version))
            created = site.call("rollout", "create", "-f", plan, "--name", f"to-{version[-1]}")
            name = device_of(created["rollout"]["name"])
            follow(site, fleet, console, name)
        before = Sample(site, fleet)
        site.call("rollout", "rollback", name, "--reason", "measured")
        rollout = follow(site, fleet, console, name, "ROLLED_BACK")
        after = Sample(site, fleet)

    def moved(series):
        return int(after.metrics.get(series, 0) - before.metrics.get(series, 0))
    figures = {
        "devices": devices, "offer_rate": offer_rate,
        "goals": moved("covey_goals_made_total"), "received": moved("covey_goals_received_total"),
        "timed": moved("covey_goal_receipt_seconds_count"), "chunks": moved("covey_chunks_total"),
        "p50_s": at_share(before, after, 0.50), "p99_s": at_share(before, after, 0.99),
        "buckets": {found.group(1): moved(series) for series in after.metrics
                    if (found := BUCKET.match(series))},
        "rolled_back": rollout.get("rollback_deployments", {}),
        "dropped": {series: moved(series) for series in after.metrics
                    if "drops" in series and moved(series)},
        "cpu_seconds": {each: round(after.cpu[each] - before.cpu[each], 2) for each in after.cpu}}
    console.step("{devices} devices, goals received: p50 {p50_s:.2f} s, p99 {p99_s:.2f} s; "
                 "processor {cpu_seconds}".format(**figures))
    return figures


def measure(settings, console, folder):
    folder.mkdir()
    devices = QUICK_DEVICES if settings.quick else DEVICES
    return [received(settings, console, folder / name, devices, rate)
            for name, rate in (("unpaced", UNPACED), ("defaults", None))]
