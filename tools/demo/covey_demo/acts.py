# SPDX-License-Identifier: Apache-2.0
"""Acts 1 to 4: a site and its devices, a better model, a worse one, a drift."""

from . import plans
from .fleet import DEVICES, OFFLINE, SMALL
from .gateway import device_of, version_of, word
from .processes import wait_until
from .story import counts_in_words, rollout_evidence

LABELS_PER_TYPE = 400
DRIFT_LIMIT_S = 60
QUIET_S = 12


def act_site(story, act):
    gateway, fleet, console = story.gateway, story.fleet, story.console
    gateway.start()
    console.step(f"coveyd is up: broker on {gateway.endpoints['mqtt']}, "
                 f"metrics on http://{gateway.endpoints['http']}/metrics")
    made = gateway.call("key", "generate", story.key)
    gateway.call("key", "trust", made["public_key"], "--comment", "the demo's author")
    fleet.start(gateway.endpoints, made["public_key"])

    def pending():
        return len(gateway.call("device", "list", "--filter", "state = PENDING")
                   .get("devices", []))
    story.wait("devices ask to enrol", pending, DEVICES, 60)
    accepted = int(gateway.call("device", "accept", "--all").get("accepted", 0))
    label_devices(story)
    present = DEVICES - OFFLINE

    def online():
        return sum(1 for d in gateway.devices() if d.get("online"))
    arrived = story.wait("devices are online", online, present, 60)
    act.check(f"{accepted} of {DEVICES} devices enrolled and were accepted; {arrived} are online",
              accepted == DEVICES and arrived >= present)
    classes = {}
    for device in gateway.devices():
        classes[device["device_class"]] = classes.get(device["device_class"], 0) + 1
    act.evidence["devices"] = {"accepted": accepted, "online": arrived, "classes": classes}
    act.check("they are of two classes: " + counts_in_words(classes), len(classes) == 2)

    story.push("1.0.0", "bearing-1.0.0")
    check_plan(story, act, story.write_plan("1.0.0", plans.FIRST))
    story.labeller.start()
    rollout = story.follow(story.create(story.folder / f"{story.rollout_name('1.0.0')}.yaml"), 90)
    act.evidence["rollout"] = rollout_evidence(rollout)
    able = {d["id"] for d in fleet.able()}
    act.check(f"rollout of 1.0.0 {word(rollout['state'])}: "
              + counts_in_words(rollout.get("deployments", {})),
              word(rollout["state"]) == "SUCCEEDED")
    act.check(f"each of the {len(able)} devices that can runs 1.0.0, by its own slots too",
              story.await_all_run(able, "1.0.0"))


def label_devices(story):
    for key in ("hall", "machine_type"):
        for value in sorted({d[key] for d in story.fleet.devices}):
            story.gateway.call("device", "label", *sorted(story.fleet.ids(**{key: value})),
                               f"{key}={value}")
    story.console.step("Labels set: hall and machine_type of every device")


def check_plan(story, act, path):
    """The plan must have said beforehand who cannot take part, and why."""
    plan = story.gateway.call("rollout", "plan", "-f", path)
    said = {}
    for exclusion in plan.get("excluded", []):
        said.setdefault(exclusion["reason"], set()).add(exclusion["device"])
    small, offline = story.fleet.ids(small=True), story.fleet.ids(offline=True)
    act.evidence["plan"] = {reason: sorted(devices) for reason, devices in said.items()}
    act.check(f"the plan said it: {SMALL} devices are too small ("
              + "; ".join(f"{reason}: {len(devices)}" for reason, devices in sorted(said.items()))
              + ")", small == set().union(*said.values()))
    act.check(f"the plan said it: {OFFLINE} devices are offline",
              offline <= set(plan.get("offline", [])))


def act_better(story, act):
    story.await_labels("1.0.0", LABELS_PER_TYPE)
    before = story.accuracy_of("1.0.0")
    story.push("1.1.0", "bearing-1.1.0")
    rollout = story.follow(story.create(story.write_plan("1.1.0", plans.CANARY)), 150)
    act.evidence["rollout"] = rollout_evidence(rollout)
    act.evidence["canary"] = canary_evidence(story, rollout)
    states = {s["name"]: word(s["state"]) for s in rollout["stages"]}
    act.check("1.1.0: canary, then all: " + counts_in_words(rollout.get("deployments", {})),
              word(rollout["state"]) == "SUCCEEDED"
              and states == {"canary": "PASSED", "fleet": "PASSED"})
    able = {d["id"] for d in story.fleet.able()}
    act.check(f"all {len(able)} devices run 1.1.0", story.await_all_run(able, "1.1.0"))
    story.await_labels("1.1.0", LABELS_PER_TYPE)
    after = story.accuracy_of("1.1.0")
    act.evidence["accuracy"] = {"before": before, "after": after,
                                "labels": {v: story.labelled(v) for v in ("1.0.0", "1.1.0")}}
    for stratum in sorted(before, key=lambda s: (s == "all", s)):
        story.console.detail(f"{stratum:6}  1.0.0 {100 * before[stratum]:5.1f} %   "
                             f"1.1.0 {100 * after.get(stratum, 0):5.1f} %")
    act.check("labels say that 1.1.0 is better than 1.0.0",
              after.get("all", 0) > before.get("all", 1))


def canary_evidence(story, rollout):
    deployments = story.gateway.deployments(device_of(rollout["name"]))
    first = rollout["stages"][0]["name"]
    canary = {device_of(d["device"]) for d in deployments
              if d.get("stage") == first and d.get("cause") == "ROLLOUT"}
    offered = {device_of(d["device"]) for d in deployments
               if d.get("cause") == "ROLLOUT" and int(d.get("attempt", 0)) > 0}
    return {"devices": sorted(canary), "offered": sorted(offered),
            "gates": rollout["stages"][0].get("gates", [])}


def act_worse(story, act):
    variant = story.options.variant == "equal"
    story.push("1.2.0", "bearing-1.2.0-equal" if variant else "bearing-1.2.0")
    story.labeller.echo_predictions = story.options.sabotage == "regression"
    rollout = story.follow(story.create(story.write_plan("1.2.0", plans.CANARY)), 180)
    state = word(rollout["state"])
    canary = canary_evidence(story, rollout)
    act.evidence["rollout"] = rollout_evidence(rollout)
    act.evidence["canary"] = canary
    if variant:
        act.check(f"1.2.0 is as good as 1.1.0 and the rollout {state}", state == "SUCCEEDED")
        able = {d["id"] for d in story.fleet.able()}
        act.check(f"all {len(able)} devices run 1.2.0", story.await_all_run(able, "1.2.0"))
        return
    reason = f"{rollout.get('reason', '')}, {rollout.get('explanation', '')}"
    act.check(f"the canary showed the regression, and the rollout was rolled back: {state}",
              state == "ROLLED_BACK")
    act.check(f"the reason names the machine type: {reason}",
              "ACCURACY" in rollout.get("reason", "") and "press" in reason)
    act.check(f"only the {len(canary['devices'])} canaries were ever offered 1.2.0",
              canary["devices"] and set(canary["offered"]) <= set(canary["devices"]))
    took = [d for d in canary["devices"] if d in {x["id"] for x in story.fleet.able()}]
    act.check(f"each of the {len(took)} canaries that took it is back on 1.1.0, by its own slots "
              "too", story.await_all_run(took, "1.1.0", 15 if state == "ROLLED_BACK" else 0))
    if story.labeller.echo_predictions:
        restore(story)


def restore(story):
    """After --sabotage regression: the other acts start from 1.1.0."""
    story.labeller.echo_predictions = False
    story.console.step("The labels are mended; the fleet goes back to 1.1.0")
    name = story.rollout_name("1.1.0") + "-again"
    story.follow(story.create(story.write_plan("1.1.0", plans.AT_ONCE, name)), 90)
    story.await_all_run({d["id"] for d in story.fleet.able()}, "1.1.0")


def act_drift(story, act):
    moved = {d["id"] for d in story.fleet.able() if d["hall"] == story.hall}
    fired_before = {a["name"] for a in firing(story)}
    act.evidence["hall"] = story.hall
    act.evidence["devices_moved"] = sorted(moved)
    act.check("no drift alert before anything moves", not fired_before)
    if story.options.variant == "no-drift":
        story.sleep("nothing moves; windows of 5 s go by", 30)
        alerts = firing(story)
        act.evidence["alerts"] = alerts
        act.check("no sensor moved, and there is no alert", not alerts)
        return
    story.fleet.step("gain 0.5", hall=story.hall)
    story.console.step(f"The sensors of {story.hall} lose half their gain "
                       f"({len(moved)} devices that report)")

    def named():
        """The alert on rms, once it names everybody who moved."""
        alerts = [a for a in firing(story) if a["feature"] == "rms"]
        found = max((len(set(a["devices"]) & moved) for a in alerts), default=0)
        story.console.bar(found, len(moved), f"devices named by an alert on rms: {found} of "
                                             f"{len(moved)}")
        return [a for a in alerts if set(a["devices"]) >= moved]
    wait_until(named, DRIFT_LIMIT_S, 0.5, story.children())
    if firing(story):
        story.sleep("two more windows, so that a wrongly named device would show", QUIET_S)
    alerts = firing(story)
    act.evidence["alerts"] = alerts
    features = [a for a in alerts if a["kind"] == "FEATURE_DRIFT"]
    act.check("an alert fires and names the feature: rms",
              [a["feature"] for a in features] == ["rms"])
    devices = set(features[0]["devices"]) if features else set()
    act.check(f"it names exactly the {len(moved)} devices of {story.hall} that moved",
              devices == moved)
    act.check("no other alert names a device elsewhere",
              all(set(a["devices"]) <= moved for a in alerts))
    if features:
        drift = story.gateway.text("monitor", "drift", "--feature", "rms", "--filter",
                                   f'labels.hall = "{story.hall}"')
        story.console.detail(drift.rstrip())
    story.fleet.step("gain 1", hall=story.hall)
    story.console.step(f"The sensors of {story.hall} are mended")


def firing(story):
    """Alerts about drift that fire now."""
    return [{"name": device_of(a["name"]), "kind": a.get("kind", ""),
             "severity": a.get("severity", ""), "feature": a.get("feature", ""),
             "release": version_of(a.get("release", "")),
             "devices": [device_of(d) for d in a.get("devices", [])],
             "explanation": a.get("explanation", "")}
            for a in story.gateway.alerts() if word(a.get("state", "")) == "FIRING"
            and a.get("kind", "").endswith("DRIFT")]
