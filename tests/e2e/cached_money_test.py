"""What calls cost of which a cache had a part, passed through and converted: against reconcile.py's arithmetic."""

import json

import pytest

from harness import canned, clouds, governed, raw, reconcile

pytestmark = pytest.mark.xdist_group("clouds")

KEY = "cached-money-client-key"
BEDROCK = {
    "inputTokens": 40,
    "outputTokens": 30,
    "totalTokens": 1270,
    "cacheReadInputTokens": 200,
    "cacheWriteInputTokens": 1000,
    "cacheDetails": [{"ttl": "1h", "inputTokens": 700}, {"inputTokens": 300, "ttl": "5m"}],
}
GEMINI = {
    "promptTokenCount": 1000,
    "promptTokensDetails": [
        {"modality": "TEXT", "tokenCount": 440},
        {"modality": "AUDIO", "tokenCount": 500},
        {"modality": "IMAGE", "tokenCount": 60},
    ],
    "cachedContentTokenCount": 410,
    "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 400}, {"tokenCount": 10, "modality": "IMAGE"}],
    "candidatesTokenCount": 30,
    "totalTokenCount": 1030,
}
# By hand, too: the sound and the pictures that came from the cache are cache reads and nothing else.
GEMINI_SPLIT = {"input": 440, "cache_read": 410, "audio_input": 100, "image_input": 50, "output": 30}
BEDROCK_SPLIT = {"input": 40, "cache_read": 200, "cache_write": 300, "cache_write_1h": 700, "output": 30}


def answer(request):
    if "/converse-stream" in request.path:
        last = clouds.event("metadata", {"usage": BEDROCK, "metrics": {"latencyMs": 4}})
        events = b"".join([*clouds.CONVERSE_EVENTS[:-1], last])
        return 200, events, {"Content-Type": "application/vnd.amazon.eventstream"}
    if "/converse" in request.path:
        return 200, clouds.CONVERSE | {"usage": BEDROCK}
    document = clouds.GENERATED | {"usageMetadata": GEMINI}
    if "alt=sse" in request.path:
        return 200, f"data: {json.dumps(document)}\r\n\r\n".encode(), canned.EVENT_STREAM
    return 200, [document] if "streamGenerate" in request.path else document


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    upstream = canned.Canned(answer)
    at = {"endpoint": upstream.url, "api_key": "k"}
    connections = [
        at | {"name": "bedrock", "provider": "bedrock", "region": clouds.REGION},
        at | {"name": "google", "provider": "google"},
    ]
    models = [
        {"name": "claude", "connection": "bedrock", "remote": "anthropic.claude-sonnet-4-5-20250929-v1:0"},
        {"name": "gemini-2.5-flash", "connection": "google"},
    ]
    prices = [{"provider": "*", "model": "*"} | reconcile.PRICES]
    directory = tmp_path_factory.mktemp("cached-money")
    with canned.gateway(directory, KEY, connections, models, prices=prices) as running:
        running.config_file = directory / "gateway.toml"
        yield running
    upstream.stop()


def chat(model, stream):
    return {"model": model, "messages": [{"role": "user", "content": "ping"}], "max_tokens": 9, "stream": stream}


CONVERSE = {"messages": [{"role": "user", "content": [{"text": "ping"}]}]}
GENERATE = {"contents": [{"role": "user", "parts": [{"text": "ping"}]}]}
FLASH = "/v1beta/models/gemini-2.5-flash:"


@pytest.mark.parametrize(
    "name, path, body",
    [
        ("bedrock", "/model/claude/converse", CONVERSE),
        ("bedrock-stream", "/model/claude/converse-stream", CONVERSE),
        ("bedrock-converted", "/v1/messages", chat("claude", False)),
        ("bedrock-converted-stream", "/v1/messages", chat("claude", True)),
        ("gemini", FLASH + "generateContent", GENERATE),
        ("gemini-stream", FLASH + "streamGenerateContent?alt=sse", GENERATE),
        ("gemini-array", FLASH + "streamGenerateContent", GENERATE),
        ("gemini-converted", "/v1/chat/completions", chat("gemini-2.5-flash", False)),
        ("gemini-converted-stream", "/v1/chat/completions", chat("gemini-2.5-flash", True)),
    ],
)
def test_cost(gateway, name, path, body):
    sent = raw.post_json(gateway.address, path, body, {"Authorization": f"Bearer {KEY}", "X-Request-ID": name})
    assert sent.status == 200, sent.body
    (record,) = [each for each in governed.export(gateway) if each["id"] == name]
    of_bedrock = name.startswith("bedrock")
    document = {"usage": BEDROCK} if of_bedrock else {"usageMetadata": GEMINI}
    expected = reconcile.cost("converse" if of_bedrock else "generateContent", json.dumps(document).encode())
    split = BEDROCK_SPLIT if of_bedrock else GEMINI_SPLIT
    assert expected == sum(tokens * reconcile.NANO[kind] for kind, tokens in split.items())
    assert record["nano_dollars"] == expected, record
    if of_bedrock:
        assert (record["cache_write"], record["cache_write_1h"]) == (1000, 700)
