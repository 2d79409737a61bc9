#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks every tracked Markdown file: relative links and their #anchors lead somewhere, `./dev X` is
a command, quoted paths of the tree exist. With a built CLI, `covey NOUN` in code blocks is a command
too. Links to other sites are not followed."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)|!\[[^\]]*\]\(([^)\s]+)\)")
DEV = re.compile(r"\./dev ([a-z][a-z-]*)")
QUOTED_PATH = re.compile(r"`([a-z_.][\w.-]*/[\w./-]+)`")
COVEY = re.compile(r"^\s*(?:\$ )?(?:build/bin/)?covey ([a-z]+)(?: ([a-z-]+))?", re.MULTILINE)
CODE_BLOCK = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def tracked(*patterns):
    text = subprocess.run(["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, check=True,
                          stdout=subprocess.PIPE).stdout.decode()
    return [name for name in text.split("\0") if name]


def anchors(text):
    """The anchors that GitHub and GitLab make of headings."""
    text = CODE_BLOCK.sub("", text)
    found = set()
    for heading in re.findall(r"^#+\s+(.*)$", text, re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        while name in found:
            name += "-1"
        found.add(name)
    return found


def covey_nouns():
    """First words that `covey --help` knows, or None without a built CLI."""
    for preset in ("release", "dev"):
        program = ROOT / "build" / preset / "bin" / "covey"
        if program.exists():
            text = subprocess.run([program, "--help"], stdout=subprocess.PIPE, text=True).stdout
            return set(re.findall(r"^\s+([a-z][a-z-]*)(?:\s|$)", text, re.MULTILINE))
    return None


def main():
    commands = {path.name for path in (ROOT / "tools/dev/commands").iterdir()}
    files = set(tracked())
    folders = {str(parent) for name in files for parent in pathlib.PurePosixPath(name).parents}
    tops = {name.split("/")[0] for name in files if "/" in name}
    nouns = covey_nouns()
    problems = []
    documents = tracked("*.md")
    for name in documents:
        document = ROOT / name
        text = document.read_text()
        prose = CODE_BLOCK.sub("", text)
        for match in LINK.finditer(prose):
            target = match.group(1) or match.group(2)
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (document.parent / path).resolve() if path else document
            if not file.exists():
                problems.append(f"{name}: link to {target}: no such file")
            elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text()):
                problems.append(f"{name}: link to {target}: no such heading")
        for command in DEV.findall(text):
            if command not in commands:
                problems.append(f"{name}: ./dev {command}: no such command")
        for path in QUOTED_PATH.findall(prose):
            clean = path.rstrip("/")
            if clean.split("/")[0] not in tops or "NAME" in clean or clean in files | folders:
                continue
            beside = (document.parent / clean).exists() or (ROOT / clean).exists()
            if not beside and not any(f"{clean}{suffix}" in files for suffix in (".hpp", ".h")):
                problems.append(f"{name}: `{path}`: no such file")
        if nouns is not None:
            for block in CODE_BLOCK.findall(text):
                for noun, _ in COVEY.findall(block):
                    if noun not in nouns:
                        problems.append(f"{name}: covey {noun}: no such command")
    print("\n".join(problems) or f"docs: {len(documents)} documents are in order"
          + ("" if nouns else " (covey is not built: its commands were not looked up)"))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
