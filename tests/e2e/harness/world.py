"""The arrangement most tests share: one simulator, one scripted upstream, one gateway in front of both."""

import dataclasses
import pathlib
import secrets
import socket

from . import config, processes
from .upstream import Upstream

# Every secret of a run begins so; none may ever be seen where it does not belong.
CANARY = "canary"


def canary(name):
    return f"{CANARY}-{name}-{secrets.token_hex(12)}"


@dataclasses.dataclass
class Keys:
    full: str
    narrow: str
    upstream: str  # what the simulator takes
    scripted: str  # what the scripted upstream is sent

    def all(self):
        return dataclasses.astuple(self)


@dataclasses.dataclass
class World:
    gateway: processes.Process
    simulator: processes.Process | None
    upstream: Upstream
    keys: Keys
    config_file: pathlib.Path
    directory: pathlib.Path

    @property
    def address(self):
        return self.gateway.address

    @property
    def url(self):
        return self.gateway.url

    def bearer(self, *more):
        return [("Authorization", f"Bearer {self.keys.full}"), *more]


NARROW_MODELS = ["gpt-4o-mini", "claude-*"]


def connections(simulator, scripted, dead_port, keys):
    simulated = [
        {"name": f"sim-{provider}", "provider": provider, "endpoint": simulator, "api_key": keys.upstream}
        for provider in ("openai", "azure", "anthropic", "google", "vertex")
    ]
    # They have both of OpenAI's APIs: calls of either pass unchanged.
    for connection in simulated[:2]:
        connection["api"] = "both"
    simulated[4] |= {"project": "house-project", "location": "europe-west4", "access_token": keys.upstream}
    del simulated[4]["api_key"]
    scripts = [
        {"name": f"scripted-{provider}", "provider": provider, "endpoint": scripted, "api_key": keys.scripted}
        for provider in ("openai", "azure", "anthropic", "google")
    ]
    for connection in scripts[:2]:
        connection["api"] = "both"
    hasty = {
        "name": "hasty",
        "provider": "openai",
        "endpoint": scripted,
        "api_key": keys.scripted,
        "first_byte_timeout": "700ms",
        "idle_timeout": "700ms",
        "connect_timeout": "5s",
    }
    dead = {
        "name": "dead",
        "provider": "openai",
        "endpoint": f"http://127.0.0.1:{dead_port}",
        "api_key": keys.scripted,
    }
    headers = {
        "name": "with-headers",
        "provider": "openai-compatible",
        "endpoint": scripted + "/base/v7",
        "headers": {"X-Team": f"{CANARY}-header-value"},
    }
    fresh = {
        "name": "fresh",
        "provider": "openai",
        "endpoint": scripted,
        "api_key": keys.scripted,
        "idle_connections": 0,
    }
    # Says no to this gateway's credential, also where the request's own headers are not passed on.
    refusing = {
        "name": "refusing",
        "provider": "openai",
        "endpoint": scripted,
        "api_key": keys.scripted,
        "headers": {"X-Script": "tells-all", "X-Tells": "some"},
    }
    return [*simulated, *scripts, hasty, dead, headers, fresh, refusing]


MODELS = [
    {"name": "gpt-4o-mini", "connection": "sim-openai"},
    {"name": "gpt-*", "connection": "sim-openai"},
    {"name": "renamed-gpt", "connection": "sim-openai", "remote": "gpt-remote-name", "owned_by": "the-house"},
    {"name": "text-embedding-*", "connection": "sim-openai"},
    {"name": "omni-moderation-*", "connection": "sim-openai"},
    {"name": "house/*-chat", "connection": "sim-openai"},
    {"name": "a name with blanks", "connection": "sim-openai"},
    {"name": "azure-gpt", "connection": "sim-azure", "deployment": "deployed-gpt"},
    {"name": "claude-sonnet", "connection": "sim-anthropic", "remote": "claude-sonnet-remote"},
    {"name": "claude-*", "connection": "sim-anthropic"},
    {"name": "gemini-flash", "connection": "sim-google", "remote": "gemini-remote"},
    {"name": "gemini-*", "connection": "sim-google"},
    {"name": "vertex-gemini", "connection": "sim-vertex", "remote": "gemini-remote"},
    {"name": "scripted", "connection": "scripted-openai", "remote": "scripted-remote"},
    {"name": "scripted-claude", "connection": "scripted-anthropic", "remote": "scripted-remote"},
    {"name": "scripted-gemini", "connection": "scripted-google", "remote": "scripted-remote"},
    {"name": "scripted-azure", "connection": "scripted-azure", "deployment": "scripted-deployment"},
    {"name": "scripted-as-is", "connection": "scripted-openai"},
    {"name": "scripted-*-wild", "connection": "scripted-openai"},
    {"name": "hasty", "connection": "hasty"},
    {"name": "dead", "connection": "dead"},
    {"name": "with-headers", "connection": "with-headers"},
    {"name": "fresh", "connection": "fresh"},
    {"name": "refusing", "connection": "refusing"},
    # The same name on two connections of different protocol: each client gets the one it can talk to.
    {"name": "both", "connection": "scripted-anthropic", "remote": "both-claude", "owned_by": "anthropic"},
    {"name": "both", "connection": "scripted-openai", "remote": "both-gpt", "owned_by": "openai"},
]


def settings(simulator, scripted, dead_port, keys, gateway_port, directory):
    return {
        "server": {
            "listen": f"127.0.0.1:{gateway_port}",
            "data_dir": str(directory / "data"),
            "workers": 2,
            "header_timeout": "3s",
            "body_timeout": "3s",
            "drain_timeout": "10s",
        },
        "log": {"level": "debug"},
        "connections": connections(simulator, scripted, dead_port, keys),
        "models": MODELS,
        "keys": [{"name": "full", "key": keys.full}, {"name": "narrow", "key": keys.narrow, "models": NARROW_MODELS}],
    }


class Builder:
    """Starts a World; `finish` stops it and says what was wrong."""

    def __init__(self, directory, simulated):
        keys = Keys(canary("client-full"), canary("client-narrow"), canary("upstream"), canary("scripted"))
        gateway_port, simulator_port = processes.free_ports(2)
        self._running = []
        # Bound but not listening: connections are refused for as long as it is held.
        self._dead = socket.socket()
        self._dead.bind(("127.0.0.1", 0))
        simulator = None
        if simulated:
            simulator = processes.Process(
                "simulator",
                [
                    "simulate",
                    "--listen",
                    f"127.0.0.1:{simulator_port}",
                    "--api-key",
                    keys.upstream,
                    "--decode-speed",
                    "2000",
                    "--prefill-speed",
                    "1000000",
                ],
                simulator_port,
                "/health",
                directory,
            )
            self._running.append(simulator)
        upstream = Upstream()
        config_file = directory / "gateway.toml"
        config_file.write_text(
            config.toml(
                settings(
                    f"http://127.0.0.1:{simulator_port}",
                    upstream.url,
                    self._dead.getsockname()[1],
                    keys,
                    gateway_port,
                    directory,
                )
            )
        )
        (directory / "data").mkdir(mode=0o700)
        config_file.chmod(0o600)
        try:
            gateway = processes.Process(
                "gateway", ["serve", "--config", str(config_file)], gateway_port, "/ready", directory
            )
        except AssertionError:
            for process in self._running:
                process.kill()
            raise
        self._running.insert(0, gateway)
        self.world = World(gateway, simulator, upstream, keys, config_file, directory)

    def finish(self):
        world = self.world
        problems = [problem for process in self._running for problem in process.stop()]
        world.upstream.stop()
        self._dead.close()
        problems += [f"the scripted upstream got: {each}" for each in world.upstream.malformed]
        problems += leaks(world)
        return problems


def leaks(world):
    """Canary secrets where none belongs: any log, and client credentials at the upstream."""
    found = []
    for process in filter(None, (world.gateway, world.simulator)):
        text = process.text()
        found += [
            f"{process.name}'s log holds a secret: ...{text[max(0, text.index(secret) - 200) :][:300]}"
            for secret in world.keys.all()
            if secret in text
        ]
        if f"{CANARY}-header-value" in text:
            found.append(f"{process.name}'s log holds the value of a configured header")
    for request in list(world.upstream.requests):
        for secret in (world.keys.full, world.keys.narrow, world.keys.upstream):
            if secret.encode() in request.head or secret.encode() in request.body:
                found.append(f"a credential that is not the upstream's own reached it: {request.head!r}")
    return found
