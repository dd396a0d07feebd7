"""Engines: calls wait for them in the gateway, in the order that was chosen, and they come and go by themselves."""

import concurrent.futures
import contextlib
import itertools
import json
import subprocess

import pytest

from harness import config, metrics, processes, raw, upstream, waiting

pytestmark = pytest.mark.xdist_group("engines")

CHAT = "/v1/chat/completions"
TOKEN = "the-token-of-engines-123"
ADMIN = "the-key-of-the-administrator-1"
KEYS = {"large": "key-of-the-large-tenant", "small": "key-of-the-small-tenant", "heavy": "key-with-a-weight-of-two"}
PREFILL = 20_000  # tokens a second


class Fleet:
    """Simulated engines, and "gated": an engine with one place, which a test may hold for as long as it wants to."""

    def __init__(self, directory):
        self.gated = upstream.Upstream()
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
                "connections": [
                    connection("e0", 0),
                    connection("e1", 1),
                    {"name": "gated", "provider": "vllm", "endpoint": f"{self.gated.url}/v1", "max_in_flight": 1},
                ],
                "models": [{"name": "pair", "connection": each} for each in ("e0", "e1")]
                + [{"name": "tight", "connection": "e1"}]
                + [{"name": name, "connection": "gated"} for name in ("fair", "ranked", "spill")],
                "routes": [
                    {"models": ["fair"], "queue": "fair", "policy": "adaptive"},
                    {"models": ["ranked"], "queue": "priority"},
                    {"models": ["spill"], "queue": "fifo", "queue_max": 1, "fallbacks": ["pair"]},
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

    @contextlib.contextmanager
    def line(self, model):
        """A line before the engine whose place is taken: `join(name, ...)` puts a call at its end. Those who waited are
        in `went` afterwards, in the order in which they got the place."""
        line, holder = Line(self, model), f"{model}-holder"
        with concurrent.futures.ThreadPoolExecutor(LINE_MAX) as line.pool:
            sent = [("x-request-id", holder), ("x-script", "held")]
            first = line.pool.submit(self.ask, model, headers=sent, stream=False)
            waiting.until(lambda: self.gated.find(holder), "the place is taken")
            try:
                yield line
            finally:
                self.gated.release(holder)
            answers = [each.result() for each in [first, *line.calls]]
        assert {answer.status for answer in answers} == {200}, answers
        came = [request.request_id for request in list(self.gated.requests)]
        line.went += [each for each in came[came.index(holder) + 1 :] if each in line.names]

    def stop(self):
        problems = [problem for process in (self.gateway, *self.engines) for problem in process.stop()]
        self.gated.stop()
        return problems


LINE_MAX = 80


class Line:
    def __init__(self, fleet, model):
        self.fleet, self.model = fleet, model
        self.calls, self.names, self.went = [], [], []

    def join(self, name, key="large", headers=()):
        own = [("x-request-id", name), *headers]
        self.names.append(name)
        self.calls.append(
            self.pool.submit(self.fleet.ask, self.model, 10, key, stream=False, headers=own, mark=name)
        )

    def wait(self):
        def there():
            return self.fleet.health()["gated"]["queue"]["waiting"] == len(self.names)

        waiting.until(there, f"{len(self.names)} calls wait")


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
    waiting.until(
        lambda: all(
            each["queue"]["waiting"] == each["load"]["requests_in_flight"] == 0 for each in fleet.health().values()
        ),
        "nobody waits, and nothing is in flight",
    )


def test_tenants_get_equal_shares(fleet):
    """One has forty calls in the line, the other twenty: Jain's index of what they get while both wait."""
    calls = {"large": 40, "small": 20}
    with fleet.line("fair") as line:
        for key, count in calls.items():
            for number in range(count):
                line.join(f"fair-{key}-{number}", key)
        line.wait()
    assert len(line.went) == sum(calls.values())
    first = line.went[: 2 * min(calls.values())]
    served = [sum(name.startswith(f"fair-{key}-") for name in first) for key in calls]
    jain = sum(served) ** 2 / (2 * sum(value**2 for value in served))
    print(f"served {served}, Jain {jain:.3f}")
    assert jain >= 0.98, served


def test_priority_is_the_headers_as_far_as_the_key_allows(fleet):
    """While the engine is busy, an urgent call overtakes those that came before it."""
    with fleet.line("ranked") as line:
        for name, key, priority in (
            ("next", "large", None),
            ("plain", "large", None),
            ("clamped", "small", 10),
            ("urgent", "large", 10),
        ):
            line.join(name, key, [] if priority is None else [("x-llm-gateway-priority", str(priority))])
            line.wait()
    assert line.went == ["urgent", "next", "plain", "clamped"]


def test_a_full_line_refuses_with_an_estimate(fleet):
    rounds = itertools.count()

    def refused():
        own = next(rounds)
        answers = together([lambda n=n: fleet.ask("tight", 8000, mark=f"tight {own} {n}") for n in range(12)])
        assert {answer.status for answer in answers} <= {200, 503}
        assert any(answer.status == 200 for answer in answers)
        return [answer for answer in answers if answer.status == 503]

    def counted():
        return metrics.total(metrics.scrape(fleet.gateway), "llm_gateway_queue_refusals_total")

    before = counted()
    answers = waiting.until(refused, "there were more calls than the line takes")
    for answer in answers:
        assert int(answer.header("retry-after")) >= 1
    assert counted() == before + len(answers)


def test_a_full_line_falls_back(fleet):
    """A call waits in each worker; what comes then goes to the fallback at once."""
    with fleet.line("spill") as line:
        calls = [line.pool.submit(fleet.ask, "spill", stream=False) for _ in range(6)]
        waiting.until(lambda: sum(call.done() for call in calls) >= 4, "all but one a worker are answered")
        answers = [call.result() for call in calls if call.done()]
        assert {answer.status for answer in answers} == {200}, answers
        assert {answer.header("x-simulator-instance") for answer in answers} <= {"e0", "e1"}
    assert {call.result().status for call in calls} == {200}


def test_health_shows_every_instance_and_its_models(fleet):
    found = fleet.health()
    assert set(found) == {"e0", "e1", "gated"}
    assert {model["model"] for model in found["e1"]["models"]} == {"pair", "tight"}
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
    assert fleet.ask("late").status == 200
    waiting.until(lambda: fleet.health().get("e2", {}).get("state") == "up", "its instance is well")
    assert [each["name"] for each in fleet.admin("GET", "engines").json()["data"]] == ["e2"]
    # The same again is one and the same.
    again = fleet.admin("POST", "engines", fleet.offer(), token=TOKEN)
    assert again.status == 200 and again.json()["token"] == token
    assert fleet.admin("POST", "engines/e2/heartbeat", token=token).status == 200
    assert fleet.admin("POST", "engines/e2/heartbeat", token="eng-wrong").status == 401
    assert fleet.admin("DELETE", "engines/e2", token="eng-wrong").status == 401
    assert fleet.admin("POST", "engines", fleet.offer(name="e3"), token="eng-wrong").status == 401
    assert fleet.admin("DELETE", "engines/e2", token=token).status == 200
    assert fleet.ask("late").status == 404
    assert fleet.admin("POST", "engines/e2/heartbeat", token=token).status == 404


def test_an_engine_serves_when_it_has_its_answer_whatever_its_name_is(fleet):
    for number in range(20):
        made = fleet.admin("POST", "engines", fleet.offer(name=f"rack 7/e?{number}%"), token=TOKEN)
        assert made.status == 201 and fleet.ask("late").status == 200, (number, made)
        heartbeat, token = made.json()["heartbeat"], made.json()["token"]
        assert fleet.admin("POST", heartbeat.removeprefix("/admin/v1/"), token=token).status == 200
        gone = fleet.admin("DELETE", heartbeat.removeprefix("/admin/v1/").removesuffix("/heartbeat"), token=token)
        assert gone.status == 200 and fleet.ask("late").status == 404, (number, gone)
    refused = fleet.admin("POST", "engines", fleet.offer(name="../x"), token=TOKEN)
    assert refused.status == 400 and "path of its heartbeats" in refused.json()["error"]["message"], refused


def test_an_engine_that_could_not_serve_or_takes_anothers_name_is_refused(fleet):
    """With the reason, and nothing of it is registered; nobody else's connection gets a model."""
    for fields, status, words in (
        ({"provider": "vlm"}, 400, 'did you mean "vllm"'),
        ({"endpoint": "127.0.0.1:8000/v1"}, 400, "endpoint"),
        ({"weight": -1}, 400, "weight"),
        ({"service_account_file": "/etc/passwd"}, 400, "credential"),
        ({"name": "e0"}, 409, "'e0' is a connection already"),
    ):
        refused = fleet.admin("POST", "engines", fleet.offer(**fields), token=TOKEN)
        assert refused.status == status and words in refused.json()["error"]["message"], refused
    assert fleet.admin("GET", "engines").json()["data"] == []
    assert set(fleet.health()) == {"e0", "e1", "gated"}
    assert fleet.ask("late").status == 404


def test_an_engine_that_is_not_heard_of_is_gone(fleet):

    def serves():
        """Heard of again, should its second be over before it is asked."""
        made = fleet.admin("POST", "engines", fleet.offer(lifetime="1s"))
        assert made.status in (200, 201), made
        return fleet.ask("late").status == 200

    waiting.until(serves, "the engine's model is there")
    waiting.until(lambda: fleet.ask("late").status == 404, "the engine's model is gone")
    waiting.until(lambda: fleet.admin("GET", "engines").json()["data"] == [], "it is in the list no more")


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
        assert {line.split()[0]: line.split()[1] for line in lines[1:]} == dict.fromkeys(("e0", "e1", "gated"), "up")
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
        lines = [line for line in fleet.gateway.records() if line["msg"] == "routed"]
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
