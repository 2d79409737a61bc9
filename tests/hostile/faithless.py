# SPDX-License-Identifier: Apache-2.0
"""A broker that can't be trusted: a relay in front of a real one that passes on what clients say and,
of what is delivered to them, alters, drops, replays, transplants, delays and reorders. One thread.
Whoever is behind it sees a broker that speaks MQTT properly and lies about messages."""

import asyncio
import collections
import random
import struct
import threading

import mqtt

PUBLISH, PUBACK, CONNECT = 3, 4, 1
KEPT = 64  # messages that are remembered for later, of each kind
DELAYS_S = (0.2, 2.0)


def tail_of(topic):
    """The kind of a message: "down/goal", "up/report"; "" elsewhere."""
    parts = topic.split("/")
    return "/".join(parts[4:]) if len(parts) == 6 else ""


class Connection:
    """One client's: what it was given, and what is held back."""

    def __init__(self, broker, reader, writer):
        self.broker = broker
        self.client = reader, writer
        self.held = None
        self.seen = collections.defaultdict(lambda: collections.deque(maxlen=KEPT))

    async def run(self, port):
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)
        self.up = up_writer
        reader, writer = self.client
        tasks = [asyncio.ensure_future(self.pass_on(reader, up_writer)),
                 asyncio.ensure_future(self.deliver(up_reader, writer))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for each in (writer, up_writer):
                each.close()

    @staticmethod
    async def pass_on(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()

    async def deliver(self, reader, writer):
        while True:
            head = await reader.readexactly(1)
            size, shift, length = 0, 0, b""
            while True:
                digit = await reader.readexactly(1)
                length += digit
                size |= (digit[0] & 0x7F) << shift
                shift += 7
                if digit[0] < 0x80:
                    break
            body = await reader.readexactly(size)
            if head[0] >> 4 != PUBLISH or not self.meddled(head[0], body, writer):
                writer.write(head + length + body)
            await writer.drain()

    def meddled(self, head, body, writer):
        """Whether it was dealt with here, in whatever way."""
        end = 2 + struct.unpack(">H", body[:2])[0]
        topic, rest = body[2:end].decode(), body[end:]
        number = None
        if head & 0x06:
            number, rest = rest[:2], rest[2:]
        kind = tail_of(topic)
        if not kind:
            return False
        instead = self.broker.meddle(self, topic, kind, bytes(rest))
        if instead is None:
            return False
        if number is not None:  # nobody else acknowledges it
            self.up.write(mqtt.packet(PUBACK, 0, number))
        for payload, after_s in instead:
            packet = mqtt.publish_packet(topic, payload)
            if after_s:
                asyncio.get_running_loop().call_later(after_s, self.late, writer, packet)
            else:
                writer.write(packet)
        return True

    @staticmethod
    def late(writer, packet):
        if not writer.is_closing():
            writer.write(packet)


class FaithlessBroker(threading.Thread):
    """`attack`: the name of one below, or None; may be changed at any time. `share` of the messages
    are meddled with. `counts` says how often."""

    ATTACKS = ("alter", "drop", "replay", "transplant", "delay", "reorder")

    def __init__(self, port, seed=1):
        super().__init__(name="faithless broker", daemon=True)
        self.upstream = port
        self.random = random.Random(seed)
        self.attack = None
        self.share = 0.3
        self.counts = collections.Counter()
        self.others = collections.defaultdict(lambda: collections.deque(maxlen=KEPT))
        self.connections = set()
        self.ready = threading.Event()
        self.loop = None
        self.port = None

    def begin(self):
        self.start()
        if not self.ready.wait(mqtt.PATIENCE_S):
            raise AssertionError("the relay does not listen")
        return self

    def end(self):
        self.loop.call_soon_threadsafe(self.over.set)
        self.join(mqtt.PATIENCE_S)

    def run(self):
        asyncio.run(self.serve())

    async def serve(self):
        self.loop, self.over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self.accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        async with server:
            await self.over.wait()
        for task in self.connections:
            task.cancel()
        await asyncio.gather(*self.connections, return_exceptions=True)

    async def accept(self, reader, writer):
        task = asyncio.current_task()
        self.connections.add(task)
        try:
            await Connection(self, reader, writer).run(self.upstream)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.connections.discard(task)

    def meddle(self, connection, topic, kind, payload):
        """[(payload, seconds until then)] in its place; None: it is passed on as it is."""
        earlier = list(connection.seen[topic])
        foreign = [message for owner, message in self.others[kind] if owner != topic]
        connection.seen[topic].append(payload)
        self.others[kind].append((topic, payload))
        attack = self.attack
        if attack == "all":
            attack = self.random.choice(self.ATTACKS)
        if attack is None or self.random.random() >= self.share:
            if connection.held is None or connection.held[0] != topic:
                return None
            held, connection.held = connection.held[1], None
            return [(payload, 0), (held, 0)]
        done = getattr(self, attack)(connection, topic, payload, earlier, foreign)
        if done is not None:
            self.counts[attack] += 1
        return done

    def alter(self, _connection, _topic, payload, _earlier, _foreign):
        if not payload:
            return None
        changed = bytearray(payload)
        changed[self.random.randrange(len(changed))] ^= 1 << self.random.randrange(8)
        return [(bytes(changed), 0)]

    def drop(self, *_):
        return []

    def replay(self, _connection, _topic, payload, earlier, _foreign):
        if not earlier:
            return None
        return [(payload, 0), (self.random.choice(earlier), 0)]

    def transplant(self, _connection, _topic, payload, _earlier, foreign):
        if not foreign:
            return None
        return [(self.random.choice(foreign), 0), (payload, 0)]

    def delay(self, _connection, _topic, payload, *_):
        return [(payload, self.random.uniform(*DELAYS_S))]

    def reorder(self, connection, topic, payload, *_):
        if connection.held is not None:
            return None
        connection.held = topic, payload
        return []
