"""What the gateway knows of an instance: what is in flight there at this moment, and how fast it computes prompts."""

import concurrent.futures
import json
import re

import pytest
from harness import config, metrics, processes, raw, upstream, waiting

pytestmark = pytest.mark.xdist_group("engines")

CHAT = "/v1/chat/completions"
KEY, ADMIN = "key-of-the-load-test", "the-key-of-the-administrator-2"
PREFILL = 20_000  # tokens a second


class Told(upstream.Upstream):
    """An engine whose metrics say what a test wants them to; `waits` None: nothing."""

    waits = 0

    async def _answer(self, connection, request):
        if request.target != "/metrics":
            return await super()._answer(connection, request)
        page = "# no queue here\n" if self.waits is None else f"vllm:num_requests_waiting {self.waits}\n"
        await connection.answer(page.encode(), content_type="text/plain")


class Site:
    """A simulated engine, an instance whose answers a test may hold for as long as it wants to, and a pair whose
    metrics it writes."""

    def __init__(self, directory):
        self.held, self.pair = upstream.Upstream(), [Told(), Told()]
        gateway, engine = processes.free_ports(2)
        speeds = ["--prefill-speed", str(PREFILL), "--decode-speed", "500"]
        command = ["simulate", "--listen", f"127.0.0.1:{engine}", *speeds]
        self.engine = processes.Process("engine", command, engine, "/health", directory)
        (directory / "data").mkdir(mode=0o700)
        file = directory / "site.toml"
        file.write_text(
            config.toml(
                {
                    "server": {"listen": f"127.0.0.1:{gateway}", "data_dir": str(directory / "data"), "workers": 2},
                    "store": {"url": "none"},
                    "connections": [
                        {"name": "engine", "provider": "vllm", "endpoint": f"{self.engine.url}/v1"},
                        {"name": "held", "provider": "vllm", "endpoint": f"{self.held.url}/v1", "max_in_flight": 1},
                        *(
                            {"name": f"told-{number}", "provider": "vllm", "endpoint": f"{told.url}/v1"}
                            | {"metrics_path": "/metrics"}
                            for number, told in enumerate(self.pair)
                        ),
                    ],
                    "models": [{"name": name, "connection": name} for name in ("engine", "held")]
                    + [
                        {"name": policy, "connection": f"told-{number}"}
                        for policy in ("adaptive", "least-requests")
                        for number in range(2)
                    ],
                    "routes": [{"models": ["held"], "queue": "fifo"}]
                    + [{"models": [policy], "policy": policy} for policy in ("adaptive", "least-requests")],
                    "keys": [{"name": "test", "key": KEY}],
                    "admin_keys": [{"name": "root", "key": ADMIN, "role": "owner"}],
                }
            )
        )
        file.chmod(0o600)
        self.gateway = processes.Process("gateway", ["serve", "--config", str(file)], gateway, "/ready", directory)

    def ask(self, model, words=10, mark="", tokens=8, headers=()):
        message = {"role": "user", "content": f"{mark} " + "word " * words}
        body = {"model": model, "max_tokens": tokens, "messages": [message]}
        return raw.post_json(self.gateway.address, CHAT, body, [("Authorization", f"Bearer {KEY}"), *headers])

    def health(self, instance):
        headers = {"Authorization": f"Bearer {ADMIN}"}
        answer = raw.call(self.gateway.address, "GET", "/admin/v1/health", headers)
        [found] = [each for each in answer.json()["data"] if each["connection"] == instance]
        return found

    def load(self, instance):
        return self.health(instance)["load"]

    def stop(self):
        problems = [problem for process in (self.gateway, self.engine) for problem in process.stop()]
        for scripted in (self.held, *self.pair):
            scripted.stop()
        return problems


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    started = Site(tmp_path_factory.mktemp("load"))
    yield started
    assert not started.stop()


def test_the_metrics_tell_what_is_in_flight_now(site):
    """No scrape is a second behind: each of these is the only one."""

    def shown():
        found = metrics.scrape(site.gateway)
        names = ("instance_requests_in_flight", "queue_waiting")
        return [metrics.total(found, f"llm_gateway_{name}", instance="held") for name in names]

    assert shown() == [0, 0]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        sent = [("x-request-id", "first"), ("x-script", "held")]
        first = pool.submit(site.ask, "held", headers=sent)
        try:
            waiting.until(lambda: site.held.find("first"), "the instance has the call")
            assert shown() == [1, 0]
            second = pool.submit(site.ask, "held", mark="second")
            waiting.until(lambda: shown() == [2, 1], "one waits")
        finally:
            site.held.release("first")
        assert first.result().status == second.result().status == 200
    waiting.until(lambda: shown() == [0, 0], "nothing is in flight")


def test_speed_is_learnt_from_answers_that_are_not_streamed(site):
    """Prompts of 0.1 to 0.4 s, answers of 10 to 100 ms, which alone would say nothing of the prompts."""
    assert not site.load("engine")["prompt_tokens_per_second"], "it is not known, and not guessed"
    asked = [(2000 + 1500 * (number % 5), 5 + 10 * (number % 4)) for number in range(24)]

    def speed():
        for number, (words, tokens) in enumerate(asked):
            answer = site.ask("engine", words, f"{number} {speed.calls}", tokens)
            assert answer.status == 200 and json.loads(answer.body)["usage"]["completion_tokens"] == tokens
        speed.calls += 1
        return site.load("engine")["prompt_tokens_per_second"]

    speed.calls = 0
    # A machine that others use makes answers late that are not streamed either.
    learnt = waiting.until(speed, "the speed is known")
    assert PREFILL / 3 < learnt < PREFILL * 3, learnt


def test_an_engine_that_falls_silent_is_not_idle(site):
    """It counts with what it said last, and then with no less than what the other one says."""

    def say(*waits):
        for told, number in zip(site.pair, waits, strict=True):
            told.waits = number
        shown = [site.health(f"told-{number}")["engine"]["waiting"] for number in range(2)]
        return shown == list(waits)

    def where(policy):
        answer = site.ask(policy, headers=[("x-llm-gateway-debug", "1")])
        assert answer.status == 200, answer
        return re.search(r"connection=(told-\d)", answer.header("x-llm-gateway-route"))[1]

    def all_go(to):
        """Asked again: a look at its metrics may fail on a busy machine, and is silence, too."""
        return {where(policy) for policy in ("adaptive", "least-requests") for _ in range(6)} == {to}

    waiting.until(lambda: say(50, 0), "both say what waits there")
    waiting.until(lambda: all_go(to="told-1"), "all go where nobody waits")
    waiting.until(lambda: say(None, 0), "one has fallen silent")
    waiting.until(lambda: all_go(to="told-1"), "what it said last is not forgotten at once")
    waiting.until(lambda: say(None, 60), "the other one has a line")
    waiting.until(lambda: not all_go(to="told-0"), "the silent one is not taken for idle")
    waiting.until(lambda: say(0, 60), "it is heard of again")
    waiting.until(lambda: all_go(to="told-0"), "all go where nobody waits")
