"""Several instances of a model, and what callers notice when some of them fail: nothing."""

import concurrent.futures
import json
import re
import socket

import pytest

from harness import config, metrics, processes, raw, waiting
from harness import fleet as fleets

pytestmark = pytest.mark.xdist_group("routing")

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
KEY = "routing-test-key"
INSTANCES = 4
SAY = {"messages": [{"role": "user", "content": "Say something."}]}


class Fleet:
    """Simulated instances behind one gateway."""

    def __init__(self, directory):
        ports = processes.free_ports(2 + INSTANCES)
        self.ports = ports[1 : 1 + INSTANCES]
        self.simulators = [
            processes.Process(
                f"simulator-{number}",
                ["simulate", "--listen", f"127.0.0.1:{port}", "--name", f"i{number}", "--decode-speed", "2000"],
                port,
                "/health",
                directory,
            )
            for number, port in enumerate(self.ports)
        ]
        self._dead = socket.socket()
        self._dead.bind(("127.0.0.1", 0))
        (directory / "data").mkdir(mode=0o700)
        self.config_file = directory / "routing.toml"
        self.config_file.write_text(self.configuration(ports[0], directory))
        self.config_file.chmod(0o600)
        self.gateway = processes.Process(
            "gateway", ["serve", "--config", str(self.config_file)], ports[0], "/ready", directory
        )

    def configuration(self, port, directory):
        connections = [
            {"name": f"i{number}", "provider": "openai", "endpoint": f"http://127.0.0.1:{own}/v1", "api": "both"}
            | {"api_key": "any", "owned_by": f"owner-{number}"}
            | ({"metrics_path": "/metrics"} if number == 0 else {})
            | ({"probe_path": "/health"} if number == 3 else {})
            for number, own in enumerate(self.ports)
        ]
        connections.append(
            {"name": "dead", "provider": "openai", "endpoint": f"http://127.0.0.1:{self._dead.getsockname()[1]}/v1"}
            | {"api_key": "any"}
        )
        connections.append(
            {"name": "claude", "provider": "anthropic", "endpoint": f"http://127.0.0.1:{self.ports[0]}"}
            | {"api_key": "any"}
        )
        connections.append(
            {"name": "claude-1", "provider": "anthropic", "endpoint": f"http://127.0.0.1:{self.ports[1]}"}
            | {"api_key": "any"}
        )

        def models(name, *names, **more):
            return [{"name": name, "connection": each, **more} for each in names]

        every = [f"i{number}" for number in range(INSTANCES)]
        return config.toml(
            {
                "server": {"listen": f"127.0.0.1:{port}", "data_dir": str(directory / "data"), "workers": 2},
                "connections": connections,
                "models": models("round", *every)
                + models("held", *every)
                + models("pinned", *every)
                + models("first-dead", "dead", "i0")
                + models("only", "i0")
                + models("spare", "i1")
                + models("long", "i2")
                + models("converted", "claude", "i1")
                + models("slow", "i3")
                + models("hedged", *every)
                + models("claude-alone", "claude")
                + models("talk", *every)
                + models("talk-claude", "claude", "claude-1")
                + models("narrow", "i0", "i1")
                + models("shut", "i0")
                + models("open", "i0", "i1"),
                "routes": [
                    {"models": ["round"], "policy": "round-robin", "policy_header": True, "out_time": "1s"},
                    {"models": ["held"], "policy": "round-robin", "hold_back": 100000, "attempts": 6}
                    | {"out_time": "300ms", "ramp_time": "100ms"},
                    {"models": ["pinned"], "policy": "round-robin", "session": "header:x-session"},
                    {"models": ["talk", "talk-claude"], "policy": "round-robin", "session": "conversation"},
                    {"models": ["first-dead", "converted"], "policy": "ordered", "out_time": "300ms"},
                    {"models": ["only"], "fallbacks": ["spare"], "out_time": "300ms"},
                    {"models": ["long"], "fallbacks": ["spare"], "fallback_on": ["context_length"]},
                    {"models": ["slow"], "first_byte_timeout": "300ms"},
                    {"models": ["hedged"], "hedge": "1s"},
                    {"models": ["narrow"], "max_in_flight": 1, "queue": "fifo"},
                    {"models": ["shut"], "max_in_flight": 1, "queue": "fifo", "queue_max": 1},
                ],
                "keys": [{"name": "tester", "key": KEY}],
            }
        )

    def ask(self, model, stream=False, target=CHAT, headers=(), **more):
        body = {"model": model, "stream": stream, "max_tokens": 64, **SAY, **more}
        return raw.post_json(self.gateway.address, target, body, [("Authorization", f"Bearer {KEY}"), *headers])

    def fault(self, number, rule):
        answer = raw.call(("127.0.0.1", self.ports[number]), "POST", "/simulate/faults", [], rule.encode())
        assert answer.status < 300, answer

    def clear(self):
        for port in self.ports:
            raw.call(("127.0.0.1", port), "DELETE", "/simulate/faults")

    def well(self):
        """All instances are up again, as the metrics say."""

        def every_one():
            found = metrics.scrape(self.gateway)
            return all(
                metrics.total(found, "llm_gateway_instance_health_status", instance=f"i{number}") == 1
                for number in range(INSTANCES)
            )

        waiting.until(every_one, "all instances are well")

    def stop(self):
        problems = [problem for process in (self.gateway, *self.simulators) for problem in process.stop()]
        self._dead.close()
        return problems


running, fleet = fleets.fixtures(Fleet)


def instance_of(answer):
    return answer.header("x-simulator-instance")


def text_of(answer):
    """The text of a streamed answer, which must have its end."""
    events = [line[6:] for line in answer.body.decode().splitlines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]", events[-1]
    chunks = [json.loads(event) for event in events[:-1]]
    assert not any("error" in chunk for chunk in chunks)
    deltas = [choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]]
    return "".join(deltas)


def test_calls_go_round(fleet):
    assert {instance_of(fleet.ask("round")) for _ in range(4 * INSTANCES)} == {f"i{n}" for n in range(INSTANCES)}


def test_owned_by_chooses_an_instance(fleet):
    for number in range(INSTANCES):
        assert instance_of(fleet.ask("round", owned_by=f"owner-{number}")) == f"i{number}"


def test_a_call_may_name_a_policy_where_the_route_allows_it(fleet):
    ordered = {instance_of(fleet.ask("round", headers=[("x-llm-gateway-policy", "ordered")])) for _ in range(6)}
    assert ordered == {"i0"}
    not_allowed = {instance_of(fleet.ask("pinned", headers=[("x-llm-gateway-policy", "ordered")])) for _ in range(24)}
    assert len(not_allowed) == INSTANCES


@pytest.mark.parametrize(
    "name, value, says",
    [
        *[
            (f"x-llm-gateway-{limit}-timeout-ms", value, "milliseconds, a whole number from 1 to 86400000")
            for limit in ("connect", "first-byte", "idle", "total")
            for value in ("soon", "0", "-5", "1s")
        ],
        ("x-llm-gateway-priority", "urgent", "a whole number from -10 to 10"),
        ("x-llm-gateway-priority", "11", "a whole number from -10 to 10"),
        ("x-llm-gateway-policy", "roundrobin", "did you mean 'round-robin'?"),
    ],
)
def test_a_header_that_cannot_be_followed_is_refused(fleet, name, value, says):
    messages = {"messages": [{"role": "user", "content": "hi"}]}
    for model, target, error in (
        ("round", CHAT, lambda body: body["error"]["param"] == name),
        ("hedged", CHAT, lambda body: body["error"]["param"] == name),
        ("converted", "/v1/messages", lambda body: body["type"] == "error"),
    ):
        body = {"model": model, "max_tokens": 64, **messages}
        answer = raw.post_json(fleet.gateway.address, target, body, [("Authorization", f"Bearer {KEY}"), (name, value)])
        assert answer.status == 400 and error(answer.json()), answer.body
        assert f"the header {name}: expected" in answer.json()["error"]["message"], answer.body
        assert says in answer.json()["error"]["message"], answer.body


def test_only_its_own_provider_compacts_a_conversation(fleet):
    answer = fleet.ask("claude-alone", target="/v1/responses/compact", input="hi")
    error = answer.json()["error"]
    assert answer.status == 400 and error["type"] == "invalid_request_error" and error["param"] == "model", answer.body
    assert "'claude-alone' is served by a provider of kind 'anthropic'" in error["message"]
    assert "only a provider with OpenAI's Responses API can compact a conversation" in error["message"]


def test_a_session_stays_where_it_is(fleet):
    first = {name: instance_of(fleet.ask("pinned", headers=[("x-session", name)])) for name in "abcdefgh"}
    assert len(set(first.values())) > 1
    for name, instance in first.items():
        assert instance_of(fleet.ask("pinned", headers=[("x-session", name)])) == instance


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["talk", "talk-claude"])
def test_a_response_goes_on_where_the_one_before_was_made(fleet, model, stream):
    """A simulator of the Responses API's own knows no other's responses; a conversion's are the gateway's."""
    headers = [("Authorization", f"Bearer {KEY}"), ("x-llm-gateway-debug", "1")]

    def say(text, **more):
        body = {"model": model, "stream": stream, "input": text, **more}
        answer = raw.post_json(fleet.gateway.address, "/v1/responses", body, headers)
        assert answer.status == 200 and answer.complete, answer
        [connection] = re.findall(r"connection=([\w-]+)", answer.header("x-llm-gateway-route"))
        return connection, re.search(rb'"id": ?"(resp_[^"]+)"', answer.body)[1].decode()

    begun = [say(f"Question {number} of {model}, {stream}.") for number in range(8)]
    assert len({connection for connection, _ in begun}) > 1
    for turn in ("And then?", "And after that?"):
        went_on = [say(turn, previous_response_id=response) for _, response in begun]
        assert [connection for connection, _ in went_on] == [connection for connection, _ in begun]
        begun = went_on


def test_an_instance_that_cannot_be_reached_is_not_noticed(fleet):
    for stream in (False, True, False):
        answer = fleet.ask("first-dead", stream)
        assert answer.status == 200 and instance_of(answer) == "i0"


@pytest.mark.parametrize(
    "rule", ["status=500", "status=503", "status=529", "status=429; retry-after=1", "reset", "garbage", "status=401"]
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_failing_instance_is_not_noticed(fleet, rule, stream):
    fleet.fault(2, rule)
    for _ in range(2 * INSTANCES):
        answer = fleet.ask("round", stream)
        assert answer.status == 200 and instance_of(answer) != "i2", answer


@pytest.mark.parametrize("rule", ["error-event", "cut=after:5", "reset=after:3", "garbage-json=after:4"])
def test_a_stream_that_fails_within_the_window_begins_anew(fleet, rule):
    whole = text_of(fleet.ask("held", True))
    fleet.fault(1, rule)
    fleet.fault(2, rule)
    for _ in range(3 * INSTANCES):
        answer = fleet.ask("held", True)
        assert answer.status == 200 and answer.complete
        assert text_of(answer) == whole  # nothing twice, nothing lost


def test_fallback_to_another_model(fleet):
    fleet.fault(0, "status=500")
    answer = fleet.ask("only")
    assert answer.status == 200 and instance_of(answer) == "i1"
    assert answer.json()["model"] == "spare"


def test_a_prompt_too_long_goes_to_the_longer_model(fleet):
    fleet.fault(2, "status=400")
    assert fleet.ask("long").status == 400  # another mistake is not the model's
    fleet.clear()
    huge = {"messages": [{"role": "user", "content": "word " * 130_000}]}
    answer = fleet.ask("long", **huge)
    assert answer.status == 400  # too long for the spare, too: the answer is the provider's
    assert "context" in json.dumps(answer.json())


def test_converted_calls_fail_over_too(fleet):
    body = fleet.ask("converted")
    assert body.status == 200
    fleet.fault(1, "status=500")
    for stream in (False, True):
        answer = fleet.ask("converted", stream)
        assert answer.status == 200, answer


def test_each_timeout_has_its_name(fleet):
    fleet.fault(3, "delay=30s; times=2")
    answer = fleet.ask("slow")
    assert answer.status == 504 and "first_byte_timeout" in answer.json()["error"]["message"]
    answer = fleet.ask("slow", headers=[("x-llm-gateway-total-timeout-ms", "200")])
    assert answer.status == 504 and "total_timeout" in answer.json()["error"]["message"]

    def errors(name):
        return metrics.total(metrics.scrape(fleet.gateway), "llm_errors_total", error_type=name)

    for name in ("first_byte_timeout", "total_timeout"):
        waiting.until(lambda name=name: errors(name) == 1, f"{name} is counted once")


def test_the_debug_header_tells_why(fleet):
    text = fleet.ask("open", headers=[("x-llm-gateway-debug", "1")]).header("x-llm-gateway-route")
    assert "policy=adaptive" in text and "scores=i0:" in text and ",i1:" in text
    assert fleet.ask("open").header("x-llm-gateway-route") is None
    asked = [("x-llm-gateway-debug", "1"), ("x-llm-gateway-policy", "ordered")]
    assert "policy=ordered" in fleet.ask("round", headers=asked).header("x-llm-gateway-route")


def test_health_is_in_the_metrics_and_comes_back(fleet):
    fleet.well()
    fleet.fault(0, "status=500; model=held; times=3")
    for _ in range(INSTANCES):
        assert fleet.ask("held").status == 200
    fleet.well()


def together(count, ask):
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(ask, range(count)))


def test_calls_wait_for_a_place_and_all_get_one(fleet):
    fleet.fault(0, "delay=30ms")
    fleet.fault(1, "delay=30ms")
    answers = together(24, lambda _: fleet.ask("narrow"))
    assert [answer.status for answer in answers] == [200] * 24
    assert {instance_of(answer) for answer in answers} == {"i0", "i1"}


def test_a_full_queue_refuses_with_a_time(fleet):
    fleet.fault(0, "delay=500ms")
    answers = together(16, lambda _: fleet.ask("shut"))
    refused = [answer for answer in answers if answer.status != 200]
    assert refused and len(refused) < 16
    for answer in refused:
        assert answer.status == 503 and int(answer.header("retry-after")) >= 1
        assert "wait" in answer.json()["error"]["message"]
    assert fleet.ask("shut").status == 200  # nothing is left over


def test_an_active_probe_takes_an_instance_out_and_brings_it_back(fleet):
    fleet.well()
    fleet.fault(3, "status=500; path=/health")

    def health():
        found = metrics.scrape(fleet.gateway)
        return metrics.total(found, "llm_gateway_instance_health_status", instance="i3")

    waiting.until(lambda: health() == 0, "the probe has failed")
    assert {instance_of(fleet.ask("round")) for _ in range(12)} == {"i0", "i1", "i2"}


def test_a_storm_of_faults_fails_nobody(fleet):
    """Three of four instances misbehave in every way there is; streams and documents, many at a time."""
    whole = text_of(fleet.ask("held", True))
    storm = ["reset; p=0.1", "status=500; p=0.1", "cut=after:5; p=0.1", "error-event=after:4; p=0.1", "garbage; p=0.05"]
    for number in (1, 2, 3):
        fleet.fault(number, "\n".join(storm))
    before = metrics.total(metrics.scrape(fleet.gateway), "llm_gateway_instance_requests_total", status="failure")
    calls = 400

    def one(number):
        answer = fleet.ask("held", number % 2 == 0)
        assert answer.status == 200 and answer.complete, answer
        if number % 2 == 0:
            assert text_of(answer) == whole

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(one, range(calls)))
    after = metrics.total(metrics.scrape(fleet.gateway), "llm_gateway_instance_requests_total", status="failure")
    assert 0 < after - before <= 0.2 * calls
