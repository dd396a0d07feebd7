"""A simulator and gateways in front of it with limits, budgets and a ledger, for one test."""

import contextlib
import csv
import datetime
import io
import json
import pathlib
import zoneinfo

from . import commands, config, processes, raw

# US dollars for a million tokens, of everything the simulator serves: so that sums are easy to check.
INPUT_USD, OUTPUT_USD = 2, 10


def keys(*entries):
    """A `[[keys]]` section of pairs of name and limits."""
    return [{"name": name, "key": f"{name}-client-key", **more} for name, more in entries]


def far_from_midnight():
    """A time zone in which no new day begins while a test runs."""
    now = datetime.datetime.now(datetime.timezone.utc)
    zones = ("Europe/Berlin", "Asia/Tokyo")
    return next(zone for zone in zones if now.astimezone(zoneinfo.ZoneInfo(zone)).hour not in (23, 0))


class Governed:
    """Starts what a test needs in its directory and judges at the end how all of it ended."""

    def __init__(self, directory, decode_speed=2000, tokens=(5, 20)):
        self.directory = pathlib.Path(directory)
        self.running = []
        self.started_again = 0
        (port,) = processes.free_ports(1)
        arguments = ["simulate", "--listen", f"127.0.0.1:{port}", "--decode-speed", str(decode_speed)]
        arguments += ["--tokens-min", str(tokens[0]), "--tokens-max", str(tokens[1])]
        self.simulator = self._run("simulator", arguments, port, "/health")

    def _run(self, name, arguments, port, ready):
        process = processes.Process(name, arguments, port, ready, self.directory)
        self.running.append(process)
        return process

    def settings(self, name, port, **sections):
        prices = [
            {"provider": "*", "model": model, "input": str(INPUT_USD), "output": str(OUTPUT_USD)}
            for model in ("gpt-*", "claude-*", "gemini-*")
        ]
        models = [
            {"name": "gpt-4o", "connection": "openai"},
            {"name": "free-model", "connection": "openai"},
            {"name": "claude-sonnet", "connection": "anthropic"},
            {"name": "gemini-flash", "connection": "google"},
        ]
        connections = [
            {"name": kind, "provider": kind, "endpoint": self.simulator.url, "api_key": "simulated-key"}
            for kind in ("openai", "anthropic", "google")
        ]
        found = {
            "server": {
                "listen": f"127.0.0.1:{port}",
                "data_dir": str(self.directory / name),
                "workers": 2,
                "drain_timeout": "10s",
            },
            "connections": connections,
            "models": models,
            "prices": prices,
        }
        return found | sections

    def gateway(self, name="gateway", **sections):
        (port,) = processes.free_ports(1)
        return self._start(name, port, self.settings(name, port, **sections))

    def _start(self, name, port, settings):
        path = self.directory / f"{name}.toml"
        path.write_text(config.toml(settings))
        path.chmod(0o600)
        (self.directory / name).mkdir(mode=0o700)
        gateway = self._run(f"{name}-{len(self.running)}", ["serve", "--config", str(path)], port, "/ready")
        gateway.config_file = path
        gateway.data_dir = self.directory / name
        return gateway

    def again(self, gateway):
        """The same gateway after its process has ended."""
        self.started_again += 1
        name = f"{gateway.config_file.stem}-again-{self.started_again}"
        again = self._run(name, ["serve", "--config", str(gateway.config_file)], gateway.port, "/ready")
        again.config_file, again.data_dir = gateway.config_file, gateway.data_dir
        return again

    def kill(self, process):
        process.kill()
        self.running.remove(process)

    def stop(self, process):
        self.running.remove(process)
        problems = process.stop()
        assert not problems, "\n".join(problems)

    def finish(self):
        problems = []
        for process in reversed(self.running):
            problems += process.stop()
        return problems


@contextlib.contextmanager
def running(directory, **settings):
    """A Governed, and the assertion that it has ended without problems."""
    made = Governed(directory, **settings)
    yield made
    problems = made.finish()
    assert not problems, "\n".join(problems)


def ledger(gateway, *arguments, check=True):
    result = commands.run("ledger", *arguments, "--config", str(gateway.config_file), seconds=120)
    assert not check or result.returncode == 0, result.stdout + result.stderr
    return result


def export(gateway):
    return [json.loads(line) for line in ledger(gateway, "export", "--format", "json").stdout.splitlines()]


def report(gateway, by=""):
    text = ledger(gateway, "report", "--by", by, "--format", "csv").stdout
    return list(csv.DictReader(io.StringIO(text)))


def chat(gateway, key, model="gpt-4o", headers=(), **more):
    body = {"model": model, "messages": [{"role": "user", "content": "count to ten"}], "max_tokens": 20} | more
    return raw.post_json(
        gateway.address, "/v1/chat/completions", body, [("Authorization", f"Bearer {key}"), *headers]
    )


def cost_of(usage):
    """Nano-dollars of a chat completion's usage, by hand: a dollar a million tokens is 1,000 nano-dollars a token."""
    return usage["prompt_tokens"] * INPUT_USD * 1000 + usage["completion_tokens"] * OUTPUT_USD * 1000
