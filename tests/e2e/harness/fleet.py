"""Many simulated instances in one process, a gateway in front of them, and callers that compare what they get."""

import base64
import concurrent.futures
import dataclasses
import json
import threading
import time

import pytest
from botocore.eventstream import EventStreamBuffer

from . import config, metrics, processes, raw, waiting

KEY = "fleet-test-key"
SAY = [{"role": "user", "content": "Tell me a story."}]


@dataclasses.dataclass
class Call:
    """One way to ask: the client's API, streamed or not, another model."""

    name: str
    target: str
    stream: bool
    model: str = "storm"
    more: dict = dataclasses.field(default_factory=dict)


CHAT, MESSAGES, GEMINI = "/v1/chat/completions", "/v1/messages", "/v1beta/models/{}:{}"
RESPONSES = "/v1/responses"
INVOKE = "/model/{}/{}"


def text_of(call, answer):
    """The whole text of an answer, which must be complete and in order; AssertionError says what is wrong."""
    assert answer.status == 200, (call.name, answer.status, answer.body[:500])
    assert answer.complete, (call.name, "cut", answer.body[-300:])
    own = {CHAT: chat_text, MESSAGES: messages_text, RESPONSES: responses_text, INVOKE: invoke_text}
    return own.get(call.target, gemini_text)(call.stream, answer.body)


def events(body):
    return [line[6:] for line in body.decode().splitlines() if line.startswith("data: ")]


def chat_text(stream, body):
    if not stream:
        return json.loads(body)["choices"][0]["message"]["content"]
    found = events(body)
    assert found[-1] == "[DONE]", found[-1]
    chunks = [json.loads(event) for event in found[:-1]]
    assert not any("error" in chunk for chunk in chunks), chunks[-1]
    assert len({chunk["id"] for chunk in chunks}) == 1, "one id"
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert sum(1 for choice in choices if choice["finish_reason"]) == 1
    assert sum(1 for choice in choices if choice["delta"].get("role")) <= 1
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def messages_text(stream, body):
    if not stream:
        return "".join(block["text"] for block in json.loads(body)["content"])
    return text_of_messages([json.loads(event) for event in events(body)])


def invoke_text(stream, body):
    if not stream:
        return messages_text(False, body)
    frames = aws_frames(body)
    assert {kind for kind, _ in frames} == {"chunk"}, frames[-1]
    return text_of_messages([event for _, event in frames])


def aws_frames(body):
    """[(type, event)] of an answer of InvokeModel; an exception has a type of its own."""
    buffer = EventStreamBuffer()
    buffer.add_data(body)
    found = []
    for message in buffer:
        payload = json.loads(message.payload)
        if message.headers[":message-type"] == "event":
            found.append((message.headers[":event-type"], json.loads(base64.b64decode(payload["bytes"]))))
        else:
            found.append((message.headers[":exception-type"], payload))
    return found


def text_of_messages(found):
    kinds = [event["type"] for event in found if event["type"] not in ("content_block_delta", "ping")]
    legal = ["message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"]
    assert kinds == legal, (kinds, found[-1])
    return "".join(event["delta"]["text"] for event in found if event["type"] == "content_block_delta")


def responses_text(stream, body):
    def whole(response):
        return "".join(part["text"] for item in response["output"] for part in item.get("content", []))

    if not stream:
        return whole(json.loads(body))
    found = [json.loads(event) for event in events(body)]
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    assert found[-1]["type"] in ("response.completed", "response.incomplete"), found[-1]
    said = "".join(event["delta"] for event in found if event["type"] == "response.output_text.delta")
    assert said == whole(found[-1]["response"])
    return said


def gemini_text(stream, body):
    chunks = [json.loads(event) for event in events(body)] if stream else [json.loads(body)]
    assert not any("error" in chunk for chunk in chunks), chunks[-1]
    assert chunks[-1]["candidates"][0]["finishReason"] in ("STOP", "MAX_TOKENS")
    parts = [part for chunk in chunks for part in chunk["candidates"][0].get("content", {}).get("parts", [])]
    return "".join(part.get("text", "") for part in parts)


class Fleet:
    """An instance for each of `providers`; `settings(fleet)` gives models and routes, and more connections."""

    def __init__(self, directory, providers, settings, speed=2000, arguments=()):
        instances = len(providers)
        self.first = processes.free_row(instances)  # the instances of one simulator have ports in a row
        self.ports = [self.first + number for number in range(instances)]
        command = ["simulate", "--listen", f"127.0.0.1:{self.first}", "--instances", str(instances), "--name", "i"]
        command += ["--decode-speed", str(speed), *arguments]
        self.simulator = processes.Process("simulator", command, self.first, "/health", directory)
        (port,) = processes.free_ports(1)
        (directory / "data").mkdir(mode=0o700)
        self.names = [f"i{number}" for number in range(instances)]
        connections = [self.connection(*each) for each in zip(self.names, providers, self.ports)]
        found = {
            "server": {"listen": f"127.0.0.1:{port}", "data_dir": str(directory / "data"), "workers": 2},
            "connections": connections,
            "keys": [{"name": "tester", "key": KEY}],
        }
        more = settings(self)
        found["connections"] = connections + more.pop("connections", [])
        self.config_file = directory / "fleet.toml"
        self.config_file.write_text(config.toml(found | more))
        self.config_file.chmod(0o600)
        command = ["serve", "--config", str(self.config_file)]
        self.gateway = processes.Process("gateway", command, port, "/ready", directory)
        self.gateway.config_file = self.config_file

    @staticmethod
    def connection(name, provider, port):
        own = {"name": name, "provider": provider, "api_key": "any"}
        if provider == "anthropic":
            return own | {"endpoint": f"http://127.0.0.1:{port}"}
        return own | {"endpoint": f"http://127.0.0.1:{port}/v1", "api": "chat"}

    def ask(self, call, headers=(), **more):
        body = {"model": call.model, "stream": call.stream, "max_tokens": 64, "messages": SAY, **call.more, **more}
        target = call.target
        if target == GEMINI:
            verb = "streamGenerateContent?alt=sse" if call.stream else "generateContent"
            target = target.format(call.model, verb)
            body = {"contents": [{"role": "user", "parts": [{"text": SAY[0]["content"]}]}]}
            body["generationConfig"] = {"maxOutputTokens": 64}
        if target == INVOKE:
            target = target.format(call.model, "invoke-with-response-stream" if call.stream else "invoke")
            body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 64, "messages": SAY}
        if target == RESPONSES:
            body["input"], body["max_output_tokens"] = body.pop("messages"), body.pop("max_tokens")
            body["store"] = False
        return raw.post_json(self.gateway.address, target, body, [("Authorization", f"Bearer {KEY}"), *headers])

    def leave(self, call, after_bytes):
        """A client that goes away in the middle of its answer."""
        body = json.dumps({"model": call.model, "stream": call.stream, "max_tokens": 64, "messages": SAY}).encode()
        head = [("Content-Type", "application/json"), ("Authorization", f"Bearer {KEY}")]
        with raw.connect(self.gateway.address) as sock:
            sock.sendall(raw.request("POST", call.target, head, body))
            if after_bytes:
                sock.recv(after_bytes)

    def fault(self, number, *rules):
        answer = raw.call(("127.0.0.1", self.ports[number]), "POST", "/simulate/faults", [], "\n".join(rules).encode())
        assert answer.status < 300, answer

    def clear(self, number=None):
        for port in self.ports if number is None else [self.ports[number]]:
            raw.call(("127.0.0.1", port), "DELETE", "/simulate/faults")

    def event(self, name):
        return metrics.total(metrics.scrape(self.gateway), "llm_gateway_failover_total", event=name)

    def well(self):
        def every_one():
            found = metrics.scrape(self.gateway)
            status = "llm_gateway_instance_health_status"
            return all(metrics.total(found, status, instance=name) == 1 for name in self.names)

        waiting.until(every_one, "all instances are well")

    def idle(self):
        """Nothing is in flight, also by the account that routing reads."""
        metrics.wait_until_idle(self.gateway)

        def nothing():
            found = metrics.scrape(self.gateway)
            names = ("llm_gateway_instance_requests_in_flight", "llm_gateway_instance_tokens_in_flight")
            return all(value == 0 for key, _, value in found if key in names)

        waiting.until(nothing, "the account of every instance is zero")

    def stop(self):
        return [problem for process in (self.gateway, self.simulator) for problem in process.stop()]


def fixtures(start, afterwards=lambda fleet: None):
    """A module's `running` and `fleet`: what `start(directory)` gives, once a module, and without faults before each
    test. It has clear(), and stop() that returns what went wrong."""

    @pytest.fixture(scope="module")
    def running(tmp_path_factory):
        started = start(tmp_path_factory.mktemp("fleet"))
        yield started
        assert not started.stop()

    @pytest.fixture
    def fleet(running):
        running.clear()
        yield running
        running.clear()
        afterwards(running)

    return running, fleet


class Weather:
    """Faults that wander over the fleet: `bad(step)` are the instances that have some in that step."""

    def __init__(self, fleet, bad, rules, step_seconds):
        self.fleet, self.bad, self.rules, self.step_seconds = fleet, bad, rules, step_seconds
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._blow)

    def _blow(self):
        step, now = 0, set()
        while not self.over.is_set():
            wanted = set(self.bad(step))
            for number in now - wanted:
                self.fleet.clear(number)
            for number in wanted:
                self.fleet.clear(number)
                self.fleet.fault(number, self.rules[(step + number) % len(self.rules)])
            now, step = wanted, step + 1
            self.over.wait(self.step_seconds)
        for number in now:
            self.fleet.clear(number)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def hammer(fleet, calls, seconds, threads=12):
    """Makes the calls in turn for so long. (number of calls, those that failed, texts that are not as they should be:
    something is missing, or there twice)."""
    whole = {call.name: text_of(call, fleet.ask(call)) for call in calls}
    end = time.monotonic() + seconds
    failed, altered = [], []

    def caller(first):
        count = 0
        while time.monotonic() < end:
            call = calls[(first + count) % len(calls)]
            count += 1
            try:
                said = text_of(call, fleet.ask(call))
                if said != whole[call.name]:
                    altered.append((call.name, said, whole[call.name]))
            except (AssertionError, raw.Malformed, OSError, KeyError) as error:
                failed.append(repr(error))
        return count

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(caller, range(threads))), failed, altered
