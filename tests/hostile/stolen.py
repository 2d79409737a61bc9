# SPDX-License-Identifier: Apache-2.0
"""What a thief finds on a device: a fleet of covey-sim with keys of their own, and what is in its files."""

import pathlib
import ssl
import struct
import subprocess

import hostile
import liar
import mqtt
import site_process

ORDER_KEY_AT, USERNAME_AT, PASSWORD_AT, SHARD_AT = 16, 48, 112, 176  # device_agent/src/session/parts.h


class Fleet:
    """`count` simulated devices dev-0001, ... that get in by `enrol`."""

    def __init__(self, case, site, enrol, count=1, name="fleet", prefix="dev-", options=()):
        at = site.endpoints()
        self.state = pathlib.Path(case.folder) / name
        self.log = pathlib.Path(case.folder) / f"{name}.log"
        self.words = [hostile.PROGRAMS / "covey-sim", "--broker", at["mqtt"], "--enroll-broker", at["enroll"],
                      "--enroll-token-file", at["enroll_token_file"], "--state", self.state, "--count", str(count),
                      "--id-prefix", prefix, "--inference-interval", "200ms", "--report-interval", "2s",
                      "--probation-inferences", "1", "--speed-up", "10", "--enrol", enrol, *options]
        if at["devices_over_tls"]:
            self.words += ["--tls-ca", at["ca_file"]]
        if enrol == "certificate":
            self.words += ["--certificate-broker", at["certificates"]]
        self.case = case
        self.process = None
        self.start()

    def start(self):
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            preexec_fn=site_process.end_with_me)
        self.case.addCleanup(self.process.wait)
        self.case.addCleanup(self.process.kill)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Thief(liar.Device):
    """Has the flash of a simulated device, its key and its certificate."""

    def __init__(self, site, fleet, device):
        super().__init__(site, device)
        folder = fleet.state / "devices"
        identity = (folder / f"{device}.identity").read_bytes()
        self.order_key = identity[ORDER_KEY_AT:ORDER_KEY_AT + 32]
        self.username, self.password, self.shard = [
            identity[at:].split(b"\0")[0].decode() for at in (USERNAME_AT, PASSWORD_AT, SHARD_AT)]
        self.epoch = struct.unpack_from("<I", identity, 12)[0]
        self.key_file = folder / f"{device}.key"
        self.certificate_file = fleet.state / f"{device}.pem"
        self.certificate_file.write_text(ssl.DER_cert_to_PEM_cert((folder / f"{device}.certificate").read_bytes()))

    def context(self, version=ssl.TLSVersion.TLSv1_3):
        context = ssl.create_default_context(cafile=self.site.endpoints()["ca_file"])
        context.load_cert_chain(self.certificate_file, self.key_file)
        context.maximum_version = version
        return context

    def connect(self, will=None, client_id=None, username="", tls=None):
        self.close()
        self.client = mqtt.Client(self.site.endpoints()["certificates"], client_id or self.device, username, "",
                                  will, tls=tls or self.context())
        self.client.subscribe(f"covey/v1/{self.shard}/{self.device}/down/+")
        return self
