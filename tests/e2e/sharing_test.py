"""Engines that are alike share the calls, whichever has answered first, and so does one that comes later."""

import collections
import concurrent.futures
import itertools
import json
import subprocess

import pytest

from harness import config, processes, raw, waiting

pytestmark = pytest.mark.xdist_group("sharing")

CHAT = "/v1/chat/completions"
KEY = "the-key-of-the-caller-123"
TOKEN = "the-token-of-engines-456"
ADMIN = "the-key-of-the-administrator-3"
ENGINES = 4  # and one that comes later
PREFILL = 40_000  # tokens a second: far more than is assumed of an engine that has not answered
WORDS = 4_000  # 0.1 s of it


class Fleet:
    def __init__(self, directory):
        gateway, *self.ports = processes.free_ports(2 + ENGINES)
        self.engines = [self.engine(directory, number) for number in range(1 + ENGINES)]
        self.numbers = itertools.count()
        (directory / "data").mkdir(mode=0o700)
        self.config = directory / "sharing.toml"
        self.config.write_text(self.configuration(gateway, directory))
        self.config.chmod(0o600)
        command = ["serve", "--config", str(self.config)]
        self.gateway = processes.Process("gateway", command, gateway, "/ready", directory)

    def engine(self, directory, number):
        options = ["--prefill-speed", str(PREFILL), "--decode-speed", "0", "--running-max", "1", "--name", f"e{number}"]
        return processes.Process(
            f"engine-{number}",
            ["simulate", "--listen", f"127.0.0.1:{self.ports[number]}", "--tokens-min", "2", "--tokens-max", "2"]
            + options,
            self.ports[number],
            "/health",
            directory,
        )

    def configuration(self, port, directory):
        names = [f"e{number}" for number in range(ENGINES)]
        return config.toml(
            {
                "server": {"listen": f"127.0.0.1:{port}", "data_dir": str(directory / "data"), "workers": 1},
                "store": {"url": "none"},
                "log": {"level": "debug"},
                "admin": {"engine_token": TOKEN},
                "connections": [
                    {"name": name, "provider": "vllm", "endpoint": self.endpoint(number)}
                    for number, name in enumerate(names)
                ],
                "models": [{"name": model, "connection": name} for model in ("line", "crowd") for name in names],
                "keys": [{"name": "caller", "key": KEY}],
                "admin_keys": [{"name": "root", "key": ADMIN, "role": "owner"}],
            }
        )

    def endpoint(self, number):
        return f"http://127.0.0.1:{self.ports[number]}/v1"

    def ask(self, model):
        """A prompt that no other begins like; the name of the engine that answered."""
        content = f"{next(self.numbers)} of its own " + "word " * WORDS
        body = {"model": model, "stream": True, "messages": [{"role": "user", "content": content}]}
        answer = raw.post_json(self.gateway.address, CHAT, body, [("Authorization", f"Bearer {KEY}")])
        assert answer.status == 200, answer
        return answer.header("x-simulator-instance")

    def spread(self, model, calls, at_once):
        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            return collections.Counter(pool.map(lambda _: self.ask(model), range(calls)))

    def admin(self, method, path, body=None, token=ADMIN):
        payload = b"" if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        answer = raw.call(self.gateway.address, method, f"/admin/v1/{path}", headers, payload)
        assert answer.status in (200, 201), answer
        return answer.json()

    def stop(self):
        return [problem for process in (self.gateway, *self.engines) for problem in process.stop()]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    started = Fleet(tmp_path_factory.mktemp("sharing"))
    yield started
    assert not started.stop()


@pytest.mark.parametrize("model, calls, at_once, least", [("line", 80, 1, 3), ("crowd", 80, 4, 8)])
def test_equal_engines_share(fleet, model, calls, at_once, least):
    """One at a time they are drawn by lot, and a machine under load may make one look slow for a while."""
    found = fleet.spread(model, calls, at_once)
    print(found)
    assert len(found) == ENGINES and min(found.values()) >= least, found


def test_an_engine_that_comes_later_gets_its_share(fleet):
    fleet.spread("crowd", 40, 4)
    fleet.admin("POST", "engines", {"name": "late", "endpoint": fleet.endpoint(ENGINES), "models": ["crowd"]}, TOKEN)

    def serves():
        listed = fleet.admin("GET", "health")["data"]
        return any(entry["connection"] == "late" and entry["state"] == "up" for entry in listed)

    waiting.until(serves, "the engine serves")
    found = fleet.spread("crowd", 80, 4)
    print(found)
    assert found[f"e{ENGINES}"] >= 8, found


def test_the_log_tells_the_speed_that_a_replay_needs(fleet, tmp_path):
    fleet.spread("crowd", 40, 4)

    def told():
        lines = [line for line in fleet.gateway.records() if line["msg"] == "routed"]
        speeds = [line["prompt_tokens_per_second"] for line in lines]
        return [speed for speed in speeds if speed != 0]

    speeds = waiting.until(told, "a line tells it")
    assert max(speeds) > 12_000, speeds
    trace = tmp_path / "gateway.log"
    trace.write_text(fleet.gateway.text())
    command = [processes.binary(), "route", "simulate", str(trace), "--block-tokens", "256", "--json"]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    replayed = json.loads(found.stdout)
    print(replayed)
    assert replayed["decided"] > 0
    assert replayed["ttft_mean_s"] < WORDS / 10_000, "about as fast as the engines of the log"
