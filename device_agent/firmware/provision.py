#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the flash of a factory-new unit: a file whose first page is the provisioning page
(provisioning.h), everything else erased. The emulator maps the file; a production line would write
the page through the debug port."""

import argparse
import base64
import pathlib
import secrets
import struct
import sys
import zlib

MEMORY_BYTES = 16 << 20  # the board's; the firmware's flash is the first 1.5 MB
FLASH_BYTES = 0x180000
MAGIC = 0x31505643
AUTHORITY_BYTES, KEY_BYTES = 560, 32
SIZE = 4 + 4 + 32 + 68 + 4 * 64 + 6 * 4 + AUTHORITY_BYTES + KEY_BYTES
TEXT_BYTES_MAX = 63

# SubjectPublicKeyInfo of an uncompressed P-256 point (RFC 5480) up to the point itself.
P256_HEAD = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")


def public_point(path):
    lines = pathlib.Path(path).read_text().splitlines()
    try:
        begin = lines.index("-----BEGIN PUBLIC KEY-----")
        der = base64.b64decode("".join(lines[begin + 1:lines.index("-----END PUBLIC KEY-----")]))
    except ValueError:
        der = b""
    if not der.startswith(P256_HEAD) or len(der) != len(P256_HEAD) + 65 or der[-65] != 4:
        raise ValueError(f"{path} holds no P-256 public key (covey key generate makes FILE.pub.pem)")
    return der[-65:]


def text(name, value):
    raw = value.encode()
    if len(raw) > TEXT_BYTES_MAX or b"\0" in raw:
        raise ValueError(f"{name} is longer than {TEXT_BYTES_MAX} bytes")
    return raw.ljust(TEXT_BYTES_MAX + 1, b"\0")


def counted(name, value, room):
    """Its length, then it, in a place for `room` bytes."""
    if len(value) > room:
        raise ValueError(f"{name} has {len(value)} bytes, there is room for {room}")
    return struct.pack("<I", len(value)) + value.ljust(room, b"\0")


def certificate(path):
    """The first of a PEM file, DER."""
    found = pathlib.Path(path).read_text().split("-----BEGIN CERTIFICATE-----")
    if len(found) < 2:
        raise ValueError(f"{path} holds no certificate (covey site ca makes one)")
    return base64.b64decode("".join(found[1].split("-----END CERTIFICATE-----")[0].split()))


def page(given):
    seed = bytes.fromhex(given.seed) if given.seed else secrets.token_bytes(32)
    if len(seed) != 32:
        raise ValueError("--seed needs 64 hexadecimal digits")
    token = pathlib.Path(given.enroll_token_file).read_text().strip() \
        if given.enroll_token_file else ""
    body = struct.pack("<II", MAGIC, SIZE) + seed + public_point(given.trusted_key) + bytes([given.certificate, 0, 0])
    body += text("--device-id", given.device_id) + text("--device-class", given.device_class)
    body += text("the enrolment token", token)
    body += struct.pack("<III", given.report_interval_ms, given.inference_interval_ms,
                        given.probation_inferences)
    body += text("--gateway-name", given.gateway_name)
    body += counted("--site-ca", certificate(given.site_ca) if given.site_ca else b"", AUTHORITY_BYTES)
    key = bytes.fromhex(pathlib.Path(given.psk_file).read_text().strip()) if given.psk_file else b""
    body += counted("--psk-file", key, KEY_BYTES)
    return body + struct.pack("<I", zlib.crc32(body))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("flash", help="the file; an existing one is not touched")
    parser.add_argument("--device-id", required=True)
    parser.add_argument("--device-class", default="mps2-an386")
    parser.add_argument("--trusted-key", required=True, metavar="PEM",
                        help="public P-256 key of whoever may sign models")
    parser.add_argument("--enroll-token-file", metavar="FILE", help="the site's enrolment token")
    parser.add_argument("--report-interval-ms", type=int, default=0, help="0: the agent's default")
    parser.add_argument("--inference-interval-ms", type=int, default=0, help="0: one second")
    parser.add_argument("--probation-inferences", type=int, default=0,
                        help="0: the agent's default")
    parser.add_argument("--site-ca", metavar="PEM",
                        help="for the TLS image: what vouches for the gateway (covey site ca)")
    parser.add_argument("--gateway-name", default="", metavar="NAME",
                        help="with it: the DNS name in the gateway's certificate (site.names)")
    parser.add_argument("--certificate", action="store_true",
                        help="for the TLS image: it asks for a certificate and comes in by that "
                             "(stream 1 leads to the certificate listener)")
    parser.add_argument("--psk-file", metavar="FILE",
                        help="for the TLS image, instead: a pre-shared key, hexadecimal digits")
    parser.add_argument("--seed", metavar="HEX", help="32 bytes; default: random")
    given = parser.parse_args()
    try:
        content = page(given)
        with open(given.flash, "xb") as file:
            file.write(content)
            # Erased flash is ones. What lies beyond stays a hole.
            file.write(b"\xff" * (FLASH_BYTES - len(content)))
            file.truncate(MEMORY_BYTES)
    except (OSError, ValueError) as error:
        print(f"provision.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
