"""Who may call what, how much, and what it cost: limits, budgets, aliases and the ledger, through the real program."""

import concurrent.futures
import csv
import gzip
import io
import json
import os
import random
import sqlite3
import threading
import time

import pytest

from harness import canned, governed, metrics, processes, raw, waiting

# How long the gateway is killed again and again under load: a few seconds in `make test`, minutes in `make kill-test`.
KILL_SECONDS = float(os.environ.get("LLMGW_KILL_SECONDS", "6"))

keys = governed.keys


@pytest.fixture
def world(tmp_path):
    with governed.running(tmp_path) as made:
        yield made


@pytest.fixture
def slow_world(tmp_path):
    """The same with an engine that takes its time: a second for a token."""
    with governed.running(tmp_path, decode_speed=1) as made:
        yield made


def test_requests_a_second_in_every_dialect(world):
    gateway = world.gateway(keys=keys(("slow", {"tps": 1}), ("claude", {"tps": 1}), ("gemini", {"tps": 1})))

    def refused(ask):
        """The first that is let in, and one that comes within a second of another."""
        began, first, let_in = time.monotonic(), ask(), 1
        assert first.status == 200
        while (answer := ask()).status == 200:
            let_in += 1
            assert let_in <= 1 + time.monotonic() - began, "more than one a second"
        assert answer.status == 429
        return first, answer

    _, answer = refused(lambda: chat(gateway, "slow-client-key"))
    assert answer.json()["error"]["code"] == "rate_limit_exceeded"
    assert "key 'slow' may use 1 request a second" in answer.json()["error"]["message"]
    assert answer.header("retry-after") == "1" and 0 < int(answer.header("retry-after-ms")) <= 1000
    assert answer.header("x-ratelimit-limit-requests") == "1"
    assert answer.header("x-ratelimit-remaining-requests") == "0"

    body = {"model": "claude-sonnet", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
    headers = [("x-api-key", "claude-client-key"), ("anthropic-version", "2023-06-01")]
    first, second = refused(lambda: raw.post_json(gateway.address, "/v1/messages", body, headers))
    assert first.header("anthropic-ratelimit-requests-limit") == "1"
    assert first.header("anthropic-ratelimit-requests-reset").endswith("Z")
    assert second.json()["error"]["type"] == "rate_limit_error" and second.header("retry-after") == "1"

    body = {"contents": [{"parts": [{"text": "hello"}]}]}
    target, headers = "/v1beta/models/gemini-flash:generateContent", [("x-goog-api-key", "gemini-client-key")]
    _, answer = refused(lambda: raw.post_json(gateway.address, target, body, headers))
    assert answer.json()["error"]["status"] == "RESOURCE_EXHAUSTED"

    found = metrics.scrape(gateway)
    assert metrics.total(found, "llm_gateway_limit_refusals_total", scope="key", limit="tps") == 3
    # What Retry-After promises is true.
    time.sleep(1)
    assert chat(gateway, "slow-client-key").status == 200


def chat(gateway, key, *arguments, **more):
    return governed.chat(gateway, key, *arguments, **more)


def test_limits_hold_over_workers_and_above_the_key(world):
    gateway = world.gateway(
        organizations=[{"name": "acme", "rpm": 30}],
        teams=[{"name": "search", "organization": "acme"}],
        keys=keys(("a", {"team": "search"}), ("b", {"team": "search"}), ("c", {})),
    )
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: chat(gateway, "ab"[i % 2] + "-client-key"), range(60)))
    statuses = [answer.status for answer in answers]
    # A request every two seconds comes back while the test runs.
    again = (time.monotonic() - began) / 2
    assert 30 <= statuses.count(200) <= 31 + again and set(statuses) == {200, 429}
    refused = next(answer for answer in answers if answer.status == 429)
    assert "organization 'acme' may use 30 requests a minute" in refused.json()["error"]["message"]
    assert chat(gateway, "c-client-key").status == 200


def test_tokens_a_minute_are_settled(world):
    gateway = world.gateway(keys=keys(("k", {"tpm": 10_000})))
    first = chat(gateway, "k-client-key", max_tokens=6000)
    used = first.json()["usage"]["total_tokens"]
    assert used < 200
    # What was reserved and not used is there again.
    second = chat(gateway, "k-client-key", max_tokens=6000)
    assert second.status == 200
    assert int(second.header("x-ratelimit-limit-tokens")) == 10_000
    remaining = int(chat(gateway, "k-client-key", max_tokens=1).header("x-ratelimit-remaining-tokens"))
    assert 10_000 - 10 * used < remaining <= 10_000
    too_large = chat(gateway, "k-client-key", max_tokens=20_000)
    assert too_large.status == 429 and "less than this request needs" in too_large.json()["error"]["message"]
    assert too_large.header("retry-after") is None


@pytest.mark.parametrize(
    "path, one, many",
    [
        ("/v1/chat/completions", {}, {"n": 50}),
        ("/v1/chat/completions", {"model": "gemini-flash"}, {"n": 50}),
        ("/v1/chat/completions", {"max_tokens": 1}, {"n": 1_000_000_000_000_000_000}),
        ("/v1/completions", {"prompt": "a"}, {"prompt": ["a"] * 50}),
        ("/v1/completions", {"prompt": [1, 2]}, {"prompt": [[1, 2]] * 50}),
        ("/v1/completions", {"prompt": ["a", "b"]}, {"best_of": 30}),
        ("/v1/embeddings", {"input": "a"}, {"input": [[1] * 5] * 500}),
        ("/v1beta/models/gemini-flash:generateContent", {}, {"generationConfig": {"candidateCount": 50}}),
    ],
)
@pytest.mark.parametrize("limit", [{"budget": "0.004"}, {"tpm": 2000}])
def test_all_answers_and_prompts_are_reserved(world, path, one, many, limit):
    """One answer fits, and of fifty the first is refused already, before anything is spent."""
    gateway = world.gateway(keys=keys(("k", limit)))
    body = {"model": "gpt-4o", "max_tokens": 50}
    if "chat" in path:
        body["messages"] = [{"role": "user", "content": "hello"}]
    if "v1beta" in path:
        text = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
        body = text | {"generationConfig": {"maxOutputTokens": 50}}
        many = {"generationConfig": body["generationConfig"] | many["generationConfig"]}
    header = [("authorization", "Bearer k-client-key")]

    def ask(more):
        asked = {name: value for name, value in (body | one | more).items() if value is not None}
        return raw.post_json(gateway.address, path, asked, header)

    refused = ask(many)
    assert refused.status == 429, refused.body
    assert governed.export(gateway) == []
    assert ask({}).status == 200, "and what was refused holds nothing"


def open_stream(gateway, request_id):
    """A stream that has begun."""
    body = json.dumps(
        {"model": "gpt-4o", "stream": True, "max_tokens": 20, "messages": [{"role": "user", "content": "word " * 800}]}
    ).encode()
    headers = [("Authorization", "Bearer k-client-key"), ("X-Request-ID", request_id)]
    sock = raw.connect(gateway.address)
    sock.sendall(raw.request("POST", "/v1/chat/completions", headers, body))
    assert b" 200 " in sock.recv(100)
    return sock


def test_concurrency(slow_world):
    gateway = slow_world.gateway(keys=keys(("k", {"concurrency": 1})))
    sock = open_stream(gateway, "held")
    refused = chat(gateway, "k-client-key", max_tokens=1)
    assert refused.status == 429 and "1 request at the same time" in refused.json()["error"]["message"]
    raw.reset(sock)
    # A call that was cut off gives its place back, and so does one that is answered.
    for _ in range(2):
        waiting.until(lambda: chat(gateway, "k-client-key", max_tokens=1).status == 200, "the place is free again")


def test_aliases_blocked_and_expired_keys(world):
    gateway = world.gateway(
        keys=keys(
            ("assigned", {}),
            ("blocked", {"blocked": True}),
            ("expired", {"expires": "2020-01-01"}),
            ("valid", {"expires": "2100-01-01"}),
        ),
        assignments=[{"key": "assigned", "model": "gpt-4o", "alias": "fast", "rpm": 2}],
    )
    answer = chat(gateway, "assigned-client-key", model="fast")
    assert answer.status == 200 and answer.header("x-ratelimit-limit-requests") == "2"
    models = raw.call(gateway.address, "GET", "/v1/models", [("x-api-key", "assigned-client-key")]).json()["data"]
    assert [model["id"] for model in models] == ["fast"]
    unknown = chat(gateway, "assigned-client-key", model="gpt-4o")
    assert unknown.status == 404 and "fast" in unknown.json()["error"]["message"]
    assert chat(gateway, "valid-client-key", model="fast").status == 404
    for name in ("blocked", "expired"):
        refused = chat(gateway, f"{name}-client-key")
        assert refused.status == 401 and name in refused.json()["error"]["message"]
    assert chat(gateway, "valid-client-key").status == 200
    (record,) = [each for each in governed.export(gateway) if each["key"] == "assigned"]
    assert record["asked_model"] == "fast" and record["upstream_model"] == "gpt-4o"


def test_money(world):
    gateway = world.gateway(
        teams=[
            {"name": "search", "budget": "0.002", "budget_period": "day", "time_zone": governed.far_from_midnight()}
        ],
        keys=keys(("k", {"team": "search"}), ("rich", {})),
    )
    spent = 0
    for _ in range(200):
        answer = chat(gateway, "k-client-key", max_tokens=20)
        if answer.status != 200:
            break
        spent += governed.cost_of(answer.json()["usage"])
    assert answer.status == 429 and answer.json()["error"]["code"] == "insufficient_quota"
    assert "team 'search' may use $0.002 a day" in answer.json()["error"]["message"]
    assert answer.header("x-should-retry") == "false"
    # Never more than the budget, and not much less: what is left does not pay for one more call.
    assert 2_000_000 - 600_000 < spent <= 2_000_000

    def counted():
        return metrics.total(metrics.scrape(gateway), "llm_cost_nanodollars_total", api_key="k")

    waiting.until(lambda: counted() == spent, "what was spent is counted")
    waiting.until(lambda: sum(int(row["nano_dollars"]) for row in governed.report(gateway)) == spent, "the sums")
    # Killed, and still used up.
    world.kill(gateway)
    gateway = world.again(gateway)
    assert chat(gateway, "k-client-key", max_tokens=20).status == 429
    assert chat(gateway, "rich-client-key").status == 200


def test_spend_is_told_without_a_store(world):
    gateway = world.gateway(
        store={"url": "none"},
        teams=[{"name": "search"}],
        keys=keys(("k", {"team": "search"})),
        admin_keys=[
            {"name": "owner", "key": "owner-admin-key", "role": "owner"},
            {"name": "team", "key": "search-admin-key", "role": "team-admin", "team": "search"},
        ],
    )
    assert chat(gateway, "k-client-key").status == 200

    def ask(path, key="owner-admin-key"):
        return raw.call(gateway.address, "GET", path, {"Authorization": f"Bearer {key}"})

    waiting.until(lambda: ask("/admin/v1/spend?by=key").json()["data"], "it is summed up")
    (row,) = ask("/admin/v1/spend?by=key&key=k").json()["data"]
    assert row["key"] == "k" and row["calls"] == 1
    assert ask("/admin/v1/spend?by=team", "search-admin-key").json()["data"][0]["team"] == "search"
    assert ask("/admin/v1/spend?key=nobody").status == 404
    (call,) = ask("/spend/logs").json()
    assert call["api_key"] == "k"
    assert ask("/admin/v1/keys").status == 501, "objects are the file's alone"


def test_calls_without_a_price_pass_budgets_or_are_refused(world):
    refusing = {"unpriced": "refuse"}
    gateway = world.gateway(
        # A price of the provider "*" would be one of all tiers.
        prices=[{"provider": "openai", "model": "gpt-*", "input": "2", "output": "10"}],
        organizations=[{"name": "strict"} | refusing],
        teams=[{"name": "below", "organization": "strict"}],
        keys=keys(
            ("lax", {"budget": "0.01"}),
            ("k", {"budget": "0.10"} | refusing),
            ("alone", refusing),
            ("under", {"team": "below"}),
        ),
    )
    assert chat(gateway, "lax-client-key", "free-model", max_tokens=100_000).status == 200
    for name, whose in (("k", "key 'k'"), ("alone", "key 'alone'"), ("under", "organization 'strict'")):
        key = f"{name}-client-key"
        assert chat(gateway, key).status == 200
        refused = chat(gateway, key, "free-model")
        assert refused.status == 403, refused.body
        message = refused.json()["error"]["message"]
        assert "the model 'free-model' has no price here" in message
        assert whose in message and "[[prices]]" in message
        made = raw.post_json(gateway.address, "/v1/batches", {}, [("authorization", f"Bearer {key}")])
        assert made.status == 403 and "calls of this kind have no price" in made.json()["error"]["message"]
        spoken = {"model": "gpt-4o", "input": "hello", "voice": "alloy"}
        head = [("authorization", f"Bearer {key}")]
        assert raw.post_json(gateway.address, "/v1/audio/speech", spoken, head).status == 403
        listed = raw.call(gateway.address, "GET", "/v1/batches", [("authorization", f"Bearer {key}")])
        assert listed.status != 403
    tiered = chat(gateway, "k-client-key", service_tier="flex")
    assert tiered.status == 403 and "at the service tier 'flex'" in tiered.json()["error"]["message"]
    messages = {"model": "free-model", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
    head = [("x-api-key", "k-client-key"), ("anthropic-version", "2023-06-01")]
    told = raw.post_json(gateway.address, "/v1/messages", messages, head)
    assert told.status == 403 and told.json()["error"]["type"] == "permission_error"
    assert metrics.total(metrics.scrape(gateway), "llm_gateway_limit_refusals_total", limit="unpriced") == 11
    unpriced = [record["key"] for record in governed.export(gateway) if record["nano_dollars"] is None]
    assert unpriced == ["lax"]


def test_client_secrets_are_not_for_those_who_have_limits(world):
    """What is done with one goes to the provider, past the gateway."""
    limits = {"spends": {"budget": "5"}, "asks": {"rpm": 60}, "waits": {"concurrency": 2}}
    gateway = world.gateway(
        organizations=[{"name": "strict", "tpm": 1000}],
        teams=[{"name": "search", "organization": "strict"}],
        keys=keys(("free", {}), ("below", {"team": "search"}), *limits.items()),
    )

    def secret(name):
        head = [("authorization", f"Bearer {name}-client-key")]
        return raw.post_json(gateway.address, "/v1/realtime/client_secrets", {"session": {"type": "realtime"}}, head)

    assert secret("free").status != 403
    for name, whose in (("below", "organization 'strict'"), *((name, f"key '{name}'") for name in limits)):
        refused = secret(name)
        assert refused.status == 403, refused.body
        message = refused.json()["error"]["message"]
        assert f"the {whose} has limits" in message and "/v1/realtime of the gateway" in message
        assert chat(gateway, f"{name}-client-key").status == 200
    assert metrics.total(metrics.scrape(gateway), "llm_gateway_limit_refusals_total", limit="client_secret") == 4


def test_a_fallback_without_a_price_is_passed_over(world):
    """The model's own connection is away; both of its fallbacks would answer."""
    (nobody,) = processes.free_ports(1)
    settings = world.settings("gateway", 0)
    away = {"name": "away", "provider": "openai", "endpoint": f"http://127.0.0.1:{nobody}", "api_key": "k"}
    routes = [
        {"models": [model], "fallbacks": fallbacks, "fallback_on": ["error"], "attempts": 1}
        for model, fallbacks in (("gpt-first", ["free-model", "gpt-4o"]), ("gpt-second", ["free-model"]))
    ]
    gateway = world.gateway(
        connections=settings["connections"] + [away],
        models=settings["models"] + [{"name": name, "connection": "away"} for name in ("gpt-first", "gpt-second")],
        routes=routes,
        keys=keys(("lax", {}), ("k", {"unpriced": "refuse"})),
    )
    for name, model in (("lax", "free-model"), ("k", "gpt-4o")):
        assert chat(gateway, f"{name}-client-key", "gpt-first").status == 200
        (record,) = [each for each in governed.export(gateway) if each["key"] == name]
        assert record["model"] == model
    assert chat(gateway, "lax-client-key", "gpt-second").status == 200
    assert chat(gateway, "k-client-key", "gpt-second").status == 502


def falling_back(world, fallbacks, **more):
    """A gateway whose model gpt-first is away."""
    (nobody,) = processes.free_ports(1)
    settings = world.settings("gateway", 0)
    away = {"name": "away", "provider": "openai", "endpoint": f"http://127.0.0.1:{nobody}", "api_key": "k"}
    limits = more.pop("limits", {})
    return world.gateway(
        connections=settings["connections"] + [away],
        models=[model | limits.get(model["name"], {}) for model in settings["models"]]
        + [{"name": "gpt-first", "connection": "away"} | limits.get("gpt-first", {})],
        routes=[{"models": ["gpt-first"], "fallbacks": fallbacks, "fallback_on": ["error"], "attempts": 1}],
        **more,
    )


def models_of(gateway):
    """Which model answered whom, by the ledger."""
    return [(record["key"], record["model"]) for record in governed.export(gateway) if record["status"] == 200]


def test_a_fallback_is_a_model_that_the_key_may_use(world):
    gateway = falling_back(
        world,
        ["free-model", "gpt-4o"],
        organizations=[{"name": "narrow-organization", "models": ["gpt-*"]}],
        teams=[
            {"name": "narrow-team", "models": ["gpt-first"]},
            {"name": "below", "organization": "narrow-organization"},
        ],
        keys=keys(
            ("all", {}),
            ("listed", {"models": ["gpt-*"]}),
            ("under", {"team": "below"}),
            ("assigned", {}),
            ("alone", {"models": ["gpt-first"]}),
            ("of-the-team", {"team": "narrow-team"}),
            ("assigned-alone", {}),
        ),
        assignments=[
            {"key": "assigned", "model": "gpt-first"},
            {"key": "assigned", "model": "gpt-4o", "alias": "big"},
            {"key": "assigned-alone", "model": "gpt-first"},
        ],
    )
    body = {"model": "gpt-first", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
    for name in ("all", "listed", "under", "assigned"):
        head = [("authorization", f"Bearer {name}-client-key"), ("x-llm-gateway-debug", "1")]
        answer = raw.post_json(gateway.address, "/v1/chat/completions", body, head)
        assert answer.status == 200, answer.body
        told = answer.header("x-llm-gateway-route")
        assert ("passed-over=free-model:not-allowed" in told) == (name != "all"), told
    for name in ("alone", "of-the-team", "assigned-alone"):
        assert chat(gateway, f"{name}-client-key", "gpt-first").status == 502
    expected = [("all", "free-model"), ("listed", "gpt-4o"), ("under", "gpt-4o"), ("assigned", "gpt-4o")]
    assert sorted(models_of(gateway)) == sorted(expected)


def test_a_fallback_is_under_its_own_limits_and_budget(world):
    gateway = falling_back(
        world,
        ["gpt-4o", "claude-sonnet"],
        limits={
            "gpt-first": {"budget": "0.001"},
            "gpt-4o": {"rpm": 1},
            "claude-sonnet": {"budget": "0.05"},
        },
        keys=keys(("k", {})),
    )
    # 20 tokens of output are $0.0002: with what others used in its place the first budget would soon be spent.
    for model, output in (("gpt-4o", 20), ("claude-sonnet", 20), ("claude-sonnet", 20)):
        assert chat(gateway, "k-client-key", "gpt-first", max_tokens=output).status == 200
        assert models_of(gateway)[-1] == ("k", model)
    refused = chat(gateway, "k-client-key", "gpt-first", max_tokens=50)
    assert refused.status == 200, "the budget of the model that is away was given back each time"
    # More than is left of the fallback's budget.
    body = chat(gateway, "k-client-key", "claude-sonnet", max_tokens=6000)
    assert body.status == 429, body.body
    total = metrics.total(metrics.scrape(gateway), "llm_gateway_limit_refusals_total", scope="model")
    assert total >= 4


def test_a_fallback_is_under_the_limits_of_its_own_assignment(world):
    gateway = falling_back(
        world,
        ["gpt-4o"],
        keys=keys(("k", {}), ("listed", {"models": ["gpt-*"]})),
        assignments=[
            {"key": "k", "model": "gpt-first"},
            {"key": "k", "model": "gpt-4o", "alias": "big", "rpm": 1},
            {"key": "listed", "model": "gpt-4o", "rpm": 1},
        ],
    )
    for name in ("k", "listed"):
        assert chat(gateway, f"{name}-client-key", "gpt-first").status == 200
        assert chat(gateway, f"{name}-client-key", "gpt-first").status == 502, "one a minute"
    assert chat(gateway, "k-client-key", "big").status == 429, "it is one limit, however it is come by"
    assert models_of(gateway) == [("k", "gpt-4o"), ("listed", "gpt-4o")]


def test_a_fallback_needs_what_it_may_cost_itself(world):
    gateway = falling_back(
        world,
        ["gpt-4o"],
        keys=keys(("k", {"team": "t"})),
        organizations=[{"name": "o"}],
        teams=[{"name": "t", "organization": "o", "budget": "0.01"}],
        prices=[{"provider": "openai", "model": "gpt-first", "input": "0.01", "output": "0.01"}],
    )
    # A token of gpt-first costs a thousandth of gpt-4o's, of which the budget has a thousand.
    assert chat(gateway, "k-client-key", "gpt-first", max_tokens=5000).status == 502
    assert chat(gateway, "k-client-key", "gpt-first", max_tokens=500).status == 200
    refusals = metrics.total(
        metrics.scrape(gateway), "llm_gateway_limit_refusals_total", scope="team", limit="budget"
    )
    assert refusals == 1


CODED_USAGE = {"prompt_tokens": 300, "completion_tokens": 500, "total_tokens": 800}


def coded_answer(request):
    """A document or a stream with that usage, in the coding that the model is called by."""
    asked = request.json()
    if asked.get("stream"):
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        text = chunk | {"choices": [{"index": 0, "delta": {"content": "hello " * 40}, "finish_reason": "stop"}]}
        events = [text, chunk | {"choices": [], "usage": CODED_USAGE}]
        body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    else:
        choice = {"index": 0, "message": {"role": "assistant", "content": "hello " * 40}, "finish_reason": "stop"}
        document = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        body = json.dumps(document | {"usage": CODED_USAGE})
    coding = asked["model"].removeprefix("gpt-")
    # Nobody reads what is not gzip, so it may be anything.
    coded = gzip.compress(body.encode()) if coding == "gzip" else body.encode()[::-1]
    kind = "text/event-stream" if asked.get("stream") else "application/json"
    return 200, coded, {"Content-Type": kind, "Content-Encoding": coding}


def test_what_a_coded_answer_used_is_read_or_estimated(world):
    upstream = canned.Canned(coded_answer)
    gateway = world.gateway(
        connections=[{"name": "coded", "provider": "openai", "endpoint": upstream.url, "api_key": "k"}],
        models=[{"name": name, "connection": "coded"} for name in ("gpt-gzip", "gpt-br")],
        keys=keys(("k", {"budget": "1"})),
    )
    for stream in (False, True):
        for coding in ("gzip", "br"):
            more = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
            answer = chat(gateway, "k-client-key", f"gpt-{coding}", max_tokens=700, **more)
            assert answer.status == 200 and answer.header("content-encoding") == coding
            assert coding == "br" or b"hello hello" in gzip.decompress(answer.body)
    upstream.stop()
    assert all("accept-encoding" not in request.headers for request in upstream.requests)
    read, unread, streamed, unread_stream = governed.export(gateway)
    for record in (read, streamed):
        assert record["nano_dollars"] == governed.cost_of(CODED_USAGE) and not record["estimated"]
    assert unread["estimated"] and unread["output"] == 700 and unread["nano_dollars"] > 700 * governed.OUTPUT_USD * 1000
    assert unread_stream["estimated"] and unread_stream["nano_dollars"] > 0
    waiting.until(lambda: gateway.text().count("the answer is coded") == 2, "both are said")


def absurd_answer(request):
    """A document of a provider that says that so many tokens were used."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}
    document = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    usage = {"prompt_tokens": 2**62, "completion_tokens": 2**62, "total_tokens": 2**63}
    return 200, json.dumps(document | {"usage": usage}).encode(), {"Content-Type": "application/json"}


def test_a_provider_that_says_absurd_numbers_breaks_no_sum(world):
    upstream = canned.Canned(absurd_answer)
    settings = world.settings("gateway", 0)
    absurd = {"name": "absurd", "provider": "openai", "endpoint": upstream.url, "api_key": "k"}
    gateway = world.gateway(
        connections=settings["connections"] + [absurd],
        models=settings["models"] + [{"name": "gpt-absurd", "connection": "absurd"}],
        prices=[{"provider": "openai", "model": "gpt-absurd", "input": "1000000", "output": "1000000"}],
        keys=keys(("k", {}), ("bounded", {"budget": "500"}), ("other", {"budget": "1"})),
    )
    most = 1_000_000_000
    for _ in range(12):
        answer = chat(gateway, "k-client-key", "gpt-absurd", max_tokens=1)
        assert answer.status == 200 and answer.json()["usage"]["prompt_tokens"] == 2**62, "the client has what was said"
    assert chat(gateway, "bounded-client-key", "gpt-absurd", max_tokens=1).status == 200
    assert chat(gateway, "bounded-client-key", "gpt-4o", max_tokens=1).status == 429, "what was spent stays spent"
    assert chat(gateway, "other-client-key", "gpt-4o", max_tokens=1).status == 200
    upstream.stop()
    absurd = [record for record in governed.export(gateway) if record["asked_model"] == "gpt-absurd"]
    assert [(each["capped"], each["input"], each["output"]) for each in absurd] == [(True, most, most)] * 13
    assert all(each["nano_dollars"] == 2 * most * 10**9 for each in absurd)
    waiting.until(lambda: sum(int(row["calls"]) for row in governed.report(gateway, "key")) == 14, "the sums")
    report = {row["key"]: row for row in governed.report(gateway, "key")}
    assert int(report["k"]["nano_dollars"]) == 2**63 - 1 and int(report["k"]["input"]) == 12 * most
    assert int(report["bounded"]["nano_dollars"]) == 2 * most * 10**9
    assert 0 < int(report["other"]["nano_dollars"]) < 10**9
    waiting.until(lambda: gateway.text().count("more tokens than can be") == 13, "each is said")


HALF_SAID = {
    "gpt-beyond": {"prompt_tokens": 100, "completion_tokens": 2**64 + 5, "total_tokens": 2**64 + 105},
    "gpt-half": {"prompt_tokens": 100},
    "gpt-nothing": None,
}


def half_said_answer(request):
    """A document whose usage is what the model's name says."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "hello " * 40}, "finish_reason": "stop"}
    document = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    usage = HALF_SAID[request.json()["model"]]
    return 200, json.dumps(document | {"usage": usage}).encode(), {"Content-Type": "application/json"}


def test_an_answer_whose_tokens_nobody_tells_is_not_free(world):
    upstream = canned.Canned(half_said_answer)
    gateway = world.gateway(
        connections=[{"name": "half", "provider": "openai", "endpoint": upstream.url, "api_key": "k"}],
        models=[{"name": name, "connection": "half"} for name in HALF_SAID],
        prices=[{"provider": "openai", "model": "gpt-*", "input": "1", "output": "1"}],
        keys=keys(("k", {})),
    )
    for model in HALF_SAID:
        assert chat(gateway, "k-client-key", model).status == 200
    upstream.stop()
    records = {record["asked_model"]: record for record in governed.export(gateway)}
    said = {model: [each[name] for name in ("capped", "estimated", "output")] for model, each in records.items()}
    text = len("hello " * 40) // 4
    assert said["gpt-beyond"] == [True, False, 1_000_000_000]
    assert said["gpt-half"] == [False, True, text] and records["gpt-half"]["input"] == 100
    assert said["gpt-nothing"] == [False, True, text] and records["gpt-nothing"]["input"] > 0
    assert all(each["nano_dollars"] == (each["input"] + each["output"]) * 1000 for each in records.values())
    waiting.until(lambda: gateway.text().count("more tokens than can be") == 1, "it is said")


def test_every_call_has_its_record(world):
    gateway = world.gateway(
        organizations=[{"name": "acme"}],
        teams=[{"name": "search", "organization": "acme"}],
        users=[{"name": "kim"}],
        keys=keys(("k", {"team": "search", "user": "kim", "tags": ["product:search"]})),
    )
    tagged = [("X-LLM-Gateway-Tags", "stage:test"), ("X-Request-ID", "tagged")]
    metadata = {"run": "a1", "tags": ["x"], "user_id": "z"}
    whole = chat(gateway, "k-client-key", headers=tagged, user="end-user-7", metadata=metadata)
    named = [("X-Request-ID", "streamed")]
    streamed = chat(gateway, "k-client-key", headers=named, stream=True, stream_options={"include_usage": True})
    chat(gateway, "k-client-key", headers=[("X-Request-ID", "silent")], stream=True)
    chat(gateway, "k-client-key", headers=[("X-Request-ID", "unpriced")], model="free-model")
    chat(gateway, "k-client-key", headers=[("X-Request-ID", "refused")], model="no-such-model")
    chat(gateway, "k-client-key", headers=[("X-Request-ID", "wrong")], messages="nonsense")
    records = {record["id"]: record for record in governed.export(gateway)}
    assert len(records) == len(governed.export(gateway))

    record = records["tagged"]
    assert (record["key"], record["team"], record["organization"], record["user"]) == ("k", "search", "acme", "kim")
    assert record["tags"] == "product:search,stage:test,run=a1,x" and record["end_user"] in ("end-user-7", "z")
    assert record["nano_dollars"] == governed.cost_of(whole.json()["usage"])
    assert record["outcome"] == "completed" and record["status"] == 200 and not record["estimated"]

    usage = [json.loads(line[6:]) for line in streamed.body.decode().splitlines() if line.startswith("data: {")][-1]
    assert records["streamed"]["nano_dollars"] == governed.cost_of(usage["usage"]) and records["streamed"]["streamed"]
    assert records["silent"]["estimated"] and records["silent"]["nano_dollars"] > 0
    assert records["unpriced"]["nano_dollars"] is None and records["unpriced"]["output"] > 0

    def unpriced():
        return metrics.total(metrics.scrape(gateway), "llm_unpriced_requests_total", model="free-model")

    waiting.until(lambda: unpriced() == 1, "it is counted")
    assert "refused" not in records
    assert records["wrong"]["outcome"] == "failed" and records["wrong"]["nano_dollars"] == 0

    waiting.until(lambda: governed.report(gateway) and int(governed.report(gateway)[0]["calls"]) == 5, "five calls")
    by_model = {row["model"]: row for row in governed.report(gateway, "team,model")}
    assert by_model["free-model"]["unpriced"] == "1" and by_model["gpt-4o"]["team"] == "search"
    assert "no fault found" in governed.ledger(gateway, "verify").stdout
    assert governed.ledger(gateway, "report", "--by", "nonsense", check=False).returncode == 2

    def one(*arguments):
        text = governed.ledger(gateway, "report", "--by", "tag", "--format", "csv", *arguments).stdout
        return {row["tag"]: int(row["calls"]) for row in csv.DictReader(io.StringIO(text))}

    assert one() == {"product:search": 5, "stage:test": 1, "run=a1": 1, "x": 1}, "one call in four rows"
    assert one("--tag", "x") == {"product:search": 1, "stage:test": 1, "run=a1": 1, "x": 1}
    assert one("--team", "search", "--model", "free-model", "--tz", "Asia/Tokyo") == {"product:search": 1}
    end_users = {row["end_user"]: int(row["calls"]) for row in governed.report(gateway, "end_user")}
    assert end_users == {record["end_user"]: 1, "": 4}
    assert set(one("--end-user", record["end_user"])) == {"product:search", "stage:test", "run=a1", "x"}
    assert one("--key", "nobody") == {} == one("--to", "2026-01-01", "--tz", "Europe/Berlin")
    assert "no time zone 'Mars'" in governed.ledger(gateway, "report", "--tz", "Mars", check=False).stderr
    for since in ("2026-01-01", "2026-01-01T12:30", "2026-01-01 12:30:00", "2026-01-01T12:30:00.000+05:30"):
        span = ("--since", since, "--until", "2999-01-01T00:00Z", "--tz", "Asia/Kolkata")
        assert "no calls" not in governed.ledger(gateway, "report", *span).stdout
    for command in ("report", "export"):
        wrong = governed.ledger(gateway, command, "--from", "16.01.2027", check=False)
        assert wrong.returncode == 2 and "write a date (2027-01-31)" in wrong.stderr


def test_tags(world):
    gateway = world.gateway(keys=keys(("k", {"tags": ["product:search"]})))
    many = ",".join(f"q{number}" for number in range(30))
    for header in (" run:7 ,, product:search,run:7", many, "x" * 65 + ",ok"):
        answer = chat(gateway, "k-client-key", headers=[("X-LLM-Gateway-Tags", header)], metadata={"stage": "test"})
        warned = answer.header("x-llm-gateway-warnings") or ""
        assert ('dropped;field="x-llm-gateway-tags"' in warned) == (header[0] != " "), warned
        # Of sixteen places the header took all.
        assert ('dropped;field="metadata"' in warned) == (header == many), warned
    metadata = {"tags": ["ok", "x" * 65, "a,b"], "long": "y" * 400}
    warned = chat(gateway, "k-client-key", metadata=metadata).header("x-llm-gateway-warnings")
    assert warned.startswith('dropped;field="metadata";reason="3 tags are'), warned
    tags = [record["tags"].split(",") for record in governed.export(gateway)]
    assert sorted(tags) == sorted(
        [
            ["product:search", "run:7", "stage=test"],
            ["product:search"] + [f"q{number}" for number in range(15)],
            ["product:search", "ok", "stage=test"],
            ["product:search", "ok"],
        ]
    )


def test_a_client_that_leaves_is_charged(slow_world):
    gateway = slow_world.gateway(keys=keys(("k", {})))
    raw.reset(open_stream(gateway, "left"))
    (record,) = waiting.until(lambda: governed.export(gateway), "its record")
    assert record["id"] == "left" and record["outcome"] == "cancelled"
    assert record["estimated"] and record["input"] > 500 and record["nano_dollars"] > 0


def test_a_database_that_does_not_answer_fails_no_call(world):
    gateway = world.gateway(keys=keys(("k", {"budget": "100"})))
    assert chat(gateway, "k-client-key").status == 200
    waiting.until(lambda: governed.report(gateway), "the first call's sum")
    lock = sqlite3.connect(gateway.data_dir / "ledger.sqlite", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    assert {chat(gateway, "k-client-key").status for _ in range(50)} == {200}
    waiting.until(
        lambda: metrics.total(metrics.scrape(gateway), "llm_gateway_ledger_bytes_waiting") > 0, "records wait"
    )
    assert {chat(gateway, "k-client-key").status for _ in range(50)} == {200}
    lock.execute("ROLLBACK")
    lock.close()
    waiting.until(lambda: governed.report(gateway)[0]["calls"] == "101", "all of them are summed up")
    assert "no fault found" in governed.ledger(gateway, "verify").stdout


def test_killed_at_any_moment_every_complete_answer_has_its_record(world):
    gateway = world.gateway(keys=keys(("k", {})))
    complete, lock, stopping = set(), threading.Lock(), threading.Event()
    current = [gateway]

    def load(worker):
        number = 0
        while not stopping.is_set():
            number += 1
            name = f"{worker}-{number}"
            try:
                answer = chat(
                    current[0], "k-client-key", headers=[("X-Request-ID", name)], stream=number % 2 == 0
                )
            except (OSError, raw.Malformed):
                time.sleep(0.02)
                continue
            if answer.status == 200 and answer.complete:
                with lock:
                    complete.add(name)

    threads = [threading.Thread(target=load, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + KILL_SECONDS
    kills = 0
    while time.monotonic() < end:
        time.sleep(random.uniform(0.3, 1.5))
        world.kill(current[0])
        kills += 1
        current[0] = world.again(current[0])
    stopping.set()
    for thread in threads:
        thread.join()
    ids = [record["id"] for record in governed.export(current[0])]
    assert complete and kills
    assert not complete - set(ids), f"{len(complete - set(ids))} of {len(complete)} answers have no record"
    assert len(ids) == len(set(ids)), "a record is there twice"
    calls = len(ids)
    waiting.until(lambda: int(governed.report(current[0])[0]["calls"]) == calls, "every record is summed up once")
    assert "no fault found" in governed.ledger(current[0], "verify").stdout
