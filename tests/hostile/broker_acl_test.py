# SPDX-License-Identifier: Apache-2.0
"""What `covey site broker-acl mosquitto` writes, in a mosquitto that is not coveyd's: a device has its own topics and
nothing else."""

import base64
import hashlib
import os
import shutil
import subprocess
import sys

import hostile
import mqtt
import site_process
from external_broker_test import free_port

BROKER = """\
listener {port} 127.0.0.1
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/acl
use_username_as_clientid true
log_dest stderr
"""
DEVICE, OTHER, GATEWAY = "dev-1", "dev-2", "svc-gateway"
OWN = [f"covey/v1/2a/{DEVICE}/up/{kind}" for kind in ("hello", "status", "report", "fetch", "bye")]
FOREIGN = [f"covey/v1/2a/{OTHER}/up/hello", f"covey/v1/2a/{DEVICE}/down/goal", f"covey/v1/2a/{OTHER}/down/goal",
           f"covey/v1/zz/{DEVICE}/up/hello", f"covey/v1/2a/{DEVICE}/up/other", f"covey/v1/2a/{DEVICE}/up/hello/x",
           "covey/v1/site", "covey/v1/m/" + "0" * 64, f"covey/v1/enroll/{DEVICE}/up", "$SYS/x",
           "$CONTROL/dynamic-security/v1", "other"]
DEAF = ["#", "covey/#", "covey/v1/+/+/up/+", f"covey/v1/2a/{OTHER}/down/goal", "$share/g/covey/v1/+/+/up/+", "$SYS/#"]


def hashed(password):
    salt = os.urandom(12)
    done = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
    return f"$7$101${base64.b64encode(salt).decode()}${base64.b64encode(done).decode()}"


class BrokerAcl(hostile.Case):
    def setUp(self):
        super().setUp()
        port = free_port()
        acl = subprocess.run([hostile.PROGRAMS / "covey", "site", "broker-acl", "mosquitto"], check=True,
                             capture_output=True, text=True).stdout
        (self.folder / "acl").write_text(acl)
        (self.folder / "passwords").write_text(
            "".join(f"{name}:{hashed(name)}\n" for name in (DEVICE, OTHER, GATEWAY)))
        (self.folder / "conf").write_text(BROKER.format(port=port, folder=self.folder) +
                                          ("user root\n" if site_process.is_root() else ""))
        binary = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
        with open(self.folder / "log", "wb") as log:
            process = subprocess.Popen([binary, "-c", self.folder / "conf"], stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=log, preexec_fn=site_process.end_with_me)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.at = f"127.0.0.1:{port}"
        self.gateway = hostile.until(self.come, "the broker answers")
        self.addCleanup(self.gateway.close)
        self.gateway.subscribe("covey/#")

    def come(self):
        try:
            return mqtt.Client(self.at, GATEWAY, GATEWAY, GATEWAY)
        except OSError:
            return None

    def test_a_device_speaks_on_its_topics_alone(self):
        with mqtt.Client(self.at, "any", DEVICE, DEVICE) as device:
            for topic in FOREIGN + OWN:
                device.publish(topic, b"x")
            device.flush()
        self.gateway.await_message(lambda topic, _: topic == OWN[-1], "the last one comes")
        self.assertEqual([topic for topic, _ in self.gateway.messages], OWN[:-1])

    def test_a_device_hears_its_topics_alone(self):
        with mqtt.Client(self.at, OTHER, DEVICE, DEVICE) as device, \
                mqtt.Client(self.at, "any", OTHER, OTHER) as other:
            for topic in DEAF + [f"covey/v1/2a/{DEVICE}/down/+", "covey/v1/site", "covey/v1/m/+"]:
                device.subscribe(topic)
            other.publish(f"covey/v1/2a/{OTHER}/up/hello", b"x")
            other.flush()  # and nobody has taken its session
            for topic in (f"covey/v1/2a/{OTHER}/down/goal", f"covey/v1/2a/{DEVICE}/down/goal", "covey/v1/site",
                          "covey/v1/other"):
                self.gateway.publish(topic, b"x")
            device.await_message(lambda topic, _: topic == "covey/v1/site", "the site's message comes")
            device.flush()
            self.assertEqual({topic for topic, _ in device.messages} - {"covey/v1/site"},
                             {f"covey/v1/2a/{DEVICE}/down/goal"})

    def test_an_unknown_broker_is_said(self):
        done = subprocess.run([hostile.PROGRAMS / "covey", "site", "broker-acl", "rabbitmq"], check=False,
                              capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("hivemq", done.stderr)
        for name in ("emqx", "hivemq", "vernemq"):
            text = subprocess.run([hostile.PROGRAMS / "covey", "site", "broker-acl", name], check=True,
                                  capture_output=True, text=True).stdout
            self.assertIn("covey/v1/site", text)


if __name__ == "__main__":
    sys.exit(hostile.main())
