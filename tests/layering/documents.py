# SPDX-License-Identifier: Apache-2.0
"""What documents and comments promise of the tree, checked over all its files: that what they name
exists. layering.py runs these rules; documents_test.py feeds them bad snippets.

Each rule is a function over {path: text} that yields (path, line, message).
"""

import fnmatch
import pathlib
import re

SOURCES = {".c", ".h", ".cpp", ".hpp", ".py", ".proto", ".sh"}
FOLDER_SOURCES_MIN = 10  # from so many on, a folder explains itself
README_LINES_MAX = 40

# The whole text of a code span, where it can only be a file of the tree.
KINDS = r"(?:c|h|cpp|hpp|py|proto|sh|cmake|sql|fbs|md)"
FILE_NAME = re.compile(rf"`([\w.*?{{}},/-]+\.(?:{KINDS}|\{{{KINDS}(?:,{KINDS})*\}}))`")
CODE_BLOCK = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
# Of the C library, of a user, of a build, or a pattern for people.
OTHER_FILES = re.compile(r"(string|stdint|stddef|stdbool|limits)\.h|build/.*|.*(NNNN|NAME|my_covey).*"
                         r"|.*\.pb\.h")


def folder(path):
    return str(pathlib.PurePosixPath(path).parent)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def check_folder_readmes(files):
    """A folder of ten or more sources has a README of at most 40 lines."""
    counts = {}
    for path in files:
        if pathlib.PurePosixPath(path).suffix in SOURCES:
            counts[folder(path)] = counts.get(folder(path), 0) + 1
    for name, count in sorted(counts.items()):
        readme = f"{name}/README.md"
        if count < FOLDER_SOURCES_MIN:
            continue
        if readme not in files:
            yield readme, 1, (f"missing: {name} has {count} sources; purpose, entry points, "
                              "invariants, what it must not know")
        elif len(files[readme].splitlines()) > README_LINES_MAX:
            yield readme, 1, f"more than {README_LINES_MAX} lines"


def spelled_out(name):
    """turn.{hpp,cpp} -> turn.hpp, turn.cpp"""
    match = re.search(r"\{([^{}]*)\}", name)
    if not match:
        return [name]
    return [full for part in match.group(1).split(",")
            for full in spelled_out(name[:match.start()] + part + name[match.end():])]


def named_files_of(path):
    return (path == "docs/architecture.md" or path.startswith("docs/design/")
            or path.endswith("README.md"))


def check_named_files(files):
    """Every file that an architecture page, a design page or a README names in backticks exists:
    beside it, below it, or from the top; a name without folder, in the pages of docs/, anywhere."""
    paths = sorted(files)
    for document in filter(named_files_of, paths):
        text = CODE_BLOCK.sub(lambda match: re.sub(r"[^\n]", " ", match.group(0)), files[document])
        below = "" if document.startswith("docs/") else folder(document) + "/"
        if below == "./":
            below = ""
        for match in FILE_NAME.finditer(text):
            for name in spelled_out(match.group(1)):
                if OTHER_FILES.fullmatch(name):
                    continue
                beside = str(pathlib.PurePosixPath(folder(document)) / name)
                wanted = [name, beside, f"{below}*/{name}", f"{below}{name}", f"*/include/{name}"]
                if name.startswith("../"):
                    wanted = [str(pathlib.PurePosixPath(folder(folder(document))) / name[3:])]
                if not any(fnmatch.filter(paths, pattern) for pattern in wanted):
                    yield document, line_of(text, match.start()), f"`{name}`: no such file"


# docs/design/rollouts.md, "Stages"; over line ends of comments, too.
CITATION = re.compile(r"(?<![\w./-])(docs/[\w/-]+\.md)(?:,\s+\"([^\"]+)\")?"
                      r"|(?<![\w./-])(docs/adr/\d{4})(?![\w-])")
HEADING = re.compile(r"^#+\s+(.*?)\s*$", re.MULTILINE)
COMMENT_GOES_ON = re.compile(r"\n[ \t]*(?://+|\*(?!/)|#|--)?[ \t]*")
OUTSIDE = re.compile(r"(?<![\w/-])(DESIGN|DEVICE|MONITORING|RUNTIME|FIELD-NOTES|STYLE|ROOMS|FAULTS-2"
                     r"|BREAK-IN-2|STATISTICS-2)\.md|\b(DESIGN|MONITORING)(,? sections? \d|: )")


def check_citations(files):
    """A page that a comment or a document cites exists, and so does the heading that it quotes."""
    for path, text in sorted(files.items()):
        if path.startswith("tests/layering/"):
            continue
        for match in OUTSIDE.finditer(text):
            yield path, line_of(text, match.start()), f"{match.group(0)} is not in the repository"
        if "docs/" not in text:
            continue
        # One blank for each end of a line and the comment sign after it: offsets are kept.
        flat = COMMENT_GOES_ON.sub(lambda found: " " * len(found.group(0)), text)
        for match in CITATION.finditer(flat):
            page, heading, decision = match.groups()
            line = line_of(text, match.start())
            if decision:
                if not any(name.startswith(decision) for name in files):
                    yield path, line, f"{decision}: no such decision"
            elif page not in files:
                yield path, line, f"{page}: no such page"
            elif heading:
                wanted = " ".join(heading.split())
                if wanted not in HEADING.findall(CODE_BLOCK.sub("", files[page])):
                    yield path, line, f'{page} has no heading "{wanted}"'


LICENCE = "SPDX-License-Identifier: Apache-2.0"
SLASHES = {".cpp", ".hpp", ".proto", ".fbs"}
STARS = {".c", ".h", ".ld"}
HASHES = {".py", ".sh", ".cmake"}
HASHES_BY_NAME = {"CMakeLists.txt", "Containerfile", "Kconfig"}


def licence_comment(path, text):
    """The line that names the licence of a source, in the comment style of its kind; None: no
    source, or one that a test compares byte for byte with what is made anew (schema.sql)."""
    name = pathlib.PurePosixPath(path)
    kind = name.suffixes[-2] if name.suffix == ".in" and len(name.suffixes) > 1 else name.suffix
    if name.name == "schema.sql":
        return None
    if path.startswith("helm/") and name.parent.name == "templates":
        return "{{- /* " + LICENCE + " */ -}}"
    if kind in SLASHES:
        return f"// {LICENCE}"
    if kind in STARS:
        return f"/* {LICENCE} */"
    if kind == ".sql":
        return f"-- {LICENCE}"
    if kind in HASHES or name.name in HASHES_BY_NAME or text.startswith("#!"):
        return f"# {LICENCE}"
    return None


def check_licences(files):
    """Each source begins with the line that names its licence, after a #! line if it has one."""
    for path, text in sorted(files.items()):
        wanted = licence_comment(path, text)
        lines = text.splitlines()[:2]
        first = lines[1:2] if lines and lines[0].startswith("#!") else lines[:1]
        if wanted is not None and first != [wanted]:
            yield path, 1, f"does not begin with `{wanted}`"


def check(files):
    yield from check_folder_readmes(files)
    yield from check_named_files(files)
    yield from check_citations(files)
    yield from check_licences(files)
