# SPDX-License-Identifier: Apache-2.0
"""Not one inference lost, not one counted twice: the gateway's totals against covey-sim's truth."""

from .gateway import device_of, version_of

QUIESCE_S = 40


def true_counts(truth, versions):
    """(device, version) -> inferences; versions: manifest prefix -> version"""
    counts = {}
    for stream in truth["streams"]:
        key = (stream["device"], versions.get(stream["manifest"], stream["manifest"]))
        counts[key] = counts.get(key, 0) + stream["inferences"]
    return counts


def counted(totals):
    counts = {}
    for row in totals.get("devices", []):
        key = (device_of(row["device"]), version_of(row["release"]))
        counts[key] = counts.get(key, 0) + int(row.get("inferences", 0))
    return {key: number for key, number in counts.items() if number}


def compare_counts(story, act):
    fleet, gateway, console = story.fleet, story.gateway, story.console
    console.step("The fleet stops measuring and sends what it still has")
    quiet = fleet.control("quiesce", timeout=QUIESCE_S + 10, deadline=f"{QUIESCE_S}s")
    truth = fleet.control("truth")
    versions = {digest[:16]: version for version, digests in gateway.releases().items()
                for digest in digests}
    totals = gateway.totals()
    true, known = true_counts(truth, versions), counted(totals)
    differences = [{"device": device, "release": version,
                    "truth": true.get((device, version), 0),
                    "gateway": known.get((device, version), 0)}
                   for device, version in sorted(set(true) | set(known))
                   if true.get((device, version), 0) != known.get((device, version), 0)]
    releases = {}
    for where, counts in (("truth", true), ("gateway", known)):
        for (_, version), number in counts.items():
            releases.setdefault(version, {"truth": 0, "gateway": 0})[where] += number
    story.inferences = {"truth": int(truth["inferences"]),
                        "gateway": int(totals.get("inferences", 0))}
    act.evidence["counts"] = {
        "quiet": quiet["quiet"], "waiting": quiet["waiting"], "streams": len(truth["streams"]),
        "devices_and_releases": len(true), "releases": releases, "differences": differences,
        "windows_lost": int(totals.get("windows_lost", 0)),
        "duplicates_dropped": int(totals.get("duplicates", 0)),
        "lost_with_power_at_most": int(truth["lost_at_most"]),
    }
    act.check("every device has everything acknowledged", quiet["quiet"])
    act.check("no power cut took an inference with it: those devices had nothing unacknowledged",
              truth["lost_at_most"] == 0)
    act.check(f"{len(true)} counts per device and release: {len(differences)} differ",
              true and not differences)
    act.check(f"the gateway counted {story.inferences['gateway']:,} inferences, covey-sim's truth "
              f"is {story.inferences['truth']:,}",
              story.inferences["gateway"] == story.inferences["truth"] > 0)
    for difference in differences[:5]:
        console.detail("{device} {release}: truth {truth}, gateway {gateway}".format(**difference))
    for version, sums in sorted(releases.items()):
        console.detail(f"{version}  truth {sums['truth']:>9,}   gateway {sums['gateway']:>9,}")
