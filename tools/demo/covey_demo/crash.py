# SPDX-License-Identifier: Apache-2.0
"""Act 5: coveyd dies between a commit and what it would have published, devices lose power in the
middle of a download, and in the end not one inference is lost or counted twice."""

import signal
import time

from . import plans
from .counts import compare_counts
from .gateway import word
from .processes import DemoError, describe_exit, wait_until
from .story import counts_in_words, rollout_evidence

SLOW_BYTES_PER_S = 64 * 1024  # so that the download is still going on when coveyd dies
COMMITS = (100, 280)          # between these many after its start
DEATH_LIMIT_S = 30
VICTIMS = 8
PHASE_DOWNLOADING = 2  # covey_phase_t of the agent


def act_crash(story, act):
    gateway, fleet, console = story.gateway, story.fleet, story.console
    able = sorted(d["id"] for d in fleet.able())
    victims = sorted(story.random.sample(able, VICTIMS))
    commits = story.random.randint(*COMMITS)
    if story.options.sabotage in ("reports", "journal"):
        fleet.control("break", what=story.options.sabotage)
        console.step(f"Sabotage: covey-sim breaks {story.options.sabotage} of every device")

    story.push("1.3.0", "bearing-1.3.0")
    path = story.write_plan("1.3.0", plans.AT_ONCE)
    settle(story, victims)
    gateway.configure(SLOW_BYTES_PER_S)
    gateway.stop()
    gateway.start("--fault-kill-after-commits", commits)
    console.step(f"coveyd restarted; it will kill itself with -9 after commit {commits}, before "
                 "anything of that commit is published")
    name = story.create(path)
    cut_power(story, victims[:VICTIMS // 2], "while they download")
    watch_death(story, act, name, commits)
    cut_power(story, victims[VICTIMS // 2:], "while coveyd is dead")

    gateway.start()
    console.step("coveyd started again, without the fault")
    wake(story, act, victims)
    rollout = story.follow(name, 120)
    act.evidence["rollout"] = rollout_evidence(rollout)
    act.check(f"the rollout of 1.3.0 finished: {word(rollout['state'])}, "
              + counts_in_words(rollout.get("deployments", {})),
              word(rollout["state"]) == "SUCCEEDED")
    act.check(f"all {len(able)} devices run 1.3.0, by their own slots too",
              story.await_all_run(able, "1.3.0"))
    cut_confirmed(story, act, victims)
    if story.options.sabotage == "journal":
        fleet.control("break", what="none")
        story.await_all_run(able, "1.3.0", 60)
    story.sleep("the fleet goes on for a while", 3)
    compare_counts(story, act)


def settle(story, victims):
    """What RAM holds dies with the power, and nobody could say how much of it the gateway had: so
    those who will lose power stop measuring first and wait until all is acknowledged."""
    for device in victims:
        story.fleet.step("pause_inference", id=device)

    def settled():
        slots = story.fleet.slots()
        return sum(1 for d in victims if slots[d].get("unacknowledged") == 0)
    have = story.wait("devices that will lose power have nothing unacknowledged", settled,
                      len(victims), 20, 0.2)
    if have < len(victims):
        raise DemoError(f"only {have} of {len(victims)} devices had all counts acknowledged")


def cut_power(story, victims, when):
    """At one of the next flash operations, which may be torn, or soon where there is none."""
    if when == "while they download":
        wait_until(lambda: any(s.get("phase") == PHASE_DOWNLOADING for d, s in
                               story.fleet.slots().items() if d in victims), 5, 0.05)
    for device in victims:
        story.fleet.step("power_cut", id=device)
    story.console.step(f"{len(victims)} devices lose power {when}: {' '.join(victims)}")


def watch_death(story, act, name, commits):
    gateway, fleet = story.gateway, story.fleet
    died = wait_until(lambda: not gateway.child.running(), DEATH_LIMIT_S, 0.01)
    status = fleet.status()
    slots = fleet.slots().values()
    downloading = [s for s in slots if s.get("phase") == PHASE_DOWNLOADING]
    evidence = {
        "rollout": name, "after_commits": commits,
        "end": describe_exit(gateway.child.exit_code()),
        "devices_downloading": len(downloading),
        "chunks": {"have": sum(s["chunks_have"] for s in downloading),
                   "of": sum(s["chunks_total"] for s in downloading)},
        "inferences_unacknowledged": status["unacknowledged"],
        "phases": status["phases"],
    }
    act.evidence["kill"] = evidence
    act.check(f"coveyd died by SIGKILL after {commits} commits, between commit and publish",
              died and gateway.child.exit_code() == -signal.SIGKILL)
    act.check(f"chunks and reports were in flight: {len(downloading)} devices had "
              f"{evidence['chunks']['have']} of {evidence['chunks']['of']} chunks, "
              f"{status['unacknowledged']} inferences were not acknowledged",
              len(downloading) > 0 and status["unacknowledged"] > 0)


def wake(story, act, victims):
    """They are back; now they may measure again."""
    before = story.fleet.status()["power_cuts"]

    def back():
        slots = story.fleet.slots()
        return sum(1 for d in victims if slots[d]["powered"])
    story.wait("power cuts happened", lambda: story.fleet.status()["power_cuts"], VICTIMS, 15, 0.2)
    powered = story.wait("devices are powered again", back, len(victims), 15, 0.2)
    for device in victims:
        story.fleet.step("resume_inference", id=device)
    act.evidence["power_cuts"] = {"devices": victims, "cuts": story.fleet.status()["power_cuts"],
                                  "cuts_when_coveyd_came_back": before}
    act.check(f"{powered} devices lost power meanwhile and are back", powered == len(victims))


def cut_confirmed(story, act, victims):
    """What a device confirmed must outlive its power: its journal says so at the first look."""
    settle(story, victims)
    before = story.fleet.slots()
    for device in victims:
        story.fleet.step("power_cut", id=device)
    story.console.step(f"The same {len(victims)} devices lose power again")
    first = {}
    end = time.monotonic() + 15
    while len(first) < len(victims) and time.monotonic() < end:
        for device, slot in story.fleet.slots().items():
            if device in victims and device not in first and slot["powered"] and \
                    slot.get("boot") != before[device].get("boot"):
                first[device] = slot
        story.console.bar(len(first), len(victims), f"devices back: {len(first)}")
        time.sleep(0.05)
    kept = [d for d in victims if d in first
            and first[d].get("confirmed") == before[d].get("confirmed")
            and first[d].get("journal_generation", 0) >= before[d].get("journal_generation", 0)]
    act.evidence["journal"] = {
        d: {"confirmed_before": before[d].get("confirmed", "")[:16],
            "confirmed_after": first.get(d, {}).get("confirmed", "")[:16],
            "journal_generation_before": before[d].get("journal_generation"),
            "journal_generation_after": first.get(d, {}).get("journal_generation")}
        for d in victims}
    act.check(f"{len(kept)} of {len(victims)} devices came back with the model and the journal "
              "that they had", len(kept) == len(victims))
    for device in victims:
        story.fleet.step("resume_inference", id=device)

