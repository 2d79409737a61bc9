# SPDX-License-Identifier: Apache-2.0
"""What one covey_agent_record_inference() costs on a Cortex-M4: instructions_test.py DIR-OF-IMAGES

Runs the image covey-measure.elf under an emulator that counts instructions, and compares what it
says with the budgets in device_agent/footprint.json."""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUDGETS = ROOT / "device_agent" / "footprint.json"
SKIPPED = 77
LIMIT_S = 60
LINE = r"record_inference: (.*): (\d+) instructions, (\d+) of (\d+) counted"


def run(image):
    """The image's log, up to its last line; what it did not say within the limit is missing."""
    # -icount shift=0: an instruction takes one nanosecond of the emulated board's time.
    with subprocess.Popen(
            ["qemu-system-arm", "-M", "mps2-an386", "-icount", "shift=0", "-kernel", image,
             "-display", "none", "-monitor", "none", "-serial", "stdio"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as emulator:
        watchdog = threading.Timer(LIMIT_S, emulator.kill)
        watchdog.start()
        lines = []
        for line in emulator.stdout:
            lines.append(line)
            if line.rstrip().endswith(" measured"):
                break
        watchdog.cancel()
        emulator.kill()
    return "".join(lines)


def main():
    image = pathlib.Path(sys.argv[1]) / "covey-measure.elf"
    if shutil.which("qemu-system-arm") is None or not image.exists():
        print(f"no qemu-system-arm, or no {image}: ./dev firmware installs and makes them")
        return SKIPPED
    log = run(image)
    print(log, end="")
    measured = {}
    failures = []
    for what, instructions, counted, records in re.findall(LINE, log):
        measured[what] = int(instructions)
        if counted != records:
            failures.append(f"{what}: only {counted} of {records} inferences were counted")
    budgets = json.loads(BUDGETS.read_text())["instructions"]
    if set(measured) != set(budgets):
        failures.append(f"budgets are for {sorted(budgets)}, measured was {sorted(measured)}")
    for what in sorted(set(measured) & set(budgets)):
        if not 0 < measured[what] <= budgets[what]["budget"]:
            failures.append(f"{what}: {measured[what]} instructions, "
                            f"budget {budgets[what]['budget']}")
    for failure in failures:
        print(f"FAILED: {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
