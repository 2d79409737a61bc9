# SPDX-License-Identifier: Apache-2.0
"""What was observed, as JSON and as the last lines on the terminal."""

import json

from .gateway import device_of, version_of, word
from .processes import DemoError


def observe(story):
    rollouts, alerts = [], []
    try:
        # A list leaves out what grows: the gates are in the answer about one rollout.
        for rollout in story.gateway.call("rollout", "list").get("rollouts", []):
            rollouts.append(rollout_json(story.gateway.rollout(device_of(rollout["name"]))))
        rollouts.sort(key=lambda r: r.pop("created"))
        # A condition that went before it fired was nobody's alert.
        alerts = [alert_json(alert) for alert in story.gateway.alerts(resolved=True)
                  if int(alert.get("fire_time_ms", 0))]
    except DemoError as error:
        story.console.line(f"  What was observed cannot be read back: {error}")
    return {"seed": story.options.seed, "acts": [act.as_json() for act in story.acts],
            "rollouts": rollouts, "alerts": alerts, "inferences": story.inferences}


def rollout_json(rollout):
    stages, verdicts = [], []
    for stage in rollout.get("stages", []):
        stages.append({"name": stage["name"], "state": word(stage.get("state", "")),
                       "deployments": stage.get("deployments", {})})
        for gate in stage.get("gates", []):
            verdicts.append({"stage": stage["name"], "gate": gate["gate"],
                             "verdict": word(gate.get("verdict", "")),
                             "reason": gate.get("reason", ""),
                             "explanation": gate.get("explanation", ""),
                             "measures": gate.get("measures", [])})
    return {"name": device_of(rollout["name"]), "release": rollout["spec"]["release"],
            "state": word(rollout["state"]), "reason": rollout.get("reason", ""),
            "explanation": rollout.get("explanation", ""), "stages": stages,
            "verdicts": verdicts, "deployments": rollout.get("deployments", {}),
            "rollback_deployments": rollout.get("rollback_deployments", {}),
            "created": int(rollout.get("create_time_ms", 0))}


def alert_json(alert):
    return {"name": device_of(alert["name"]), "state": word(alert.get("state", "")),
            "kind": alert.get("kind", ""), "severity": alert.get("severity", ""),
            "feature": alert.get("feature", ""), "release": version_of(alert.get("release", "")),
            "devices": [device_of(d) for d in alert.get("devices", [])],
            "explanation": alert.get("explanation", "")}


def write_json(path, observed):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(observed, file, indent=1)
        file.write("\n")


def summary(story, observed):
    console = story.console
    console.line()
    console.line(console.paint("1", f"== Summary (seed {story.options.seed}, "
                                    f"{console.elapsed()} minutes)"))
    for number, act in enumerate(story.acts, 1):
        console.check(f"act {number}: {act.name}", act.ok)
    for rollout in observed["rollouts"]:
        why = f"  {rollout['reason']}" if rollout["reason"] else ""
        console.detail(f"{rollout['name']:34} {rollout['state']}{why}")
    console.detail(f"labels: {story.labeller.submitted:,} given late, {story.labeller.matched:,} "
                   "met a sampled inference at once")
    console.detail(f"inferences: {observed['inferences']['gateway']} counted by the gateway, "
                   f"{observed['inferences']['truth']} in covey-sim's truth")


def how_to_go_on(story, binaries):
    console = story.console
    console.line()
    if story.options.keep:
        console.line("The site is still running. Play with it:")
        console.line(f"  export PATH={binaries}:$PATH COVEY_DATA={story.gateway.data}")
        for words in ("covey status", "covey device list", "covey alert list --all",
                      "covey monitor drift --feature rms", "covey monitor accuracy --per "
                      "labels.machine_type", f"covey rollout explain {story.rollout_name('1.2.0')}"):
            console.line(f"  {words}")
        console.line("A sensor fault:  echo '{\"command\": \"step\", \"devices\": {\"hall\": "
                     "\"hall-1\"}, \"action\": \"gain 0.5\"}' | nc -U -N "
                     f"{story.fleet.socket_path}")
        console.line(f"Stop it:         kill {story.fleet.child.pid} {story.gateway.child.pid} && "
                     f"rm -r {story.folder}")
    else:
        console.line("Look further: ./dev demo --keep leaves the site running; ./dev demo --json "
                     "FILE writes all")
        console.line("evidence; README.md says how to start a site of your own.")
