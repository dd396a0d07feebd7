"""What an operator sees of calls: times apart in the metrics, the slow-request log, request ids."""

import asyncio
import itertools
import re

import pytest

from harness import clouds, config, metrics, processes, raw, waiting, world
from harness.upstream import Upstream, chat_chunk, script, sse

pytestmark = pytest.mark.xdist_group("observability")

KEY = world.canary("observed")
WAIT_SECONDS, GAP_SECONDS, GAPS = 0.4, 0.15, 3
SLOW_MS = 250


@script("thinks-first")
async def thinks_first(connection, request):
    """Says at once that it is there, and nothing for a while."""
    await connection.begin_stream()
    role = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}
    await connection.chunk(sse(role, done=False)[0])
    await asyncio.sleep(WAIT_SECONDS)
    await tokens(connection)


@script("talks-long")
async def talks_long(connection, request):
    await connection.begin_stream()
    await tokens(connection)


CONVERSE = [
    clouds.event("messageStart", {"role": "assistant"}),
    clouds.event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "word"}}),
    clouds.event("messageStop", {"stopReason": "end_turn"}),
    clouds.event("metadata", {"usage": {"inputTokens": 3, "outputTokens": 1, "totalTokens": 4}, "metrics": {}}),
]
CLAUDE = [
    clouds.chunk({"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 3, "output_tokens": 1}}}),
    clouds.chunk({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "word"}}),
    clouds.chunk({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}),
    clouds.chunk({"type": "message_stop"}),
]


@script("frames-think-first")
async def frames_think_first(connection, request):
    """The same of Bedrock's binary frames."""
    await connection.begin_stream("application/vnd.amazon.eventstream")
    for number, frame in enumerate(CONVERSE if "/converse-stream" in request.target else CLAUDE):
        await asyncio.sleep(WAIT_SECONDS if number == 1 else 0)
        await connection.chunk(frame)
    await connection.write(b"0\r\n\r\n")


@script("part-thinks-first")
async def part_thinks_first(connection, request):
    """The same of a stream that is translated for its client: a part has begun, and holds nothing yet."""
    told = sse(
        {"type": "message_start", "message": {"id": "m", "content": [], "usage": {"input_tokens": 3}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "word"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
        done=False,
    )
    await connection.begin_stream()
    for number, event in enumerate(told):
        await asyncio.sleep(WAIT_SECONDS if number == 2 else 0)
        await connection.chunk(event)
    await connection.write(b"0\r\n\r\n")


async def tokens(connection):
    *words, done = sse(*[chat_chunk("word ")] * (1 + GAPS))
    for number, word in enumerate(words):
        await asyncio.sleep(GAP_SECONDS if number else 0)
        await connection.chunk(word)
    await connection.chunk(done)
    await connection.write(b"0\r\n\r\n")


@pytest.fixture(scope="module", name="gateway")
def make_gateway(tmp_path_factory):
    """A gateway that takes a quarter of a second for slow, before a simulator whose faults make it wait."""
    directory = tmp_path_factory.mktemp("observed")
    port, simulator_port = processes.free_ports(2)
    simulator = processes.Process(
        "simulator", ["simulate", "--listen", f"127.0.0.1:{simulator_port}"], simulator_port, "/health", directory
    )
    upstream = Upstream()
    (directory / "data").mkdir(mode=0o700)
    file = directory / "gateway.toml"
    aws = {"provider": "bedrock", "endpoint": upstream.url, "region": clouds.REGION, "api_key": "any"}
    aws["headers"] = {"x-script": "frames-think-first"}  # a client's is not sent on where requests are rewritten
    endpoints = {"simulated": f"http://127.0.0.1:{simulator_port}", "scripted": upstream.url}
    file.write_text(
        config.toml(
            {
                "server": {"listen": f"127.0.0.1:{port}", "data_dir": str(directory / "data"), "workers": 2},
                "log": {"slow_request": f"{SLOW_MS}ms"},
                "connections": [
                    *(
                        {"name": name, "provider": "openai", "endpoint": endpoint, "api_key": "any"}
                        for name, endpoint in endpoints.items()
                    ),
                    {"name": "claude", "provider": "anthropic", "endpoint": upstream.url, "api_key": "any"}
                    | {"headers": {"x-script": "part-thinks-first"}},
                    aws | {"name": "converse"},
                    aws | {"name": "invoke", "api": "invoke"},
                ],
                "models": [
                    *({"name": name, "connection": name} for name in [*endpoints, "claude", "converse"]),
                    {"name": "invoke", "connection": "invoke", "remote": "anthropic.claude-sonnet-4-5"},
                ],
                "keys": [{"name": "observed", "key": KEY}],
            }
        )
    )
    gateway = processes.Process("gateway", ["serve", "--config", str(file)], port, "/ready", directory)
    gateway.upstream = upstream
    yield gateway
    problems = gateway.stop() + simulator.stop()
    upstream.stop()
    assert not problems, "\n".join(problems)


def ask(gateway, request_id, model="simulated", how=None, **more):
    headers = [("Authorization", f"Bearer {KEY}"), ("X-Request-ID", request_id)]
    if how:
        headers.append(("x-simulate" if model == "simulated" else "x-script", how))
    body = {"model": model, "messages": [{"role": "user", "content": "x"}], "max_tokens": 4} | more
    return raw.post_json(gateway.address, "/v1/chat/completions", body, headers)


def lines(gateway, request_id, message):
    """The log's lines about a request, when there are some."""

    def found():
        own = [line for line in gateway.records() if line.get("request_id") == request_id]
        return [line for line in own if line["msg"] == message]

    return waiting.until(found, f"{request_id} has a line {message!r}")


def histogram(gateway, family, **labels):
    found = metrics.scrape(gateway)
    return [metrics.total(found, f"{family}_{part}", **labels) for part in ("count", "sum")]


def grown(gateway, call, family, **labels):
    before = histogram(gateway, family, **labels)
    call()
    return [now - then for now, then in zip(histogram(gateway, family, **labels), before)]


@pytest.fixture(name="ids")
def make_ids(request_id):
    """One for each try of a measurement."""
    return (f"{request_id}-{number}" for number in itertools.count())


def own_time_is_short(line):
    """What a call adds is not what its upstream takes; and nobody has taken the gateway's processor away."""
    return 0 < line["added_us"] < WAIT_SECONDS / 2 * 1e6


def test_the_gateways_own_time_is_apart_from_the_upstreams(gateway, ids):
    def apart():
        line = look_at_times(gateway, next(ids))
        return own_time_is_short(line)

    waiting.until(apart, "the gateway's own time is short")


def look_at_times(gateway, request_id):
    before = histogram(gateway, "llm_upstream_seconds", model="simulated")

    def call():
        assert ask(gateway, request_id, how="delay=400ms").status == 200
        lines(gateway, request_id, "request")

    count, added = grown(gateway, call, "llm_gateway_added_seconds", endpoint="chat")
    after = histogram(gateway, "llm_upstream_seconds", model="simulated")
    assert count == 1 and added > 0
    assert after[0] - before[0] == 1 and after[1] - before[1] >= WAIT_SECONDS
    [line] = lines(gateway, request_id, "request")
    assert line["duration_ms"] == pytest.approx(line["upstream_ms"] + line["added_us"] / 1000, abs=0.01)
    assert line["added_us"] / 1e6 == pytest.approx(added, abs=1e-6)
    return line


def test_first_token_and_the_time_between_tokens(gateway, ids):
    def in_time():
        gaps, between = look_at_tokens(gateway, next(ids))
        # A word that comes late makes the gap before it longer and the next one shorter.
        return gaps >= GAPS and GAPS * GAP_SECONDS - 0.1 <= between < 5

    waiting.until(in_time, "the words came one after the other")


def look_at_tokens(gateway, request_id):
    labels = {"provider": "openai", "model": "scripted"}

    def call():
        answer = ask(gateway, request_id, "scripted", "thinks-first", stream=True)
        assert answer.status == 200 and answer.body.count(b"word ") == 1 + GAPS
        lines(gateway, request_id, "request")

    def first_token():
        count, first = grown(gateway, call, "llm_time_to_first_token_seconds", **labels)
        assert count == 1 and first >= WAIT_SECONDS
        [line] = lines(gateway, request_id, "request")
        assert line["ttft_ms"] / 1000 == pytest.approx(first, abs=1e-4)

    return grown(gateway, first_token, "llm_time_between_tokens_seconds", **labels)


@pytest.mark.parametrize(
    "model, path, body",
    [
        ("converse", "/model/converse/converse-stream", {"messages": [{"role": "user", "content": [{"text": "x"}]}]}),
        ("invoke", "/model/invoke/invoke-with-response-stream", {"anthropic_version": "bedrock-2023-05-31"}),
        ("invoke", "/v1/messages", {"model": "invoke", "stream": True}),
    ],
    ids=["Converse", "InvokeModel", "InvokeModel's events for a client of Anthropic's"],
)
def test_a_frame_that_announces_is_no_first_token(gateway, ids, model, path, body):
    waiting.until(
        lambda: own_time_is_short(look_at_frames(gateway, next(ids), model, path, body)),
        "the gateway's own time is short",
    )


def look_at_frames(gateway, request_id, model, path, body):
    if "converse" not in path:
        body = body | {"max_tokens": 4, "messages": [{"role": "user", "content": "x"}]}
    headers = [("Authorization", f"Bearer {KEY}"), ("X-Request-ID", request_id)]

    def call():
        answer = raw.post_json(gateway.address, path, body, headers)
        assert answer.status == 200 and answer.complete and answer.body.startswith((b"event: message_start", b"\0"))
        lines(gateway, request_id, "request")

    count, first = grown(gateway, call, "llm_time_to_first_token_seconds", provider="bedrock", model=model)
    assert count == 1 and first >= WAIT_SECONDS
    [line] = lines(gateway, request_id, "request")
    assert line["ttft_ms"] / 1000 == pytest.approx(first, abs=1e-4) and line["input_tokens"] == 3
    return line


def test_a_translated_part_that_has_begun_is_no_first_token(gateway, ids):
    waiting.until(
        lambda: own_time_is_short(look_at_part(gateway, next(ids))), "the gateway's own time is short"
    )


def look_at_part(gateway, request_id):
    def call():
        answer = ask(gateway, request_id, "claude", stream=True)
        assert answer.status == 200 and answer.complete and answer.body.count(b"word") == 1
        lines(gateway, request_id, "request")

    count, first = grown(gateway, call, "llm_time_to_first_token_seconds", provider="anthropic", model="claude")
    assert count == 1 and first >= WAIT_SECONDS
    [line] = lines(gateway, request_id, "request")
    return line


@pytest.mark.parametrize(
    "model, how, stream, slow",
    [
        ("simulated", "delay=400ms", False, True),
        ("simulated", "tokens=1", False, False),
        ("scripted", "thinks-first", True, True),
        # Longer than the limit, but its first token was not.
        ("scripted", "talks-long", True, False),
    ],
    ids=["document", "quick document", "stream", "long stream"],
)
def test_slow_requests_stand_in_the_log_twice(gateway, ids, model, how, stream, slow):
    def line_of(request_id):
        assert ask(gateway, request_id, model, how, stream=stream).status == 200
        [line] = lines(gateway, request_id, "request")
        assert line["level"] == "info"
        assert line["duration_ms"] > SLOW_MS or how == "tokens=1"
        # On a busy machine one that should be quick may be slow.
        return line if slow or line["ttft_ms" if stream else "duration_ms"] < SLOW_MS else None

    line = waiting.until(lambda: line_of(next(ids)), "a call is as quick as it should be")
    request_id = line["request_id"]
    if slow:
        [again] = lines(gateway, request_id, "slow request")
        assert again.pop("level") == "warn" and line.pop("level") == "info"
        for each in (again, line):
            del each["msg"], each["ts"]
        assert again == line
    else:
        # A later call's slow line has been written, this one's has not.
        assert ask(gateway, request_id + "-later", how="delay=400ms").status == 200
        lines(gateway, request_id + "-later", "slow request")
        own = [each for each in gateway.records() if each.get("request_id") == request_id]
        assert [each["msg"] for each in own] == ["request"]


@pytest.mark.parametrize("given", ["a", "x" * 128, "job:7/step=2+a@b.c_d-e"])
def test_a_request_id_goes_all_the_way(gateway, given):
    answer = ask(gateway, given, "scripted")
    assert answer.status == 200 and answer.header("x-request-id") == given
    assert gateway.upstream.find(given)
    waiting.until(lambda: f'"request_id":"{given}"' in gateway.text(), "the log has it")


@pytest.mark.parametrize("given", ["x" * 129, "two words", "", 'quote"', "umlaut-\u00e4"])
def test_a_request_id_that_could_do_harm_is_replaced(gateway, given):
    answer = ask(gateway, given, "scripted")
    made = answer.header("x-request-id")
    assert answer.status == 200 and re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{26}", made)
    assert gateway.upstream.find(made)
    [line] = lines(gateway, made, "request")
    assert line["request_id"] == made


def test_every_line_about_a_failure_has_the_request_id(gateway, request_id):
    assert ask(gateway, request_id, "scripted", "garbage").status == 502
    [failed] = lines(gateway, request_id, "upstream failed")
    [line] = lines(gateway, request_id, "request")
    assert failed["request_id"] == line["request_id"] == request_id
    assert line["status"] == 502 and line["error_type"] == "upstream_failed"
