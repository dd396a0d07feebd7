"""What the families run in: the mock upstream, the gateway before it, a client, and what is to be judged."""

import asyncio
import dataclasses
import pathlib
import re
import subprocess

import cases as recordings
from wire import frames, http1
from wire.upstream import Reply, Upstream
from wire.gateway import Gateway, processes

AT_ONCE = 24
QUICK_EVERY = 4  # of the core tier, with --quick
SLOTS = 8  # places at each target dialect for requests that belong to no recording


@dataclasses.dataclass
class World:
    where: pathlib.Path
    cases: list  # to be judged
    everything: list  # every recording
    options: object
    report: object
    base: str = ""
    upstream: Upstream = dataclasses.field(default_factory=Upstream)
    gateway: Gateway = None
    client: http1.Client = None
    gate: asyncio.Semaphore = dataclasses.field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def start(self):
        port = await self.upstream.start()
        self.base = f"http://127.0.0.1:{port}/up/"
        self.gateway = self.new_gateway("gateway")
        await asyncio.to_thread(self.gateway.start)
        self.client = http1.Client("127.0.0.1", self.gateway.port)

    def new_gateway(self, name):
        connections, models = self.objects()
        return Gateway(self.where / name, connections, models)

    def objects(self):
        connections, models = [], []
        for case in self.cases:
            key = f"case-{case.number}"
            link, model = recordings.connection(case, self.base + key)
            self.upstream.program(key)
            connections.append(link)
            models.append(model)
            if case.provider == "anthropic" and case.endpoint == "messages":
                key = f"vertex-{key}"
                self.upstream.program(key)
                connections.append(recordings.vertex_connection(key, self.base + key))
                models.append({"name": key, "connection": key, "remote": case.model})
                key = f"bedrock-case-{case.number}"
                self.upstream.program(key)
                connections.append({"name": key, "endpoint": self.base + key, "api": "invoke"}
                                   | recordings.bedrock_credentials())
                models.append({"name": key, "connection": key, "remote": f"us.anthropic.{case.model}-v1:0"})
        for dialect in recordings.DIALECTS:
            for slot in range(SLOTS):
                key = f"slot-{dialect}-{slot}"
                self.upstream.program(key)
                connections.append(recordings.target_connection(dialect, key, self.base + key))
                for kind, remote in recordings.models_of(dialect).items():
                    models.append({"name": f"{key}-{kind}", "connection": key, "remote": remote})
        refused = unsupported()
        kept = {each["name"] for each in connections if each["provider"] not in refused}
        connections = [each for each in connections if each["name"] in kept]
        return connections, [each for each in models if each["connection"] in kept]

    async def stop(self):
        await self.client.close()
        self.upstream.stop()
        return await asyncio.to_thread(self.gateway.stop)

    async def ask(self, call):
        return await self.client.call("POST", call.target, call.headers, call.data())

    async def all(self, coroutines):
        async def gated(coroutine):
            async with self.gate:
                await coroutine

        await asyncio.gather(*map(gated, coroutines))


def recorded_reply(case, **changes):
    """The recording as the provider sent it."""
    stream = case.wire in ("sse", "aws_eventstream", "json_array") or case.streaming
    return Reply(case.status, case.headers, case.response, stream, **changes)


# How the bytes of a stream may come: whole, in small pieces, an event at a time, with other line ends, with comments
# between events, compressed.
WAYS = ("whole", "split", "events", "crlf", "comments", "gzip")
PIECE_BYTES = 7


def varied_reply(case, way):
    body = case.response
    if way == "split":
        return recorded_reply(case, split=PIECE_BYTES)
    if way == "events" and case.streaming:
        return recorded_reply(case, at=event_offsets(case))
    if way == "gzip":
        return recorded_reply(case, zipped=True)
    if case.wire == "sse" and way in ("crlf", "comments"):
        body = body.replace(b"\r\n", b"\n")
        body = body.replace(b"\n", b"\r\n") if way == "crlf" else body.replace(b"\n\n", b"\n\n: keep-alive\n\n")
    reply = recorded_reply(case)
    return dataclasses.replace(reply, body=body)


def event_offsets(case):
    return tuple(frames.boundaries(case.response, case.wire))


def unsupported():
    """Providers that the program knows by name only."""
    text = subprocess.run([processes.binary(), "config", "reference"], capture_output=True, text=True).stdout
    return set(re.findall(r"^\| `(\w+)` \| not supported", text, re.M))
