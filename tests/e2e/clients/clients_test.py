# SPDX-License-Identifier: Apache-2.0
"""clients_test.py BIN_DIR LANGUAGE: a gRPC client of another make, python, go or java, against a real
coveyd: a call, a thousand calls of which fifty at once, a stream, an upload of 16 MiB that is
refused at its beginning, and a call on the same connection; in python and go over TLS with a token, too. Skipped where the client can't be had."""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "site"))
import site_process  # noqa: E402

SKIPPED = 77
FETCH_S = 300
RUN_S = 120
GRPCIO = "grpcio==1.76.0"
GRPC_GO = "google.golang.org/grpc@v1.81.1"
GRPC_JAVA = "1.84.0"
EXPECTED = {"site": "OK", "calls": 1000, "watch": "NOT_FOUND", "upload": "INVALID_ARGUMENT", "after": "OK"}
POM = """\
<project><modelVersion>4.0.0</modelVersion><groupId>t</groupId><artifactId>t</artifactId><version>1</version>
<dependencies>{}</dependencies></project>
"""
DEPENDENCY = "<dependency><groupId>io.grpc</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"


class CannotBeHad(Exception):
    """Why there is no such client here."""


def prepare(folder, *command, **popen):
    if shutil.which(command[0]) is None:
        raise CannotBeHad(f"{command[0]} is not installed")
    try:
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=FETCH_S, check=False, **popen)
    except subprocess.TimeoutExpired:
        raise CannotBeHad(f"{' '.join(command)}: not within {FETCH_S} s") from None
    if done.returncode != 0:
        why = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()
        raise CannotBeHad(f"{' '.join(command)}: {why[-1]}")


def python(folder):
    prepare(folder, sys.executable, "-m", "pip", "install", "--quiet", "--target", "packages", GRPCIO)
    return ["env", f"PYTHONPATH={folder / 'packages'}", sys.executable, "-B", HERE / "client.py"]


def go(folder):
    shutil.copy(HERE / "main.go", folder)
    prepare(folder, "go", "mod", "init", "client")
    prepare(folder, "go", "get", GRPC_GO)
    prepare(folder, "go", "build", "-o", "client", ".")
    return [folder / "client"]


def java(folder):
    (folder / "pom.xml").write_text(POM.format("".join(
        DEPENDENCY.format(name, GRPC_JAVA) for name in ("grpc-netty-shaded", "grpc-stub"))), encoding="utf-8")
    prepare(folder, "mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=packages")
    prepare(folder, "javac", "-cp", "packages/*", "-d", ".", HERE / "Client.java")
    return ["java", "-cp", f"{folder}:{folder}/packages/*", "Client"]


def ask(site, client, folder=None):
    """What the client says; over TLS with a token that is kept in `folder`."""
    try:
        site.start()
        more = []
        if folder is not None:
            token = folder / "ci.token"
            site.call("token", "create", "client", "--role", "ci", "--output", token)
            more = [site.endpoints()["ca_file"], token]
        said = json.loads(subprocess.run(
            [*client, site.endpoints()["grpc"], *more], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            timeout=RUN_S, check=True).stdout)
        print(said)
        assert said.pop("bytes") > 0
        assert said == EXPECTED, f"expected {EXPECTED}"
        closed = site.http("/metrics")[1].split("# TYPE covey_api_closed_total")[1].split("#")[0]
        assert all(line.endswith(" 0") for line in closed.splitlines()[1:] if line), closed
        assert site.stop() == 0, site.log()
    finally:
        site.kill()


def main():
    programs = site_process.binaries()
    with tempfile.TemporaryDirectory(prefix="covey-client-") as name:
        folder = pathlib.Path(name)
        try:
            client = {"python": python, "go": go, "java": java}[sys.argv[1]](folder)
        except CannotBeHad as why:
            print(why)
            return SKIPPED
        ask(site_process.Site(programs, folder), client)
        if sys.argv[1] != "java":
            secure = folder / "secure"
            secure.mkdir()
            ask(site_process.Site(programs, secure, site_process.CONFIG + "tls: {plaintext: never}\n"), client, secure)
    return 0


if __name__ == "__main__":
    sys.exit(main())
