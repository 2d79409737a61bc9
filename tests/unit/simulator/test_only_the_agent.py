#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The only device side in covey-sim is covey_agent: the program holds the agent's functions, all of
them from the library's objects, and no source of the simulator or the MQTT client knows a message of
the device wire."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
NEEDED = ["covey_agent_init", "covey_agent_start", "covey_agent_poll", "covey_agent_receive",
          "covey_agent_record_inference", "covey_agent_invoke"]
FOLDERS = ["device_agent/simulator", "device_agent/mqtt"]
# Topics below covey/v1, names of messages, their encoding, and the keys that authenticate them.
WIRE = re.compile(r"protobuf|\.pb\.h|covey/v1/|/down/|ModelGoal|\bGoal\b|\bHello\b|EnrollGrant"
                  r"|StreamAck|SignedManifest|hmac|HMAC|varint|order_key")
# The one thing that the simulator looks for in a topic: that a report leaves (truth first, sabotage).
ALLOWED = {'"/up/report"'}


def symbols(path, flags):
    output = subprocess.run(["nm", *flags, path], check=True, capture_output=True, text=True).stdout
    return {line.split()[-1] for line in output.splitlines()
            if len(line.split()) >= 2 and line.split()[-2] in "Tt"}


def main():
    program, agent_library = sys.argv[1:3]
    problems = []
    in_program = symbols(program, [])
    in_agent = symbols(agent_library, [])
    for name in NEEDED:
        if name not in in_program or name not in in_agent:
            problems.append(f"{name} is not in covey-sim, or not from the agent's library")
    for name in sorted(in_program):
        if name.startswith("covey_agent_") and name not in in_agent:
            problems.append(f"{name} looks like the agent's, but is not from its library")
        if "covey6device2v1" in name or name.startswith("_ZN6google8protobuf"):
            problems.append(f"{name}: generated protobuf code in covey-sim")
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.[ch]*")):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                code = line.split("//")[0]
                if WIRE.search(code) and not any(allowed in code for allowed in ALLOWED):
                    problems.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems, {len(in_program)} functions in covey-sim")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
