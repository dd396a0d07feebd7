"""What the ledger says of a stream whose provider does not report its usage: an estimate of what the model said, the
same for the same text whatever the client's protocol and however the bytes came."""

import json

import pytest
from harness import canned, governed, raw, waiting

KEY = "estimate-client-key"
DELTAS = 1000  # of four bytes each, which is a token
MESSAGES = [{"role": "user", "content": "Hello"}]
CHAT = "/v1/chat/completions"


def chunk(text):
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    document = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def events(count):
    return [chunk("ora ")] * count


def answer(request):
    asked = request.json()["model"]
    if asked == "halved":
        choice = {"index": 0, "message": {"role": "assistant", "content": "ora"}, "finish_reason": "stop"}
        document = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        return 200, document | {"usage": {"completion_tokens": 7}}
    if asked == "cut":
        return 200, (event for event in events(DELTAS))
    count = int(asked.removeprefix("whole-"))
    return 200, b"".join(events(count)) + b"data: [DONE]\n\n", {"Content-Type": "text/event-stream"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    upstream = canned.Canned(answer)
    connections = [{"name": "silent", "provider": "openai", "endpoint": upstream.url, "api_key": "k"}]
    models = [{"name": name, "connection": "silent"} for name in ("cut", "halved", "whole-*")]
    directory = tmp_path_factory.mktemp("estimate")
    with canned.gateway(directory, KEY, connections, models) as running:
        running.config_file = directory / "gateway.toml"
        yield running


def record_of(gateway, name, path, body):
    headers = {"Authorization": f"Bearer {KEY}", "X-Request-ID": name, "x-goog-api-key": KEY}
    sent = raw.post_json(gateway.address, path, body, headers)
    assert sent.status == 200, sent.body

    def found():
        return [each for each in governed.export(gateway) if each["id"] == name]

    (record,) = waiting.until(found, "its record")
    assert record["estimated"] and record["streamed"] == body.get("stream", "contents" in body)

    def logged():
        lines = gateway.records()
        return [each for each in lines if each["msg"] == "request" and each.get("request_id") == name]

    (line,) = waiting.until(logged, "its line of the log")
    assert line["estimated"] and line["output_tokens"] == record["output"] and line["input_tokens"] == record["input"]
    return record


@pytest.mark.parametrize("count", [1, 10, 100, 300])
def test_a_whole_stream_in_one_piece(gateway, count):
    body = {"model": f"whole-{count}", "messages": MESSAGES, "stream": True}
    record = record_of(gateway, f"whole-{count}", CHAT, body)
    assert (record["outcome"], record["output"]) == ("completed", count)


def test_a_prompt_that_is_not_told_is_estimated(gateway):
    messages = [{"role": "user", "content": "a" * 400}]
    record = record_of(gateway, "halved", CHAT, {"model": "halved", "messages": messages})
    assert record["outcome"] == "completed" and record["output"] == 7, "as the provider said"
    assert 100 <= record["input"] <= 150, "four bytes a token"


@pytest.mark.parametrize(
    "name, path, body",
    [
        ("chat", CHAT, {"messages": MESSAGES, "stream": True}),
        ("messages", "/v1/messages", {"messages": MESSAGES, "stream": True, "max_tokens": 4000}),
        ("gemini", "/v1beta/models/cut:streamGenerateContent?alt=sse", {"contents": [{"parts": [{"text": "Hello"}]}]}),
        ("array", "/v1beta/models/cut:streamGenerateContent", {"contents": [{"parts": [{"text": "Hello"}]}]}),
    ],
)
def test_a_cut_stream_in_every_protocol(gateway, name, path, body):
    body = body if "contents" in body else {"model": "cut"} | body
    record = record_of(gateway, name, path, body)
    assert (record["outcome"], record["output"]) == ("cut", DELTAS)
