# SPDX-License-Identifier: Apache-2.0
"""Rolling a signed release of a model of about 64 KB out to N devices: coveyd, its mosquitto and
covey-sim (each device the real agent) as processes, through the command line alone. Beside it, in
the same run, the same bytes to N plain MQTT subscribers."""

import json
import random
import re
import subprocess
import time

from covey_demo.gateway import device_of, word
from covey_demo.processes import DemoError

from .bystanders import Bystanders
from .site import CLASS, UNPACED, Fleet, Site, cpu_seconds, pss_bytes, running_site

MODEL = "bench-fc"
WIDTH = 240            # of the hidden layers: a file of about 64 KB
INPUT_BYTES, OUTPUT_BYTES = 8, 4
SELFTESTS = 4
LIMIT_S = 300
DROPS = re.compile("covey_(drops|mqtt_drops|outbox_full|queue_full|windows_late|malformed)_total")
ENDED = ("SUCCEEDED", "ABORTED", "ROLLED_BACK", "PAUSED")
PLAN = """\
apiVersion: covey/v1
kind: Rollout
metadata: {{name: bench}}
spec:
  release: {model}@{version}
  stages:
    - {{name: all, size: 100%}}
  attempt: {{deadline: 10m, retries: 2, backoff: 1s}}
"""
# Probation is a policy, not work: as short as it can be, so that it is not what is measured.
FLEET_OPTIONS = ("--model", MODEL, "--inference-interval", "1s", "--probation-inferences", "1")


def build_model(settings, folder, width=WIDTH, features=INPUT_BYTES):
    """The .tflite and its statistics: the bearing example's, or its first features, but with this
    model's own answers as self-test vectors, computed by `covey model run`."""
    model = folder / "bench.tflite"
    subprocess.run([settings.binaries / "covey_bench_model", str(width), model], check=True)
    inputs = random.Random(1).randbytes(SELFTESTS * INPUT_BYTES)
    (folder / "in.bin").write_bytes(inputs)
    subprocess.run([settings.binaries / "covey", "model", "run", model,
                    "--input", folder / "in.bin", "--output", folder / "out.bin"], check=True,
                   stdout=subprocess.DEVNULL)
    outputs = (folder / "out.bin").read_bytes()
    examples = settings.root / "examples" / "bearing_vibration" / "models"
    statistics = json.loads((examples / "bearing-1.0.0.stats.json").read_text())
    del statistics["features"][features:]
    statistics.update(model=MODEL, version="1.0.0", selftest=[
        {"input": int8(inputs, i, INPUT_BYTES), "output": int8(outputs, i, OUTPUT_BYTES)}
        for i in range(SELFTESTS)])
    (folder / "bench.stats.json").write_text(json.dumps(statistics))
    return model, folder / "bench.stats.json", examples / "preprocessing.bin"


def int8(data, index, size):
    part = data[index * size:(index + 1) * size]
    return [byte - 256 if byte > 127 else byte for byte in part]


def push(site, files, key, version="1.0.0"):
    model, statistics, preprocessing = files
    site.call("model", "push", f"{MODEL}@{version}", "--artifact", f"{CLASS}={model}",
              "--stats", statistics, "--preprocessing", preprocessing, "--preprocessing-id", 1,
              "--key", key)


def chunk_bytes(site):
    release = site.call("model", "get", f"{MODEL}@1.0.0")["release"]
    return int(release["artifacts"][0]["chunk_size_bytes"])


def follow(site, fleet, console, name, wanted="SUCCEEDED"):
    """The ended rollout. Looks seldom: a look is a process of its own on the same cores."""
    end = time.monotonic() + LIMIT_S
    while True:
        site.child.must_run()
        fleet.child.must_run()
        rollout = site.rollout(name)
        state = word(rollout["state"])
        counts = rollout.get("deployments", {})
        console.bar(counts.get("CONFIRMED", 0), fleet.devices, "rollout: " + ", ".join(
            f"{n} {s}" for s, n in sorted(counts.items()) if n))
        if state in ENDED and (state == wanted or wanted == "SUCCEEDED"):
            if state != wanted:
                raise DemoError(f"the rollout ended {state}: {rollout.get('explanation', '')}")
            return rollout
        if time.monotonic() > end:
            raise DemoError(f"the rollout is still {state} after {LIMIT_S} s: {counts}")
        time.sleep(site.settings.look_s)


class Sample:
    """What the site, the fleet and the kernel had counted at one moment."""

    def __init__(self, site, fleet):
        self.metrics = site.metrics()
        self.fleet = fleet.control("status")
        self.cpu = {"coveyd": cpu_seconds(site.child.pid),
                    "mosquitto": cpu_seconds(site.broker_pid()),
                    "covey_sim": cpu_seconds(fleet.child.pid)}


def quantile(ordered, share):
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def figures_of(rollout, deployments, before, after, devices):
    start = int(rollout["create_time_ms"])
    seconds = (int(rollout["end_time_ms"]) - start) / 1000
    confirmed = sorted((int(d["update_time_ms"]) - start) / 1000 for d in deployments
                       if word(d["state"]) == "CONFIRMED")

    def counted(name):
        return int(after.metrics.get(name, 0) - before.metrics.get(name, 0))

    def moved(name):
        return after.fleet[name] - before.fleet[name]
    return {
        "devices": devices,
        "seconds": seconds,
        "devices_per_minute": 60 * devices / seconds,
        "confirmed_p50_s": quantile(confirmed, 0.50),
        "confirmed_p99_s": quantile(confirmed, 0.99),
        "attempts": len(deployments),
        "chunks": counted("covey_chunks_total"),
        "chunks_per_second": counted("covey_chunks_total") / seconds,
        "bytes_to_device": moved("bytes_in") / devices,
        "bytes_from_device": moved("bytes_out") / devices,
        "messages_to_device": moved("messages_in") / devices,
        "messages_from_device": moved("messages_out") / devices,
        "commits": counted("covey_commits_total"),
        "dropped": {name: counted(name) for name in after.metrics
                    if DROPS.match(name) and counted(name)},
        "connections_lost": moved("connections_lost"),
        "cpu_seconds": {name: round(after.cpu[name] - before.cpu[name], 2) for name in after.cpu},
    }


def floor(settings, console, folder, figures):
    console.step(f"The floor: {figures['chunks_of_model']} chunks to {figures['devices']} plain "
                 "subscribers")
    command = [settings.binaries / "covey_bench_floor", "--data-dir", folder / "floor",
               "--devices", figures["devices"], "--chunks", figures["chunks_of_model"],
               "--chunk-bytes", figures["chunk_bytes"]]
    return json.loads(settings.run("covey_bench_floor", command, folder, LIMIT_S))


def roll_out(settings, console, folder, devices, offer_rate, options=(), watched=False, kind=Site):
    """Figures of one rollout to a new fleet at a new site. `watched`: with what those notice of it
    who are not in it."""
    folder.mkdir()
    files = build_model(settings, folder)
    with running_site(settings, folder / "site", offer_rate, kind) as (site, fleets):
        made = site.call("key", "generate", folder / "author.pem")
        site.call("key", "trust", made["public_key"], "--comment", "the benchmark's author")
        push(site, files, folder / "author.pem")
        fleet = Fleet(site, "d", devices,
                      (*FLEET_OPTIONS, *site.trust(), *options, "--trusted-key", made["public_key"]))
        fleets.append(fleet)
        fleet.start()
        online_s = fleet.await_online(console)
        console.step(f"{devices} devices enrolled and online after {online_s:.1f} s")
        plan = folder / "plan.yaml"
        plan.write_text(PLAN.format(model=MODEL, version="1.0.0"))
        bystanders = Bystanders(site) if watched else None
        before = Sample(site, fleet)
        created = site.call("rollout", "create", "-f", plan)["rollout"]
        name = device_of(created["name"])
        if bystanders:
            bystanders.start(name)
        rollout = follow(site, fleet, console, name)
        beside = bystanders.figures() if bystanders else None
        after = Sample(site, fleet)
        deployments = site.call("rollout", "deployments", name, limit_s=60)["deployments"]
        figures = figures_of(rollout, deployments, before, after, devices)
        figures["coveyd_pss_bytes"] = pss_bytes(site.child.pid)
        figures["mosquitto_pss_bytes"] = pss_bytes(site.broker_pid())
        figures["enrol_seconds"] = online_s
        figures["bystanders"] = beside
        figures["chunk_bytes"] = chunk_bytes(site)
    figures["model_bytes"] = files[0].stat().st_size
    figures["chunks_of_model"] = max(int(d["chunks_total"]) for d in deployments)
    figures["chunks_per_needed"] = figures["chunks"] / (devices * figures["chunks_of_model"])
    console.step("{devices} devices in {seconds:.1f} s".format(**figures))
    return figures


def measure(settings, console, folder):
    figures = roll_out(settings, console, folder, settings.devices,
                       None if settings.paced else UNPACED)
    figures["pacing"] = "default" if settings.paced else "none"
    figures["floor"] = floor(settings, console, folder, figures)
    figures["ratio_to_floor"] = figures["seconds"] / figures["floor"]["seconds"]
    return figures
