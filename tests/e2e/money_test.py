"""What calls cost beside their tokens: tiers, the provider's own tools, sound in converted answers. Sums by hand."""

import json

import pytest
from harness import canned, governed, metrics, raw, waiting

KEY = "money-client-key"
USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
# Nano-dollars a token: standard 1,250 and 10,000; flex half of it; priority twice.
STANDARD = 1000 * 1250 + 100 * 10_000
FLEX = 1000 * 625 + 100 * 5_000
PRIORITY = 1000 * 2500 + 100 * 20_000
SOUND = {
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "total_tokens": 1100,
    "prompt_tokens_details": {"audio_tokens": 600, "cached_tokens": 0},
    "completion_tokens_details": {"audio_tokens": 70, "reasoning_tokens": 0},
}
# gpt-audio: text 2.50 and 10.00, sound 32.00 and 64.00 a million.
WITH_SOUND = 400 * 2500 + 600 * 32_000 + 30 * 10_000 + 70 * 64_000


def completion(request, tier=None, usage=None):
    asked = request.json()
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
    document = {"id": "c", "object": "chat.completion", "created": 1, "model": asked["model"], "choices": [choice]}
    document |= {"usage": usage or USAGE} | ({"service_tier": tier} if tier else {})
    if not asked.get("stream"):
        return 200, document
    chunk = document | {"object": "chat.completion.chunk"}
    chunk["choices"] = [{"index": 0, "delta": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}]
    return 200, (piece for piece in (b"data: " + json.dumps(chunk).encode() + b"\n\n", b"data: [DONE]\n\n"))


def answer(request):
    if "batches" in request.path:
        return 200, {"id": "batch_1", "object": "batch", "status": "validating"}
    asked = request.json()
    model = asked.get("model", "")
    if "messages" in request.path:
        used = {"input_tokens": 1000, "output_tokens": 100, "service_tier": "standard"}
        used |= {"server_tool_use": {"web_search_requests": 3}}
        said = {"id": "m", "type": "message", "role": "assistant", "model": model, "stop_reason": "end_turn"}
        content = [{"type": "text", "text": "Hello"}]
        if asked.get("tools") == [CODE]:
            content.insert(0, {"type": "bash_code_execution_tool_result", "tool_use_id": "s", "content": {}})
            used["server_tool_use"] = {"web_search_requests": 0}
        if asked.get("speed"):
            used |= {"speed": asked["speed"], "server_tool_use": {"web_search_requests": 0}}
        return 200, said | {"content": content, "usage": used}
    if "responses" in request.path:
        actions = ({"type": "search", "query": "q"}, {"type": "open_page", "url": "u"})
        searched = [{"type": "web_search_call", "id": "w", "status": "completed", "action": each} for each in actions]
        searched.append({"type": "file_search_call", "id": "f", "status": "completed", "queries": ["q"]})
        if asked["tools"][0]["type"] == "code_interpreter":
            searched = [{"type": "code_interpreter_call", "id": "c", "status": "completed", "container_id": "x"}]
            searched = searched if asked["input"] == "use it" else []
        used = {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}
        said = {"id": "r", "object": "response", "created_at": 1, "status": "completed", "model": model}
        return 200, said | {"output": searched, "usage": used, "service_tier": "default"}
    if "generateContent" in request.path:
        grounded = {"webSearchQueries": ["one", "two"]}
        said = {"content": {"role": "model", "parts": [{"text": "Hello"}]}, "finishReason": "STOP"}
        used = {"promptTokenCount": 1000, "candidatesTokenCount": 100, "totalTokenCount": 1100}
        if "projects/" in request.path:
            grounded, used["trafficType"] = {}, asked["labels"]["traffic"]
        return 200, {"candidates": [said | {"groundingMetadata": grounded}], "usageMetadata": used}
    if model == "gpt-audio":
        return completion(request, usage=SOUND)
    if model == "gpt-5.4":
        return completion(request, usage={"prompt_tokens": int(asked["user"]), "completion_tokens": 100})
    # A tier that is asked for need not be the one that is given.
    tier = {"priority-that-is-none": "default", "unheard-of": "scale"}.get(asked.get("user"), asked.get("service_tier"))
    return completion(request, tier)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    upstream = canned.Canned(answer)
    vertex = {"provider": "vertex", "endpoint": upstream.url, "access_token": "t", "project": "p", "location": "l"}
    connections = [
        vertex | {"name": "vertex"},
        {"name": "openai", "provider": "openai", "endpoint": upstream.url, "api_key": "k"},
        {"name": "anthropic", "provider": "anthropic", "endpoint": upstream.url, "api_key": "k"},
        {"name": "google", "provider": "google", "endpoint": upstream.url, "api_key": "k"},
    ]
    on = {"gpt-5": "openai", "gpt-audio": "openai", "o3-pro": "openai", "claude-sonnet-4-5": "anthropic"}
    on |= {"gemini-2.5-pro": "google", "gemini-3-pro": "google", "gemini-2.5-flash": "vertex", "gpt-5.4": "openai"}
    models = [{"name": name, "connection": connection} for name, connection in on.items()]
    connections.append(connections[1] | {"name": "both", "api": "both"})
    models.append({"name": "gpt-5-searching", "remote": "gpt-5", "connection": "both"})
    directory = tmp_path_factory.mktemp("money")
    with canned.gateway(directory, KEY, connections, models) as running:
        running.config_file = directory / "gateway.toml"
        yield running


def cost(gateway, name, path, body, **more):
    headers = {"Authorization": f"Bearer {KEY}", "X-Request-ID": name, "x-goog-api-key": KEY} | more
    sent = raw.post_json(gateway.address, path, body, headers)
    assert sent.status == 200, sent.body
    (record,) = [each for each in governed.export(gateway) if each["id"] == name]
    return record["nano_dollars"]


CHAT, MESSAGES = "/v1/chat/completions", [{"role": "user", "content": "Hello"}]
WEB = {"type": "web_search_20250305", "name": "web_search"}
SEARCHING = {"model": "gpt-5-searching", "input": "x", "tools": [{"type": "web_search"}]}
CODE = {"type": "code_execution_20250825", "name": "code_execution"}
INTERPRETING = SEARCHING | {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}
GOOGLE = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}], "tools": [{"google_search": {}}]}


def chat(model, **more):
    return {"model": model, "messages": MESSAGES} | more


@pytest.mark.parametrize(
    "name, path, body, nano",
    [
        ("standard", CHAT, chat("gpt-5"), STANDARD),
        ("default", CHAT, chat("gpt-5", service_tier="default"), STANDARD),
        ("flex", CHAT, chat("gpt-5", service_tier="flex"), FLEX),
        ("flex-streamed", CHAT, chat("gpt-5", service_tier="flex", stream=True), FLEX),
        ("priority", CHAT, chat("gpt-5", service_tier="priority"), PRIORITY),
        ("fast", CHAT, chat("gpt-5", service_tier="fast"), PRIORITY),
        ("not-given", CHAT, chat("gpt-5", service_tier="priority", user="priority-that-is-none"), STANDARD),
        ("unknown-tier", CHAT, chat("gpt-5", service_tier="auto", user="unheard-of"), None),
        ("unknown-for-model", CHAT, chat("o3-pro", service_tier="flex"), None),
        # 1,000 x 3,000 + 100 x 15,000 nano-dollars, and three searches at a cent.
        ("anthropic", "/v1/messages", chat("claude-sonnet-4-5", max_tokens=9, tools=[WEB]), 4_500_000 + 30_000_000),
        # One search at a cent, one look at a page for nothing, one search in files at a quarter of a cent.
        ("responses", "/v1/responses", SEARCHING, STANDARD + 10_000_000 + 2_500_000),
        # By the prompt: 3.5 cents, however many queries it took.
        ("gemini-2", "/v1beta/models/gemini-2.5-pro:generateContent", GOOGLE, STANDARD + 35_000_000),
        # The provider charges for the container's time, which nobody is told.
        ("code", "/v1/responses", INTERPRETING | {"input": "use it"}, None),
        ("code-not-used", "/v1/responses", INTERPRETING, STANDARD),
        ("code-anthropic", "/v1/messages", chat("claude-sonnet-4-5", max_tokens=9, tools=[CODE]), None),
        ("anthropic-fast", "/v1/messages", chat("claude-sonnet-4-5", max_tokens=9, speed="fast"), None),
        ("anthropic-not-fast", "/v1/messages", chat("claude-sonnet-4-5", max_tokens=9, speed="standard"), 4_500_000),
        # 2,500 and 15,000 nano-dollars a token; for prompts above 272,000 tokens 5,000 and 22,500.
        ("short", CHAT, chat("gpt-5.4", user="272000"), 272_000 * 2500 + 100 * 15_000),
        ("long", CHAT, chat("gpt-5.4", user="272001"), 272_001 * 5000 + 100 * 22_500),
        # What a batch comes to is charged when it is seen to be finished (batches_test.py).
        ("batch", "/v1/batches", {"input_file_id": "f", "endpoint": CHAT, "completion_window": "24h"}, 0),
        ("batch-cancelled", "/v1/batches/batch_1/cancel", {}, 0),
        ("batch-anthropic", "/v1/messages/batches", {"requests": []}, 0),
        # What a training comes to is known later, and elsewhere.
        ("fine-tuning", "/v1/fine_tuning/jobs", {"model": "gpt-5", "training_file": "f"}, None),
        ("sound", CHAT, chat("gpt-audio"), WITH_SOUND),
        ("sound-converted", "/v1/messages", chat("gpt-audio", max_tokens=9), WITH_SOUND),
        ("sound-converted-stream", "/v1/messages", chat("gpt-audio", max_tokens=9, stream=True), WITH_SOUND),
    ],
)
def test_cost(gateway, name, path, body, nano):
    assert cost(gateway, name, path, body) == nano


VERTEX = "/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-flash:generateContent"
# 1,000 tokens at 300 nano-dollars and 100 at 2,500.
FLASH = 1000 * 300 + 100 * 2500


@pytest.mark.parametrize(
    "name, asked, given, nano",
    [
        ("vertex", {}, "ON_DEMAND", FLASH),
        ("vertex-flex", {"X-Vertex-AI-LLM-Shared-Request-Type": "flex"}, "ON_DEMAND_FLEX", None),
        ("vertex-not-flex", {"X-Vertex-AI-LLM-Shared-Request-Type": "flex"}, "ON_DEMAND", FLASH),
    ],
)
def test_a_tier_in_the_head(gateway, name, asked, given, nano):
    body = {"contents": GOOGLE["contents"], "labels": {"traffic": given}}
    assert cost(gateway, name, VERTEX, body, **asked) == nano


def test_what_is_unpriced_is_counted(gateway):
    headers = {"Authorization": f"Bearer {KEY}"}

    def counted():
        return metrics.total(metrics.scrape(gateway), "llm_unpriced_requests_total")

    metrics.wait_until_idle(gateway)
    before = counted()
    body = {"model": "gpt-5", "training_file": "f"}
    assert raw.post_json(gateway.address, "/v1/fine_tuning/jobs", body, headers).status == 200
    waiting.until(lambda: counted() == before + 1, "it is counted")
