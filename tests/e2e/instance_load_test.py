"""What the gateway knows of an instance: what is in flight there at this moment, and how fast it computes prompts."""

import concurrent.futures
import json

import pytest
from harness import config, metrics, processes, raw, upstream, waiting

pytestmark = pytest.mark.xdist_group("engines")

CHAT = "/v1/chat/completions"
KEY, ADMIN = "key-of-the-load-test", "the-key-of-the-administrator-2"
PREFILL = 20_000  # tokens a second


class Site:
    """A simulated engine, and an instance whose answers a test may hold for as long as it wants to."""

    def __init__(self, directory):
        self.held = upstream.Upstream()
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
                    ],
                    "models": [{"name": name, "connection": name} for name in ("engine", "held")],
                    "routes": [{"models": ["held"], "queue": "fifo"}],
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

    def load(self, instance):
        headers = {"Authorization": f"Bearer {ADMIN}"}
        answer = raw.call(self.gateway.address, "GET", "/admin/v1/health", headers)
        [found] = [each for each in answer.json()["data"] if each["connection"] == instance]
        return found["load"]

    def stop(self):
        problems = [problem for process in (self.gateway, self.engine) for problem in process.stop()]
        self.held.stop()
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
