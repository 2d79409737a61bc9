# SPDX-License-Identifier: Apache-2.0
"""A device speaks about itself only, and only with its own key."""

import sys

import hostile
import http2
import mqtt
import wire


class Impostor(hostile.Case):
    def test_what_an_impostor_says_is_counted_and_changes_nothing(self):
        site = self.start()
        honest = self.device(site, "honest-1")
        honest.hello().await_hello_answered()
        thief = self.device(site, "thief-1")
        thief.hello().await_hello_answered()
        before = site.call("device", "get", "honest-1")

        # On the other's topic: the broker does not pass it on. In the other's name on the own one:
        # the gateway refuses. With a key of nobody: too.
        thief.client.publish(honest.topic("hello"), thief.signed("hello", b""))
        forged = wire.encode((1, wire.Fixed64(7)), (3, thief.facts), (10, "honest-1"))
        thief.say("hello", forged)
        thief.client.flush()
        thief.hello().await_hello_answered()  # it is looked at: a newer hello would take its place
        payload = wire.encode((1, wire.Fixed64(7)), (3, thief.facts), (10, "thief-1"))
        thief.client.publish(thief.topic("hello"),
                             wire.sign(b"\0" * 32, "hello", "thief-1", payload))
        thief.client.flush()
        thief.hello().await_hello_answered()

        self.assertEqual(site.call("device", "get", "honest-1"), before)
        for reason in ("mac_invalid", "device_id_mismatch"):
            self.assertEqual(site.metric(f'covey_drops_total{{reason="{reason}"}}'), 1)

    def test_what_others_get_is_not_shown(self):
        site = self.start()
        honest = self.device(site, "honest-1")
        thief = self.device(site, "thief-1")
        thief.client.subscribe("#")
        thief.client.subscribe(f"covey/v1/{honest.shard}/honest-1/down/+")
        honest.hello().await_hello_answered()
        thief.hello().await_hello_answered()
        thief.client.flush()
        seen = {topic for topic, _ in thief.client.messages if "honest-1" in topic}
        self.assertEqual(seen, set())
        with self.assertRaises(mqtt.Refused):
            mqtt.Client(site.endpoints()["mqtt"], "honest-1", "honest-1", thief.password)

    def test_the_api_is_met_by_hand(self):
        """That http2.py speaks well enough to be answered."""
        site = self.start()
        with http2.Connection(site.endpoints()["grpc"]) as client:
            frames, number = client.call("/covey.v1.AdminService/GetSite")
            client.send(frames)
            answered = b""
            while True:
                frame = client.read_frame()
                self.assertIsNotNone(frame, "the connection stays")
                kind, flags, stream, payload = frame
                if stream == number and kind == http2.DATA:
                    answered += payload
                if stream == number and flags & http2.END_STREAM:
                    break
        self.assertGreater(len(answered), 5)


if __name__ == "__main__":
    sys.exit(hostile.main())
