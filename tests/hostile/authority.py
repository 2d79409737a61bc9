# SPDX-License-Identifier: Apache-2.0
"""Somebody's certificate authority, with the tools that an operator has."""

import pathlib
import subprocess

EC_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
CA_CONFIG = """\
[ca]
default_ca = own
[own]
database = {0}/index
serial = {0}/serial
new_certs_dir = {0}
default_md = sha256
policy = any
[any]
commonName = supplied
"""


def openssl(*words, **more):
    """What it prints."""
    return subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=60, **more).stdout


class Authority:
    def __init__(self, folder, name="operator"):
        self.folder = pathlib.Path(folder)
        self.ca, self.ca_key = self.folder / f"{name}-ca.pem", self.folder / f"{name}-ca.key"
        openssl("req", "-x509", *EC_KEY, "-days", "30", "-subj", f"/CN={name}", "-keyout", self.ca_key, "-out", self.ca)

    def issue(self, certificate, key, names="IP:127.0.0.1", subject="/CN=gateway", start=None, end=None,
              self_signed=False):
        """Whole files that take the place of those that were there, as cert-manager does it. `start` and `end` as
        YYYYMMDDHHMMSSZ; without: from now on for ten days."""
        request, extensions = self.folder / "request.pem", self.folder / "extensions"
        new_key, new_certificate = self.folder / "new.key", self.folder / "new.pem"
        extensions.write_text(f"subjectAltName={names}\n" if names else "basicConstraints=CA:FALSE\n")
        openssl("req", *EC_KEY, "-utf8", "-subj", subject, "-keyout", new_key, "-out", request)
        new_key.chmod(0o600)
        if self_signed:
            openssl("x509", "-req", "-in", request, "-key", new_key, "-days", "10", "-out", new_certificate)
        elif start or end:
            self.issue_between(request, new_certificate, start or "20200101000000Z", end or "20990101000000Z")
        else:
            openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.ca_key, "-CAcreateserial",
                    "-days", "10", "-extfile", extensions, "-out", new_certificate)
        new_key.rename(key)
        new_certificate.rename(certificate)
        return certificate, key

    def issue_between(self, request, certificate, start, end):
        (self.folder / "index").write_text("")
        (self.folder / "serial").write_text("77\n")
        config = self.folder / "ca.cnf"
        config.write_text(CA_CONFIG.format(self.folder))
        openssl("ca", "-batch", "-config", config, "-cert", self.ca, "-keyfile", self.ca_key, "-in", request,
                "-startdate", start, "-enddate", end, "-out", certificate, "-notext")
