# SPDX-License-Identifier: Apache-2.0
"""A device with valid credentials that signs whatever it likes, and an honest one beside it."""

import pathlib
import secrets
import ssl

import mqtt
import wire

PHASES = {"IDLE": 1, "DOWNLOADING": 2, "VERIFYING": 3, "STAGED": 4, "PROBATION": 6,
          "PROBATION_OK": 7, "CONFIRMED": 8, "DECLINED": 9, "FAILED": 10, "REVERTED": 11}
REASON_BYTE_BUDGET = 111
ES256, ED25519 = 1, 2
ORDER_KEY = 3  # field of EnrollGrant


def facts(device_class="m4", firmware="1.0.0", agent="0.1.0", slot_bytes=262144,
          arena_bytes=65536, **more):
    """DeviceFacts as fields; what is unsaid is generous."""
    return ((1, device_class), (2, firmware), (3, agent), (4, slot_bytes), (5, arena_bytes),
            (6, more.get("message_bytes_max", 2048)), (7, 1), (9, 1 << ES256 | 1 << ED25519))


def trust(site):
    """What an honest client checks the broker by; None: it speaks no TLS."""
    endpoints = site.endpoints()
    if not endpoints["devices_over_tls"]:
        return None
    return ssl.create_default_context(cafile=endpoints["ca_file"])


class Enroller:
    """The enrolment listener, as whoever has the token sees it."""

    def __init__(self, site, client_id):
        token = (pathlib.Path(site.data) / "enroll.token").read_text().strip()
        self.client = mqtt.Client(site.endpoints()["enroll"], client_id, "enroll", token, tls=trust(site))
        self.client_id = client_id

    def listen(self):
        return self.client.subscribe(f"covey/v1/enroll/{self.client_id}/down")

    def ask(self, device, nonce, device_facts=None, models=()):
        self.client.publish(f"covey/v1/enroll/{device}/up", wire.encode(
            (1, device), (2, wire.Fixed64(nonce)), (3, device_facts or facts()),
            *[(4, model) for model in models]))


class Device:
    """Enrols as `device`; says nothing by itself."""

    def __init__(self, site, device, **device_facts):
        self.site = site
        self.device = device
        self.facts = facts(**device_facts)
        self.boot_id = secrets.randbits(63) | 1
        self.nonce = secrets.randbits(63) | 1
        self.epoch = 0
        self.client = None

    def enrol(self):
        """Asks, is accepted by the site or by `covey device accept`, takes its grant, connects."""
        enroller = Enroller(self.site, self.device)
        with enroller.client as client:
            enroller.listen()
            enroller.ask(self.device, self.nonce, self.facts)
            grant = self._answer(client)
            if ORDER_KEY not in grant:
                self.site.call("device", "accept", self.device)
                enroller.ask(self.device, self.nonce, self.facts)
                while ORDER_KEY not in grant:
                    grant = self._answer(client)
        self.take(grant)
        return self.connect()

    def _answer(self, client):
        return wire.decode(client.await_message(lambda *_: True, f"{self.device} is answered")[1])

    def take(self, grant):
        self.order_key = grant[ORDER_KEY][0]
        self.username = grant[4][0].decode()
        self.password = grant[5][0].decode()
        self.shard = grant[6][0].decode()
        self.epoch = grant.get(7, [0])[0]

    def connect(self, will=None):
        self.close()
        self.client = mqtt.Client(self.site.endpoints()["mqtt"], self.device, self.username,
                                  self.password, will, tls=trust(self.site))
        self.client.subscribe(f"covey/v1/{self.shard}/{self.device}/down/+")
        return self

    def close(self):
        if self.client is not None:
            self.client.close()

    def topic(self, kind):
        return f"covey/v1/{self.shard}/{self.device}/up/{kind}"

    def signed(self, kind, payload):
        return wire.sign(self.order_key, kind, self.device, payload)

    def say(self, kind, payload, retain=False):
        """Signed."""
        self.client.publish(self.topic(kind), self.signed(kind, payload), retain)

    def hello(self, models=(), uptime_ms=0, connection=1, **lies):
        """`models`: fields of ModelState, see model_state()."""
        self.say("hello", wire.encode(
            (1, wire.Fixed64(lies.get("boot_id", self.boot_id))),
            (2, wire.Fixed64(secrets.randbits(63))), (3, lies.get("facts", self.facts)),
            *[(4, model) for model in models], (5, lies.get("site_epoch", self.epoch)),
            (6, lies.get("goal_counter", 0)), (7, uptime_ms), (8, lies.get("status_number", 0)),
            (9, connection), (10, self.device)))
        return self

    def status(self, number, models=(), uptime_ms=0, **lies):
        self.say("status", wire.encode(
            (1, wire.Fixed64(lies.get("boot_id", self.boot_id))), (2, number), (3, uptime_ms),
            *[(4, model) for model in models], (5, lies.get("site_epoch", self.epoch)),
            (6, lies.get("goal_counter", 0))))

    def fetch(self, manifest, first=0, bitmap=0xFFFFFFFF, attempt=1):
        self.say("fetch", wire.encode((1, manifest), (2, first), (3, wire.Fixed32(bitmap)),
                                      (4, attempt)))

    def report(self, sequence, **window):
        """Signed and sent; see report_payload()."""
        self.say("report", report_payload(window.pop("boot_id", self.boot_id), sequence, **window))

    def await_hello_answered(self):
        return self.await_down("ack", "the gateway answers its hello")

    def await_down(self, kind, what):
        """Fields of the next message of a kind."""
        _, payload = self.client.await_message(
            lambda topic, _: topic.endswith(f"/down/{kind}"), f"{self.device}: {what}")
        return wire.decode(payload)


def model_state(model, phase="IDLE", reason=0, confirmed=b"", active=b"", candidate=b"",
                attempt=1, retry_after_s=0):
    return ((1, model), (2, confirmed), (3, active), (4, candidate), (5, PHASES.get(phase, phase)),
            (6, attempt), (7, reason), (13, retry_after_s))


def report_payload(boot_id, sequence, prefix=b"\0" * 8, base=None, t0_ms=0, t1_ms=1000, inferences=10,
                   total=None, classes=None, more=()):
    """Of one window; counts that agree with each other unless told otherwise. `more`: fields."""
    return wire.encode(
        (1, wire.Fixed64(boot_id)), (2, prefix), (3, sequence), (4, base or sequence), (5, t0_ms),
        (6, t1_ms), (7, 1), (8, inferences), (9, inferences if total is None else total),
        (10, classes or [inferences]), (11, [0] * 15 + [inferences]), (12, [inferences]),
        (13, 1), (14, inferences), *more)
