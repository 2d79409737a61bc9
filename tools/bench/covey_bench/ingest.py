"""Reports per second to the durable commit, beside a bare subscriber: tests/bench/ingest.cpp."""

import json


def measure(settings, console, folder):
    folder.mkdir()
    console.step(f"{settings.senders} senders, twice {settings.seconds} s: into a bare subscriber, "
                 "into coveyd's link, runtime and store")
    command = [settings.binaries / "covey_bench", "--seconds", settings.seconds,
               "--devices", settings.senders, "--data-dir", folder / "data"]
    (folder / "data").mkdir()
    text = settings.run("covey_bench", command, folder, 2 * settings.seconds + 120)
    return json.loads(text)["ingest"]
