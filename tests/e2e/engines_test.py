"""Engines: calls wait for them in the gateway, in the order that was chosen, and they come and go by themselves."""

import concurrent.futures
import json
import subprocess
import threading

import pytest

from harness import config, metrics, processes, raw, waiting

pytestmark = pytest.mark.xdist_group("engines")

CHAT = "/v1/chat/completions"
TOKEN = "the-token-of-engines-123"
ADMIN = "the-key-of-the-administrator-1"
KEYS = {"large": "key-of-the-large-tenant", "small": "key-of-the-small-tenant", "heavy": "key-with-a-weight-of-two"}
PREFILL = 20_000  # tokens a second


class Fleet:
    def __init__(self, directory):
        gateway, *self.ports = processes.free_ports(4)
        self.engines = [self.engine(directory, number) for number in range(3)]
        (directory / "data").mkdir(mode=0o700)
        self.config = directory / "engines.toml"
        self.config.write_text(self.configuration(gateway, directory))
        self.config.chmod(0o600)
        command = ["serve", "--config", str(self.config)]
        self.gateway = processes.Process("gateway", command, gateway, "/ready", directory)

    def engine(self, directory, number):
        options = ["--prefill-speed", str(PREFILL), "--decode-speed", "0", "--running-max", "1", "--name", f"e{number}"]
        options += ["--tokens-min", "8", "--tokens-max", "8"]
        return processes.Process(
            f"engine-{number}",
            ["simulate", "--listen", f"127.0.0.1:{self.ports[number]}", *options],
            self.ports[number],
            "/health",
            directory,
        )

    def configuration(self, port, directory):
        def connection(name, number):
            return {"name": name, "provider": "vllm", "endpoint": f"http://127.0.0.1:{self.ports[number]}/v1"}

        return config.toml(
            {
                "server": {"listen": f"127.0.0.1:{port}", "data_dir": str(directory / "data"), "workers": 2},
                "store": {"url": "none"},
                "log": {"level": "debug"},
                "admin": {"engine_token": TOKEN},
                "connections": [connection("e0", 0), connection("e1", 1)],
                "models": [{"name": "pair", "connection": each} for each in ("e0", "e1")]
                + [{"name": name, "connection": "e1"} for name in ("ranked", "tight")]
                + [{"name": "fair", "connection": "e0"}],
                "routes": [
                    {"models": ["fair"], "queue": "fair", "policy": "adaptive"},
                    {"models": ["ranked"], "queue": "priority"},
                    {"models": ["tight"], "queue": "slo", "queue_max": 1, "queue_goal": "1s"},
                ],
                "keys": [
                    {"name": name, "key": key, "weight": 2 if name == "heavy" else 1}
                    | ({"priority_max": 0} if name == "small" else {})
                    for name, key in KEYS.items()
                ],
                "admin_keys": [{"name": "root", "key": ADMIN, "role": "owner"}],
            }
        )

    def ask(self, model, words=10, key="large", stream=True, headers=(), mark=""):
        content = f"{mark} " + "word " * words
        body = {"model": model, "stream": stream, "max_tokens": 8, "messages": [{"role": "user", "content": content}]}
        sent = [("Authorization", f"Bearer {KEYS[key]}"), *headers]
        return raw.post_json(self.gateway.address, CHAT, body, sent)

    def admin(self, method, path, body=None, token=ADMIN):
        payload = b"" if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return raw.call(self.gateway.address, method, f"/admin/v1/{path}", headers, payload)

    def offer(self, **more):
        return {"name": "e2", "endpoint": f"http://127.0.0.1:{self.ports[2]}/v1", "models": ["late"]} | more

    def health(self):
        answer = self.admin("GET", "health")
        assert answer.status == 200, answer
        return {entry["connection"]: entry for entry in answer.json()["data"]}

    def stop(self):
        return [problem for process in (self.gateway, *self.engines) for problem in process.stop()]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    started = Fleet(tmp_path_factory.mktemp("engines"))
    yield started
    assert not started.stop()


def together(calls):
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [each.result() for each in [pool.submit(call) for call in calls]]


@pytest.mark.parametrize("stream", [True, False])
def test_calls_wait_in_the_gateway_and_all_are_answered(fleet, stream):
    """Prompts of 0.1 s each, far more than the engines can begin at once."""
    before = metrics.total(metrics.scrape(fleet.gateway), "llm_gateway_queued_requests_total")
    calls = [lambda n=n: fleet.ask("pair", 2000, stream=stream, mark=f"{n} {stream}") for n in range(24)]
    answers = together(calls)
    assert [answer.status for answer in answers] == [200] * 24
    assert {answer.header("x-simulator-instance") for answer in answers} == {"e0", "e1"}
    found = metrics.scrape(fleet.gateway)
    assert metrics.total(found, "llm_gateway_queued_requests_total") > before
    assert metrics.total(found, "llm_gateway_queue_wait_seconds_count") > 0
    waiting.until(lambda: all(each["queue"]["waiting"] == 0 for each in fleet.health().values()), "nobody waits")
    assert all(each["load"]["requests_in_flight"] == 0 for each in fleet.health().values())


def test_tenants_get_equal_shares(fleet):
    """One asks with twenty callers at a time, the other with four: Jain's index of what they get."""
    stop = threading.Event()
    served = {"large": 0, "small": 0}
    count = threading.Lock()

    def caller(key, number):
        sent = 0
        while not stop.is_set():
            answer = fleet.ask("fair", 1000, key, mark=f"{key} {number} {sent}")
            sent += 1
            assert answer.status == 200, answer
            with count:
                served[key] += 1
                if sum(served.values()) >= 120:
                    stop.set()

    calls = [lambda n=n: caller("large", n) for n in range(20)] + [lambda n=n: caller("small", n) for n in range(4)]
    together(calls)
    total = sum(served.values())
    jain = total**2 / (2 * sum(value**2 for value in served.values()))
    print(f"served {served}, Jain {jain:.3f}")
    assert jain >= 0.98, served


def test_priority_is_the_headers_as_far_as_the_key_allows(fleet):
    """While the engine is busy, an urgent call overtakes those that came before it."""
    order = []

    def call(name, key="large", priority=None):
        headers = [] if priority is None else [("x-llm-gateway-priority", str(priority))]
        assert fleet.ask("ranked", 6000, key, headers=headers, mark=name).status == 200
        order.append(name)

    def queued():
        return fleet.health()["e1"]["queue"]["waiting"]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        running = []
        expected = 0
        for name, key, priority in (
            ("busy", "large", None),
            ("next", "large", None),
            ("plain", "large", None),
            ("clamped", "small", 10),
            ("urgent", "large", 10),
        ):
            running.append(pool.submit(call, name, key, priority))
            if name != "busy":
                expected += 1
            waiting.until(lambda: queued() + len(order) >= expected or order, f"{name} waits")
        for each in running:
            each.result()
    assert order.index("urgent") < order.index("plain"), order
    assert order.index("plain") < order.index("clamped"), order


def test_a_full_line_refuses_with_an_estimate(fleet):
    answers = together([lambda n=n: fleet.ask("tight", 8000, mark=f"tight {n}") for n in range(12)])
    refused = [answer for answer in answers if answer.status == 503]
    assert refused and any(answer.status == 200 for answer in answers)
    for answer in refused:
        assert int(answer.header("retry-after")) >= 1
    found = metrics.scrape(fleet.gateway)
    assert metrics.total(found, "llm_gateway_queue_refusals_total", reason="full") == len(refused)


def test_health_shows_every_instance_and_its_models(fleet):
    found = fleet.health()
    assert set(found) == {"e0", "e1"}
    assert {model["model"] for model in found["e0"]["models"]} == {"pair", "fair"}
    assert found["e0"]["state"] == "up" and found["e0"]["load"]["limit_is_learnt"]
    assert fleet.admin("GET", "health", token="wrong").status == 401
    assert fleet.admin("POST", "health").status == 405


def test_an_engine_registers_serves_and_goes(fleet):
    assert fleet.ask("late").status == 404
    assert fleet.admin("POST", "engines", fleet.offer(), token="not-the-token").status == 401
    assert fleet.admin("POST", "engines", {"name": "e2"}, token=TOKEN).status == 400
    made = fleet.admin("POST", "engines", fleet.offer(), token=TOKEN)
    assert made.status == 201, made
    token = made.json()["token"]
    waiting.until(lambda: fleet.ask("late").status == 200, "the engine's model is there")
    assert fleet.health()["e2"]["state"] == "up"
    assert [each["name"] for each in fleet.admin("GET", "engines").json()["data"]] == ["e2"]
    # The same again is one and the same.
    again = fleet.admin("POST", "engines", fleet.offer(), token=TOKEN)
    assert again.status == 200 and again.json()["token"] == token
    assert fleet.admin("POST", "engines/e2/heartbeat", token=token).status == 200
    assert fleet.admin("POST", "engines/e2/heartbeat", token="eng-wrong").status == 401
    assert fleet.admin("DELETE", "engines/e2", token="eng-wrong").status == 401
    assert fleet.admin("DELETE", "engines/e2", token=token).status == 200
    waiting.until(lambda: fleet.ask("late").status == 404, "the engine's model is gone")
    assert fleet.admin("POST", "engines/e2/heartbeat", token=token).status == 404


def test_an_engine_that_is_not_heard_of_is_gone(fleet):
    made = fleet.admin("POST", "engines", fleet.offer(lifetime="1s"))
    assert made.status == 201, made
    waiting.until(lambda: fleet.ask("late").status == 200, "the engine's model is there")
    waiting.until(lambda: fleet.ask("late").status == 404, "the engine's model is gone")
    assert fleet.admin("GET", "engines").json()["data"] == []


def explain(fleet, *more):
    command = [processes.binary(), "route", "explain", "--config", str(fleet.config), *more]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_connection_health_is_a_table(fleet):
    command = [processes.binary(), "connection", "health"]
    for target in (["--config", str(fleet.config)], ["--url", fleet.gateway.url, "--admin-key", ADMIN]):
        told = subprocess.run([*command, *target], capture_output=True, text=True, check=False, timeout=60)
        assert told.returncode == 0, told
        lines = told.stdout.splitlines()
        assert lines[0].split()[:2] == ["CONNECTION", "STATE"]
        assert {line.split()[0]: line.split()[1] for line in lines[1:]} == {"e0": "up", "e1": "up"}
    wrong = [*command, "--url", fleet.gateway.url, "--admin-key", "wrong"]
    told = subprocess.run(wrong, capture_output=True, check=False, timeout=60)
    assert told.returncode != 0


def test_decisions_are_replayed_from_the_log(fleet, tmp_path):
    """Each call is a line of the log; the same prompts have the same blocks, and no text is there."""
    ids = [f"decision-{number}" for number in range(3)]
    for each in ids:
        assert fleet.ask("pair", 2000, mark="replayed", headers=[("x-request-id", each)]).status == 200
    # Several at once, so that both engines are in the log: else there was nothing to decide.
    answers = together([lambda n=n: fleet.ask("pair", 2000, mark=f"of-its-own-{n}") for n in range(8)])
    assert all(answer.status == 200 for answer in answers)

    def logged():
        lines = [json.loads(line) for line in fleet.gateway.text().splitlines() if '"msg":"routed"' in line]
        own = [line for line in lines if line["request_id"] in ids]
        both = {line["connection"] for line in lines if line["model"] == "pair"} == {"e0", "e1"}
        return own if len(own) == len(ids) and both else None

    own = waiting.until(logged, "the decisions are in the log")
    assert len({line["blocks"] for line in own}) == 1 and len(own[0]["blocks"]) >= 8 * 8
    assert all(line["model"] == "pair" and line["input_length"] > 2000 for line in own)
    assert all(line["connection"] in ("e0", "e1") and line["policy"] == "adaptive" for line in own)
    trace = tmp_path / "gateway.log"
    trace.write_text(fleet.gateway.text())
    assert "replayed" not in trace.read_text()
    command = [processes.binary(), "route", "simulate", str(trace), "--json"]
    command += ["--block-tokens", "256", "--instances", "2"]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert told.returncode == 0, told
    result = json.loads(told.stdout)
    assert result["requests"] >= 3 and result["hit_rate"] > 0 and result["refused"] == 0
    # Of the logged decisions between two engines, those that the policy would repeat.
    assert result["decided"] >= 3 and result["decided"] / 4 <= result["agreed"] <= result["decided"]


def test_explain_says_where_a_call_would_go(fleet):
    for more in ([], ["--offline"]):
        told = explain(fleet, "--model", "pair", "--key", "large", *more)
        assert told.returncode == 0, told
        assert told.stdout.count("<- taken") == 1 and "e0" in told.stdout and "e1" in told.stdout
    assert "no connection serves the model 'none'" in explain(fleet, "--model", "none").stderr
    assert "there is no key 'nobody'" in explain(fleet, "--model", "pair", "--key", "nobody").stderr
