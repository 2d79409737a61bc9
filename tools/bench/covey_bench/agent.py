# SPDX-License-Identifier: Apache-2.0
"""What the agent costs on the host's compiler: text, data and bss at -Os, part by part."""

import subprocess

PARTS = {
    "agent": ("device_agent/src",),
    "mqtt_client": ("device_agent/mqtt/src",),
    "reference_runtime": ("device_agent/runtimes/reference",),
}
INCLUDES = ("device_agent/include", "device_agent/mqtt/include",
            "device_agent/mqtt/src", "device_agent/runtimes/reference", ".")
OPTIONS = ("-std=c99", "-Os", "-ffunction-sections", "-fdata-sections")


def measure(settings, console, folder):
    folder.mkdir()
    root = settings.root
    machine = subprocess.run(["cc", "-dumpmachine"], check=True, stdout=subprocess.PIPE,
                             text=True).stdout.strip()
    version = subprocess.run(["cc", "-dumpfullversion"], check=True, stdout=subprocess.PIPE,
                             text=True).stdout.strip()
    figures = {"compiler": f"cc {version}", "target": machine, "options": " ".join(OPTIONS)}
    for name, sources in PARTS.items():
        objects = []
        for source in sorted(path for part in sources for path in (root / part).rglob("*.c")):
            objects.append(folder / f"{name}-{source.stem}.o")
            subprocess.run(["cc", *OPTIONS, *(f"-I{root / i}" for i in INCLUDES), "-c", source,
                            "-o", objects[-1]], check=True)
        rows = subprocess.run(["size", *objects], check=True, stdout=subprocess.PIPE,
                              text=True).stdout.splitlines()[1:]
        text, data, bss = (sum(int(row.split()[column]) for row in rows) for column in range(3))
        figures[name] = {"text_bytes": text, "data_bytes": data, "bss_bytes": bss}
        console.step(f"{name}: text {text:,} B, data {data:,} B, bss {bss:,} B")
    return figures
