#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What programs are made of, and how they were made.

    tools/dev/bill_of_materials.py BUILD_DIR PROGRAM...

Writes BUILD_DIR/covey.cdx.json (CycloneDX 1.5: the programs, each Debian package whose library they
load or whose headers were compiled into them, and the broker that coveyd starts) and
BUILD_DIR/covey.provenance.json (an in-toto statement with SLSA provenance 1.0: digests of the
programs, commit, compiler and packages). Both say only what was found on this machine, and the same
twice. Exit code 1 where a library is of no package."""

import hashlib
import json
import pathlib
import re
import subprocess
import sys
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
STARTED = ("mosquitto",)  # by coveyd, as a process of its own
BUILT_WITH = ("g++", "cmake", "ninja-build", "protobuf-compiler", "protobuf-compiler-grpc", "mold")
NAMESPACE = uuid.UUID("5b6e6a0e-2f1f-4d0c-9a8f-6d1a6b6c0e11")


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def owners(paths):
    """path -> Debian package; those of no package are missing."""
    found = {}
    wanted = sorted(paths)
    # A merged /usr: packages may know a file by the other of its two names.
    names = {name: path for path in wanted
             for name in (path, path.removeprefix("/usr"), "/usr" + path)}
    for at in range(0, len(wanted), 500):
        asked = [name for path in wanted[at:at + 500]
                 for name in {path, path.removeprefix("/usr"), "/usr" + path}]
        said = subprocess.run(["dpkg", "-S", *asked], check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        for line in said.splitlines():
            package, _, name = line.partition(": ")
            if name in names and not line.startswith("diversion "):
                found[names[name]] = package.split(",")[0].split(":")[0]
    return found


def libraries_of(program):
    """Files of the libraries that it loads."""
    said = run("ldd", str(program))
    return {str(pathlib.Path(path).resolve()) for path in re.findall(r"(?:=> )?(/\S+) \(0x", said)}


def headers_of(build):
    """Headers outside the tree that were compiled in; a library may be headers only."""
    said = run("ninja", "-C", str(build), "-t", "deps")
    return {str(pathlib.Path(path).resolve()) for path in re.findall(r"^\s+(/usr/\S+)$", said, re.M)}


def installed(packages):
    """package -> (version, architecture, source package)"""
    facts = {}
    for line in run("dpkg-query", "-W", "-f=${Package}\t${Version}\t${Architecture}\t${source:Package}\n",
                    *sorted(packages)).splitlines():
        name, version, architecture, source = line.split("\t")
        facts[name] = version, architecture, source
    return facts


def licences(package):
    """The short names in its machine-readable copyright file; none where it has no such file."""
    path = pathlib.Path("/usr/share/doc", package, "copyright")
    if not path.exists():
        return []
    text = path.read_text(errors="replace")
    if not text.lstrip().startswith("Format:"):
        return []
    return sorted({name.strip() for name in re.findall(r"^License:[ \t]*(\S[^\n]*)$", text, re.M)})


def component(name, facts, scope, role):
    version, architecture, source = facts
    purl = f"pkg:deb/debian/{name}@{version}?arch={architecture}&distro=debian-12"
    made = {"type": "library" if role != "started" else "application", "bom-ref": purl, "name": name,
            "version": version, "purl": purl, "scope": scope,
            "properties": [{"name": "covey:role", "value": role},
                           {"name": "debian:source", "value": source}]}
    found = licences(name)
    if found:
        # What occurs in the package, Debian's own files included; not what was chosen of it.
        made["evidence"] = {"licenses": [{"license": {"name": licence}} for licence in found]}
    return made


def version_of_project():
    return re.search(r"project\(covey VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())[1]


def commit():
    """(digest, whether the tree has changes, seconds since 1970); None outside a repository."""
    try:
        changed = bool(run("git", "status", "--porcelain", "--untracked-files=no").strip())
        return run("git", "rev-parse", "HEAD").strip(), changed, int(run("git", "log", "-1", "--format=%ct"))
    except (subprocess.CalledProcessError, OSError):
        return None


def utc(seconds):
    return run("date", "-u", "-d", f"@{seconds}", "+%Y-%m-%dT%H:%M:%SZ").strip()


def bill(programs, made_of, facts):
    version = version_of_project()
    parts = []
    for path in programs:
        parts.append({"type": "application", "bom-ref": f"covey:{path.name}", "name": path.name,
                      "version": version, "licenses": [{"license": {"id": "Apache-2.0"}}],
                      "hashes": [{"alg": "SHA-256", "content": sha256(path)}]})
    refs = {}
    for name, role in sorted(made_of["all"].items()):
        parts.append(component(name, facts[name], "required", role))
        refs[name] = parts[-1]["bom-ref"]
    depends = [{"ref": f"covey:{path.name}",
                "dependsOn": sorted(refs[name] for name in made_of[path.name])} for path in programs]
    serial = uuid.uuid5(NAMESPACE, json.dumps(parts, sort_keys=True))
    document = {"bomFormat": "CycloneDX", "specVersion": "1.5", "serialNumber": f"urn:uuid:{serial}",
                "version": 1,
                "metadata": {"component": {"type": "application", "bom-ref": "covey", "name": "covey",
                                           "version": version}},
                "components": parts,
                "dependencies": [{"ref": "covey", "dependsOn": [d["ref"] for d in depends]}, *depends]}
    at = commit()
    if at is not None:
        document["metadata"]["timestamp"] = utc(at[2])
    return document


def provenance(build, programs, facts):
    compiled = installed([name for name in BUILT_WITH if is_installed(name)])
    materials = [{"uri": f"pkg:deb/debian/{name}@{version}?arch={architecture}&distro=debian-12"}
                 for name, (version, architecture, _) in sorted({**facts, **compiled}.items())]
    at = commit()
    if at is not None:
        materials.insert(0, {"uri": "git+file:covey", "digest": {"gitCommit": at[0]},
                             "annotations": {"uncommitted changes": at[1]}})
    return {"_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": path.name, "digest": {"sha256": sha256(path)}} for path in programs],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {
                "buildDefinition": {
                    "buildType": "urn:covey:dev-build:1",
                    "externalParameters": {"command": f"./dev build --preset {build.name}"},
                    "resolvedDependencies": materials},
                "runDetails": {"builder": {"id": "urn:covey:dev-build"}}}}


def is_installed(name):
    return subprocess.run(["dpkg", "-s", name], check=False, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


def main(arguments):
    build, programs = pathlib.Path(arguments[0]), [pathlib.Path(name) for name in arguments[1:]]
    loaded = {path.name: libraries_of(path) for path in programs}
    libraries = set().union(*loaded.values())
    owner = owners(libraries)
    strangers = sorted(libraries - owner.keys())
    if strangers:
        print("bill_of_materials: of no package: " + ", ".join(strangers), file=sys.stderr)
        return 1
    roles = {name: "headers" for name in owners(headers_of(build)).values()}
    roles.update({name: "loaded" for name in owner.values()})
    roles.update({name: "started" for name in STARTED if is_installed(name)})
    headers = {name for name, role in roles.items() if role == "headers"}
    made_of = {"all": roles}
    for path in programs:
        started = {name for name in STARTED if path.name == "coveyd" and name in roles}
        made_of[path.name] = {owner[library] for library in loaded[path.name]} | headers | started
    facts = installed(roles)
    for name, document in (("covey.cdx.json", bill(programs, made_of, facts)),
                           ("covey.provenance.json", provenance(build, programs, facts))):
        (build / name).write_text(json.dumps(document, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
