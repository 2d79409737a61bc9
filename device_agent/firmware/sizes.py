#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bytes per component of an image, from the linker's map: sizes.py FILE.map"""

import pathlib
import re
import sys

# What an input section's name begins with -> column
FLASH = (".text", ".rodata", ".vectors", ".ARM.exidx", ".glue", ".vfp")
COLUMNS = ("text", "data", "bss")
SECTION = re.compile(r"^ (\.\S+|COMMON|\*fill\*)?\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)\s*(\S.*)?$")


def column(name):
    if name.startswith(FLASH):
        return "text"
    if name.startswith(".data"):
        return "data"
    if name.startswith((".bss", ".noinit", "COMMON")):
        return "bss"
    return None


def component(file):
    archive = re.search(r"lib([\w-]+)\.a\(", file)
    if archive:
        return {"c_nano": "C library", "gcc": "C library"}.get(archive[1], archive[1])
    return "image" if file.endswith((".obj", ".o")) else "linker"


def sizes(text):
    """component -> {column: bytes}; what the linker threw away stands before the memory map."""
    found = {}
    text = text[text.index("Linker script and memory map"):]
    text = re.sub(r"\n (\.\S+)\n", r"\n \1", text)  # long names have their numbers on the next line
    name = ""
    for line in text.splitlines():
        match = SECTION.match(line)
        if not match or not match[4]:
            continue
        name = match[1] or name
        where = column(name)
        if where is None or int(match[3], 16) == 0:
            continue
        row = found.setdefault(component(match[4]), dict.fromkeys(COLUMNS, 0))
        row[where] += int(match[3], 16)
    return found


def main():
    found = sizes(pathlib.Path(sys.argv[1]).read_text())
    width = max(map(len, found))
    print(f"{'component':{width}} " + " ".join(f"{c:>7}" for c in COLUMNS))
    for name, row in sorted(found.items(), key=lambda item: -item[1]["text"]):
        print(f"{name:{width}} " + " ".join(f"{row[c]:7}" for c in COLUMNS))
    print(f"{'sum':{width}} "
          + " ".join(f"{sum(row[c] for row in found.values()):7}" for c in COLUMNS))


if __name__ == "__main__":
    main()
