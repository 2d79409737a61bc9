# SPDX-License-Identifier: Apache-2.0
"""The broker is killed, filled by a device, restarted: it comes back, says why it ended, knows all
passwords at once, and keeps nothing of a device."""

import os
import pathlib
import signal
import sys

import hostile
import liar
import mqtt
import site_process
import wire

DEVICES = 200


def brokers_of(site):
    """Process ids of mosquitto with this site's configuration."""
    wanted = str(site.data / "broker" / "mosquitto.conf").encode()
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if wanted in (entry / "cmdline").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                pass
    return found


class Broker(hostile.Case):
    def test_why_it_ended_is_in_the_log_and_its_environment_is_its_own(self):
        site = self.start(env={**os.environ, "COVEY_MQTT_EXTERNAL_PASSWORD": "hunter2"})
        device = self.device(site, "honest-1")
        [broker] = brokers_of(site)
        environment = pathlib.Path(f"/proc/{broker}/environ").read_bytes()
        self.assertNotIn(b"COVEY_", environment)
        self.assertIn(b"PATH=", environment)
        flags = pathlib.Path(f"/proc/{broker}/fdinfo/2").read_text().split("flags:")[1].split()[0]
        self.assertTrue(int(flags, 8) & os.O_NONBLOCK, "it does not wait for who reads its log")
        os.kill(broker, signal.SIGKILL)
        hostile.until(lambda: "broker_back" in site.log(), "the broker is back")
        self.assertIn("signal 9", next(line for line in site.log().splitlines()
                                       if "broker_ended" in line))
        self.assertEqual(site.metric("covey_broker_restarts_total"), 1)
        hostile.until(lambda: (site.ready() or [False])[0], "it is ready again")
        device.connect().hello().await_hello_answered()

    def test_a_good_password_is_good_from_the_first_moment_on(self):
        site = self.start(site_process.CONFIG + "enroll: {auto_accept: true}\n")
        devices = []
        for i in range(DEVICES):
            device = liar.Device(site, f"device-{i}")
            enroller = liar.Enroller(site, device.device)
            with enroller.client as client:
                enroller.listen()
                enroller.ask(device.device, device.nonce)
                _, payload = client.await_message(
                    lambda _, payload: 3 in wire.decode(payload), "its grant")
            device.take(wire.decode(payload))
            devices.append(device)
        self.assertEqual(site.stop(), 0)
        site.spawn()
        hostile.until(lambda: site.endpoints().get("pid") == site.process.pid
                      and (site.ready() or [False])[0], "ready again")
        for device in reversed(devices):  # the last to be told of comes first
            device.connect()  # raises Refused
            device.close()

    def test_nothing_of_a_device_is_kept(self):
        site = self.start()
        thief = self.device(site, "thief-1")
        before = site.metric('covey_mqtt_drops_total{reason="IN_BAD_TOPIC"}')
        for i in range(200):
            thief.client.publish(f"covey/v1/t{i}/thief-1/up/x{i}", b"x" * 1000, retain=True)
            thief.client.publish(f"covey/v1/{i % 64:02x}/thief-1/up/x", b"x" * 1000, retain=True)
        for kind in ("report", "status", "fetch"):
            thief.client.publish(thief.topic(kind), b"x" * 1000, retain=True)
        thief.client.flush()
        hostile.until(lambda: site.metric("covey_broker_retained_deleted_total") >= 3,
                      "what it had the broker keep is deleted")
        self.assertEqual(site.metric('covey_mqtt_drops_total{reason="IN_BAD_TOPIC"}'), before,
                         "the broker lets nothing through that is no topic of a device")
        self.assertEqual(site.metric("covey_broker_retained_deleted_total"), 3)
        self.assertIn("thief-1", site.log())
        self.assertGreater(site.metric("covey_broker_resident_bytes"), 0)
        honest = self.device(site, "honest-1")
        honest.hello().await_hello_answered()


if __name__ == "__main__":
    sys.exit(hostile.main())
