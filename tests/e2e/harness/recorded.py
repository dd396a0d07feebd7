"""Recorded traffic through the gateway, same protocol in and out: reads the cases, plans a call for each, and makes
them."""

import concurrent.futures
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import urllib.parse

from . import config, processes, raw, reconcile, world

PROVIDERS = ("openai", "azure", "anthropic", "google", "vertex", "openai_compat")
# Whole, one byte a write, seven, CRLF line ends, one event a write. The last four for event streams only.
VARIANTS = {"plain": "", "split1": "split=1/", "split7": "split=7/", "crlf": "crlf=1/", "event": "event=1/"}
AT_ONCE = 12
CALL_SECONDS = 120


def directory():
    return pathlib.Path(os.environ.get("LLMGW_CASES", processes.ROOT.parent / "shared" / "cases"))


@dataclasses.dataclass
class Case:
    id: str
    meta: dict
    provider: str
    endpoint: str
    number: int

    @property
    def folder(self):
        return directory() / self.id

    def body(self):
        """The recorded request, or the smallest one where none was recorded."""
        if self.meta["request_available"]:
            return json.loads((self.folder / "request.json").read_text())
        smallest = {
            "chat": {"messages": [{"role": "user", "content": "x"}]},
            "responses": {"input": "x"},
            "messages": {"max_tokens": 16, "messages": [{"role": "user", "content": "x"}]},
            "count_tokens": {"messages": [{"role": "user", "content": "x"}]},
        }.get(self.endpoint, {"contents": [{"parts": [{"text": "x"}]}]})
        return smallest | ({"stream": True} if self.meta["streaming"] and "messages" in smallest else {})

    def response(self, variant):
        body = (self.folder / self.meta["response_file"]).read_bytes()
        if variant == "crlf":
            body = body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        return body

    def variants(self):
        return list(VARIANTS) if self.meta["wire"] == "sse" else ["plain"]


def load():
    """Every case of the providers, and the name of each (case, variant)."""
    index = json.loads((directory() / "index.json").read_text())["cases"]
    cases = []
    for number, entry in enumerate(entry for entry in index if entry["provider"] in PROVIDERS):
        meta = json.loads((directory() / entry["id"] / "meta.json").read_text())
        cases.append(Case(entry["id"], meta, entry["provider"], entry["endpoint"], number))
    return cases


@dataclasses.dataclass
class Plan:
    """One call: what the client sends, and what has to arrive."""

    case: Case
    variant: str
    alias: str
    remote: str
    target: str  # the client's path and query
    sent: dict  # the client's body
    expected_body: dict  # the upstream's
    expected_path: str  # below the connection's endpoint
    connection: dict
    model: dict


def plan(case, variant, base):
    alias = f"case{case.number}-{variant}"
    body = case.body()
    endpoint = f"{base}/__case/{VARIANTS[variant]}{urllib.parse.quote(case.id)}"
    provider = {"openai_compat": "openai-compatible"}.get(case.provider, case.provider)
    if case.endpoint in ("messages", "count_tokens"):
        provider = "anthropic"  # others offer that API too
    connection = {
        "name": alias,
        "endpoint": endpoint,
        "api_key": f"{world.CANARY}-recorded",
        "provider": provider,
    }
    if provider in ("openai", "azure", "openai-compatible"):
        connection["api"] = "both"  # whichever of OpenAI's APIs was recorded
    model = {"name": alias, "connection": alias}
    query = case.meta.get("query") or ""
    builder = {
        "chat": openai_plan,
        "responses": openai_plan,
        "input_tokens": openai_plan,
        "messages": anthropic_plan,
        "count_tokens": anthropic_plan,
    }.get(case.endpoint, gemini_plan)
    target, sent, expected_body, expected_path, remote = builder(case, alias, body, query, connection, model)
    if remote:
        model["remote"] = remote
    return Plan(case, variant, alias, remote, target, sent, expected_body, expected_path, connection, model)


OPENAI_PATHS = {"chat": "chat/completions", "responses": "responses", "input_tokens": "responses/input_tokens"}


def openai_plan(case, alias, body, query, connection, model):
    tail, remote = OPENAI_PATHS[case.endpoint], body.get("model") or case.meta.get("model") or "model-of-the-recording"
    path = case.meta.get("path") or ""
    if case.provider == "azure" and case.endpoint == "chat" and "/deployments/" in path:
        # The deployment stands in the path; the body stays as it is, whatever model it names.
        deployment = path.split("/deployments/")[1].split("/")[0]
        model["deployment"] = deployment
        version = query or "api-version=2024-10-21"
        return (
            f"/openai/deployments/{alias}/{tail}?{version}",
            body,
            body,
            f"/openai/deployments/{deployment}/{tail}?{version}",
            None,
        )
    if case.provider == "azure":
        # Foundry's and the v1 API's address without its host: the endpoint's path says which it is.
        v1 = case.endpoint != "chat"
        connection["endpoint"] += "/openai/v1" if v1 else "/models"
        suffix = f"?{query}" if query else ""
        default = "" if v1 or query else "?api-version=2024-05-01-preview"
        expected = ("/openai/v1/" if v1 else "/models/") + tail + suffix + default
        return f"/v1/{tail}{suffix}", body | {"model": alias}, body | {"model": remote}, expected, remote
    return (
        f"/v1/{tail}" + (f"?{query}" if query else ""),
        body | {"model": alias},
        body | {"model": remote},
        f"/v1/{tail}" + (f"?{query}" if query else ""),
        remote,
    )


def anthropic_plan(case, alias, body, query, connection, model):
    tail = "messages" if case.endpoint == "messages" else "messages/count_tokens"
    remote = body.get("model") or case.meta.get("model") or "model-of-the-recording"
    target = f"/v1/{tail}" + (f"?{query}" if query else "")
    return target, body | {"model": alias}, body | {"model": remote}, target, remote


def gemini_plan(case, alias, body, query, connection, model):
    path = case.meta.get("path") or f"/v1beta/models/model-of-the-recording:{case.endpoint}"
    if case.provider == "vertex" and "publishers" not in path:
        path = f"/v1beta1/projects/p/locations/l/publishers/google/models/model-of-the-recording:{case.endpoint}"
    head, _, rest = path.rpartition("/models/")
    remote, verb = rest.rsplit(":", 1)
    if case.provider == "vertex":
        parts = head.split("/")
        project, location = parts[parts.index("projects") + 1], parts[parts.index("locations") + 1]
        connection |= {"project": project, "location": location, "access_token": connection.pop("api_key")}
        head = head.replace(project, urllib.parse.quote(project, safe="-"), 1)
        head = head.replace(location, urllib.parse.quote(location, safe="-"), 1)
    suffix = f"?{query}" if query else ""
    client_head = "/v1beta1/publishers/google" if case.provider == "vertex" and "v1beta1" in head else head
    return (
        f"{client_head}/models/{alias}:{verb}{suffix}",
        body,
        body,
        f"{head}/models/{urllib.parse.quote(remote, safe='-._~')}:{verb}{suffix}",
        remote,
    )


class Replay:
    """The replay server as a process of its own."""

    def __init__(self, where):
        self.capture = where / "capture.jsonl"
        self.capture.touch()
        host = pathlib.Path(__file__).parent / "replay_host.py"
        self._log = open(where / "replay.log", "wb")
        self.process = subprocess.Popen(
            [sys.executable, host, directory() / "_tools" / "replay_server.py", self.capture],
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        self.port = int(self.process.stdout.readline())

    def captured(self):
        """Captured requests by the request id they came with."""
        with open(self.capture, encoding="utf-8") as lines:
            records = [json.loads(line) for line in lines]
        found = {}
        for record in records:
            found.setdefault(record["headers"].get("x-request-id"), []).append(record)
        return found

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        self._log.close()


@dataclasses.dataclass
class Outcome:
    plan: Plan
    answer: object = None  # raw.Answer
    failure: str = ""
    captured: list = dataclasses.field(default_factory=list)
    records: list = dataclasses.field(default_factory=list)  # of the ledger


def run_all(where):
    """Makes every call; (outcomes by (case id, variant), problems of the gateway's end)."""
    replay = Replay(where)
    base = f"http://127.0.0.1:{replay.port}"
    plans = [plan(case, variant, base) for case in load() for variant in case.variants()]
    key = world.canary("recorded-client")
    [port] = processes.free_ports(1)
    (where / "data").mkdir(mode=0o700)
    file = where / "recorded.toml"
    file.write_text(
        config.toml(
            {
                "server": {"listen": f"127.0.0.1:{port}", "data_dir": str(where / "data"), "workers": 2},
                "upstream": {"idle_connections": 0},
                "connections": [each.connection for each in plans],
                "models": [each.model for each in plans],
                "keys": [{"name": "recorded", "key": key}],
                "prices": [{"provider": "*", "model": "*"} | reconcile.PRICES],
            }
        )
    )
    file.chmod(0o600)
    try:
        gateway = processes.Process("recorded", ["serve", "--config", str(file)], port, "/ready", where)
        try:
            with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
                outcomes = list(pool.map(lambda each: call(gateway.address, key, each), plans))
        finally:
            problems = gateway.stop()
    finally:
        replay.stop()
    records = ledger_records(file)
    captured = replay.captured()
    for outcome in outcomes:
        outcome.captured = captured.get(outcome.plan.alias, [])
        outcome.records = records.get(outcome.plan.alias, [])
    if key in gateway.text() or key in replay.capture.read_text() or f"{world.CANARY}-recorded" in gateway.text():
        problems.append("a secret stands in the log, or the client's key reached the upstream")
    return {(outcome.plan.case.id, outcome.plan.variant): outcome for outcome in outcomes}, problems


def ledger_records(config_file):
    """The ledger's records by the request id they came with."""
    command = [processes.binary(), "ledger", "export", "--format", "json", "--config", str(config_file)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout.splitlines()
    found = {}
    for record in map(json.loads, lines):
        found.setdefault(record["id"], []).append(record)
    return found


def call(address, key, planned):
    headers = [("Authorization", f"Bearer {key}"), ("X-Request-ID", planned.alias)]
    try:
        return Outcome(planned, raw.post_json(address, planned.target, planned.sent, headers, CALL_SECONDS))
    except (raw.Malformed, OSError) as error:
        return Outcome(planned, failure=f"{type(error).__name__}: {error}")
